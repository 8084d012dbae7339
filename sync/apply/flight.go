package apply

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/tracing"
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
	// planBegan and planEnded are when it was planned; zero where nothing is
	// traced, as trace is nil.
	planBegan, planEnded time.Time
	trace                *tracing.Flight

	outcome Outcome
	// seen is what stands of the Unit's objects after an outcome that says
	// that it is not known; nil if that could not be read either.
	seen *state.Set
}

// looksAgain says whether an outcome asks for its Unit's objects to be read.
func (o Outcome) looksAgain() bool { return o.Status == Unknown || o.Stale }

// start sends Units off in one Apply.
func (w *Worker) start(ctx context.Context, batch []flight) {
	w.airborne++
	for i := range batch {
		batch[i].term = w.term
		w.depart(&batch[i])
	}
	w.calls.Go(func() {
		w.carryOut(ctx, batch)
		w.land(batch)
		select {
		case w.outcomes <- batch:
		case <-ctx.Done():
		}
	})
}

// carryOut has the backend make the changes of Units, and looks at what stands
// of those of which that is not known afterwards.
func (w *Worker) carryOut(ctx context.Context, batch []flight) {
	term := w.traced(batch[0].term, batch)
	w.lookFirst(term, batch)
	var (
		units []Unit
		flown []*flight
	)
	for i := range batch {
		if f := &batch[i]; f.seen == nil && f.outcome.Status == Done {
			units, flown = append(units, f.unit), append(flown, f)
		}
	}
	if len(units) == 0 {
		return
	}
	var unclear []*flight
	var ids []state.ID
	for i, out := range w.Backend.Apply(term, units) {
		flown[i].outcome = out
		if out.looksAgain() {
			unclear = append(unclear, flown[i])
			ids = append(ids, idsOf(units[i])...)
		}
	}
	if len(unclear) == 0 {
		return
	}
	if seen, err := w.Backend.Read(w.traced(ctx, batch), Scope{IDs: ids}); err == nil {
		for _, f := range unclear {
			f.seen = seen
		}
	}
}

// lookFirst looks at what Units remove or change that is not ours alone: pools
// that go with all their members, and what is lent or adopted. Where one has a
// member that the plan did not know, or stands otherwise than it did for the
// plan, because somebody has changed it since the last full read, the flight gets
// what was seen, and nothing is done: the plan is made anew. So it is where a
// pool is to go and the Service asks for something else by now. Where the look
// fails, the flight gets that as its outcome: a device refuses none of this.
func (w *Worker) lookFirst(term context.Context, batch []flight) {
	var ids []state.ID
	for i := range batch {
		for p := range removedPools(batch[i].unit) {
			ids = append(ids, p.ID())
		}
		for c := range w.changesOfOthers(batch[i].unit) {
			ids = append(ids, wholeOf(c.ID()))
		}
	}
	if len(ids) == 0 {
		return
	}
	seen, err := w.Backend.Read(term, Scope{IDs: ids})
	for i := range batch {
		f := &batch[i]
		for p := range removedPools(f.unit) {
			_, revision, _ := w.Ledger.Want(w.Backend.Name(), f.unit.Service)
			f.lookedAt(seen, err, revision != f.revision || err == nil && hasNewcomer(seen, p))
		}
		for c := range w.changesOfOthers(f.unit) {
			f.lookedAt(seen, err, err == nil && isOther(seen, c.Before))
		}
	}
}

// lookedAt takes in a look at what the flight removes or changes.
func (f *flight) lookedAt(seen *state.Set, err error, replan bool) {
	switch {
	case err != nil:
		f.outcome = Outcome{Status: Unavailable, Reason: reasonOf(err), Err: fmt.Errorf("looking at what is to be changed: %w", err)}
	case replan:
		f.seen = seen
	}
}

// changesOfOthers are a Unit's changes of what is not ours: what it borrows,
// gives back or adopts.
func (w *Worker) changesOfOthers(u Unit) iter.Seq[plan.Change] {
	return func(yield func(plan.Change) bool) {
		for _, c := range u.Changes {
			if c.Op == plan.Update && !w.Identity.Owns(c.Before.OwnedBy()) && !yield(c) {
				return
			}
		}
	}
}

// isOther says whether what stands is not as it was. What is gone is not: the
// backend says so.
func isOther(seen *state.Set, before state.Object) bool {
	if _, stands := seen.Get(wholeOf(before.ID())); !stands {
		return false
	}
	now, stands := seen.Get(before.ID())
	return !stands || !state.Equal(now, before)
}

// wholeOf is the object that something is read with: a member's pool.
func wholeOf(id state.ID) state.ID {
	if id.Kind == state.KindMember {
		return state.ID{Backend: id.Backend, Kind: state.KindPool, Name: id.Name}
	}
	return id
}

// removedPools are the pools that a Unit removes, as its plan knew them.
func removedPools(u Unit) iter.Seq[*state.Pool] {
	return func(yield func(*state.Pool) bool) {
		for _, c := range u.Changes {
			if p, ok := c.Before.(*state.Pool); ok && c.Op == plan.Delete && !yield(p) {
				return
			}
		}
	}
}

// hasNewcomer says whether a pool has a member now that was not there before.
func hasNewcomer(seen *state.Set, before *state.Pool) bool {
	now, ok := seen.Pool(before.Backend, before.Path)
	return ok && slices.ContainsFunc(now.Members, func(m state.Member) bool {
		_, known := before.Member(m.Endpoint)
		return !known
	})
}

// idsOf are the IDs of what a Unit touches, a member's being its pool's, and of
// what that refers to: a virtual server is refused as well when its pool or iRule is
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
		add(wholeOf(c.ID()))
		switch o := c.After.(type) {
		case *state.VirtualServer:
			if o.Pool != "" {
				add(state.ID{Backend: o.Backend, Kind: state.KindPool, Name: o.Pool})
			}
			if o.Persistence != "" {
				add(state.ID{Backend: o.Backend, Kind: state.KindPersistence, Name: o.Persistence})
			}
			for _, r := range o.IRules {
				add(state.ID{Backend: o.Backend, Kind: state.KindIRule, Name: r})
			}
		case *state.Pool:
			for _, m := range o.Monitors {
				add(state.ID{Backend: o.Backend, Kind: state.KindMonitor, Name: m})
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
	w.ended(f)
	switch f.outcome.Status {
	case Done:
		if f.seen != nil {
			w.takeIn(f)
		}
		w.queue.push(ref) // planned once more: the world may have moved on meanwhile
	case Unknown:
		w.unknown(f)
	case Refused:
		if ref == state.PodNetworks() {
			w.refused[failed(f).ID()] = true
		}
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
		w.callsFail(f.outcome)
	}
}

// refusedLast puts what was refused behind the other changes for pod networks:
// a node that a device cannot reach must not keep the others' routes from it.
func (w *Worker) refusedLast(ref state.Ref, changes []plan.Change) {
	if ref != state.PodNetworks() || len(w.refused) == 0 {
		return
	}
	place := func(c plan.Change) int {
		if w.refused[c.ID()] {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(changes, func(a, b plan.Change) int { return place(a) - place(b) })
}

// wholes is how many virtual servers, pools and routes are removed by changes.
func wholes(changes []plan.Change) int {
	n := 0
	for _, c := range changes {
		if c.Op == plan.Delete && c.ID().Kind.Whole() {
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
		w.callsFail(f.outcome)
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
		w.touched[wholeOf(id)] = true
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
