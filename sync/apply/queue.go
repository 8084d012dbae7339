package apply

import (
	"container/heap"
	"time"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// queue holds the dirty Services of one backend, oldest first, each once.
// Those parked wait until a call has ended.
type queue struct {
	line   []state.Ref
	in     map[state.Ref]bool
	parked []state.Ref
}

func newQueue() queue { return queue{in: map[state.Ref]bool{}} }

func (q *queue) push(ref state.Ref) {
	if !q.in[ref] {
		q.in[ref] = true
		q.line = append(q.line, ref)
	}
}

func (q *queue) pop() (state.Ref, bool) {
	if len(q.line) == 0 {
		return state.Ref{}, false
	}
	ref := q.line[0]
	q.line = q.line[1:]
	delete(q.in, ref)
	return ref, true
}

func (q *queue) park(ref state.Ref) { q.parked = append(q.parked, ref) }

// unpark puts what waited back into the line.
func (q *queue) unpark() {
	for _, ref := range q.parked {
		q.push(ref)
	}
	q.parked = q.parked[:0]
}

func (q *queue) len() int { return len(q.line) + len(q.parked) }

// lock is something that at most one call in flight may touch: a pool, or the
// address of a node.
type lock struct {
	pool string
	node state.Address
}

// locksOf are the locks that a Unit's changes need.
func locksOf(changes []plan.Change) map[lock]bool {
	locks := map[lock]bool{}
	for _, c := range changes {
		for _, o := range []state.Object{c.Before, c.After} {
			switch o := o.(type) {
			case *state.Pool:
				locks[lock{pool: o.Path}] = true
				for _, m := range o.Members {
					locks[lock{node: m.Endpoint.Address}] = true
				}
			case *state.PoolMember:
				locks[lock{pool: o.Pool}] = true
				locks[lock{node: o.Endpoint.Address}] = true
			case *state.Node:
				locks[lock{node: o.Address}] = true
			}
		}
	}
	return locks
}

// fullRead is the alarm for reading all anew: the Ref of no Service.
func fullRead() state.Ref { return state.Ref{} }

// alarms says when which Service, or fullRead, is to be looked at again.
type alarms struct {
	heap alarmHeap
	at   map[state.Ref]time.Time // the alarm that holds; others in the heap are stale
}

type alarm struct {
	at  time.Time
	ref state.Ref
}

// set puts the one alarm of a Service; the zero Time takes it away.
func (a *alarms) set(ref state.Ref, at time.Time) {
	if a.at == nil {
		a.at = map[state.Ref]time.Time{}
	}
	if at.IsZero() {
		delete(a.at, ref)
		return
	}
	if a.at[ref].Equal(at) {
		return
	}
	a.at[ref] = at
	heap.Push(&a.heap, alarm{at: at, ref: ref})
}

// soonest puts the alarm no later than at.
func (a *alarms) soonest(ref state.Ref, at time.Time) {
	if set, ok := a.at[ref]; !ok || at.Before(set) {
		a.set(ref, at)
	}
}

// due takes out what is due.
func (a *alarms) due(now time.Time) []state.Ref {
	var due []state.Ref
	for len(a.heap) > 0 && !a.heap[0].at.After(now) {
		next := heap.Pop(&a.heap).(alarm)
		if a.at[next.ref].Equal(next.at) {
			delete(a.at, next.ref)
			due = append(due, next.ref)
		}
	}
	return due
}

// wait is how long nothing is due, an hour at most.
func (a *alarms) wait(now time.Time) time.Duration {
	if len(a.heap) == 0 {
		return time.Hour
	}
	return min(max(a.heap[0].at.Sub(now), 0), time.Hour)
}

type alarmHeap []alarm

func (h alarmHeap) Len() int           { return len(h) }
func (h alarmHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h alarmHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *alarmHeap) Push(x any)        { *h = append(*h, x.(alarm)) }
func (h *alarmHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
