package watch

import (
	"strings"
	"sync"

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

// stripSlice is for EndpointSlices, of which there is one endpoint for each pod
// and port of a cluster: what is kept takes as little as can be. Node names and
// truth values are shared, and no array has room to spare.
func (s *shared) stripSlice(o any) {
	slice, ok := o.(*discoveryv1.EndpointSlice)
	if !ok {
		return
	}
	stripMeta(&slice.ObjectMeta)
	vms, ours := slice.Annotations[translate.AnnotationVMs], slice.Labels[translate.LabelService]
	slice.Annotations = nil
	slice.OwnerReferences = nil
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: slice.Labels[discoveryv1.LabelServiceName]}
	if ours != "" {
		slice.Labels[translate.LabelService] = ours
		slice.Annotations = map[string]string{translate.AnnotationVMs: vms}
	}
	slice.Endpoints = append(make([]discoveryv1.Endpoint, 0, len(slice.Endpoints)), slice.Endpoints...)
	for i := range slice.Endpoints {
		e := &slice.Endpoints[i]
		e.DeprecatedTopology, e.Zone, e.Hints, e.Hostname = nil, nil, nil, nil
		e.NodeName = s.name(e.NodeName)
		c := &e.Conditions
		c.Ready, c.Serving, c.Terminating = s.truth(c.Ready), s.truth(c.Serving), s.truth(c.Terminating)
		if e.TargetRef == nil {
			continue
		}
		kind := e.TargetRef.Kind
		if kind == podKind {
			kind = podKind // the constant's bytes, not those of the message
		}
		e.TargetRef = &corev1.ObjectReference{Kind: kind, Name: e.TargetRef.Name}
	}
}

const podKind = "Pod"

// shared keeps one copy of what many objects have: of each name, of which there
// are as many as there were ever nodes, and of the two truth values. It is safe
// for concurrent use.
type shared struct {
	names   sync.Map // string to *string
	yes, no bool     // true and false, and never changed
}

func newShared() *shared { return &shared{yes: true} }

func (s *shared) truth(b *bool) *bool {
	switch {
	case b == nil:
		return nil
	case *b:
		return &s.yes
	}
	return &s.no
}

func (s *shared) name(p *string) *string {
	if p == nil {
		return nil
	}
	if kept, ok := s.names.Load(*p); ok {
		p, _ = kept.(*string)
		return p
	}
	kept, _ := s.names.LoadOrStore(*p, p)
	p, _ = kept.(*string)
	return p
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
			n.Status.Conditions = []corev1.NodeCondition{{Type: c.Type, Status: c.Status, LastTransitionTime: c.LastTransitionTime}}
		}
	}
	n.Spec = corev1.NodeSpec{PodCIDRs: n.Spec.PodCIDRs, Unschedulable: n.Spec.Unschedulable}
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
			!equality.Semantic.DeepEqual(before.Spec, after.Spec) ||
			(before.DeletionTimestamp == nil) != (after.DeletionTimestamp == nil)
	case *corev1.Namespace:
		return !equality.Semantic.DeepEqual(before.Labels, after.(*corev1.Namespace).Labels)
	}
	return true
}
