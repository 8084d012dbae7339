package translate

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"landbridge.dev/sync/state"
)

// nodeHops are the nodes that lead to a Service, in one family: those that are
// in their place, and with local those of them that have an endpoint which
// takes clients. Without any endpoint there is none. With say it is told
// why nodes and so routes are left out.
func (t *translation) nodeHops(six, local, say bool) []state.NextHop {
	if len(t.Nodes) == 0 {
		t.routing = max(t.routing, state.Still)
		t.onceOf("NoNodes", "the cluster shows no node at all; what is announced stays until it does")
		return nil
	}
	serving := t.serving(six)
	if len(serving) == 0 {
		if say {
			t.warn("NoEndpoints", "nothing is announced in IPv%d: no endpoint takes clients", version(six))
		}
		return nil
	}
	var hops []state.NextHop
	for _, n := range t.nextNodes(say) {
		a, ok := internalIP(n, six)
		if ok && (!local || serving[n.Name]) {
			hops = append(hops, state.NextHop{Address: a.IP, Via: "node " + n.Name})
		}
	}
	state.SortNextHops(hops)
	hops = slices.CompactFunc(hops, func(a, b state.NextHop) bool { return a.Address == b.Address })
	if len(hops) == 0 && say {
		t.warn("NoNextHop", "nothing is announced in IPv%d: no node that may be a next hop has an address of that family, or with externalTrafficPolicy Local an endpoint", version(six))
	}
	return hops
}

func version(six bool) int {
	if six {
		return 6
	}
	return 4
}

// nextNodes are the nodes that may be next hops. Those that are not ready are
// none as long as any is: nobody but us takes a route away from a node that
// does not answer. Where none is ready, the cluster has lost sight of its nodes,
// and they all stay.
func (t *translation) nextNodes(say bool) []*corev1.Node {
	var ready, unready []*corev1.Node
	var out []string
	for _, n := range t.Nodes {
		_, excluded := n.Labels[corev1.LabelNodeExcludeBalancers]
		switch {
		case n.DeletionTimestamp != nil:
			out = append(out, n.Name+" is being deleted")
		case excluded:
			out = append(out, n.Name+" is excluded by its label "+corev1.LabelNodeExcludeBalancers)
		case t.Config.BGP.ExcludeCordoned && n.Spec.Unschedulable:
			out = append(out, n.Name+" is cordoned")
		case isReady(n):
			ready = append(ready, n)
		default:
			unready = append(unready, n)
		}
	}
	if len(ready) == 0 {
		return unready
	}
	for _, n := range unready {
		out = append(out, n.Name+" is not ready")
	}
	told := slices.ContainsFunc(t.warned, func(p state.Problem) bool { return p.Reason == "NodesLeftOut" })
	if slices.Sort(out); len(out) > 0 && say && !told {
		t.warn("NodesLeftOut", "no next hops are: %s", strings.Join(out, ", "))
	}
	return ready
}

// serving are the nodes with an endpoint that takes clients, on every port that
// has any: a node that lacks one would drop what comes for it. Endpoints on no
// node are under "".
func (t *translation) serving(six bool) map[string]bool {
	var all map[string]bool
	for _, port := range t.Service.Spec.Ports {
		nodes := t.servingPort(port, six)
		switch {
		case len(nodes) == 0:
		case all == nil:
			all = nodes
		default:
			for name := range all {
				if !nodes[name] {
					all[name] = false // it serves, and not all of it
				}
			}
		}
	}
	return all
}

// servingPort are the nodes with an endpoint of a port that takes clients.
func (t *translation) servingPort(port corev1.ServicePort, six bool) map[string]bool {
	family := discoveryv1.AddressTypeIPv4
	if six {
		family = discoveryv1.AddressTypeIPv6
	}
	var found []endpoint
	for _, slice := range t.Slices {
		if slice.AddressType != family || len(portsOf(slice, port)) == 0 {
			continue
		}
		for _, e := range slice.Endpoints {
			one := endpoint{condition: conditionOf(e.Conditions)}
			if e.NodeName != nil {
				one.node = *e.NodeName
			}
			found = append(found, one)
		}
	}
	best := bestOf(found)
	nodes := map[string]bool{}
	for _, e := range found {
		if takesClients(e.condition, best) {
			nodes[e.node] = true
		}
	}
	return nodes
}

// onceOf tells what is wrong with what is announced, once.
func (t *translation) onceOf(reason, message string) {
	if !slices.ContainsFunc(t.problems, func(p state.Problem) bool { return p.Message == message }) {
		t.fault(state.Follow, reason, "%s", message)
	}
}

func isReady(n *corev1.Node) bool {
	ready, _ := nodeReady(n)
	return ready
}
