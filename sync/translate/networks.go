package translate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/config"
	"landbridge.dev/sync/state"
)

// NodeNetwork is a network whose pods are on one node.
type NodeNetwork struct {
	Prefix netip.Prefix
	Node   string
}

// Networks is what Kubernetes says about the networks of pods.
type Networks struct {
	Nodes []*corev1.Node
	// Of are the networks, as the source that is configured has them. Known
	// says whether it has been read.
	Of    []NodeNetwork
	Known bool
	// Astray names, by network, an endpoint in it that is ready on another
	// node: "10.244.1.7 on node-b".
	Astray map[netip.Prefix]string
}

// PodNetworks translates the networks of pods into routes, of the speaker or of
// the BIG-IPs, owned by state.PodNetworks. A network that also has endpoints
// elsewhere is left out: its node would drop what comes for them.
func PodNetworks(in Networks, p Policy) Result {
	t := &translation{Policy: p, ref: state.PodNetworks()}
	result := Result{Want: state.Want{Service: t.ref, Drain: DefaultDrain}}
	if p.Config.BGP == nil || p.Config.BGP.PodNetworks.Source == config.PodNetworksNone {
		return result
	}
	result.Addressed = true
	if t.networksStay(in) {
		result.Want.Mode, result.Want.Routes, result.Problems = state.Still, state.Still, t.problems
		return result
	}
	for _, n := range t.placed(in) {
		if p.Config.BGP.PodNetworks.As == config.PodNetworksAsStatic {
			result.Want.Objects = append(result.Want.Objects, t.staticRoutes(n)...)
		} else if r := t.networkRoute(n); r != nil {
			result.Want.Objects = append(result.Want.Objects, r)
		}
	}
	slices.SortFunc(result.Want.Objects, func(a, b state.Object) int { return a.ID().Compare(b.ID()) })
	slices.SortFunc(t.problems, state.Problem.Compare)
	result.Problems, result.Warnings = t.problems, t.warned
	if p.Config.Paused { // told again by a speaker that starts anew, and otherwise left
		result.Want.Mode, result.Want.Routes = state.Still, state.Still
	}
	return result
}

// networksStay says whether what stands for pod networks stays as it is, and
// why.
func (t *translation) networksStay(in Networks) bool {
	source := t.Config.BGP.PodNetworks.Source
	switch {
	case t.Config.Mode == config.ModePlan: // and nothing remembers what was announced before
		t.fault(state.Still, "PlanOnly", "the configuration says mode: plan: what stands for pod networks stays; see `landbridge plan`")
	case !in.Known:
		t.fault(state.Still, "NetworksUnknown", "the pod networks of %s have not been read; what stands for them stays", source)
	case len(in.Nodes) == 0 || len(in.Of) == 0:
		t.fault(state.Still, "NoNodes", "the cluster shows no node, or none with a pod network, by podNetworks.source: %s; what stands for them stays", source)
	default:
		return false
	}
	return true
}

// placedNetwork is a network and the node that leads to it; an invalid address
// for none.
type placedNetwork struct {
	NodeNetwork
	hop netip.Addr
}

// placed are the networks, each once, with their nodes' addresses.
func (t *translation) placed(in Networks) []placedNetwork {
	nodes := map[string]*corev1.Node{}
	for _, n := range in.Nodes {
		nodes[n.Name] = n
	}
	all := slices.Clone(in.Of)
	slices.SortFunc(all, func(a, b NodeNetwork) int {
		if c := a.Prefix.Compare(b.Prefix); c != 0 {
			return c
		}
		return strings.Compare(a.Node, b.Node)
	})
	all = slices.Compact(all)
	var placed []placedNetwork
	for i := 0; i < len(all); {
		n, others := all[i], 1
		for i+others < len(all) && all[i+others].Prefix == n.Prefix {
			others++
		}
		i += others
		at, is := nodes[n.Node]
		if !is || at.DeletionTimestamp != nil {
			continue // its pods are gone, or about to go
		}
		p := placedNetwork{NodeNetwork: n}
		address, ok := internalIP(at, n.Prefix.Addr().Is6())
		switch {
		case others > 1:
			t.warn("NetworkTwice", "pod network %s is left out: several nodes have it, %s among them", n.Prefix, n.Node)
		case in.Astray[n.Prefix] != "":
			t.warn("NetworkElsewhere", "pod network %s of node %s is left out: endpoint %s is in it", n.Prefix, n.Node, in.Astray[n.Prefix])
		case !ok:
			t.warn("NoNextHop", "pod network %s is left out: node %s has no address of that family", n.Prefix, n.Node)
		default:
			p.hop = address.IP
		}
		placed = append(placed, p)
	}
	return placed
}

// networkRoute is the route to a network; without a next hop it is ours and not
// announced. It is nil where it must not be.
func (t *translation) networkRoute(n placedNetwork) *state.Route {
	b := t.Config.BGP
	if never, is := b.Never(n.Prefix); is {
		t.warn("NeverAnnounced", "pod network %s is never announced: bgp.neverAnnounce in the configuration has %s", n.Prefix, never)
		return nil
	}
	r := &state.Route{Backend: state.Speaker, Prefix: n.Prefix, Owner: t.Identity.Owner(t.ref), Peers: b.NetworkPeers(), Stood: true}
	if n.hop.IsValid() {
		r.NextHops = []state.NextHop{{Address: n.hop, Via: "node " + n.Node + ", whose pods are in it"}}
	}
	return r
}

// staticRoutes are a network's routes on all devices; none without a way to it.
func (t *translation) staticRoutes(n placedNetwork) []state.Object {
	if !n.hop.IsValid() {
		return nil
	}
	var routes []state.Object
	for _, device := range t.Config.BIGIP {
		partition := device.NodePartition
		if partition == "same" { // of a Service, and there is none
			partition = "Common"
		}
		routes = append(routes, &state.StaticRoute{
			Backend: BackendOf(device.Name), Owner: t.Identity.Owner(t.ref), Network: n.Prefix, Gateway: n.hop,
			Path: fmt.Sprintf("/%s/lb_%s_pods_%s", partition, t.Config.Cluster, networkName(n.Prefix)),
		})
	}
	return routes
}

// networkName is a network as a name on a device: "10.244.1.0-24",
// "fd00_244__-64". Different networks have different ones.
func networkName(p netip.Prefix) string {
	return strings.NewReplacer(":", "_", "/", "-").Replace(p.String())
}
