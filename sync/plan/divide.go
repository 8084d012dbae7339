package plan

import (
	"fmt"
	"slices"
	"strings"

	"landbridge.dev/sync/state"
)

// division is what a share from 1 to 99 makes of the two sides: the factors of
// their weights, and whether VMs of others have to be changed for it.
type division struct {
	pod, vm int
	lend    bool
}

// divide is the pool at a share from 1 to 99. Where the share cannot be reached
// with all pods, because VMs of others may not be changed, the last of them
// wait; where it cannot be reached at all, the pool stays as it stands.
func (s *settling) divide(percent int) settled {
	if mode := s.dividedMode(); !slices.Contains(ratioModes(), mode) {
		has, wayOut := "has "+mode, "set ratio-member there, or ask for 0"
		if stands, ok := s.Have.Pool(s.Backend, s.want.Path); ok && s.want.Use == state.Joined && stands.Mode != mode { // lent: joinInstead
			has = "goes back to " + mode + " where it is no longer adopted"
			wayOut = fmt.Sprintf("keep adopt, or ask for 0 first, and for %d once ratio-member is set there", percent)
		}
		s.problem("ModeIgnoresRatios", fmt.Sprintf("pod-share: %d needs a load-balancing mode that looks at ratios, and pool %s on %s %s; %s",
			percent, s.want.Path, s.Backend, has, wayOut))
		return s.asItStands()
	}
	group, vms := 0, s.active()
	if s.minActive() > 0 { // only the highest group serves
		group = highest(vms)
		vms = slices.DeleteFunc(vms, func(v vm) bool { return v.base.Priority < group && !v.VM })
	}
	pods := s.pods()
	if len(pods) == 0 || len(vms) == 0 { // a side without anybody gives its share to the other
		return s.divided(division{pod: 1, vm: 1}, pods, vms, group)
	}
	for n := len(pods); n > 0; n-- {
		if d, ok := reckon(pods[:n], vms, percent); ok {
			if n < len(pods) {
				s.notice("PodsWait", fmt.Sprintf("pod-share: %d is reached in pool %s on %s with fewer pods than are ready, and the others wait forced offline: "+
					"the members of others may not be changed; the tenant needs the grant borrow for the pool", percent, s.want.Path, s.Backend))
			}
			return s.divided(d, pods[:n], vms, group)
		}
	}
	s.problem("ShareUnreachable", fmt.Sprintf("pod-share: %d cannot be reached in pool %s on %s with its members' ratios as they are; the nearest that can is %d; to reach it %s",
		percent, s.want.Path, s.Backend, weigh(pods[:1], vms, false).nearest(percent), s.wayOut(vms)))
	return s.asItStands()
}

// wayOut is what would make a share reachable.
func (s *settling) wayOut(vms []vm) string {
	var lent []string
	for _, v := range vms {
		if v.Loan != nil && !s.Identity.Owns(v.Loan.To) {
			lent = append(lent, v.Endpoint.String()+" (to cluster "+v.Loan.To.Cluster+")")
		}
	}
	switch {
	case len(lent) > 0:
		return "what is lent has to be given back: " + strings.Join(lent, ", ")
	case s.want.Share.Borrow:
		return "the VMs need other ratios: some of them may not be changed"
	}
	return "the tenant needs the grant borrow for the pool, or the VMs other ratios"
}

// dividedMode is the mode that the pool will have.
func (s *settling) dividedMode() string {
	switch {
	case s.want.Use == state.Own:
		return s.want.Mode
	case s.want.Use == state.Adopted && s.want.Mode == "":
		return ratioModes()[0] // lent for it
	case s.want.Use == state.Adopted:
		return s.want.Mode
	case s.have != nil:
		return s.have.Mode
	}
	return ""
}

// weigh sums the weights of both sides up. Without lend the VMs of others stay
// as they are.
func weigh(pods []state.Member, vms []vm, lend bool) scale {
	var sc scale
	for _, p := range pods {
		sc.Pods += p.Ratio
		sc.MostPod = max(sc.MostPod, p.Ratio)
	}
	for _, v := range vms {
		if v.free && (lend || v.VM) {
			sc.VMs += v.base.Ratio
			sc.MostVM = max(sc.MostVM, v.base.Ratio)
		} else {
			sc.Fixed += v.base.Ratio
		}
	}
	return sc
}

// reckon finds the factors for a share: without changing anything of others
// where that does, else with.
func reckon(pods []state.Member, vms []vm, percent int) (division, bool) {
	for _, lend := range []bool{false, true} {
		if pod, vm, ok := weigh(pods, vms, lend).ratios(percent); ok {
			return division{pod: pod, vm: vm, lend: lend}, true
		}
	}
	return division{}, false
}

// divided is the pool with the factors applied. Pods that are not among the
// serving ones wait offline.
func (s *settling) divided(d division, serving []state.Member, vms []vm, group int) settled {
	p := *s.want
	p.MinActive = s.minActive()
	p.Members = s.members(func(m *state.Member) {
		m.Priority = group
		if m.VM {
			m.Ratio *= d.vm
			return
		}
		m.Ratio *= d.pod
		if m.Admin != state.Enabled {
			return
		}
		if _, serves := slices.BinarySearchFunc(serving, m.Endpoint, func(o state.Member, e state.Endpoint) int { return o.Endpoint.Compare(e) }); !serves {
			m.Admin = state.Offline
		}
	})
	lent := map[state.Endpoint]state.Terms{}
	for _, v := range vms {
		if d.lend && v.free && !v.VM {
			lent[v.Endpoint] = state.Terms{Ratio: v.base.Ratio * d.vm, Priority: v.base.Priority}
		}
	}
	return settled{Pool: s.mode(&p, true), foreign: s.putBack(lent, d.lend)}
}

// asItStands is the pool with its sides left as the device has them: members
// follow their endpoints, and new ones take the terms of their side. No VM of
// ours comes or goes.
func (s *settling) asItStands() settled {
	p := *s.want
	p.Members = nil
	pods, vms := s.standingTerms()
	for _, m := range s.want.Members {
		before, stands := state.Member{}, false
		if s.have != nil {
			before, stands = s.have.Member(m.Endpoint)
		}
		if m.VM && !stands && s.Want.Mode != state.Hold {
			continue
		}
		of := pods
		if m.VM {
			of = vms
		}
		switch {
		case stands && (m.VM || before.Admin == state.Enabled):
			of = before.Terms()
		case stands:
			of.Ratio, of.Priority = before.Ratio, before.Priority
		}
		m.Admin, m.Ratio, m.Priority = max(m.Admin, of.Admin), of.Ratio, of.Priority
		p.Members = append(p.Members, m)
	}
	if s.have != nil {
		p.Mode, p.MinActive, p.Lent, p.Monitors = s.have.Mode, s.have.MinActive, s.have.Lent, s.have.Monitors
		p.ReselectTries, p.SlowRamp = s.have.ReselectTries, s.have.SlowRamp
		for _, m := range s.have.Members {
			if _, wanted := s.want.Member(m.Endpoint); !wanted && m.VM && s.ours(m.Owner) && !m.Drain.Set() {
				p.Members = append(p.Members, m)
			}
		}
	}
	state.SortMembers(p.Members)
	return settled{Pool: &p}
}

// standingTerms are what those of the cluster's pods, and of its VMs, have that
// serve. Of a side of which nobody does, members serve unless the other side
// does.
func (s *settling) standingTerms() (pods, vms state.Terms) {
	pods, vms = state.Terms{Ratio: 1}, state.Terms{Ratio: 1}
	if s.have == nil {
		return pods, vms
	}
	podsServe, vmsServe := false, false
	for _, m := range s.have.Members {
		switch {
		case m.Admin != state.Enabled || m.Drain.Set():
		case s.Identity.Owns(m.Owner) && !m.VM:
			pods, podsServe = m.Terms(), true
		case s.Identity.Owns(m.Owner):
			vms, vmsServe = m.Terms(), true
		case m.Owner.IsZero() && s.want.Use != state.Own:
			vmsServe = true
		}
	}
	if !podsServe && vmsServe {
		pods.Admin = state.Offline
	}
	if !vmsServe && podsServe {
		vms.Admin = state.Offline
	}
	return pods, vms
}
