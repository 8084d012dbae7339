package watch

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// Whose says whose an address is in the cluster: "a node", "a pod" and the like
// with its name; "" for nobody's, as far as the caches know. It goes through all
// that is known, and is for what is asked seldom.
func (w *Watcher) Whose(a netip.Addr) string {
	is := func(text string) bool {
		b, err := netip.ParseAddr(text)
		return err == nil && b.Unmap() == a
	}
	for _, o := range w.nodes.GetStore().List() {
		n := o.(*corev1.Node)
		for _, address := range n.Status.Addresses {
			if is(address.Address) {
				return "an address of node " + n.Name
			}
		}
		for _, text := range n.Spec.PodCIDRs {
			if p, err := netip.ParsePrefix(text); err == nil && p.Contains(a) {
				return "in the pod network of node " + n.Name
			}
		}
	}
	for _, informer := range w.services {
		for _, o := range informer.GetStore().List() {
			svc := o.(*corev1.Service)
			ingress := func(i corev1.LoadBalancerIngress) bool { return is(i.IP) }
			if slices.ContainsFunc(svc.Spec.ClusterIPs, is) || slices.ContainsFunc(svc.Spec.ExternalIPs, is) ||
				slices.ContainsFunc(svc.Status.LoadBalancer.Ingress, ingress) {
				return "an address of Service " + svc.Namespace + "/" + svc.Name
			}
		}
	}
	for _, informer := range w.slices {
		for _, o := range informer.GetStore().List() {
			for _, e := range o.(*discoveryv1.EndpointSlice).Endpoints {
				if e.TargetRef != nil && e.TargetRef.Kind == podKind && len(e.Addresses) > 0 && is(e.Addresses[0]) {
					return "an address of a pod"
				}
			}
		}
	}
	return ""
}
