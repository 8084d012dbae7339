package plan

import (
	"cmp"
	"fmt"
	"slices"

	"landbridge.dev/sync/state"
)

// A pool has two sides where VMs serve beside pods. The VM side is our own VM
// members and those that no Landbridge owns; what other clusters have in the
// pool is on neither side.

// vm is a member of the VM side: of ours (VM) as it is wanted, of others as it
// stands.
type vm struct {
	state.Member
	// base is what it has where nothing is lent.
	base state.Terms
	// free says that its settings may be changed.
	free bool
}

// settled is a pool with its sides reckoned.
type settled struct {
	*state.Pool // as it shall be, members in the terms of the device
	// foreign are the members of others that shall be otherwise than they
	// stand, because they are lent or given back.
	foreign []state.Member
}

// settle reckons what a share makes of a wanted pool: each member's order,
// ratio and priority. have is nil for a pool that is not there yet.
func (d *differ) settle(want, have *state.Pool) settled {
	s := &settling{differ: d, want: want, have: have}
	s.vms = s.side()
	percent, known := s.percent()
	if known {
		s.relieve(percent)
	}
	switch {
	case !known:
		return s.asItStands()
	case len(s.vms) == 0 && (percent > 0 || !s.want.Share.Registry):
		return s.podsOnly()
	case percent == 0:
		return s.move(s.toVMs())
	case percent == 100:
		return s.move(s.toPods())
	default:
		return s.divide(percent)
	}
}

// settling is one call of settle.
type settling struct {
	*differ
	want, have *state.Pool
	vms        []vm
}

// side is the VM side of the pool: ours as wanted, and those of others.
func (s *settling) side() []vm {
	var side []vm
	own := func(m state.Member) {
		side = append(side, vm{Member: m, base: state.Terms{Admin: m.Admin, Ratio: m.Ratio}, free: true})
	}
	for _, m := range s.want.Members {
		if m.VM {
			own(m)
		}
	}
	for _, m := range s.want.Peers {
		if m.VM {
			own(m)
		}
	}
	if s.have == nil || s.want.Use == state.Own && len(side) == 0 && !s.want.Share.Given {
		return side // a stranger in a pool of pods alone divides nothing
	}
	for _, m := range s.have.Members {
		if m.Owner.IsZero() {
			side = append(side, s.lender(m))
		}
	}
	return side
}

// relieve lets pods go that would serve on only because no pod is better: where
// a VM answers they leave like any other, or what they are given in their last
// moment is cut off with them.
func (s *settling) relieve(percent int) {
	if percent == 100 && s.want.Share.Fallback == state.FallbackNone || !slices.ContainsFunc(s.active(), s.answers) {
		return
	}
	leave := func(members []state.Member) []state.Member {
		members = slices.Clone(members)
		for i, m := range members {
			if m.Terminating && m.Serves && !m.VM {
				members[i].Admin = state.Offline
			}
		}
		return members
	}
	want := *s.want
	want.Members, want.Peers = leave(want.Members), leave(want.Peers)
	s.want = &want
}

// answers says whether the device finds a VM available.
func (s *settling) answers(v vm) bool {
	if s.have == nil {
		return false
	}
	m, stands := s.have.Member(v.Endpoint)
	return stands && m.Available
}

// lender is a member of others, with what it has where nothing is lent. What a
// person has changed of a lent one since is theirs.
func (s *settling) lender(m state.Member) vm {
	v := vm{Member: m, base: m.Terms(), free: s.want.Share.Borrow && !m.Managed}
	switch {
	case m.Loan == nil:
	case !s.Identity.Owns(m.Loan.To):
		v.free = false // another cluster's, until it puts back what it was lent
	default:
		v.base = m.PutBack()
		if m.Terms() != m.Loan.Set {
			v.free = false
			s.notice("ChangedByHand", fmt.Sprintf("member %s of pool %s on %s, which is lent to this cluster, was changed there by hand; it stays so, and counts as it is",
				m.Endpoint, s.have.Path, s.Backend))
		}
	}
	return v
}

// percent is the share that holds, and whether there is one: where VMs come to
// pods that serve, and nobody says for which part, nothing moves.
func (s *settling) percent() (percent int, known bool) {
	share := s.want.Share
	switch {
	case share.Given && share.Percent != 100 && len(s.vms) == 0 && !share.Registry:
		s.problem("NoVMSide", fmt.Sprintf("pod-share: %d asks for VMs in pool %s, and there are none; name some with vm-members, or ask for 100", share.Percent, s.want.Path))
		return 0, false
	case share.Given:
		return share.Percent, true
	case len(s.vms) == 0 && !share.Registry:
		return 100, true
	case s.have == nil || s.want.Use != state.Own:
		return 0, true
	}
	serves := false
	for _, m := range s.have.Members {
		if !s.ours(m.Owner) {
			continue
		}
		if m.VM {
			return 0, true // it has begun with VMs
		}
		serves = serves || m.Admin == state.Enabled
	}
	if serves {
		s.problem("ShareNeeded", fmt.Sprintf("pool %s is served by pods and is to get a VM side: say with pod-share how much goes to the pods; until then it stays as it stands", s.want.Path))
	}
	return 0, !serves
}

// podsOnly is a pool without a VM side: all goes to the pods.
func (s *settling) podsOnly() settled {
	p := *s.want
	p.MinActive = s.minActive()
	return settled{Pool: s.mode(&p, false), foreign: s.putBack(nil, false)}
}

// putBack are the members of others that do not stand as they did, but for
// those that lent names: they go back to what they were. While anything is
// lending, what a person changed keeps the note by which that is known.
func (s *settling) putBack(lent map[state.Endpoint]state.Terms, lending bool) []state.Member {
	if s.have == nil || s.want.Share.Elsewhere {
		return nil
	}
	var changed []state.Member
	for _, m := range s.have.Members {
		if !m.Owner.IsZero() || m.Loan != nil && !s.Identity.Owns(m.Loan.To) {
			continue
		}
		if lending && m.Loan != nil && m.Terms() != m.Loan.Set {
			continue
		}
		terms, is := lent[m.Endpoint]
		after := s.lend(m, terms, is)
		if !after.SameWanted(m) {
			changed = append(changed, after)
		}
	}
	return changed
}

// lend is a foreign member with these terms, and a note of what it was; with
// lent false it is put back.
func (s *settling) lend(m state.Member, terms state.Terms, lent bool) state.Member {
	base := m.PutBack()
	if !lent || terms == base {
		return m.SetTerms(base).WithLoan(nil)
	}
	return m.SetTerms(terms).WithLoan(&state.Loan{To: s.Identity.Owner(s.Want.Service), Was: base, Set: terms})
}

// active are those of the VM side that take clients.
func (s *settling) active() []vm {
	return slices.DeleteFunc(slices.Clone(s.vms), func(v vm) bool { return v.base.Admin != state.Enabled })
}

// pods are the wanted pods that take clients, of this Service and of others
// that join the pool, by endpoint.
func (s *settling) pods() []state.Member {
	pods := slices.DeleteFunc(slices.Concat(s.want.Members, s.want.Peers), func(m state.Member) bool {
		return m.VM || m.Admin != state.Enabled
	})
	state.SortMembers(pods)
	return pods
}

// members are the wanted members, each as change has it.
func (s *settling) members(change func(m *state.Member)) []state.Member {
	members := slices.Clone(s.want.Members)
	for i := range members {
		change(&members[i])
	}
	return members
}

// highest is the highest priority of active VMs, lowest the lowest; 0 for none.
func highest(vms []vm) (top int) {
	for _, v := range vms {
		top = max(top, v.base.Priority)
	}
	return top
}

func lowest(vms []vm) int {
	if len(vms) == 0 {
		return 0
	}
	return slices.MinFunc(vms, func(a, b vm) int { return cmp.Compare(a.base.Priority, b.base.Priority) }).base.Priority
}

// ratioModes are the load-balancing modes that look at members' ratios.
func ratioModes() []string { return []string{"ratio-member", "ratio-least-connections-member"} }

// LooksAtRatios says whether a load-balancing mode divides by members' ratios.
func LooksAtRatios(mode string) bool { return slices.Contains(ratioModes(), mode) }

// minActive is what the pool has where nothing of it is lent.
func (s *settling) minActive() int {
	switch {
	case s.have == nil || s.want.Use == state.Own:
		return 0
	case !s.have.Lent.IsZero():
		return s.have.Lent.MinActive
	}
	return s.have.MinActive
}
