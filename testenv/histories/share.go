package histories

import (
	"math"
	"slices"
	"time"

	"landbridge.dev/sync/state"
)

// turning is how long a pool may take that goes from one side to the other by
// way of both: two intervals of a monitor, and what all takes.
const turning = 10*time.Second + promptly

// sides are a pool's two sides: its wanted members that are ready, and how they
// stand on the device.
type sides struct {
	share     state.Share
	pods, vms []state.Member // as they stand; those that are missing are not in
	lacking   []state.Member // ready, and missing
	ofVMs     int            // wanted VMs, ready or not
	foreign   bool           // others have members in the pool, and are of the VM side
}

func sidesOf(want, have *state.Pool) sides {
	s := sides{share: want.Share}
	podsAlone := want.Share.Given && want.Share.Percent == 100 && want.Share.Fallback == state.FallbackNone
	relieved := !podsAlone && slices.ContainsFunc(have.Members, func(m state.Member) bool { return m.VM && m.Available })
	for _, m := range want.Members {
		if m.VM {
			s.ofVMs++
		}
		if m.Admin != state.Enabled || relieved && !m.VM && m.Terminating {
			continue // pods that all end may go at once where a VM answers
		}
		is, there := have.Member(m.Endpoint)
		switch {
		case !there:
			s.lacking = append(s.lacking, m)
		case m.VM:
			s.vms = append(s.vms, is)
		default:
			s.pods = append(s.pods, is)
		}
	}
	s.foreign = slices.ContainsFunc(have.Members, func(m state.Member) bool { return m.Owner.IsZero() })
	return s
}

// divides says whether the pool has a VM side, so that what its members are to
// be follows from the share. Where others have members in it, which may not be
// changed, a plan makes of it what it can, and says so.
func (s sides) divides() bool { return s.ofVMs > 0 || s.foreign && s.share.Given }

// wrong is what is wrong with the sides; empty for nothing.
func (s sides) wrong() string {
	percent := 0 // without a word about it a pool begins with its VMs
	if s.share.Given {
		percent = s.share.Percent
	}
	switch {
	case s.foreign:
		return ""
	case slices.ContainsFunc(s.lacking, func(m state.Member) bool { return !m.Terminating || serving(m, percent) }):
		return s.lacking[0].Line() + " is missing"
	case percent == 0:
		return alone(s.vms, s.pods, s.share.Fallback == state.FallbackBoth)
	case percent == 100:
		return alone(s.pods, s.vms, s.share.Fallback != state.FallbackNone)
	}
	for _, m := range slices.Concat(s.pods, s.vms) {
		if m.Admin != state.Enabled || m.Priority != s.some().Priority {
			return m.Line() + " does not take its part"
		}
	}
	if len(s.pods) == 0 || len(s.vms) == 0 {
		return ""
	}
	part := 100 * weight(s.pods) / (weight(s.pods) + weight(s.vms))
	if math.Abs(part-float64(percent)) > 1 {
		return "the pods' part is not within a point of what was asked"
	}
	return ""
}

// serving says whether a member is of a side that takes clients: one that ends
// on the other side may have gone already.
func serving(m state.Member, percent int) bool {
	return m.VM && percent < 100 || !m.VM && percent > 0
}

// some is some member of the sides; the zero Member of none.
func (s sides) some() state.Member {
	for _, m := range slices.Concat(s.pods, s.vms) {
		return m
	}
	return state.Member{}
}

func weight(members []state.Member) float64 {
	sum := 0
	for _, m := range members {
		sum += m.Ratio
	}
	return float64(sum)
}

// alone is what is wrong where one side is to serve, and the other to take
// nothing or, with standby, to stand by in a lower priority group.
func alone(these, others []state.Member, standby bool) string {
	lowest := math.MaxInt
	for _, m := range these {
		if lowest = min(lowest, m.Priority); m.Admin != state.Enabled {
			return m.Line() + " is of the side that serves, and takes no clients"
		}
	}
	for _, m := range others {
		switch takes := m.Admin == state.Enabled; {
		case standby && !takes:
			return m.Line() + " does not stand by"
		case standby && m.Priority >= lowest:
			return m.Line() + " is not below the side that serves"
		case !standby && takes:
			return m.Line() + " takes clients, and is of the other side"
		}
	}
	return ""
}

// serves says whether a pool has a member that takes new clients: one that was
// off does not before its monitor has been there.
func serves(p *state.Pool) bool {
	return slices.ContainsFunc(p.Members, func(m state.Member) bool {
		return m.Admin == state.Enabled && (m.Available || len(p.Monitors) == 0)
	})
}

// couldGoOn says whether one that takes new clients is ready, and could go on.
func couldGoOn(had, want *state.Pool) bool {
	return slices.ContainsFunc(had.Members, func(m state.Member) bool {
		w, wanted := want.Member(m.Endpoint)
		return m.Admin == state.Enabled && m.Available && wanted && w.Admin == state.Enabled
	})
}

// wantsService says whether a wanted pool has anybody who is to serve.
func wantsService(p *state.Pool) bool {
	return slices.ContainsFunc(p.Members, func(m state.Member) bool {
		if m.Admin != state.Enabled {
			return false
		}
		s := sides{share: p.Share}
		only := s.share.Given && s.share.Percent == 100 && s.share.Fallback == state.FallbackNone
		return !m.VM || !only
	})
}

// hasVMs says whether VMs of ours stand in a pool.
func hasVMs(p *state.Pool) bool {
	return slices.ContainsFunc(p.Members, func(m state.Member) bool { return m.VM })
}

// checkSides demands that a divided pool of a Service is as its share says.
func (p *play) checkSides(c *cluster, want state.Want, pool *state.Pool, between sides) {
	if c.leader().seen.sinceAsked(want.Service) < turning {
		return
	}
	if wrong := between.wrong(); wrong != "" {
		p.violated("%s of %s is to be divided as %+v, nothing is wrong, and %s", pool.Path, c.identity.Cluster, pool.Share, wrong)
	}
}
