package histories

import (
	"slices"
	"time"

	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
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
	p.compareForeign()
}

// calmDown ends all faults, sees that each cluster has a leader, and demands
// that every Service is as asked, or says why not.
func (p *play) calmDown() {
	p.mend()
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
	if !c.config.Applies() {
		return
	}
	for _, ref := range set.Owners() {
		p.checkLeftovers(c, leader, ref, set)
	}
}

func (p *play) checkService(c *cluster, leader *replica, ref state.Ref, set *state.Set) {
	in, _ := c.input(ref)
	result := translate.Service(in, translate.Policy{Config: c.config, Identity: c.identity})
	problems, settled := leader.problems(ref)
	for _, w := range problems {
		if w.Reason == "" || w.Message == "" {
			p.violated("%s of %s has a problem without a reason: %+v", ref, c.identity.Cluster, w)
		}
	}
	if len(problems) > 0 {
		return
	}
	switch leaves := !result.Addressed || in.Service.DeletionTimestamp != nil; {
	case leaves && len(in.Service.Finalizers) > 0:
		p.violated("%s of %s is not wanted any more, keeps its finalizer, and has no reason", ref, c.identity.Cluster)
	case leaves:
	case !settled:
		p.violated("%s of %s is neither as asked nor has it a reason: %+v", ref, c.identity.Cluster, leader.records[ref])
	default:
		p.checkWant(c, result.Want, set)
	}
}

// checkWant demands that what stands is what is wanted.
func (p *play) checkWant(c *cluster, want state.Want, set *state.Set) {
	wanted := map[state.ID]bool{}
	for _, o := range want.Objects {
		wanted[o.ID()] = true
		have, there := set.Get(o.ID())
		if !there {
			p.violated("%s is wanted by %s of %s and is not there", o.ID(), want.Service, c.identity.Cluster)
			continue
		}
		if pool, ok := o.(*state.Pool); ok {
			p.checkPool(c, pool, have.(*state.Pool))
		} else if !state.Equal(o, have) {
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

func (p *play) checkPool(c *cluster, want, have *state.Pool) {
	if !want.SameSettings(have) {
		p.violated("%s has settings\n%v\nand not as wanted:\n%v", want.ID(), have.Settings(), want.Settings())
	}
	for _, m := range want.Members {
		is, there := have.Member(m.Endpoint)
		goes := m.Terminating && m.Admin == state.Offline
		switch {
		case there && is.Owner.IsZero(): // somebody else's, and left alone
		case goes && there:
			p.violated("%s is still in %s, though its pod ends", is.Line(), want.Path)
		case !goes && !there:
			p.violated("%s is missing in %s", m.Line(), want.Path)
		case !goes && !m.SameWanted(is):
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
	if len(problems) > 0 || len(leader.said[ref].Problems) > 0 {
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

// prompt demands of a world without trouble that every ready endpoint is in
// its pool and enabled, at once.
func (p *play) prompt() {
	if p.broken || (!p.trouble.IsZero() && time.Since(p.trouble) < restAfter) {
		return
	}
	set := p.device.set()
	for _, c := range p.clusters {
		leader := c.leader()
		if leader == nil || !c.config.Applies() || c.away {
			continue
		}
		for _, ref := range c.refs() {
			in, _ := c.input(ref)
			if problems, _ := leader.problems(ref); len(problems) > 0 || in.Service.DeletionTimestamp != nil {
				continue
			}
			want := translate.Service(in, translate.Policy{Config: c.config, Identity: c.identity}).Want
			p.checkReady(want, set)
		}
	}
}

func (p *play) checkReady(want state.Want, set *state.Set) {
	for _, o := range want.Objects {
		pool, ok := o.(*state.Pool)
		if !ok || slices.ContainsFunc(want.Objects, func(v state.Object) bool { _, there := set.Get(v.ID()); return !there }) {
			continue // a virtual server that has not come yet waits for its address
		}
		have, _ := set.Pool(deviceName, pool.Path)
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
