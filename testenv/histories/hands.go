package histories

import (
	"fmt"
	"net/netip"
	"strconv"

	"landbridge.dev/sync/state"
)

// Hand is what a person does on the device.
type Hand struct {
	Do Deed
	// Which chooses among what it can be done to.
	Which int
}

// Deed is a kind of change by hand.
type Deed string

// The deeds.
const (
	RemoveOurs     Deed = "removes ours"
	AlterOurs      Deed = "alters ours"
	Untag          Deed = "takes the tag off ours"
	AddVirtual     Deed = "adds a virtual server at an address of ours"
	AddNamesake    Deed = "adds a pool under a name of ours"
	AddMember      Deed = "adds a member to a pool of ours"
	AddNode        Deed = "adds a node with the address of a pod"
	Copy           Deed = "copies a pool of ours, tag and all"
	RemoveTheirs   Deed = "removes something of their own"
	AlterTheirs    Deed = "alters something of their own"
	RestoreEnabled Deed = "enables a member that drains"
)

func deeds() []Deed {
	return []Deed{RemoveOurs, AlterOurs, Untag, AddVirtual, AddNamesake, AddMember, AddNode, Copy, RemoveTheirs, AlterTheirs, RestoreEnabled}
}

// String says what happens.
func (a Hand) String() string { return fmt.Sprintf("a person %s (%d)", a.Do, a.Which) }

func (a Hand) do(p *play) {
	set := p.device.set()
	names, done := a.deed(p.device, set)
	if !done {
		p.note("    there is nothing for it, or the device refuses")
		return
	}
	p.note("    to %v", names)
	p.upsets(untilResync)
	p.handled(names...)
}

// deed does it, and names what it was done to.
func (a Hand) deed(d device, set *state.Set) (names []string, done bool) {
	switch a.Do {
	case RemoveOurs:
		return oneOf(a.Which, ofAnybody(set, true), d.remove)
	case AlterOurs:
		return oneOf(a.Which, altered(ofAnybody(set, true)), d.alter)
	case Untag:
		return oneOf(a.Which, untagged(ofAnybody(set, true)), d.alter)
	case AddVirtual:
		return oneOf(a.Which, foreignVirtuals(), d.make)
	case AddNamesake:
		return oneOf(a.Which, namesakes(), d.make)
	case AddMember:
		return a.addMember(d, set)
	case AddNode:
		return oneOf(a.Which, foreignNodes(), d.make)
	case Copy:
		return oneOf(a.Which, copies(set), d.make)
	case RemoveTheirs:
		return oneOf(a.Which, ofAnybody(set, false), d.remove)
	case AlterTheirs:
		return oneOf(a.Which, altered(ofAnybody(set, false)), d.alter)
	case RestoreEnabled:
		return oneOf(a.Which, draining(set), d.alter)
	}
	return nil, false
}

func oneOf(which int, from []state.Object, do func(state.Object) bool) (names []string, done bool) {
	if len(from) == 0 {
		return nil, false
	}
	o := from[which%len(from)]
	return namesOf(o), do(o)
}

// namesOf are an object's name and those of a pool's members.
func namesOf(o state.Object) []string {
	names := []string{nameOf(o)}
	if p, ok := o.(*state.Pool); ok {
		for _, m := range p.Members {
			names = append(names, memberName(p.Path, m))
		}
	}
	return names
}

// ofAnybody are the objects of any Landbridge, or of none, members apart.
func ofAnybody(set *state.Set, tagged bool) []state.Object {
	var found []state.Object
	for o := range set.All() {
		if o.OwnedBy().IsZero() && isAttached(o) {
			continue // most of them come with the device
		}
		if o.OwnedBy().IsZero() != tagged {
			found = append(found, o)
		}
		for _, m := range membersOf(o) {
			if m.Owner.IsZero() != tagged {
				found = append(found, m)
			}
		}
	}
	return found
}

func membersOf(o state.Object) []*state.PoolMember {
	p, ok := o.(*state.Pool)
	if !ok {
		return nil
	}
	var members []*state.PoolMember
	for _, m := range p.Members {
		members = append(members, &state.PoolMember{Backend: p.Backend, Pool: p.Path, Member: m})
	}
	return members
}

// altered are objects with another setting.
func altered(objects []state.Object) []state.Object {
	var all []state.Object
	for _, o := range objects {
		switch o := o.(type) {
		case *state.Pool:
			q := *o
			q.Mode = "least-connections-member"
			all = append(all, &q)
		case *state.VirtualServer:
			v, w := *o, *o
			v.Disabled = !v.Disabled
			w.Pool = ""
			all = append(all, &v, &w)
		case *state.PoolMember:
			for _, admin := range []state.Admin{state.Enabled, state.Disabled, state.Offline} {
				if m := *o; m.Admin != admin {
					m.Admin = admin
					all = append(all, &m)
				}
			}
			m := *o
			m.Ratio = 7
			all = append(all, &m)
		default:
			if changed := alteredAttached(o); changed != nil {
				all = append(all, changed)
			}
		}
	}
	return all
}

// untagged are objects whose description a person has emptied.
func untagged(objects []state.Object) []state.Object {
	var all []state.Object
	for _, o := range objects {
		switch o := o.(type) {
		case *state.Pool:
			q := *o
			q.Owner = state.Owner{}
			all = append(all, &q)
		case *state.VirtualServer:
			v := *o
			v.Owner = state.Owner{}
			all = append(all, &v)
		case *state.Node:
			n := *o
			n.Owner = state.Owner{}
			all = append(all, &n)
		case *state.PoolMember:
			m := *o
			m.Owner, m.Drain, m.Terminating = state.Owner{}, 0, false
			all = append(all, &m)
		default:
			if bare := untaggedAttached(o); bare != nil {
				all = append(all, bare)
			}
		}
	}
	return all
}

func draining(set *state.Set) []state.Object {
	var all []state.Object
	for o := range set.All() {
		for _, m := range membersOf(o) {
			if m.Drain.Set() && !m.Owner.IsZero() {
				m.Admin = state.Enabled
				all = append(all, m)
			}
		}
	}
	return all
}

// endpoint is an address and a port.
func endpoint(address string, port uint16) state.Endpoint {
	return state.Endpoint{Address: state.Address{IP: netip.MustParseAddr(address)}, Port: port}
}

// virtualAddress is one of the few that Services ask for, in one family.
func virtualAddress(i int, six bool) string {
	if six {
		return "2001:db8:203::" + strconv.Itoa(i+1)
	}
	return "203.0.113." + strconv.Itoa(i+1)
}

func foreignVirtuals() []state.Object {
	var all []state.Object
	for i := range services() {
		all = append(all, &state.VirtualServer{
			Backend: deviceName, Path: "/web/people_" + strconv.Itoa(i), Protocol: state.TCP,
			Destination: endpoint(virtualAddress(i, i == 3), 80),
			SNAT:        "automap", Profiles: []state.Profile{{Path: "/Common/tcp", Context: "all"}},
		})
	}
	return all
}

func foreignNodes() []state.Object {
	var all []state.Object
	for i := range podCount {
		for _, six := range []bool{false, true} {
			a := endpoint(podAddress(i, six), 1).Address
			all = append(all, &state.Node{Backend: deviceName, Path: "/web/people_" + strconv.Itoa(i) + "_" + strconv.FormatBool(six), Address: a})
		}
	}
	return all
}

// namesakes are pools under names that ours may want.
func namesakes() []state.Object {
	var all []state.Object
	for _, cluster := range []string{"prod", "test"} {
		for _, r := range services() {
			all = append(all, &state.Pool{
				Backend: deviceName, Path: "/web/lb_" + cluster + "_" + r.Namespace + "_" + r.Name + "_80", Mode: "round-robin",
			})
		}
	}
	return all
}

// copies are pools of ours under another name, without their members.
func copies(set *state.Set) []state.Object {
	var all []state.Object
	for o := range set.All() {
		if p, ok := o.(*state.Pool); ok && !p.Owner.IsZero() {
			q := *p
			q.Path, q.Members = p.Path[:5]+"copy_of_"+p.Path[5:], nil
			all = append(all, &q)
		}
	}
	return all
}

// addMember puts a member of nobody into a pool of ours, at a node of its own
// or at that of a pod.
func (a Hand) addMember(d device, set *state.Set) (names []string, done bool) {
	var pools []*state.Pool
	for o := range set.All() {
		if p, ok := o.(*state.Pool); ok && !p.Owner.IsZero() {
			pools = append(pools, p)
		}
	}
	if len(pools) == 0 {
		return nil, false
	}
	pool := pools[a.Which%len(pools)]
	e := endpoint("10.9.9.9", 8080)
	if a.Which%2 == 0 {
		e = endpoint(podAddress(a.Which%podCount, false), 8080)
	}
	node, there := set.Node(deviceName, e.Address)
	if !there {
		node = &state.Node{Backend: deviceName, Path: "/Common/" + e.Address.String(), Address: e.Address}
		if !d.make(node) {
			return nil, false
		}
		names = append(names, nameOf(node))
	}
	m := &state.PoolMember{Backend: deviceName, Pool: pool.Path, Member: state.Member{Endpoint: e, Node: node.Path, Ratio: 1}}
	return append(names, nameOf(m)), d.make(m)
}
