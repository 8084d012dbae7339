package plan

import (
	"maps"
	"slices"
	"strings"
	"time"

	"landbridge.dev/sync/state"
)

// pool plans for a wanted pool: for itself, then for its members.
func (d *differ) pool(want *state.Pool) {
	o, found := d.Have.Get(want.ID())
	if !found {
		if d.blocked(want) {
			d.refused[want.ID()] = true
			return
		}
		d.missingPool(want)
		return
	}
	have := o.(*state.Pool)
	var s settled
	switch {
	case !d.mayUse(want, have):
		return
	case want.Use == state.Joined && have.Use == state.Adopted && d.ours(have.Owner):
		s, have = d.joinInstead(want, have)
	default:
		if want.Use == state.Adopted {
			have = d.tagPool(have)
		}
		s = d.settle(want, have)
	}
	d.want[want.ID()] = s.Pool
	if want.Use != state.Joined && !s.SameSettings(have) && !d.blocked(want) {
		after := *s.Pool
		after.Members, after.Text = have.Members, have.Text
		d.add(makePools, Change{Op: Update, Before: have, After: &after})
	}
	d.members(s, have)
}

// mayUse says whether a pool that stands is what the Service takes it for.
func (d *differ) mayUse(want, have *state.Pool) bool {
	switch {
	case want.Use == state.Joined && have.Managed:
		d.managed(want.ID())
		return false
	case want.Use == state.Joined && d.Identity.Owns(have.Owner) && (!d.ours(have.Owner) || have.Use != state.Adopted):
		d.refused[want.ID()] = true
		d.problem("JoinsOurs", "pool "+have.Path+" on "+d.Backend+" is that of "+have.Owner.Service.String()+" of this cluster; join a pool of others")
		return false
	case want.Use == state.Own && !d.ours(have.Owner):
		d.nameTaken(want.ID(), have.Owner)
		return false
	}
	return true
}

// missingPool plans for a wanted pool that is not there: one of our own is
// made.
func (d *differ) missingPool(want *state.Pool) {
	if want.Use != state.Own {
		d.refused[want.ID()] = true
		d.sought = append(d.sought, want.ID())
		d.problem("NoSuchPool", "pool "+want.Path+" is not there on "+d.Backend+"; make it there, or name another")
		return
	}
	s := d.settle(want, nil)
	d.want[want.ID()] = s.Pool
	d.createPool(s.Pool)
}

func (d *differ) createPool(want *state.Pool) {
	after := *want
	after.Members = make([]state.Member, 0, len(want.Members)) // it is kept: no room to spare
	for _, m := range want.Members {
		if leaving(m) {
			continue // it would come only to go
		}
		after.Members = append(after.Members, d.place(want, m))
	}
	d.add(makePools, Change{Op: Create, After: &after})
}

// leaving says whether a wanted member takes nothing new for good.
func leaving(m state.Member) bool { return m.Terminating && m.Admin == state.Offline }

// place readies a wanted member to be made: its owner, and its node, which is
// planned where it is missing.
func (d *differ) place(p *state.Pool, m state.Member) state.Member {
	m.Owner = d.Identity.Owner(d.Want.Service)
	m.Node = d.node(p, m.Endpoint.Address).Path
	m.Available = len(p.Monitors) == 0 // without a monitor a member counts as available
	d.added[m.Endpoint.Address] = true
	return m
}

// node is the node with this address: the one that stands, whosever it is, or
// one that this plan makes.
func (d *differ) node(p *state.Pool, a state.Address) *state.Node {
	if n, ok := d.Have.Node(d.Backend, a); ok {
		return n
	}
	if n, ok := d.planned[a]; ok {
		return n
	}
	partition := "/" + d.NodePartition
	if d.NodePartition == "same" {
		partition = partitionOf(p.Path)
	}
	n := &state.Node{
		Backend: d.Backend, Path: partition + "/" + a.String(), Address: a,
		Owner: d.Identity.Owner(d.Want.Service),
	}
	d.planned[a] = n
	d.add(makeNodes, Change{Op: Create, After: n})
	return n
}

// partitionOf is "/web" for "/web/name" and "/web/folder/name".
func partitionOf(path string) string {
	for i := 1; i < len(path); i++ {
		if path[i] == '/' {
			return path[:i]
		}
	}
	return path
}

// members plans for the members of a pool that stands, by going through both
// sorted lists at once. Members that others have put into a pool of ours stay,
// and that is told.
func (d *differ) members(want settled, have *state.Pool) {
	for _, m := range want.foreign {
		before, _ := have.Member(m.Endpoint)
		d.terms(have, before, m)
	}
	var strangers []string
	strange := func(m state.Member) {
		if m.Owner.IsZero() { // another cluster joins pools knowingly
			strangers = append(strangers, m.Endpoint.String())
		}
	}
	w, h := want.Members, have.Members
	for len(w) > 0 || len(h) > 0 {
		switch {
		case len(h) == 0 || (len(w) > 0 && w[0].Endpoint.Compare(h[0].Endpoint) < 0):
			d.missing(have, w[0])
			w = w[1:]
		case len(w) == 0 || h[0].Endpoint.Compare(w[0].Endpoint) < 0:
			switch {
			case !d.ours(h[0].Owner):
				strange(h[0])
			case !d.gateReplaced(want.Pool, have, h[0]):
				d.leave(have, h[0], want.DrainTimeout)
			}
			h = h[1:]
		default:
			switch {
			case d.ours(h[0].Owner):
				d.standing(want.Pool, have, w[0], h[0])
			case w[0].Admin == state.Enabled && h[0].Admin != state.Enabled && !d.Identity.Owns(h[0].Owner):
				d.problem("ForeignMember", "member "+h[0].Endpoint.String()+" of pool "+have.Path+" on "+d.Backend+
					" is not ours, is "+h[0].Admin.String()+", and stands where a ready endpoint is; enable it there, or remove it")
			default:
				strange(h[0])
			}
			w, h = w[1:], h[1:]
		}
	}
	if want.Use == state.Own && len(strangers) > 0 {
		d.notice("MembersOfOthers", "pool "+have.Path+" on "+d.Backend+" holds members that are not ours, or lost our tag: "+strings.Join(strangers, ", ")+
			"; they stay as they are, and take their part of the connections; remove them there if that is not meant")
	}
}

// missing plans for a wanted member that is not in the pool.
func (d *differ) missing(pool *state.Pool, m state.Member) {
	if leaving(m) {
		return // it has drained and gone already
	}
	m = d.place(pool, m)
	d.add(addMembers, Change{Op: Create, After: member(pool, m)})
}

// standing plans for a wanted member that is in the pool.
func (d *differ) standing(want, pool *state.Pool, w, h state.Member) {
	if leaving(w) {
		if !d.gate(pool, w, h) {
			d.leave(pool, withMark(h, w), want.DrainTimeout)
		}
		return
	}
	if w.Stays {
		w.Admin = h.Admin
	}
	w.Node, w.Owner, w.Text = h.Node, d.Identity.Owner(d.Want.Service), h.Text
	w.Available = availableAfter(pool, h, w)
	why := ""
	if w.SameWanted(h) {
		if w.Owner == h.Owner {
			return
		}
		why = "is tagged anew" // a former uid's, which Line does not show
	}
	d.add(stepOf(h, w), Change{Op: Update, Before: member(pool, h), After: member(pool, w), Why: why})
}

// availableAfter is what a device will report of a member after a change: one
// that is offline is not probed, and one that comes back is not up before its
// monitor has been there.
func availableAfter(pool *state.Pool, before, after state.Member) bool {
	switch {
	case after.Admin == state.Offline:
		return false
	case before.Admin == state.Offline:
		return len(pool.Monitors) == 0
	}
	return before.Available
}

// stepOf is when a member's change is made: those that take clients before
// those that stop.
func stepOf(before, after state.Member) step {
	if after.Admin != state.Enabled && before.Admin == state.Enabled {
		return stopMembers
	}
	return addMembers
}

// terms plans for a member of others that is lent, or given back.
func (d *differ) terms(pool *state.Pool, before, after state.Member) {
	why := "lent for the share"
	if after.Loan == nil {
		why = "given back as it was"
	}
	after.Available = availableAfter(pool, before, after)
	d.add(stepOf(before, after), Change{Op: Update, Before: member(pool, before), After: member(pool, after), Why: why})
}

// withMark is the standing member h with the news that its endpoint is
// terminating, so that a drain that begins now is marked so. A drain that has
// begun is not written again for the mark alone.
func withMark(h, w state.Member) state.Member {
	if !h.Drain.Set() {
		h.Terminating = w.Terminating
	}
	return h
}

// leave plans for a member that shall go. It is true while the member keeps
// its connections.
func (d *differ) leave(pool *state.Pool, m state.Member, timeout time.Duration) bool {
	if d.podGone(pool, m.Endpoint) {
		d.remove(pool, m, "its pod is gone")
		return false
	}
	switch {
	case timeout == 0:
		d.remove(pool, m, "")
		return false
	case !m.Drain.Set(), m.Drain == state.NoDeadline && timeout > 0: // a limit was set since
		d.stop(pool, m, timeout)
		return true
	case m.Drain.Passed(d.Now):
		d.remove(pool, m, "its drain has ended")
		return false
	case m.Idle && m.Admin == state.Offline:
		d.remove(pool, m, "it has no connection left")
		return false
	}
	d.count = append(d.count, pool.ID())
	if m.Admin != state.Offline { // somebody has put it back
		after := m
		after.Admin, after.Idle = state.Offline, false
		d.add(stopMembers, Change{Op: Update, Before: member(pool, m), After: member(pool, after), Why: "drains"})
	}
	d.lookAgain(m.Drain.Time())
	return true
}

// gate says whether the leaving member h is to stay in service for now: its
// endpoint still serves, and no other member of the pool is available on the
// device, so that taking it offline would leave clients with nothing. A member
// that came just now is not available before its monitor has been there.
func (d *differ) gate(pool *state.Pool, w, h state.Member) bool {
	if !w.Serves || h.Admin != state.Enabled || h.Drain.Set() {
		return false
	}
	if d.covered(pool, h.Endpoint) {
		return false
	}
	if !d.waits(member(pool, h).ID()) {
		return false
	}
	d.count = append(d.count, pool.ID())
	return true
}

// gateReplaced does the same for a member that is wanted no more where others
// come in its place: the Service has another target port, selector or member
// type. What was behind it may serve on, and does not where its pod has ended.
func (d *differ) gateReplaced(want, pool *state.Pool, h state.Member) bool {
	takesClients := func(m state.Member) bool { return m.Admin == state.Enabled }
	if !slices.ContainsFunc(want.Members, takesClients) || d.podGone(pool, h.Endpoint) {
		return false
	}
	return d.gate(pool, state.Member{Serves: true}, h)
}

// covered says whether, apart from the member at an endpoint, one that is
// available takes clients once this plan is made.
func (d *differ) covered(pool *state.Pool, but state.Endpoint) bool {
	wanted, _ := d.want[pool.ID()].(*state.Pool)
	for _, m := range pool.Members {
		if m.Endpoint == but {
			continue
		}
		if m.Admin == state.Enabled && m.Available && d.stays(pool, m) {
			return true
		}
		if wanted != nil && d.ours(m.Owner) {
			if w, ok := wanted.Member(m.Endpoint); ok && w.Admin == state.Enabled && availableAfter(pool, m, w) {
				return true
			}
		}
	}
	if wanted == nil || len(pool.Monitors) > 0 {
		return false
	}
	return slices.ContainsFunc(wanted.Members, func(w state.Member) bool { // one that comes, and counts as available at once
		_, stands := pool.Member(w.Endpoint)
		return !stands && w.Admin == state.Enabled
	})
}

// stays says whether a member goes on taking clients: two that leave together
// must not each count on the other.
func (d *differ) stays(pool *state.Pool, m state.Member) bool {
	if !d.ours(m.Owner) {
		return true
	}
	p, ok := d.want[pool.ID()].(*state.Pool)
	if !ok {
		return false
	}
	w, wanted := p.Member(m.Endpoint)
	return wanted && (w.Admin == state.Enabled || w.Stays)
}

// podGone says whether the member was marked as terminating and its endpoint
// has left the slices since: nothing answers there any more.
func (d *differ) podGone(pool *state.Pool, e state.Endpoint) bool {
	seen, _ := pool.Member(e)
	if !seen.Terminating || d.listed(e.Address) {
		return false
	}
	if p, ok := d.want[pool.ID()].(*state.Pool); ok {
		_, wanted := p.Member(e)
		return !wanted
	}
	return !d.live(e.Address)
}

// live says whether the Service has an endpoint at an address, be it one that
// is terminating: its members tell, where the Want does not.
func (d *differ) live(a state.Address) bool {
	if d.alive == nil {
		d.alive = map[state.Address]bool{}
		for _, o := range d.want {
			if p, ok := o.(*state.Pool); ok {
				for _, m := range p.Members {
					d.alive[m.Endpoint.Address] = true
				}
			}
		}
	}
	return d.alive[a] || d.listed(a)
}

// stop forces a member offline. With a timeout it drains from now on; with 0
// no end is set.
func (d *differ) stop(pool *state.Pool, m state.Member, timeout time.Duration) {
	before, _ := d.Have.Get(member(pool, m).ID())
	after := m
	after.Admin, after.Idle, after.Available = state.Offline, false, false // clients may have come since it was counted
	why := "its endpoint is gone"
	switch {
	case timeout > 0:
		after.Drain = state.DeadlineAt(d.Now.Add(timeout))
		d.lookAgain(after.Drain.Time())
		why = "drains"
	case timeout < 0:
		after.Drain = state.NoDeadline
		why = "drains"
	}
	d.count = append(d.count, pool.ID())
	d.add(stopMembers, Change{Op: Update, Before: before, After: member(pool, after), Why: why})
}

func (d *differ) remove(pool *state.Pool, m state.Member, why string) {
	d.gone[m.Endpoint.Address]++
	d.add(takeMembers, Change{Op: Delete, Before: member(pool, m), Why: why})
}

func member(p *state.Pool, m state.Member) *state.PoolMember {
	return &state.PoolMember{Backend: p.Backend, Pool: p.Path, Member: m}
}

// dropNodes takes our nodes away that no pool has a member at any more, be it
// that this plan takes the last, or that an earlier one ended before.
func (d *differ) dropNodes() {
	candidates := map[state.Address]bool{}
	for a := range d.gone {
		candidates[a] = true
	}
	for _, id := range d.Have.Owned(d.Want.Service) {
		if o, _ := d.Have.Get(id); id.Kind == state.KindNode && id.Backend == d.Backend {
			candidates[o.(*state.Node).Address] = true
		}
	}
	for _, a := range sortedAddresses(candidates) {
		n, ok := d.Have.Node(d.Backend, a)
		if ok && d.Identity.Owns(n.Owner) && !d.added[a] && d.Have.MembersAt(a) == d.gone[a] {
			d.add(takeNodes, Change{Op: Delete, Before: n, Why: "no pool has a member at it"})
		}
	}
}

func sortedAddresses(set map[state.Address]bool) []state.Address {
	return slices.SortedFunc(maps.Keys(set), state.Address.Compare)
}
