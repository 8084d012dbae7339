package watch

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/sync/translate"
)

// The caches hold every Service and endpoint of a cluster: what nobody reads
// is dropped before it is kept.

func stripService(o any) {
	svc, ok := o.(*corev1.Service)
	if !ok {
		return
	}
	stripMeta(&svc.ObjectMeta)
	svc.Labels = nil
	for key := range svc.Annotations {
		if !strings.HasPrefix(key, translate.Prefix) {
			delete(svc.Annotations, key)
		}
	}
}

func stripSlice(o any) {
	slice, ok := o.(*discoveryv1.EndpointSlice)
	if !ok {
		return
	}
	stripMeta(&slice.ObjectMeta)
	slice.Annotations = nil
	slice.OwnerReferences = nil
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: slice.Labels[discoveryv1.LabelServiceName]}
	for i := range slice.Endpoints {
		e := &slice.Endpoints[i]
		e.DeprecatedTopology, e.Zone, e.Hints, e.Hostname = nil, nil, nil, nil
		if e.TargetRef != nil {
			e.TargetRef = &corev1.ObjectReference{Kind: e.TargetRef.Kind}
		}
	}
}

func stripNode(o any) {
	n, ok := o.(*corev1.Node)
	if !ok {
		return
	}
	stripMeta(&n.ObjectMeta)
	n.Annotations = nil
	conditions := n.Status.Conditions
	n.Status = corev1.NodeStatus{Addresses: n.Status.Addresses}
	for _, c := range conditions {
		if c.Type == corev1.NodeReady {
			n.Status.Conditions = []corev1.NodeCondition{{Type: c.Type, Status: c.Status}}
		}
	}
	n.Spec = corev1.NodeSpec{PodCIDRs: n.Spec.PodCIDRs}
}

func stripNamespace(o any) {
	if ns, ok := o.(*corev1.Namespace); ok {
		stripMeta(&ns.ObjectMeta)
		ns.Annotations = nil
	}
}

func stripMeta(m *metav1.ObjectMeta) { m.ManagedFields = nil }

// different says whether two versions of an object differ in what is kept of
// them.
func different(before, after any) bool {
	a, okA := before.(metav1.Object)
	b, okB := after.(metav1.Object)
	if !okA || !okB || a.GetResourceVersion() == b.GetResourceVersion() {
		return okA && okB && a.GetResourceVersion() == ""
	}
	switch before := before.(type) {
	case *corev1.Node:
		after := after.(*corev1.Node)
		return !equality.Semantic.DeepEqual(before.Labels, after.Labels) ||
			!equality.Semantic.DeepEqual(before.Status, after.Status) ||
			(before.DeletionTimestamp == nil) != (after.DeletionTimestamp == nil)
	case *corev1.Namespace:
		return !equality.Semantic.DeepEqual(before.Labels, after.(*corev1.Namespace).Labels)
	}
	return true
}
