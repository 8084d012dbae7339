package histories

import (
	"time"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// sinceAsked is for how long a plan may still speak of what was asked before:
// a pool that is to go is looked at first, on a device that is stuck.
const sinceAsked = 2 * stuck

// judge demands of a Unit that it takes nothing away from what is wanted, and
// goes no further than a Service with a problem lets it.
func (s *seen) judge(u apply.Unit) {
	s.mu.Lock()
	asked := s.asked[u.Service]
	s.mu.Unlock()
	if time.Since(asked) < sinceAsked {
		return
	}
	want, _, _ := s.replica.ledger.Want(deviceName, u.Service)
	for _, c := range u.Changes {
		s.judgeChange(want, c)
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
	return r.seen.drainless[ref] || time.Since(r.seen.undrained[ref]) < sinceAsked
}
