package bgp

import (
	"fmt"
	"net/netip"
	"slices"

	"landbridge.dev/config"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// table is what is announced. Several routes of one prefix stand side by side
// where Services share an address on a BIG-IP: the first by its ID speaks for
// all, so that none of them comes or goes on the wire.
type table struct {
	routes  map[state.ID]*state.Route
	of      map[netip.Prefix][]*state.Route // sorted by ID
	leaving map[state.ID]bool               // announced as about to go (RFC 8326)
	said    map[netip.Prefix]*state.Route   // what the audit trail says that is announced
}

func newTable() table {
	return table{
		routes: map[state.ID]*state.Route{}, of: map[netip.Prefix][]*state.Route{}, leaving: map[state.ID]bool{},
		said: map[netip.Prefix]*state.Route{},
	}
}

func (t *table) put(r *state.Route) {
	t.drop(r.ID())
	t.routes[r.ID()] = r
	all := append(slices.Clone(t.of[r.Prefix]), r)
	slices.SortFunc(all, func(a, b *state.Route) int { return a.ID().Compare(b.ID()) })
	t.of[r.Prefix] = all
}

func (t *table) drop(id state.ID) {
	r, ok := t.routes[id]
	if !ok {
		return
	}
	delete(t.routes, id)
	delete(t.leaving, id)
	rest := slices.DeleteFunc(slices.Clone(t.of[r.Prefix]), func(o *state.Route) bool { return o.ID() == id })
	if len(rest) == 0 {
		delete(t.of, r.Prefix)
		return
	}
	t.of[r.Prefix] = rest
}

// speaks is the route that is announced for a prefix, and whether as one that
// is about to go; nil for none.
func (t *table) speaks(p netip.Prefix) (r *state.Route, leaving bool) {
	for _, r := range t.of[p] {
		if !t.leaving[r.ID()] {
			return r, false
		}
	}
	if all := t.of[p]; len(all) > 0 {
		return all[0], true
	}
	return nil, false
}

// refusal is why a change is not made, and whether that is because what was
// read before is out of date.
type refusal struct {
	reason string
	stale  bool
	err    error
}

func refuse(reason, format string, args ...any) *refusal {
	return &refusal{reason: reason, err: fmt.Errorf(format, args...)}
}

// check says why a change must not be made; nil if it may.
func (t *table) check(c plan.Change, conf *config.BGP) *refusal {
	id := c.ID()
	have, exists := t.routes[id]
	switch c.Op {
	case plan.Delete:
		if exists && have.Owner.IsZero() {
			return refuse("Foreign", "%s is not ours", id)
		}
		return nil
	case plan.Create:
		if exists && !state.Equal(have, c.After) {
			return &refusal{reason: "AlreadyExists", stale: true, err: fmt.Errorf("%s stands already and is another", id)}
		}
	case plan.Update:
		if !exists {
			return &refusal{reason: "NotFound", stale: true, err: fmt.Errorf("%s is not there", id)}
		}
	}
	r, ok := c.After.(*state.Route)
	if !ok {
		return refuse("BadObject", "%s is no route", id)
	}
	return t.admits(r, conf)
}

// admits says why a route must not be announced; nil if it may.
func (t *table) admits(r *state.Route, conf *config.BGP) *refusal {
	if never, bad := conf.Never(r.Prefix); bad {
		return refuse("NeverAnnounced", "%s is never announced: bgp.neverAnnounce has %s", r.Prefix, never)
	}
	for _, h := range r.NextHops {
		if why := badNextHop(r.Prefix, h.Address); why != "" {
			return refuse("BadNextHop", "route %s: next hop %s %s", r.Prefix, h.Address, why)
		}
	}
	for _, other := range t.of[r.Prefix] {
		// One Service's may stand beside each other, while it moves from a BIG-IP
		// to its nodes or back.
		if (len(other.Follows) == 0) != (len(r.Follows) == 0) && other.Owner != r.Owner {
			return refuse("AddressInUse", "%s is announced for %s already; choose another address", r.Prefix, other.Owner.Service)
		}
	}
	if limit := *conf.MaxRoutes; limit > 0 && len(t.of[r.Prefix]) == 0 && len(t.of) >= limit {
		return refuse("RouteLimit", "%s is not announced, because %d routes are, which is the limit; raise bgp.maxRoutes", r.Prefix, limit)
	}
	return nil
}

// badNextHop is what is wrong with a next hop: a router may end the session
// over one that no host can have (FRR does, with a NOTIFICATION), which would
// take all other routes along.
func badNextHop(p netip.Prefix, a netip.Addr) string {
	switch {
	case !a.IsValid() || a.IsUnspecified():
		return "is no address"
	case a.Is4() != p.Addr().Is4():
		return "is of another family than the prefix"
	case a.IsLoopback(), a.IsMulticast(), a.IsLinkLocalUnicast():
		return "is no address that a router could send to"
	case a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 240):
		return "is no address that a router could send to"
	}
	return ""
}
