package plan

import (
	"fmt"
	"slices"
	"time"

	"landbridge.dev/sync/state"
)

// arrangement is how a share of 0 or 100 has a pool stand: one side serves,
// the other is off or stands by.
type arrangement struct {
	// pod and own are what pods, and VMs of ours, that could take clients
	// are to have; their ratio is the weight that they have of themselves.
	pod, own state.Terms
	// lent are the settings of VMs of others, where they are not to stand as
	// they did.
	lent      map[state.Endpoint]state.Terms
	lending   bool
	minActive int
	toPods    bool // which side serves
}

// toVMs is a share of 0: the VMs serve, and the pods take nothing or, where
// fallback says so, stand by in a lower priority group.
func (s *settling) toVMs() arrangement {
	vms := s.active()
	a := arrangement{minActive: s.minActive(), pod: state.Terms{Admin: state.Offline}}
	if a.minActive > 0 {
		a.own.Priority = highest(vms)
	}
	if s.want.Share.Fallback != state.FallbackBoth || s.want.Use == state.Joined {
		return a
	}
	a.pod.Admin, a.minActive = state.Enabled, max(a.minActive, 1)
	a.own.Priority = max(a.own.Priority, 1)
	a.lent, a.lending = map[state.Endpoint]state.Terms{}, true
	for _, v := range vms {
		if v.free && !v.VM && lowest(vms) == 0 { // else there is room for the pods below them
			a.lent[v.Endpoint] = state.Terms{Ratio: v.base.Ratio, Priority: v.base.Priority + 1}
		}
	}
	return a
}

// toPods is a share of 100: the pods serve, and the VMs stand by in a lower
// priority group or, without a fallback, take nothing.
func (s *settling) toPods() arrangement {
	a := arrangement{minActive: s.minActive(), toPods: true, lent: map[state.Endpoint]state.Terms{}}
	if s.want.Share.Fallback != state.FallbackNone {
		a.minActive = max(a.minActive, 1)
		a.pod.Priority = highest(s.active()) + 1
		return a
	}
	a.own.Admin, a.lending = state.Offline, true
	for _, v := range s.active() {
		if v.free && !v.VM {
			a.lent[v.Endpoint] = state.Terms{Admin: state.Offline, Ratio: v.base.Ratio, Priority: v.base.Priority}
		}
	}
	return a
}

// strangers are VMs of others that would go on taking clients although none
// are to go to VMs.
func (s *settling) strangers(a arrangement) []vm {
	if !a.toPods || s.want.Share.Fallback != state.FallbackNone {
		return nil
	}
	return slices.DeleteFunc(s.active(), func(v vm) bool {
		_, lent := a.lent[v.Endpoint]
		return lent || v.VM || v.Loan != nil // what a person changed of a lent one has been said
	})
}

// move brings the pool to an arrangement: at once, or, where that takes the
// side away that serves before the other one can, by way of both serving.
func (s *settling) move(a arrangement) settled {
	if left := s.strangers(a); len(left) > 0 && !s.want.Share.Elsewhere {
		s.problem("BorrowNeeded", fmt.Sprintf("pod-share: 100 needs the members of others in pool %s on %s to take nothing, and %s may not be changed: "+
			"the tenant needs the grant borrow for the pool, or ask for 99", s.want.Path, s.Backend, left[0].Endpoint))
		return s.asItStands()
	}
	over := s.arranged(a)
	if s.have == nil || !s.mustWait(over, a) {
		return over
	}
	return s.both(over, a)
}

// arranged is the pool as an arrangement has it.
func (s *settling) arranged(a arrangement) settled {
	p := *s.want
	p.MinActive = a.minActive
	p.Members = s.members(func(m *state.Member) {
		terms := a.pod
		if m.VM {
			terms = a.own
		}
		m.Admin, m.Priority = max(m.Admin, terms.Admin), terms.Priority
		m.Stays = m.Stays && terms.Admin == state.Enabled
	})
	return settled{Pool: s.mode(&p, a.toPods), foreign: s.putBack(a.lent, a.lending)}
}

// mustWait says whether taking the one side off has to wait for the other: a
// device probes a member that was offline only from now on, and until it is up
// nobody would answer. It waits for two monitor intervals at most.
func (s *settling) mustWait(over settled, a arrangement) bool {
	leaves, serving, up := false, 0, 0
	look := func(after state.Member, pod bool) {
		before, stands := s.have.Member(after.Endpoint)
		serves := stands && before.Admin == state.Enabled && !before.Drain.Set()
		switch {
		case pod != a.toPods:
			leaves = leaves || serves && !leaving(after) && (after.Admin != state.Enabled || after.Priority < before.Priority)
		case after.Admin == state.Enabled:
			serving++
			if serves && before.Available {
				up++
			}
		}
	}
	for _, m := range over.Members {
		look(m, !m.VM)
	}
	changed := map[state.Endpoint]bool{}
	for _, m := range over.foreign {
		changed[m.Endpoint] = true
		look(m, false)
	}
	for _, v := range s.vms {
		if !v.VM && !changed[v.Endpoint] {
			look(v.Member, false)
		}
	}
	return leaves && (up == 0 || up < serving) && s.waits(s.want.ID())
}

// waits says whether something that waits for members to come up may go on
// waiting, and has it looked at again.
func (d *differ) waits(id state.ID) bool {
	since := d.Now
	if d.Gated != nil {
		if at := d.Gated(id); !at.IsZero() {
			since = at
		}
	}
	until := since.Add(gateTime)
	if !d.Now.Before(until) {
		return false
	}
	d.lookAgain(until)
	d.gated = append(d.gated, id)
	return true
}

// both is the way from one side to the other: who serves goes on, and who is to
// serve comes beside.
func (s *settling) both(over settled, a arrangement) settled {
	s.count = append(s.count, s.want.ID())
	top := 0
	for _, m := range s.have.Members {
		if m.Admin == state.Enabled && !m.Drain.Set() {
			top = max(top, m.Priority)
		}
	}
	p := *over.Pool
	p.Mode, p.MinActive, p.Lent = s.have.Mode, s.have.MinActive, s.have.Lent
	p.Members = slices.Clone(over.Members)
	for i, m := range p.Members {
		before, stands := s.have.Member(m.Endpoint)
		switch {
		case m.VM != a.toPods: // arrives
			p.Members[i].Priority = top
		case stands && before.Admin == state.Enabled && s.takesClients(m.Endpoint):
			p.Members[i] = m.SetTerms(before.Terms())
		}
	}
	foreign := slices.DeleteFunc(slices.Clone(over.foreign), func(m state.Member) bool {
		before, _ := s.have.Member(m.Endpoint)
		return before.Admin == state.Enabled // it goes on as it stands
	})
	return settled{Pool: &p, foreign: foreign}
}

// takesClients says whether the wanted member at an endpoint is ready, whatever
// the share makes of it.
func (s *settling) takesClients(e state.Endpoint) bool {
	m, ok := s.want.Member(e)
	return ok && m.Admin == state.Enabled
}

// mode is the pool with the mode and priorities that it needs: of an adopted
// pool those are lent, and noted.
func (s *settling) mode(p *state.Pool, divides bool) *state.Pool {
	if p.Use != state.Adopted || s.have == nil {
		return p
	}
	p.Lent = s.have.Lent
	if p.Mode == "" {
		p.Mode = s.have.Mode
	}
	before := state.PoolTerms{Mode: s.have.Mode, MinActive: s.have.MinActive}
	if divides && !slices.Contains(ratioModes(), p.Mode) {
		p.Mode = ratioModes()[0]
	}
	if p.Lent.IsZero() && before != (state.PoolTerms{Mode: p.Mode, MinActive: p.MinActive}) {
		p.Lent = before
	}
	return p
}

// gateTime is how long a leaving member that serves is kept for want of
// another: two intervals of the device's own TCP monitor (5 s; ltm monitor tcp,
// captured on TMOS 14.1.2).
const gateTime = 10 * time.Second
