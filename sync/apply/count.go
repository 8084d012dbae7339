package apply

import (
	"context"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// Counter is a Backend that can say how the members of a pool stand right now.
// Of one that cannot, members drain until their deadline.
type Counter interface {
	// Count looks at the members of one pool. An error says nothing about
	// them; asking again is right.
	Count(ctx context.Context, pool state.ID) ([]Count, error)
}

// Count is how one member stands.
type Count struct {
	Endpoint state.Endpoint
	// Connections are those that the member has now.
	Connections int
	// Total are those that it has had since its counter began; 0 where the
	// device does not say.
	Total int
	// Available is what the device found: up, or without a monitor.
	Available bool
}

// How often the pools that drain are counted, and how many of them in one go:
// at most that many calls a second, however many drain.
const (
	countEvery = time.Second
	countMost  = 4
)

// countLook is the alarm for counting: the Ref of no Service.
func countLook() state.Ref { return state.Ref{Name: "count"} }

// counts are the pools of one backend to be counted.
type counts struct {
	pools map[state.ID][]state.Ref // and whose plans wait for it
	of    map[state.Ref][]state.ID
	gated map[state.Ref]map[state.ID]time.Time // member → since when it is kept in service
	last  map[state.ID]time.Time               // pool → when it was counted
}

func newCounts() counts {
	return counts{
		pools: map[state.ID][]state.Ref{}, of: map[state.Ref][]state.ID{},
		gated: map[state.Ref]map[state.ID]time.Time{}, last: map[state.ID]time.Time{},
	}
}

// counted is the answer to a count: for each pool its members, and which of
// them drained when it was asked.
type counted struct {
	pool     state.ID
	members  []Count
	draining map[state.Endpoint]bool
}

// needCounts takes in what a Service's plan asks to have counted.
func (w *Worker) needCounts(ref state.Ref, result plan.Result, now time.Time) {
	for _, pool := range w.counts.of[ref] {
		others := slices.DeleteFunc(w.counts.pools[pool], func(r state.Ref) bool { return r == ref })
		if len(others) > 0 {
			w.counts.pools[pool] = others
			continue
		}
		delete(w.counts.pools, pool)
		if !slices.Contains(result.Count, pool) {
			delete(w.counts.last, pool)
		}
	}
	delete(w.counts.of, ref)
	w.keepGated(ref, result.Gated, now)
	if _, can := w.Backend.(Counter); !can || !w.act || len(result.Count) == 0 {
		return
	}
	w.counts.of[ref] = result.Count
	for _, pool := range result.Count {
		w.counts.pools[pool] = append(w.counts.pools[pool], ref)
	}
	if !w.counting {
		w.clock.soonest(countLook(), now.Add(countEvery/4)) // the first look comes soon
	}
}

// keepGated remembers since when a Service's members are kept in service, and
// forgets those that are not any more.
func (w *Worker) keepGated(ref state.Ref, gated []state.ID, now time.Time) {
	before := w.counts.gated[ref]
	delete(w.counts.gated, ref)
	for _, id := range gated {
		since, known := before[id]
		if !known {
			since = now
		}
		if w.counts.gated[ref] == nil {
			w.counts.gated[ref] = map[state.ID]time.Time{}
		}
		w.counts.gated[ref][id] = since
	}
}

// gatedSince is since when a member is kept in service.
func (w *Worker) gatedSince(ref state.Ref) func(state.ID) time.Time {
	return func(id state.ID) time.Time { return w.counts.gated[ref][id] }
}

// count asks for the pools that were counted longest ago.
func (w *Worker) count(ctx context.Context) {
	if w.mirror == nil || w.down != nil || w.counting || len(w.counts.pools) == 0 {
		return
	}
	pools := slices.SortedFunc(maps.Keys(w.counts.pools), func(a, b state.ID) int {
		if c := w.counts.last[a].Compare(w.counts.last[b]); c != 0 {
			return c
		}
		return a.Compare(b)
	})
	pools = pools[:min(len(pools), countMost)]
	var asked []counted
	now := time.Now()
	for _, id := range pools {
		w.counts.last[id] = now
		asked = append(asked, counted{pool: id, draining: w.draining(id)})
	}
	w.counting = true
	w.clock.set(countLook(), now.Add(countEvery))
	w.calls.Go(func() {
		for i := range asked {
			members, err := w.Backend.(Counter).Count(ctx, asked[i].pool)
			if err != nil {
				w.Log.Debug("counting connections", zap.Stringer("pool", asked[i].pool), zap.Error(err))
				continue
			}
			asked[i].members = members
		}
		select {
		case w.countings <- asked:
		case <-ctx.Done():
		}
	})
}

// draining are the members of a pool that take nothing new by now: only of
// these a count of no connections is the last word.
func (w *Worker) draining(pool state.ID) map[state.Endpoint]bool {
	draining := map[state.Endpoint]bool{}
	if p, ok := w.mirror.Pool(pool.Backend, pool.Name); ok {
		for _, m := range p.Members {
			if m.Drain.Set() && m.Admin == state.Offline {
				draining[m.Endpoint] = true
			}
		}
	}
	return draining
}

// haveCounted takes counts into the mirror, and has the Services looked at
// again for which they make a difference.
func (w *Worker) haveCounted(answer []counted) {
	w.counting = false
	if w.mirror == nil {
		return
	}
	for _, c := range answer {
		p, ok := w.mirror.Pool(c.pool.Backend, c.pool.Name)
		if !ok {
			continue
		}
		p, changed := c.in(p)
		if !changed {
			continue
		}
		w.mirror.Put(p)
		for _, ref := range w.counts.pools[c.pool] {
			w.queue.push(ref)
		}
	}
	if len(w.counts.pools) > 0 {
		w.clock.soonest(countLook(), time.Now().Add(countEvery))
	}
}

// in is the pool with what was counted, and whether that makes a difference. A
// pool of thousands is copied once.
func (c *counted) in(p *state.Pool) (after *state.Pool, changed bool) {
	seen := make(map[state.Endpoint]Count, len(c.members))
	for _, m := range c.members {
		seen[m.Endpoint] = m
	}
	q := *p
	q.Members = slices.Clone(p.Members)
	for i := range q.Members {
		m := &q.Members[i]
		s, ok := seen[m.Endpoint]
		idle := s.Connections == 0 && c.draining[m.Endpoint] && m.Drain.Set()
		if ok && (m.Available != s.Available || m.Idle != idle) {
			m.Available, m.Idle, changed = s.Available, idle, true
		}
	}
	return &q, changed
}
