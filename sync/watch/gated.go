package watch

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/cache"

	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// Pod is a Pod with our readiness gate as last seen; false if there is none.
func (w *Watcher) Pod(ref state.Ref) (translate.Pod, bool) {
	p := w.podsOf(ref.Namespace)
	if p == nil {
		return translate.Pod{}, false
	}
	return p.get(ref)
}

// Pods are all Pods with our readiness gate.
func (w *Watcher) Pods() []state.Ref {
	var refs []state.Ref
	for _, p := range w.pods {
		refs = append(refs, p.all()...)
	}
	return refs
}

// ServicesOf are the Services that a Pod is, or is about to become, an endpoint
// of: those whose selector chooses it, and those without a selector in whose
// EndpointSlices it is. That does not wait for the EndpointSlice controller.
func (w *Watcher) ServicesOf(p translate.Pod) []*corev1.Service {
	informer := w.scope(w.services, p.Ref.Namespace)
	if informer == nil {
		return nil
	}
	all, err := informer.GetIndexer().ByIndex(cache.NamespaceIndex, p.Ref.Namespace)
	if err != nil {
		return nil // the index is there
	}
	var found []*corev1.Service
	for _, o := range all {
		svc := o.(*corev1.Service)
		if len(svc.Spec.Selector) > 0 && labels.SelectorFromSet(svc.Spec.Selector).Matches(labels.Set(p.Labels)) ||
			len(svc.Spec.Selector) == 0 && w.lists(svc, p.Ref.Name) {
			found = append(found, svc)
		}
	}
	return found
}

// lists says whether a Service's EndpointSlices name a Pod.
func (w *Watcher) lists(svc *corev1.Service, pod string) bool {
	ref := state.Ref{Namespace: svc.Namespace, Name: svc.Name}
	for _, slice := range w.Slices(ref) {
		for _, e := range slice.Endpoints {
			if e.TargetRef != nil && e.TargetRef.Kind == podKind && e.TargetRef.Name == pod {
				return true
			}
		}
	}
	return false
}

// podChanged tells of the Services that a Pod is of.
func (w *Watcher) podChanged(p translate.Pod) {
	for _, svc := range w.ServicesOf(p) {
		w.serviceChanged(svc)
	}
}

// podsOf are the Pods of a namespace; nil if they are not watched.
func (w *Watcher) podsOf(namespace string) *pods {
	if len(w.namespaces) == 0 {
		return w.pods[corev1.NamespaceAll]
	}
	return w.pods[namespace]
}
