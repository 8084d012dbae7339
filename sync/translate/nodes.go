package translate

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"landbridge.dev/config"
	"landbridge.dev/sync/state"
)

// nodeMembers are the pool members of a port whose members are node ports.
// With weigh, a node that takes clients for its own pods alone counts for as
// many as it has.
func (t *translation) nodeMembers(device config.BIGIP, port corev1.ServicePort, six, weigh bool) []state.Member {
	if port.NodePort == 0 {
		t.once("NoNodePort", "port "+portName(port)+" has no node port; member-type nodeport needs a Service of type NodePort or LoadBalancer")
		return nil
	}
	if len(t.Nodes) == 0 {
		t.mode = max(t.mode, state.Still)
		t.once("NoNodes", "the cluster shows no node at all; what stands outside stays until it does")
		return nil
	}
	var serving map[string]int
	if t.local() {
		serving = t.servingNodes(port, six)
	}
	var members []state.Member
	for _, n := range t.eligibleNodes(device.NodePort) {
		a, ok := internalIP(n, six)
		if !ok || (t.local() && serving[n.Name] == 0) {
			continue
		}
		ratio := 1
		if weigh && t.local() {
			ratio = serving[n.Name]
		}
		members = append(members, state.Member{
			Endpoint: state.Endpoint{Address: a, Port: uint16(port.NodePort)}, Ratio: ratio,
		})
		if len(members) == device.NodePort.MaxNodes {
			break // counted are those that can be members, not those that come before them by name
		}
	}
	state.SortMembers(members)
	return members
}

// servingNodes are how many endpoints that take clients each node has: with
// externalTrafficPolicy Local only a node with some answers.
func (t *translation) servingNodes(port corev1.ServicePort, six bool) map[string]int {
	endpoints := t.pods(port, six)
	best := bestOf(endpoints)
	serving := map[string]int{}
	for _, e := range endpoints {
		if takesClients(e.condition, best) {
			serving[e.node]++
		}
	}
	return serving
}

// eligibleNodes are the nodes that may be members, by name: ready, not being
// deleted, not excluded by label, and chosen by the device's selector. Where
// more than a third of them are not ready, the cluster has lost sight of its
// nodes rather than the nodes, and they stay: the device's monitors tell which
// of them answer.
func (t *translation) eligibleNodes(which config.NodePort) []*corev1.Node {
	selector, err := labels.Parse(which.NodeSelector)
	if err != nil {
		selector = labels.Nothing() // the configuration was validated
	}
	var nodes []*corev1.Node
	for _, n := range t.Nodes {
		_, excluded := n.Labels[corev1.LabelNodeExcludeBalancers]
		if !excluded && n.DeletionTimestamp == nil && selector.Matches(labels.Set(n.Labels)) {
			nodes = append(nodes, n)
		}
	}
	up := slices.DeleteFunc(slices.Clone(nodes), func(n *corev1.Node) bool { up, _ := nodeReady(n); return !up })
	if down := len(nodes) - len(up); down*3 <= len(nodes) {
		nodes = up
	}
	slices.SortFunc(nodes, func(a, b *corev1.Node) int { return strings.Compare(a.Name, b.Name) })
	return nodes
}

// nodeReady says whether a node is ready, and since when it is so or not.
func nodeReady(n *corev1.Node) (ready bool, since time.Time) {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue, c.LastTransitionTime.Time
		}
	}
	return false, time.Time{}
}

// internalIP is a node's first InternalIP of a family.
func internalIP(n *corev1.Node, six bool) (state.Address, bool) {
	for _, a := range n.Status.Addresses {
		if a.Type != corev1.NodeInternalIP {
			continue
		}
		if parsed, err := state.ParseAddress(a.Address); err == nil && parsed.Is6() == six {
			return parsed, true
		}
	}
	return state.Address{}, false
}
