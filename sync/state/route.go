package state

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Speaker is the name of the backend that announces routes. There is one.
const Speaker = "bgp"

// NextHop is one way to a prefix.
type NextHop struct {
	Address netip.Addr
	// Via is whose address it is, for a person: "node node-a".
	Via string
}

// Route is a prefix announced to routers, with its next hops.
type Route struct {
	Backend string
	Prefix  netip.Prefix
	Owner   Owner
	// NextHops are sorted by address, each once. A route without any is
	// ours and not announced.
	NextHops []NextHop
	// Peers are the names of the routers that are told, sorted.
	Peers []string
	// Communities are standard ("64512:100"), large ("64512:1:2") or
	// well-known ones ("no-export"), sorted.
	Communities []string
	// LocalPreference and MED are nil where they are not given; the first
	// goes to peers of our own autonomous system alone (RFC 4271 5.1.5).
	LocalPreference, MED *uint32
	// Prepend is how often our number is put before the path once more.
	Prepend int
	// Stood says that it was announced before this process knew of it: it
	// may come while it is not known whether what it comes After stands.
	Stood bool
	// Follows are the IDs of After: the virtual servers that it leads to.
	Follows []ID
}

// ID names the route by its prefix, and one that leads to virtual servers also
// by its Service: several Services may share an address there, and each
// announces it as long as it is served itself.
func (r *Route) ID() ID {
	id := ID{Backend: r.Backend, Kind: KindRoute, Name: r.Prefix.String()}
	if len(r.Follows) > 0 {
		id.Name += routeFor + r.Owner.Service.String()
	}
	return id
}

// routeFor parts prefix and Service in the name of a route to virtual servers.
const routeFor = " for "

// LeadsTo says whether an ID is that of a route to virtual servers at an
// address.
func (id ID) LeadsTo(a netip.Addr) bool {
	prefix, _, isFor := strings.Cut(id.Name, routeFor)
	return isFor && id.Kind == KindRoute && prefix == netip.PrefixFrom(a, a.BitLen()).String()
}

// FrontendOf is what an object alone may stand on: the address, port and
// protocol of a virtual server, or the prefix of a route to nodes. Routes to
// virtual servers may share theirs.
func FrontendOf(o Object) (Frontend, bool) {
	switch o := o.(type) {
	case *VirtualServer:
		return o.Frontend(), true
	case *Route:
		return Frontend{Endpoint: Endpoint{Address: Address{IP: o.Prefix.Addr()}}, Protocol: Protocol(o.Prefix.String())}, len(o.Follows) == 0
	}
	return Frontend{}, false
}

// OwnedBy is who announces it.
func (r *Route) OwnedBy() Owner { return r.Owner }

// After names what must stand before it is announced.
func (r *Route) After() []ID { return r.Follows }

// Lines is the wanted content.
func (r *Route) Lines() []string {
	lines := []string{"owner " + r.Owner.Tag()}
	for _, h := range r.NextHops {
		lines = append(lines, "next-hop "+h.Address.String()+" "+h.Via)
	}
	for _, p := range r.Peers {
		lines = append(lines, "peer "+p)
	}
	for _, c := range r.Communities {
		lines = append(lines, "community "+c)
	}
	if r.LocalPreference != nil {
		lines = append(lines, "local-preference "+strconv.FormatUint(uint64(*r.LocalPreference), 10))
	}
	if r.MED != nil {
		lines = append(lines, "med "+strconv.FormatUint(uint64(*r.MED), 10))
	}
	if r.Prepend > 0 {
		lines = append(lines, "prepend "+strconv.Itoa(r.Prepend))
	}
	slices.Sort(lines)
	return lines
}

// stood is Route.Stood of what may be a route.
func stood(o Object) bool {
	r, ok := o.(*Route)
	return ok && r.Stood
}

// Best are at most n of the next hops, sorted by address: of many always the
// same, whichever others come and go, and of different prefixes different ones.
// With 1 it is the one that carries the prefix at a router that takes no more.
func (r *Route) Best(n int) []NextHop {
	if len(r.NextHops) <= n {
		return r.NextHops
	}
	type scored struct {
		NextHop
		score uint64
	}
	all := make([]scored, len(r.NextHops))
	for i, h := range r.NextHops {
		all[i] = scored{h, score(r.Prefix, h.Address)}
	}
	slices.SortFunc(all, func(a, b scored) int { return cmp.Or(cmp.Compare(b.score, a.score), a.Address.Compare(b.Address)) })
	best := make([]NextHop, n)
	for i := range best {
		best[i] = all[i].NextHop
	}
	SortNextHops(best)
	return best
}

// score ranks a next hop for a prefix: rendezvous hashing, by which each next
// hop that goes takes along only what it carried itself.
func score(p netip.Prefix, a netip.Addr) uint64 {
	h := fnv.New64a()
	prefix, address := p.Addr().As16(), a.As16()
	_, _ = h.Write(prefix[:]) // a hash never fails
	_, _ = h.Write([]byte{byte(p.Bits())})
	_, _ = h.Write(address[:])
	// FNV leaves neighbouring addresses in a row; the finalizer of MurmurHash3
	// scatters them.
	x := binary.BigEndian.Uint64(h.Sum(nil))
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// SortNextHops sorts by address.
func SortNextHops(hops []NextHop) {
	slices.SortFunc(hops, func(a, b NextHop) int { return a.Address.Compare(b.Address) })
}
