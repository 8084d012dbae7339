package state

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Object is anything that stands on a backend. Objects are immutable: their
// methods may be called from any goroutine.
type Object interface {
	ID() ID
	// OwnedBy is the object's owner; zero for a foreign one.
	OwnedBy() Owner
	// After names objects, also of other backends, that must stand before
	// this one is made, and that go only after this one has gone.
	After() []ID
	// Lines is the object's wanted content, one property a line, sorted:
	// the one source for equality, for the text of a plan and for its JSON.
	// What a device reports but nobody sets (a member's availability) and
	// the ID are not in it.
	Lines() []string
}

// Equal says whether two objects hold the same wanted content. It is the
// equality that a plan is made of: what Lines does not show is no difference.
func Equal(a, b Object) bool {
	return a.ID() == b.ID() && slices.Equal(a.Lines(), b.Lines())
}

// Profile attaches a profile to a virtual server.
type Profile struct {
	Path string
	// Context is "all", "clientside" or "serverside" (iControl REST,
	// ltm virtual profiles).
	Context string
}

// VirtualServer is a listener on a BIG-IP and where it sends its clients.
type VirtualServer struct {
	Backend     string
	Path        string // /partition/name
	Owner       Owner
	Destination Endpoint
	Protocol    Protocol
	Pool        string // full path; empty for none
	Profiles    []Profile
	// SNAT is "automap", "none", or the full path of a SNAT pool.
	SNAT string
	// Disabled is a virtual server that takes nothing new and keeps the
	// connections that it has (K13064527).
	Disabled bool
	// Follows are the IDs of After.
	Follows []ID
}

// ID names the virtual server by its full path.
func (v *VirtualServer) ID() ID { return ID{Backend: v.Backend, Kind: KindVirtualServer, Name: v.Path} }

// OwnedBy is who made it.
func (v *VirtualServer) OwnedBy() Owner { return v.Owner }

// After names what must stand before it.
func (v *VirtualServer) After() []ID { return v.Follows }

// Frontend is the address, port and protocol that it alone may listen on.
func (v *VirtualServer) Frontend() Frontend {
	return Frontend{Endpoint: v.Destination, Protocol: v.Protocol}
}

// Lines is the wanted content.
func (v *VirtualServer) Lines() []string {
	lines := []string{
		"destination " + v.Frontend().String(),
		"owner " + v.Owner.Tag(),
		"pool " + v.Pool,
		"snat " + v.SNAT,
	}
	if v.Disabled {
		lines = append(lines, "disabled")
	}
	for _, p := range v.Profiles {
		lines = append(lines, "profile "+p.Path+" "+p.Context)
	}
	slices.Sort(lines)
	return lines
}

// Monitor probes the members of a pool.
type Monitor struct {
	Backend string
	Path    string // /partition/name
	Owner   Owner
	Type    string // tcp, http, https, udp: the kind's name in iControl REST
	// Interval and Timeout are in seconds; a member is down when nothing
	// good came back for Timeout.
	Interval, Timeout int
	Send, Receive     string
}

// ID names the monitor by its full path.
func (m *Monitor) ID() ID { return ID{Backend: m.Backend, Kind: KindMonitor, Name: m.Path} }

// OwnedBy is who made it.
func (m *Monitor) OwnedBy() Owner { return m.Owner }

// After is empty: a monitor needs nothing before it.
func (m *Monitor) After() []ID { return nil }

// Lines is the wanted content.
func (m *Monitor) Lines() []string {
	return []string{
		"interval " + strconv.Itoa(m.Interval),
		"owner " + m.Owner.Tag(),
		"receive " + strconv.Quote(m.Receive),
		"send " + strconv.Quote(m.Send),
		"timeout " + strconv.Itoa(m.Timeout),
		"type " + m.Type,
	}
}

// Node is an address that pool members refer to. A BIG-IP allows one for each
// address in a route domain, in whichever partition (0107176c).
type Node struct {
	Backend string
	Path    string // /partition/name
	Address Address
	Owner   Owner
}

// ID names the node by its address, which is what makes it one.
func (n *Node) ID() ID { return NodeID(n.Backend, n.Address) }

// NodeID is the ID of the node with this address.
func NodeID(backend string, a Address) ID {
	return ID{Backend: backend, Kind: KindNode, Name: a.String()}
}

// OwnedBy is who made it.
func (n *Node) OwnedBy() Owner { return n.Owner }

// After is empty: a node needs nothing before it.
func (n *Node) After() []ID { return nil }

// Lines is the wanted content.
func (n *Node) Lines() []string {
	return []string{"address " + n.Address.String(), "owner " + n.Owner.Tag(), "path " + n.Path}
}

// Route is a prefix announced to routers, with its next hops.
type Route struct {
	Backend  string
	Prefix   netip.Prefix
	Owner    Owner
	NextHops []netip.Addr // sorted
	// Follows are the IDs of After: the virtual servers that it leads to.
	Follows []ID
}

// ID names the route by its prefix.
func (r *Route) ID() ID { return ID{Backend: r.Backend, Kind: KindRoute, Name: r.Prefix.String()} }

// OwnedBy is who announces it.
func (r *Route) OwnedBy() Owner { return r.Owner }

// After names what must stand before it is announced.
func (r *Route) After() []ID { return r.Follows }

// Lines is the wanted content.
func (r *Route) Lines() []string {
	hops := make([]string, len(r.NextHops))
	for i, h := range r.NextHops {
		hops[i] = h.String()
	}
	return []string{"next-hops " + strings.Join(hops, " "), "owner " + r.Owner.Tag()}
}

// Same is Equal, and whatever else of a desired object a plan looks at. It
// writes no lines where it can do without.
func Same(a, b Object) bool {
	p, ok := a.(*Pool)
	if !ok {
		return Equal(a, b) && slices.Equal(a.After(), b.After())
	}
	q, ok := b.(*Pool)
	return ok && p.Path == q.Path && p.Backend == q.Backend && p.DrainTimeout == q.DrainTimeout &&
		p.SameSettings(q) && slices.EqualFunc(p.Members, q.Members, func(a, b Member) bool { return a.SameWanted(b) && a.Serves == b.Serves })
}
