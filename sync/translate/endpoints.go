package translate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"landbridge.dev/sync/state"
)

// condition is how an endpoint stands, the better the higher. Of two entries
// for one address the better counts.
type condition uint8

const (
	gone    condition = iota // terminating, and serves no more
	leaving                  // terminating, and still serves
	unready                  // alive, and takes nothing new
	ready                    // takes clients
)

// conditionOf reads an endpoint's conditions as the API defines them: a
// missing ready is true, a missing serving is ready. A terminating endpoint
// leaves, even where publishNotReadyAddresses makes it ready.
func conditionOf(c discoveryv1.EndpointConditions) condition {
	isReady := c.Ready == nil || *c.Ready
	serves := isReady
	if c.Serving != nil {
		serves = *c.Serving
	}
	switch {
	case c.Terminating != nil && *c.Terminating && serves:
		return leaving
	case c.Terminating != nil && *c.Terminating:
		return gone
	case isReady:
		return ready
	}
	return unready
}

// endpoint is one address of a Service port, and the node that it is on.
type endpoint struct {
	state.Endpoint
	condition condition
	node      string
}

// endpoints are those of a Service port in one family, each address once.
func (t *translation) endpoints(port corev1.ServicePort, six bool) []endpoint {
	family := discoveryv1.AddressTypeIPv4
	if six {
		family = discoveryv1.AddressTypeIPv6
	}
	var found []endpoint
	for _, slice := range t.Slices {
		if slice.AddressType != family {
			continue
		}
		for _, number := range portsOf(slice, port) {
			for _, e := range slice.Endpoints {
				found = append(found, t.endpointsOf(e, number)...)
			}
		}
	}
	slices.SortFunc(found, func(a, b endpoint) int {
		if c := a.Compare(b.Endpoint); c != 0 {
			return c
		}
		return int(b.condition) - int(a.condition) // the better first
	})
	return slices.CompactFunc(found, func(a, b endpoint) bool { return a.Endpoint == b.Endpoint })
}

// portsOf are the numbers that a slice gives for a Service port.
func portsOf(slice *discoveryv1.EndpointSlice, port corev1.ServicePort) []uint16 {
	protocol := port.Protocol
	if protocol == "" {
		protocol = corev1.ProtocolTCP
	}
	var numbers []uint16
	for _, p := range slice.Ports {
		name, slicePort := "", corev1.ProtocolTCP
		if p.Name != nil {
			name = *p.Name
		}
		if p.Protocol != nil {
			slicePort = *p.Protocol
		}
		if name == port.Name && slicePort == protocol && p.Port != nil && *p.Port > 0 && *p.Port <= 65535 {
			numbers = append(numbers, uint16(*p.Port))
		}
	}
	return numbers
}

// endpointsOf are the addresses of one entry of a slice. The API says that
// all addresses of an entry are fungible and that the first counts.
func (t *translation) endpointsOf(e discoveryv1.Endpoint, port uint16) []endpoint {
	if len(e.Addresses) == 0 {
		return nil
	}
	a, err := state.ParseAddress(e.Addresses[0])
	if err != nil {
		return nil // the API server admits none
	}
	if e.TargetRef == nil || e.TargetRef.Kind != "Pod" {
		t.once("NotInThisVersion", "endpoint "+a.String()+" has no Pod behind it; VM members are not in this version of Landbridge")
		return nil
	}
	found := endpoint{Endpoint: state.Endpoint{Address: a, Port: port}, condition: conditionOf(e.Conditions)}
	if e.NodeName != nil {
		found.node = *e.NodeName
	}
	return []endpoint{found}
}

// once holds the Service for a reason that comes up for several ports or
// families.
func (t *translation) once(reason, message string) {
	if !slices.ContainsFunc(t.problems, func(p state.Problem) bool { return p.Message == message }) {
		t.hold(reason, "%s", message)
	}
}

// podMembers are the pool members of a port whose members are pods.
func (t *translation) podMembers(port corev1.ServicePort, six bool) []state.Member {
	endpoints := t.keepByNode(t.endpoints(port, six))
	best := bestOf(endpoints)
	members := make([]state.Member, 0, len(endpoints))
	for _, e := range endpoints {
		m := state.Member{Endpoint: e.Endpoint, Ratio: 1, Terminating: e.condition <= leaving, Serves: e.condition == leaving}
		if !takesClients(e.condition, best) {
			m.Admin = state.Offline
		}
		members = append(members, m)
	}
	return members
}

// keepByNode counts endpoints that turned unready only because their nodes did
// as ready, where they are more than a third of all: a cluster that loses
// sight of its nodes has not lost its pods, and the device's monitors tell
// which of them answer.
func (t *translation) keepByNode(endpoints []endpoint) []endpoint {
	down := map[string]bool{}
	for _, n := range t.Nodes {
		if !nodeReady(n) {
			down[n.Name] = true
		}
	}
	var byNode []int
	for i, e := range endpoints {
		if e.condition == unready && down[e.node] {
			byNode = append(byNode, i)
		}
	}
	if len(byNode)*3 <= len(endpoints) {
		return endpoints
	}
	for _, i := range byNode {
		endpoints[i].condition = ready
	}
	return endpoints
}

func bestOf(endpoints []endpoint) condition {
	best := gone
	for _, e := range endpoints {
		if e.condition == ready {
			return ready
		}
		best = max(best, e.condition)
	}
	return best
}

// takesClients says whether an endpoint takes new clients, given the best of
// all: a ready one does; where none is ready those that leave and still serve
// go on, as with kube-proxy (KEP-1669).
func takesClients(c, best condition) bool {
	return c == ready || (best != ready && c == leaving)
}

// live are the addresses at which the Service has endpoints or, with node
// ports, nodes.
func (t *translation) live() map[state.Address]bool {
	live := map[state.Address]bool{}
	for _, slice := range t.Slices {
		for _, e := range slice.Endpoints {
			if len(e.Addresses) == 0 {
				continue
			}
			if a, err := state.ParseAddress(e.Addresses[0]); err == nil {
				live[a] = true
			}
		}
	}
	for _, n := range t.Nodes {
		for _, six := range []bool{false, true} {
			if a, ok := internalIP(n, six); ok {
				live[a] = true
			}
		}
	}
	return live
}
