package translate

import (
	"slices"
	"time"

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
	unknown                  // unready, on a node that was out of sight just now
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
	vm        bool // no Pod stands behind it
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
	found := endpoint{
		Endpoint: state.Endpoint{Address: a, Port: port}, condition: conditionOf(e.Conditions),
		vm: isVM(e),
	}
	if found.condition == unready && e.TargetRef != nil && e.TargetRef.Kind == "Pod" && t.Pods[e.TargetRef.Name].Ready {
		found.condition = ready // its members alone can open its gate
	}
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
	endpoints := t.keepByNode(t.pods(port, six))
	best := bestOf(endpoints)
	members := make([]state.Member, 0, len(endpoints))
	for _, e := range endpoints {
		members = append(members, memberOf(e, best))
	}
	return members
}

// pods are the endpoints of a port that have a Pod behind them.
func (t *translation) pods(port corev1.ServicePort, six bool) []endpoint {
	return slices.DeleteFunc(t.endpoints(port, six), func(e endpoint) bool { return e.vm })
}

// memberOf is the pool member that an endpoint is, given the best of all.
func memberOf(e endpoint, best condition) state.Member {
	m := state.Member{
		Endpoint: e.Endpoint, Ratio: 1, Terminating: e.condition <= leaving, Serves: e.condition == leaving, Stays: e.condition == unknown,
	}
	if !takesClients(e.condition, best) {
		m.Admin = state.Offline
	}
	return m
}

// keepByNode counts endpoints that turned unready only because their nodes did
// as ready, where they are more than a third of all: a cluster that loses
// sight of its nodes has not lost its pods, and the device's monitors tell
// which of them answer. A node is in sight again a moment before its kubelet
// says so of its pods: until then they stay as they are, however many.
func (t *translation) keepByNode(endpoints []endpoint) []endpoint {
	down, back := map[string]bool{}, map[string]time.Time{}
	for _, n := range t.Nodes {
		up, since := nodeReady(n)
		down[n.Name] = !up
		wasAway := since.Sub(n.CreationTimestamp.Time) > joinTime
		if until := since.Add(kubeletTime); up && wasAway && t.Now.Before(until) && !t.Now.IsZero() {
			back[n.Name] = until
		}
	}
	var byNode []int
	for i, e := range endpoints {
		until, returned := back[e.node]
		switch {
		case e.condition != unready:
		case returned:
			endpoints[i].condition = unknown
			t.lookAgain(until)
		case down[e.node]:
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

// kubeletTime is how long after a node became ready its pods may still be
// marked unready for its sake: its kubelet puts that right when it next
// reports on them (it does so every 10 s, and is slower at the start).
const kubeletTime = 30 * time.Second

// joinTime is within how long of its creation a node becomes ready for the first
// time: it was not out of sight, and no pod is unready for its sake. One that
// takes longer counts as back.
const joinTime = 20 * time.Second

// lookAgain remembers the earliest time at which the result will differ.
func (t *translation) lookAgain(at time.Time) {
	if t.again.IsZero() || at.Before(t.again) {
		t.again = at
	}
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
