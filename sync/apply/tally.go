package apply

import (
	"container/list"
	"slices"
	"time"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// tally is what a worker knows of its own work only to show it. Nothing is
// decided by it.
type tally struct {
	// asked are the changes asked for in Kubernetes that wait, the oldest
	// first.
	asked *list.List // of *ask
	of    map[state.Ref]*list.Element
	// drifted are the Services that only a resync made dirty; before is what
	// was thought to stand until then, nil without any.
	drifted  map[state.Ref]bool
	before   *state.Set
	draining map[state.Ref]int // members
	drains   int               // their sum
}

type ask struct {
	ref state.Ref
	at  time.Time
	// changed says that something was changed for it.
	changed bool
}

func newTally() tally {
	return tally{asked: list.New(), of: map[state.Ref]*list.Element{}, drifted: map[state.Ref]bool{}, draining: map[state.Ref]int{}}
}

// ask notes that something is asked for a Service, if nothing was yet.
func (t *tally) ask(ref state.Ref, now time.Time) {
	t.looked(ref)
	if t.of[ref] == nil {
		t.of[ref] = t.asked.PushBack(&ask{ref: ref, at: now})
	}
}

// answer notes that what was asked for a Service was done, or was refused.
func (t *tally) answer(ref state.Ref) {
	if e := t.of[ref]; e != nil {
		t.asked.Remove(e)
		delete(t.of, ref)
	}
}

// applied notes that something was changed for a Service.
func (t *tally) applied(ref state.Ref) {
	if e := t.of[ref]; e != nil {
		e.Value.(*ask).changed = true
	}
}

// changedSince is when what was asked for a Service was asked, if something was
// changed for it; else the zero Time.
func (t *tally) changedSince(ref state.Ref) time.Time {
	if e := t.of[ref]; e != nil && e.Value.(*ask).changed {
		return e.Value.(*ask).at
	}
	return time.Time{}
}

// forget drops what was asked: another is the leader.
func (t *tally) forget() {
	t.asked.Init()
	clear(t.of)
	clear(t.drifted)
	t.before = nil
}

// oldest is when the oldest was asked that waits; the zero Time for none.
func (t *tally) oldest() time.Time {
	if e := t.asked.Front(); e != nil {
		return e.Value.(*ask).at
	}
	return time.Time{}
}

// resynced notes the Services that a full read has to be compared with, which
// takes the place of before. What it shows otherwise, and is put back for those
// for which nothing was asked, is drift.
func (t *tally) resynced(before *state.Set, services ...[]state.Ref) {
	t.before = before
	for _, refs := range services {
		for _, ref := range refs {
			if t.of[ref] == nil {
				t.drifted[ref] = true
			}
		}
	}
}

// looked notes that a Service has been compared with the last full read.
func (t *tally) looked(ref state.Ref) {
	delete(t.drifted, ref)
	if len(t.drifted) == 0 {
		t.before = nil
	}
}

// repairs are those of the changes for a Service that put back what others
// changed; the rest was to be done anyhow.
func (t *tally) repairs(ref state.Ref, changes []plan.Change) []plan.Change {
	if !t.drifted[ref] {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(changes), func(c plan.Change) bool {
		was, stood := t.before.Get(c.ID())
		if c.Before == nil || !stood {
			return !stood // made anew, or not what was there
		}
		if p, ok := c.Before.(*state.Pool); ok { // its members are changes of their own
			old, isPool := was.(*state.Pool)
			return isPool && p.SameSettings(old)
		}
		return state.Equal(was, c.Before)
	})
}

// drain takes in how many members of a Service drain.
func (t *tally) drain(ref state.Ref, members int) {
	t.drains += members - t.draining[ref]
	delete(t.draining, ref)
	if members > 0 {
		t.draining[ref] = members
	}
}

// settled takes in that there is nothing to do for a Service now.
func (w *Worker) settled(ref state.Ref) {
	if since := w.tally.changedSince(ref); !since.IsZero() {
		w.Metrics.made(w.Backend.Name(), time.Since(since))
	}
	w.tally.answer(ref)
	w.tally.looked(ref)
	draining := 0
	for _, id := range w.mirror.Owned(ref) {
		p, ok := w.mirror.Pool(id.Backend, id.Name)
		if !ok || id.Kind != state.KindPool {
			continue
		}
		for _, m := range p.Members {
			if m.Drain.Set() && m.Owner.Service == ref && w.Identity.Owns(m.Owner) {
				draining++
			}
		}
	}
	w.tally.drain(ref, draining)
}

// asked takes in that something is asked for a Service. Of a standby nothing
// is: another does it.
func (w *Worker) asked(ref state.Ref) {
	if w.act {
		w.tally.ask(ref, time.Now())
	}
}

// ended takes in how a Unit ended.
func (w *Worker) ended(f flight) {
	ref := f.unit.Service
	w.Metrics.ended(w.Backend.Name(), f.outcome)
	if repairs := w.tally.repairs(ref, f.unit.Changes[:f.outcome.Applied]); len(repairs) > 0 {
		w.Metrics.repaired(w.Backend.Name(), len(repairs))
		if w.Repaired != nil {
			w.Repaired(w.Backend.Name(), ref, repairs)
		}
	}
	if f.outcome.Status != Done {
		w.tally.looked(ref) // what is tried again is not told again
	}
	if f.outcome.Applied > 0 {
		w.tally.applied(ref)
	}
	if f.outcome.Status == Refused {
		w.tally.answer(ref)
	}
}

// show shows what there is to do.
func (w *Worker) show() {
	w.Metrics.queued(w.Backend.Name(), w.queue.len()+len(w.locks.waiting), len(w.backoff), w.tally.drains, w.tally.oldest())
}
