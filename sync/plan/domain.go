package plan

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"landbridge.dev/sync/state"
)

// listed says whether the Service has an endpoint at an address, be it one that
// is terminating. Kubernetes knows no route domains: a member in one is at an
// address without.
func (d *differ) listed(a state.Address) bool {
	return d.Want.Live[a] || d.Want.Live[state.Address{IP: a.IP}]
}

// enterDomains puts what is wanted in pools of others, and in pools that are
// held, into the route domain in which those are reached: a BIG-IP keeps route
// domains apart, and endpoints say none. A pool of others in several is left as
// it stands.
func (d *differ) enterDomains() {
	var objects []state.Object
	for i, o := range d.Want.Objects {
		want, ok := o.(*state.Pool)
		if !ok || want.Backend != d.Backend {
			continue
		}
		domains := d.reachedIn(want)
		if len(domains) == 0 || len(domains) == 1 && domains[0] == 0 {
			continue // as nearly always
		}
		if objects == nil {
			objects = slices.Clone(d.Want.Objects)
		}
		if len(domains) > 1 {
			d.refused[want.ID()] = true
			d.severalDomains(want, domains)
			objects[i] = nil
			continue
		}
		objects[i] = moved(want, domains[0])
		d.domains[want.Path] = domains[0]
	}
	if objects != nil {
		d.Want.Objects = slices.DeleteFunc(objects, func(o state.Object) bool { return o == nil })
	}
}

// reachedIn are the route domains in which a wanted pool is reached where its
// members do not say it themselves. Those of a pool of our own do, unless it is
// held for its address: then it is that of the virtual server that stands before
// it.
func (d *differ) reachedIn(want *state.Pool) []uint16 {
	if want.Use != state.Own {
		if have, found := d.Have.Pool(d.Backend, want.Path); found {
			return d.domainsOf(have)
		}
		return nil
	}
	if d.Want.Mode == state.Follow {
		return nil
	}
	o, _ := d.Have.Get(state.ID{Backend: d.Backend, Kind: state.KindVirtualServer, Name: want.Path})
	if v, ok := o.(*state.VirtualServer); ok && d.ours(v.Owner) {
		return []uint16{v.Destination.RouteDomain}
	}
	return nil
}

// domainsOf are the route domains of the members that others have in a pool,
// sorted; without any, those of the virtual servers in front of it; without
// those, where ours stand. There is one at least.
func (d *differ) domainsOf(p *state.Pool) []uint16 {
	domains := map[uint16]bool{}
	for _, m := range p.Members {
		if !d.Identity.Owns(m.Owner) {
			domains[m.Endpoint.RouteDomain] = true
		}
	}
	if len(domains) == 0 {
		for v := range d.Have.LeadingTo(p.Backend, p.Path) {
			domains[v.Destination.RouteDomain] = true
		}
	}
	if len(domains) == 0 { // where ours are they are reached: a policy or an iRule may lead there
		for _, m := range p.Members {
			if !m.Drain.Set() {
				domains[m.Endpoint.RouteDomain] = true
			}
		}
	}
	if len(domains) == 0 {
		domains[0] = true
	}
	return slices.Sorted(maps.Keys(domains))
}

func (d *differ) severalDomains(want *state.Pool, domains []uint16) {
	var words []string
	for _, id := range domains {
		words = append(words, strconv.Itoa(int(id)))
	}
	d.problem("RouteDomains", "pool "+want.Path+" on "+d.Backend+" is in the route domains "+strings.Join(words, " and ")+
		" at once, and pods can be reached in one alone; give each its own pool")
}

// moved is a wanted pool with those members in a route domain that say none.
func moved(want *state.Pool, domain uint16) *state.Pool {
	p := *want
	p.Members, p.Peers, p.Beside = movedMembers(want.Members, domain), movedMembers(want.Peers, domain), movedMembers(want.Beside, domain)
	return &p
}

func movedMembers(members []state.Member, domain uint16) []state.Member {
	members = slices.Clone(members)
	for i := range members {
		if e := &members[i].Endpoint; e.RouteDomain == 0 {
			e.RouteDomain = domain
		}
	}
	state.SortMembers(members)
	return members
}
