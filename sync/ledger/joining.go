package ledger

import (
	"maps"
	"slices"
	"time"

	"landbridge.dev/sync/state"
)

// joined is a pool of others on one backend.
type joined struct {
	backend, pool string
}

// joiner is a Service that joins a pool: what it wants there, and when it was
// made.
type joiner struct {
	pool    *state.Pool
	created time.Time
}

// joinedPools are the pools of others that a part of a claim joins.
func joinedPools(part state.Want) map[string]*state.Pool {
	pools := map[string]*state.Pool{}
	for _, o := range part.Objects {
		if p, ok := o.(*state.Pool); ok && p.Use == state.Joined {
			pools[p.Path] = p
		}
	}
	return pools
}

// join enters a Service for the pools that it joins now. All Services of a
// cluster in one pool are one side of it: where one's part changes, the others
// are looked at again.
func (l *Ledger) join(service state.Ref, backend string, before, now state.Want, created time.Time) {
	was, is := joinedPools(before), joinedPools(now)
	for path := range was {
		if is[path] == nil {
			delete(l.joiners[joined{backend, path}], service)
			l.markJoiners(joined{backend, path}, service)
		}
	}
	for path, p := range is {
		at := joined{backend, path}
		if l.joiners[at] == nil {
			l.joiners[at] = map[state.Ref]joiner{}
		}
		if last, ok := l.joiners[at][service]; ok && state.Same(last.pool, p) && last.created.Equal(created) {
			continue
		}
		l.joiners[at][service] = joiner{pool: p, created: created}
		l.markJoiners(at, service)
	}
}

func (l *Ledger) markJoiners(at joined, but state.Ref) {
	for _, ref := range slices.SortedFunc(maps.Keys(l.joiners[at]), state.Ref.Compare) {
		if ref != but {
			l.mark(at.backend, ref)
		}
	}
	if len(l.joiners[at]) == 0 {
		delete(l.joiners, at)
	}
}

// together fills into a Service's want what the others do that join its pools:
// their members, and the share where another carries it. Of two that carry one
// the older is followed, and the other held.
func (l *Ledger) together(backend string, want state.Want) (state.Want, []state.Problem) {
	var problems []state.Problem
	cloned := false
	for i, o := range want.Objects {
		p, ok := o.(*state.Pool)
		if !ok || p.Use != state.Joined || len(l.joiners[joined{backend, p.Path}]) < 2 {
			continue
		}
		others := l.joiners[joined{backend, p.Path}]
		q := *p
		q.Peers = peers(others, want.Service, p)
		if ref, share := carrier(others); !ref.IsZero() && ref != want.Service {
			if p.Share.Given {
				problems = append(problems, state.Problem{
					Service: want.Service, Reason: "TwoShares",
					Message: "the share of pool " + p.Path + " on " + backend + " is carried by " + ref.String() +
						", which joined with it before; of all Services that join a pool one alone may have pod-share",
				})
			}
			q.Share = share
			q.Share.Elsewhere = true
		}
		if !cloned {
			want.Objects, cloned = slices.Clone(want.Objects), true
		}
		want.Objects[i] = &q
	}
	return want, problems
}

// peers are the members that others want in a pool, each endpoint once.
func peers(others map[state.Ref]joiner, but state.Ref, own *state.Pool) []state.Member {
	var members []state.Member
	for ref, j := range others {
		if ref == but {
			continue
		}
		for _, m := range j.pool.Members {
			if _, twice := own.Member(m.Endpoint); !twice {
				members = append(members, m)
			}
		}
	}
	state.SortMembers(members)
	return slices.CompactFunc(members, func(a, b state.Member) bool { return a.Endpoint == b.Endpoint })
}

// carrier is the oldest Service that says how much of a pool goes to pods.
func carrier(all map[state.Ref]joiner) (state.Ref, state.Share) {
	var oldest state.Ref
	for ref, j := range all {
		if !j.pool.Share.Given {
			continue
		}
		o := all[oldest]
		if oldest.IsZero() || j.created.Before(o.created) || j.created.Equal(o.created) && ref.Compare(oldest) < 0 {
			oldest = ref
		}
	}
	if oldest.IsZero() {
		return oldest, state.Share{}
	}
	return oldest, all[oldest].pool.Share
}
