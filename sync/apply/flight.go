package apply

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// How long a Service waits after the backend refused it, doubling.
const (
	firstBackoff = time.Second
	lastBackoff  = 5 * time.Minute
)

// flight is one Unit on its way, and when it has landed how it ended.
type flight struct {
	unit     Unit
	locks    map[lock]bool // and whether alone
	problems []state.Problem
	revision ledger.Revision
	term     term

	outcome Outcome
	// seen is what stands of the Unit's objects after an outcome that says
	// that it is not known; nil if that could not be read either.
	seen *state.Set
}

// looksAgain says whether an outcome asks for its Unit's objects to be read.
func (o Outcome) looksAgain() bool { return o.Status == Unknown || o.Stale }

// start sends a Unit off.
func (w *Worker) start(ctx context.Context, f flight) {
	w.flying[f.unit.Service] = f
	w.locks.take(f.locks)
	f.term = w.term
	w.calls.Go(func() {
		if f.seen, f.outcome = w.newcomers(f); f.seen == nil && f.outcome.Status == Done {
			f.outcome = w.Backend.Apply(f.term, []Unit{f.unit})[0]
			if f.outcome.looksAgain() {
				f.seen, _ = w.Backend.Read(ctx, Scope{IDs: idsOf(f.unit)})
			}
		}
		select {
		case w.outcomes <- f:
		case <-ctx.Done():
		}
	})
}

// newcomers looks at the pools that a Unit removes, whose members go with
// them. If one has a member that the plan did not know, which somebody may
// have added since the last full read, or if the Service asks for something else
// by now, it returns the pools as they stand, and nothing is done: the plan is
// made anew. Otherwise that is nil. Where the look
// fails, the Unit ends with the outcome: a device does not refuse to remove a
// pool for its members.
func (w *Worker) newcomers(f flight) (*state.Set, Outcome) {
	known := map[state.ID]*state.Pool{}
	for _, c := range f.unit.Changes {
		if p, ok := c.Before.(*state.Pool); ok && c.Op == plan.Delete {
			known[p.ID()] = p
		}
	}
	if len(known) == 0 {
		return nil, Outcome{}
	}
	set, err := w.Backend.Read(f.term, Scope{IDs: slices.Collect(maps.Keys(known))})
	if err != nil {
		return nil, Outcome{Status: Unavailable, Reason: reasonOf(err), Err: fmt.Errorf("looking at what is to be removed: %w", err)}
	}
	if _, revision, _ := w.Ledger.Want(w.Backend.Name(), f.unit.Service); revision != f.revision {
		return set, Outcome{} // meanwhile something else was asked
	}
	for id, before := range known {
		now, ok := set.Pool(id.Backend, id.Name)
		if !ok {
			continue
		}
		for _, m := range now.Members {
			if _, expected := before.Member(m.Endpoint); !expected {
				return set, Outcome{}
			}
		}
	}
	return nil, Outcome{}
}

// idsOf are the IDs of what a Unit touches, a member's being its pool's, and of
// what that refers to: a virtual server is refused as well when its pool is
// gone.
func idsOf(u Unit) []state.ID {
	seen := map[state.ID]bool{}
	var ids []state.ID
	add := func(id state.ID) {
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	for _, c := range u.Changes {
		id := c.ID()
		if id.Kind == state.KindMember {
			id = state.ID{Backend: id.Backend, Kind: state.KindPool, Name: id.Name}
		}
		add(id)
		switch o := c.After.(type) {
		case *state.VirtualServer:
			if o.Pool != "" {
				add(state.ID{Backend: o.Backend, Kind: state.KindPool, Name: o.Pool})
			}
		case *state.PoolMember:
			add(state.NodeID(o.Backend, o.Endpoint.Address))
		}
	}
	return ids
}

// landed takes in how a Unit ended.
func (w *Worker) landed(f flight) {
	ref := f.unit.Service
	delete(w.flying, ref)
	for _, waiter := range w.locks.release(f.locks) {
		w.queue.push(waiter)
	}
	if w.mirror == nil && w.reading {
		w.stale = true // the read under way may be from before this Unit's effect
	}
	for _, c := range f.unit.Changes[:f.outcome.Applied] {
		w.touch(c.ID())
	}
	if w.mirror != nil {
		plan.ApplyTo(w.mirror, f.unit.Changes[:f.outcome.Applied])
	}
	w.brakes.removed(ref, wholes(f.unit.Changes[:f.outcome.Applied]), time.Now())
	w.Metrics.ended(w.Backend.Name(), f.outcome)
	switch f.outcome.Status {
	case Done:
		if f.seen != nil {
			w.takeIn(f)
		}
		w.queue.push(ref) // planned once more: the world may have moved on meanwhile
	case Unknown:
		w.unknown(f)
	case Refused:
		w.again(ref)
		w.fail(f)
		if f.seen != nil {
			w.takeIn(f)
		}
	case Unavailable:
		w.queue.push(ref)
		if f.term.Err() != nil {
			return // cut, since the right to make changes was taken away: that says nothing of the backend
		}
		w.goDown(f.outcome.Reason, f.outcome.Err)
	}
}

// wholes is how many virtual servers and pools are removed by changes.
func wholes(changes []plan.Change) int {
	n := 0
	for _, c := range changes {
		if k := c.ID().Kind; c.Op == plan.Delete && (k == state.KindVirtualServer || k == state.KindPool) {
			n++
		}
	}
	return n
}

// unknown takes in what stands after a call of which nobody knows whether it
// had its effect. If that cannot be read either, all is read anew.
func (w *Worker) unknown(f flight) {
	w.again(f.unit.Service)
	w.fail(f)
	if f.seen == nil {
		w.goDown(f.outcome.Reason, f.outcome.Err)
		return
	}
	w.takeIn(f)
}

// takeIn puts what was read of a Unit's objects into the mirror.
func (w *Worker) takeIn(f flight) {
	for _, id := range idsOf(f.unit) {
		w.touch(id)
		if w.mirror == nil {
			continue
		}
		switch o, there := f.seen.Get(id); {
		case there:
			w.mirror.Put(o)
		case f.outcome.looksAgain(): // all of the Unit's objects were read
			w.mirror.Delete(id)
		}
	}
}

// touch remembers that an object changed while a full read was under way,
// whose answer may be older.
func (w *Worker) touch(id state.ID) {
	if w.reading {
		if id.Kind == state.KindMember {
			id = state.ID{Backend: id.Backend, Kind: state.KindPool, Name: id.Name}
		}
		w.touched[id] = true
	}
}

// again sets when a Service is tried again, alone.
func (w *Worker) again(ref state.Ref) {
	delay := min(max(w.backoff[ref]*2, firstBackoff), lastBackoff)
	w.backoff[ref] = delay
	w.clock.set(ref, time.Now().Add(delay))
}

// fail reports a Unit that did not go through.
func (w *Worker) fail(f flight) {
	problem := state.Problem{Service: f.unit.Service, Reason: f.outcome.Reason, Message: f.outcome.Err.Error()}
	w.Log.Warn("change not made", zap.Stringer("service", f.unit.Service), zap.String("backend", w.Backend.Name()),
		zap.Stringer("status", f.outcome.Status), zap.String("reason", f.outcome.Reason), zap.Error(f.outcome.Err),
		zap.Stringer("change", failed(f)))
	w.tell(Report{
		Backend: w.Backend.Name(), Service: f.unit.Service, Revision: f.revision,
		Problems: append(f.problems, problem),
	})
}

// failed is the change at which a Unit ended.
func failed(f flight) plan.Change {
	return f.unit.Changes[min(f.outcome.Applied, len(f.unit.Changes)-1)]
}
