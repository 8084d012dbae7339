package histories

import (
	"slices"
	"time"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// settling is for how long a plan may still speak of what was asked before:
// a pool that is to go is looked at first, on a device that is stuck.
const settling = 2 * stuck

// judge demands of a Unit that it takes nothing away from what is wanted, and
// goes no further than a Service with a problem lets it.
func (s *seen) judge(u apply.Unit) {
	s.judgeService(u)
	if s.sinceAsked(u.Service) < settling {
		return
	}
	want, _, _ := s.replica.ledger.Want(deviceName, u.Service)
	for _, c := range u.Changes {
		s.judgeChange(want, c)
	}
}

// judgeService demands of a Unit that no pool is left with nobody who takes new
// clients that had somebody, and is asked for with somebody for longer than a
// plan may be on its way.
func (s *seen) judgeService(u apply.Unit) {
	if !slices.ContainsFunc(u.Changes, stopsService) {
		return
	}
	before := s.play.device.set()
	after := before.Clone()
	plan.ApplyTo(after, u.Changes)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, want := range s.pools[u.Service] {
		had, there := before.Pool(deviceName, want.Path)
		has, stays := after.Pool(deviceName, want.Path)
		if there && stays && couldGoOn(had, want) && !serves(has) && wantsService(want) && time.Since(s.unserved[want.Path]) > settling {
			s.play.violated("%s leaves %s with nobody who takes new clients:\n%v\nbecomes\n%v", s.replica.name, want.Path, had.Lines(), has.Lines())
		}
	}
}

func (s *seen) judgeChange(want state.Want, c plan.Change) {
	kind := c.ID().Kind
	whole := kind == state.KindVirtualServer || kind == state.KindPool
	switch {
	case want.Mode >= state.Hold && whole:
		s.play.violated("%s is on %s, and %s plans %s", want.Service, want.Mode, s.replica.name, c)
	case want.Mode == state.Freeze && kind == state.KindMember && c.Op == plan.Create:
		s.play.violated("%s is on %s, and %s plans %s", want.Service, want.Mode, s.replica.name, c)
	case want.Mode == state.Follow && whole && c.Op == plan.Delete && wants(want, c.ID()):
		s.play.violated("%s wants it, and %s plans %s", want.Service, s.replica.name, c)
	case c.After != nil && c.After.OwnedBy().IsZero() && !want.Orphan:
		s.play.violated("%s is not to be left behind, and %s plans %s", want.Service, s.replica.name, c)
	case kind == state.KindMember && stopsService(c) && wantsEnabled(want, c.ID()):
		s.play.violated("%s has a ready endpoint there, and %s plans %s", want.Service, s.replica.name, c)
	}
}

// wants says whether an object is among those that are wanted.
func wants(want state.Want, id state.ID) bool {
	for _, o := range want.Objects {
		if o.ID() == id {
			return true
		}
	}
	return false
}

// wantsEnabled says whether a member is wanted, ready and not about to end.
func wantsEnabled(want state.Want, id state.ID) bool {
	for _, o := range want.Objects {
		if p, ok := o.(*state.Pool); ok && p.Path == id.Name {
			if p.Share.Given || hasVMs(p) {
				return false // the share decides; see judgeService
			}
			m, found := p.Member(id.Member)
			return found && m.Admin == state.Enabled && !m.Terminating
		}
	}
	return false
}

// stopsService says whether a change takes a member away, or lets it take
// nothing new.
func stopsService(c plan.Change) bool {
	if c.Op != plan.Update {
		return c.Op == plan.Delete
	}
	after, ok := c.After.(*state.PoolMember)
	return ok && after.Admin != state.Enabled
}

// judgeLeaving demands that a member that drains is not removed while it has
// connections, before its time, with its pod still there.
func (p *play) judgeLeaving(by *errand, name string, t thing) {
	if !t.gone || t.within == "" || !p.isBusy() || p.wasIdle(t.within, t.at) || t.drain == 0 || t.terminating || t.drain.Passed(time.Now()) {
		return
	}
	if by.replica.drainless(t.owner.Service) {
		return
	}
	p.violated("%s removed %s, which has connections and may keep them until %s", by.replica.name, name, t.drain)
}

// wasIdle says whether a member was counted without a connection: then it may
// go, since it gets none while it drains.
func (p *play) wasIdle(pool string, at state.Endpoint) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.idle[idleKey{pool, at}]
}

type idleKey struct {
	pool string
	at   state.Endpoint
}

// drainless says whether a Service has a drain timeout of nothing, or had one
// when a removal that is under way was planned.
func (r *replica) drainless(ref state.Ref) bool {
	r.seen.mu.Lock()
	defer r.seen.mu.Unlock()
	return r.seen.drainless[ref] || time.Since(r.seen.undrained[ref]) < settling
}
