package translate_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

func unready(n *corev1.Node) { n.Status.Conditions[1].Status = corev1.ConditionUnknown }
func silent(n *corev1.Node)  { n.Status.Conditions = nil }
func deleted(n *corev1.Node) { n.DeletionTimestamp = &metav1.Time{} }
func excluded(n *corev1.Node) {
	n.Labels[corev1.LabelNodeExcludeBalancers] = ""
}
func cordoned(n *corev1.Node) { n.Spec.Unschedulable = true }
func inland(n *corev1.Node)   { n.Labels = map[string]string{} }
func six(address string) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: address})
	}
}

func TestNodePorts(t *testing.T) {
	t.Parallel()
	byAnnotation := service(nodePorts, with("member-type", "nodeport"))
	onlyLocal := service(nodePorts, with("member-type", "nodeport"), local)
	// dc2 has node ports by default, a selector, and two nodes at most.
	chosen := func(options ...serviceOption) *corev1.Service {
		return service(append([]serviceOption{in("shop-eu"), with("partition", "edge"), with("device", "dc2"), nodePorts}, options...)...)
	}
	for _, test := range []struct {
		name   string
		svc    *corev1.Service
		nodes  []*corev1.Node
		slices []*discoveryv1.EndpointSlice
		want   []string
	}{
		{
			name: "every ready node, at its internal address, whatever the endpoints", svc: byAnnotation,
			nodes: []*corev1.Node{node("n2", "192.0.2.2"), node("n1", "192.0.2.1"), node("n3", "192.0.2.3", cordoned)},
			want:  []string{"192.0.2.1:30000", "192.0.2.2:30000", "192.0.2.3:30000"},
		},
		{
			name: "out are those that are not ready, being deleted, or excluded by label", svc: byAnnotation,
			nodes: []*corev1.Node{
				node("n1", "192.0.2.1", unready), node("n2", "192.0.2.2", silent), node("n3", "192.0.2.3", deleted),
				node("n4", "192.0.2.4", excluded), node("n5", "192.0.2.5"), node("n6", "192.0.2.6"), node("n7", "192.0.2.7"), node("n8", "192.0.2.8"),
			},
			want: []string{"192.0.2.5:30000", "192.0.2.6:30000", "192.0.2.7:30000", "192.0.2.8:30000"},
		},
		{
			name: "more than a third not ready: the cluster has lost sight of them, and they stay", svc: byAnnotation,
			nodes: []*corev1.Node{node("n1", "192.0.2.1", unready), node("n2", "192.0.2.2", silent), node("n3", "192.0.2.3"), node("n4", "192.0.2.4", excluded)},
			want:  []string{"192.0.2.1:30000", "192.0.2.2:30000", "192.0.2.3:30000"},
		},
		{
			name: "a node without an internal address of the family", svc: service(nodePorts, with("member-type", "nodeport"), with("virtual-address", "2001:db8:1::20")),
			nodes: []*corev1.Node{node("n1", "192.0.2.1"), node("n2", "192.0.2.2", six("2001:db8::2"), six("2001:db8::3"))},
			want:  []string{"[2001:db8::2]:30000"},
		},
		{
			name: "externalTrafficPolicy Local: nodes with an endpoint that takes clients", svc: onlyLocal,
			nodes: []*corev1.Node{node("n1", "192.0.2.1"), node("n2", "192.0.2.2"), node("n3", "192.0.2.3"), node("n4", "192.0.2.4")},
			slices: []*discoveryv1.EndpointSlice{slice(
				podOn("n1", "10.0.0.1", isReady), podOn("n2", "10.0.0.2", notReady), podOn("n3", "10.0.0.3", leaves), podOn("n9", "10.0.0.9", isReady),
			)},
			want: []string{"192.0.2.1:30000"},
		},
		{
			name: "Local, none ready: nodes with one that leaves and serves", svc: onlyLocal,
			nodes:  []*corev1.Node{node("n1", "192.0.2.1"), node("n2", "192.0.2.2")},
			slices: []*discoveryv1.EndpointSlice{slice(podOn("n1", "10.0.0.1", notReady), podOn("n2", "10.0.0.2", leaves))},
			want:   []string{"192.0.2.2:30000"},
		},
		{
			name: "Local without endpoints: no node answers", svc: onlyLocal,
			nodes: []*corev1.Node{node("n1", "192.0.2.1")},
			want:  []string{},
		},
		{
			name: "the device's selector and limit, by name", svc: chosen(),
			nodes: []*corev1.Node{node("n4", "192.0.2.4"), node("n3", "192.0.2.3"), node("n2", "192.0.2.2", inland), node("n1", "192.0.2.1")},
			want:  []string{"192.0.2.1:30000", "192.0.2.3:30000"},
		},
		{
			name: "the limit is of those that can be members: Local beyond the first by name", svc: chosen(local),
			nodes:  []*corev1.Node{node("n1", "192.0.2.1"), node("n2", "192.0.2.2"), node("n3", "192.0.2.3")},
			slices: []*discoveryv1.EndpointSlice{slice(podOn("n3", "10.0.0.3", isReady))},
			want:   []string{"192.0.2.3:30000"},
		},
		{
			name: "the limit is of those that can be members: of the family", svc: chosen(with("virtual-address", "2001:db8:1::20")),
			nodes: []*corev1.Node{node("n1", "192.0.2.1"), node("n2", "192.0.2.2"), node("n3", "192.0.2.3", six("2001:db8::3"))},
			want:  []string{"[2001:db8::3]:30000"},
		},
		{
			name: "an annotation wins over the device's default", svc: chosen(with("member-type", "pod")),
			nodes: []*corev1.Node{node("n1", "192.0.2.1")}, slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", isReady))},
			want: []string{"10.0.0.1:8080"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, nodes := range [][]*corev1.Node{test.nodes, reversed(test.nodes)} {
				r := translate.Service(translate.Input{Service: test.svc, Slices: test.slices, Nodes: nodes}, policy(t))
				same(t, test.want, members(t, r))
				if len(r.Problems) > 0 {
					t.Errorf("problems: %v", r.Problems)
				}
			}
		})
	}
}

func TestNodePortsNeedANodePort(t *testing.T) {
	t.Parallel()
	r := translate.Service(translate.Input{
		Service: service(with("member-type", "nodeport"), with("virtual-address", "203.0.113.20,2001:db8:1::20")), Nodes: []*corev1.Node{node("n1", "192.0.2.1")},
	}, policy(t))
	if r.Want.Mode != state.Hold {
		t.Errorf("mode %s", r.Want.Mode)
	}
	same(t, []string{"NoNodePort: port 80 has no node port; member-type nodeport needs a Service of type NodePort or LoadBalancer"}, told(r).Problems)
}
