package histories

import (
	"slices"
	"strings"
	"time"

	"landbridge.dev/sync/report"
	"landbridge.dev/sync/state"
)

// restAfter is how long the longest backoff, the slowest probe and a resync
// take together.
const restAfter = 11 * time.Minute

// longestUnrest is how long a world without faults may take to come to rest.
const longestUnrest = 2 * time.Hour

// rest lets time pass until nothing has changed on the device for longer than
// anything waits.
func (p *play) rest() {
	began, last, seen := time.Now(), time.Now(), p.device.writes()
	for time.Since(last) < restAfter && !p.failed() {
		if time.Since(began) > longestUnrest {
			p.violated("it does not come to rest")
			return
		}
		p.pass(time.Minute)
		if n := p.device.writes(); n != seen {
			last, seen = time.Now(), n
		}
	}
}

// calmDown ends all faults, sees that each cluster has a leader, and demands
// that every Service is as asked, or says why not.
func (p *play) calmDown() {
	p.device.calm()
	Clients{}.do(p)
	for _, c := range p.clusters {
		if c.leader() == nil {
			c.replicas[0].lead()
		}
	}
	p.rest()
	for _, c := range p.clusters {
		p.check(c)
	}
}

// check demands, of a world at rest, that each Service of a cluster is as
// asked or has a reason, and that nothing stands that nobody wants.
func (p *play) check(c *cluster) {
	set := p.device.set()
	leader := c.leader()
	for _, ref := range c.refs() {
		p.checkService(c, leader, ref, set)
	}
	c.routers.checkTables(leader)
	if !c.config.Applies() {
		return
	}
	for _, ref := range set.Owners() {
		p.checkLeftovers(c, leader, ref, set)
	}
}

func (p *play) checkService(c *cluster, leader *replica, ref state.Ref, set *state.Set) {
	in, _ := c.input(ref)
	result := leader.asks(ref)
	problems, settled := leader.problems(ref)
	for _, w := range problems {
		if w.Reason == "" || w.Message == "" {
			p.violated("%s of %s has a problem without a reason: %+v", ref, c.identity.Cluster, w)
		}
	}
	if len(problems) > 0 {
		return
	}
	if c.services[ref].lost && !report.Touched(in.Service) {
		return // a new Service, whose EndpointSlices are expected in a moment (translate)
	}
	switch leaves := !result.Addressed || in.Service.DeletionTimestamp != nil; {
	case leaves && len(in.Service.Finalizers) > 0:
		p.violated("%s of %s is not wanted any more, keeps its finalizer, and has no reason", ref, c.identity.Cluster)
	case leaves:
	case !settled:
		p.violated("%s of %s is neither as asked nor has it a reason: %+v", ref, c.identity.Cluster, leader.records[ref])
	default:
		p.checkWant(c, result.Want.On(deviceName), set)
		c.routers.check(leader, result.Want, set)
	}
}

// checkWant demands that what stands is what is wanted.
func (p *play) checkWant(c *cluster, want state.Want, set *state.Set) {
	wanted := map[state.ID]bool{}
	for _, o := range want.Objects {
		have, there := set.Get(o.ID())
		if m, ok := o.(*state.Monitor); ok {
			have, there = standingFor(m, set, wanted)
		}
		if !there {
			p.violated("%s is wanted by %s of %s and is not there", o.ID(), want.Service, c.identity.Cluster)
			continue
		}
		wanted[have.ID()] = true
		if pool, ok := o.(*state.Pool); ok {
			p.checkPool(c, pool, have.(*state.Pool))
		} else if !slices.Equal(o.Lines(), have.Lines()) {
			p.violated("%s is\n%v\nand not as wanted:\n%v", o.ID(), have.Lines(), o.Lines())
		}
	}
	for _, id := range set.Owned(want.Service) {
		o, _ := set.Get(id)
		if id.Kind != state.KindNode && c.identity.Owns(o.OwnedBy()) && o.OwnedBy().Service == want.Service && !wanted[id] {
			p.violated("%s is not wanted any more by %s of %s and still there", id, want.Service, c.identity.Cluster)
		}
	}
}

// standingFor is the monitor that is there for a wanted one, and for no other:
// under another number, where one that came before could not become it.
func standingFor(want *state.Monitor, set *state.Set, taken map[state.ID]bool) (state.Object, bool) {
	for _, id := range set.Owned(want.Owner.Service) {
		o, _ := set.Get(id)
		if id.Kind == state.KindMonitor && !taken[id] && numberless(id.Name) == numberless(want.Path) && slices.Equal(o.Lines(), want.Lines()) {
			return o, true
		}
	}
	return nil, false
}

func numberless(path string) string { return strings.TrimRight(path, "0123456789") }

// sameSettings compares pools, but for the numbers of their own monitors.
func sameSettings(a, b *state.Pool) bool {
	bare := func(p *state.Pool) *state.Pool {
		q := *p
		q.Monitors, q.MinActive = nil, 0 // which a share decides
		for _, m := range p.Monitors {
			if strings.HasPrefix(m, p.Path) {
				m = numberless(m)
			}
			q.Monitors = append(q.Monitors, m)
		}
		return &q
	}
	return bare(a).SameSettings(bare(b))
}

func (p *play) checkPool(c *cluster, want, have *state.Pool) {
	between := sidesOf(want, have)
	if wrong := between.wrong(); between.divides() && wrong != "" {
		p.violated("%s of %s is to be divided as %+v, and %s:\n%v", want.Path, c.identity.Cluster, want.Share, wrong, have.Lines())
	}
	if !sameSettings(want, have) {
		p.violated("%s has settings\n%v\nand not as wanted:\n%v", want.ID(), have.Settings(), want.Settings())
	}
	for _, m := range want.Members {
		is, there := have.Member(m.Endpoint)
		goes := m.Terminating && m.Admin == state.Offline
		switch {
		case there && is.Owner.IsZero(): // somebody else's, and left alone
		case goes && there:
			p.violated("%s is still in %s, though its pod ends", is.Line(), want.Path)
		case !there && m.Terminating && between.divides(): // may have gone, if of the side that takes no clients
		case !goes && !there:
			p.violated("%s is missing in %s", m.Line(), want.Path)
		case !goes && !between.divides() && !m.SameWanted(is):
			p.violated("%s in %s is not as wanted: %s", is.Line(), want.Path, m.Line())
		}
	}
	for _, is := range have.Members {
		if _, wanted := want.Member(is.Endpoint); !wanted && c.identity.Owns(is.Owner) {
			p.violated("%s is still in %s, and not wanted", is.Line(), want.Path)
		}
	}
}

// checkLeftovers demands that what a cluster owns belongs to a Service that is
// there, or that it is said why not.
func (p *play) checkLeftovers(c *cluster, leader *replica, ref state.Ref, set *state.Set) {
	problems, _ := leader.problems(ref)
	if len(problems) > 0 || len(leader.said[saying{deviceName, ref}].Problems) > 0 {
		return
	}
	for _, id := range set.Owned(ref) {
		o, _ := set.Get(id)
		if n, ok := o.(*state.Node); ok {
			if c.identity.Owns(n.Owner) && set.MembersAt(n.Address) == 0 {
				p.violated("%s has no member any more and is still there", id)
			}
			continue
		}
		for _, owner := range ownersOf(o) {
			if c.identity.Owns(owner) && owner.Service == ref && c.services[ref] == nil {
				p.violated("%s is of %s of %s, which is gone, and nothing says why it is still there", id, ref, c.identity.Cluster)
			}
		}
	}
}

// ownersOf are the owners of an object and, for a pool, of its members.
func ownersOf(o state.Object) []state.Owner {
	owners := []state.Owner{o.OwnedBy()}
	for _, m := range membersOf(o) {
		owners = append(owners, m.Owner)
	}
	return owners
}

// inspect is what the observer demands at every moment.
func (p *play) inspect() {
	p.compareForeign()
	set := p.device.set()
	p.apart(set)
	p.prompt(set)
	for _, c := range p.clusters {
		c.routers.expire()
		if leader := c.leader(); leader != nil && !c.away {
			c.routers.checkHops(leader)
		}
	}
}

// promptly is how long a change in Kubernetes may take to reach a device that
// answers: all calls that there can be, one after the other.
const promptly = 5 * time.Second

// prompt demands that every ready endpoint is in its pool and enabled, unless
// something is wrong that it has to wait for, for no longer than that.
func (p *play) prompt(set *state.Set) {
	if p.troubled() {
		return
	}
	for _, c := range p.clusters {
		leader := c.leader()
		if leader == nil || !c.config.Applies() || c.away {
			continue
		}
		for _, ref := range c.refs() {
			in, _ := c.input(ref)
			if in.Service.DeletionTimestamp != nil || leader.seen.sinceAsked(ref) < promptly {
				continue
			}
			result := leader.asks(ref)
			problems, _ := leader.problems(ref)
			held := result.Want.Mode == state.Hold && len(problems) == len(result.Problems)
			if len(problems) == 0 || held {
				p.checkReady(c, result.Want.On(deviceName), set)
			}
			if len(problems) == 0 {
				c.routers.check(leader, result.Want, set)
			}
		}
	}
}

// checkReady demands that the ready endpoints of a Service take clients, in the
// pools that stand where it is held.
func (p *play) checkReady(c *cluster, want state.Want, set *state.Set) {
	for _, o := range want.Objects {
		pool, ok := o.(*state.Pool)
		if !ok {
			continue
		}
		have, there := set.Pool(deviceName, pool.Path)
		switch {
		case there && c.identity.Owns(have.Owner) && have.Owner.Service == want.Service:
		case want.Mode == state.Follow:
			p.violated("%s is wanted by %s of %s, nothing is wrong, and it is not there", pool.Path, want.Service, c.identity.Cluster)
			continue
		default:
			continue
		}
		if want.Mode == state.Hold && hasVMs(have) {
			continue // it keeps the share that it had
		}
		between := sidesOf(pool, have)
		if between.divides() {
			p.checkSides(c, want, pool, between)
			continue
		}
		for _, m := range pool.Members {
			is, there := have.Member(m.Endpoint)
			if there && is.Owner.IsZero() {
				continue // somebody else's, and left alone
			}
			if m.Admin == state.Enabled && (!there || is.Admin != state.Enabled) {
				p.violated("%s is ready, nothing is wrong, and it takes no clients in %s (there: %t, %s)", m.Line(), pool.Path, there, is.Line())
			}
		}
	}
}
