package apply

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// How often an object of others that a Service needs and that was not there is
// looked for, doubling, and how many of them in one go, at most once a second. A person who has made
// what a condition asked for does not want to wait for the next full read.
const (
	firstSeek = time.Second
	lastSeek  = time.Minute
	seekMost  = 16
)

// seekLook is the alarm for looking: the Ref of no Service.
func seekLook() state.Ref { return state.Ref{Name: "seek"} }

// seeks are the objects of others that are missing.
type seeks struct {
	objects map[state.ID]*sought
	of      map[state.Ref][]state.ID
}

// sought is one object, and when it is looked for again.
type sought struct {
	refs  []state.Ref // who waits for it
	delay time.Duration
	due   time.Time
}

func newSeeks() seeks {
	return seeks{objects: map[state.ID]*sought{}, of: map[state.Ref][]state.ID{}}
}

// found is the answer to a look.
type found struct {
	ids    []state.ID
	set    *state.Set // nil where the look failed
	mirror *state.Set // at the time of the question
}

// needSought takes in what a Service's plan is missing.
func (w *Worker) needSought(ref state.Ref, result plan.Result, now time.Time) {
	for _, id := range w.seeks.of[ref] {
		o := w.seeks.objects[id]
		o.refs = slices.DeleteFunc(o.refs, func(r state.Ref) bool { return r == ref })
		if len(o.refs) == 0 && !slices.Contains(result.Sought, id) {
			delete(w.seeks.objects, id)
		}
	}
	delete(w.seeks.of, ref)
	if !w.act || len(result.Sought) == 0 {
		return
	}
	w.seeks.of[ref] = result.Sought
	for _, id := range result.Sought {
		o := w.seeks.objects[id]
		if o == nil {
			o = &sought{delay: firstSeek, due: now.Add(firstSeek)}
			w.seeks.objects[id] = o
		}
		o.refs = append(o.refs, ref)
		w.clock.soonest(seekLook(), o.due)
	}
}

// seek looks for what is due, a few at a time.
func (w *Worker) seek(ctx context.Context) {
	if w.mirror == nil || w.down != nil || w.seeking {
		return // what is read then has all plans made anew
	}
	now := time.Now()
	var due []state.ID
	for id, o := range w.seeks.objects {
		if !o.due.After(now) {
			due = append(due, id)
		}
	}
	slices.SortFunc(due, func(a, b state.ID) int {
		if c := w.seeks.objects[a].due.Compare(w.seeks.objects[b].due); c != 0 {
			return c
		}
		return a.Compare(b)
	})
	due = due[:min(len(due), seekMost)]
	for _, id := range due {
		o := w.seeks.objects[id]
		o.delay = min(2*o.delay, lastSeek)
		o.due = now.Add(o.delay)
	}
	if len(due) == 0 {
		w.seekLater()
		return
	}
	w.seeking = true
	answer := found{ids: due, mirror: w.mirror}
	w.calls.Go(func() {
		set, err := w.Backend.Read(ctx, Scope{IDs: answer.ids})
		if err != nil {
			w.Log.Debug("looking for what others make", zap.String("backend", w.Backend.Name()), zap.Error(err))
		} else {
			answer.set = set
		}
		select {
		case w.findings <- answer:
		case <-ctx.Done():
		}
	})
}

// seekLater sets the alarm for what is due next, a second from now at least.
func (w *Worker) seekLater() {
	soon := time.Now().Add(firstSeek)
	for _, o := range w.seeks.objects {
		at := o.due
		if at.Before(soon) {
			at = soon
		}
		w.clock.soonest(seekLook(), at)
	}
}

// haveSought takes in what was found, unless all was read anew meanwhile, and
// has the Services looked at that wait for it.
func (w *Worker) haveSought(answer found) {
	w.seeking = false
	defer w.seekLater()
	if answer.set == nil || answer.mirror != w.mirror {
		return
	}
	for _, id := range answer.ids {
		o, there := answer.set.Get(id)
		if have, known := w.mirror.Get(id); !there || known && state.Equal(have, o) {
			continue
		}
		w.touch(id)
		w.mirror.Put(o)
		if s := w.seeks.objects[id]; s != nil {
			for _, ref := range s.refs {
				w.queue.push(ref)
			}
		}
	}
}
