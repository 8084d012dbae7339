package apply

import (
	"container/heap"
	"slices"
	"time"

	"landbridge.dev/sync/state"
)

// queue holds the dirty Services of one backend, each once: first, oldest
// first, those that something has just happened to, then those that a full
// read has to be compared with, so that no change waits for a resync.
type queue struct {
	line, later []state.Ref
	in          map[state.Ref]lane
}

// lane says in which part of the queue a Service is.
type lane uint8

const (
	inLine lane = iota + 1
	inLater
)

func newQueue() queue { return queue{in: map[state.Ref]lane{}} }

// push puts a Service into the line, also one that was to come later.
func (q *queue) push(ref state.Ref) {
	if q.in[ref] != inLine {
		q.in[ref] = inLine
		q.line = append(q.line, ref)
	}
}

// pushLater puts a Service behind the line, unless it is in the queue.
func (q *queue) pushLater(ref state.Ref) {
	if q.in[ref] == 0 {
		q.in[ref] = inLater
		q.later = append(q.later, ref)
	}
}

// putBack puts a Service that was taken out before all others.
func (q *queue) putBack(ref state.Ref) {
	if q.in[ref] != inLine {
		q.in[ref] = inLine
		q.line = slices.Insert(q.line, 0, ref)
	}
}

func (q *queue) pop() (state.Ref, bool) {
	if len(q.line) > 0 {
		ref := q.line[0]
		q.line = q.line[1:]
		delete(q.in, ref)
		return ref, true
	}
	for len(q.later) > 0 {
		ref := q.later[0]
		q.later = q.later[1:]
		if q.in[ref] == inLater { // otherwise it went by the line
			delete(q.in, ref)
			return ref, true
		}
	}
	return state.Ref{}, false
}

func (q *queue) len() int { return len(q.in) }

// waiting is how many Services are in the part of the queue of which the next
// is taken, and which that is.
func (q *queue) waiting() (lane, int) {
	if len(q.line) > 0 {
		return inLine, len(q.line)
	}
	return inLater, len(q.in)
}

// lock is something that calls in flight must not touch together: a Service, a
// pool, or the address of a node.
type lock struct {
	service state.Ref
	pool    string
	node    state.Address
}

// locks are those that are held by calls in flight, and who waits for which.
type locks struct {
	held    map[lock]int // how many share it; alone for one that shares it with none
	waiting map[lock][]state.Ref
}

const alone = -1

func newLocks() locks {
	return locks{held: map[lock]int{}, waiting: map[lock][]state.Ref{}}
}

// blocks is a lock that keeps a Unit from flying now. The values of keys say
// whether it needs the lock alone.
func (l *locks) blocks(keys map[lock]bool) (lock, bool) {
	for k, exclusive := range keys {
		if n := l.held[k]; n == alone || (exclusive && n > 0) {
			return k, true
		}
	}
	return lock{}, false
}

// wait has a Service come again when a lock is free.
func (l *locks) wait(k lock, ref state.Ref) { l.waiting[k] = append(l.waiting[k], ref) }

func (l *locks) take(keys map[lock]bool) {
	for k, exclusive := range keys {
		if exclusive {
			l.held[k] = alone
		} else {
			l.held[k]++
		}
	}
}

// release gives locks back, and returns the Services that waited for one that
// is free now.
func (l *locks) release(keys map[lock]bool) []state.Ref {
	var free []state.Ref
	for k := range keys {
		if l.held[k] > 1 {
			l.held[k]--
			continue
		}
		delete(l.held, k)
		free = append(free, l.waiting[k]...)
		delete(l.waiting, k)
	}
	return free
}

// locksOf are the locks that a Unit needs: its Service, its pools and the
// nodes that it makes or removes alone; the nodes that its members refer to
// together with others.
func locksOf(u Unit) map[lock]bool {
	keys := map[lock]bool{{service: u.Service}: true}
	shared := func(a state.Address) {
		if k := (lock{node: a}); !keys[k] {
			keys[k] = false
		}
	}
	for _, c := range u.Changes {
		for _, o := range []state.Object{c.Before, c.After} {
			switch o := o.(type) {
			case *state.Pool:
				keys[lock{pool: o.Path}] = true
				for _, m := range o.Members {
					shared(m.Endpoint.Address)
				}
			case *state.PoolMember:
				keys[lock{pool: o.Pool}] = true
				shared(o.Endpoint.Address)
			case *state.Node:
				keys[lock{node: o.Address}] = true
			}
		}
	}
	return keys
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
