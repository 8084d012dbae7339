package apply

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// Brake bounds how many of our virtual servers and pools may be removed from a
// backend within a time, whose Services nobody deleted: an API server with an
// empty store, or a tenant's grant taken away by a slip, must not clear a
// device.
type Brake struct {
	// Percent is of what is ours there, 0 to 100; Least may go in any case.
	Percent, Least int
	// Window is how long a removal counts.
	Window time.Duration
}

// gather is how long removals are collected before the brake looks at them
// together: a cluster's worth of lost Services does not come in one moment.
const gather = 2 * time.Second

// brakes are the removals of one backend that count.
type brakes struct {
	Brake
	wanted  map[state.Ref][]state.ID // wanted now, and still standing
	free    map[state.Ref]bool       // of these, the ones that may go
	done    []removal
	allowed map[string]time.Time // hash of a plan → until when it is let through
	holding bool                 // some of wanted may not go
	said    string               // the hash that the log named last
}

// removal is how many objects went at a time.
type removal struct {
	at    time.Time
	count int
}

func newBrakes(b Brake) brakes {
	return brakes{Brake: b, wanted: map[state.Ref][]state.ID{}, free: map[state.Ref]bool{}, allowed: map[string]time.Time{}}
}

// want notes what a Service's plan would remove. It says whether that may go,
// and whether it is more than was noted before.
func (b *brakes) want(ref state.Ref, removing []state.ID) (may, more bool) {
	before := b.wanted[ref]
	if len(removing) == 0 {
		delete(b.wanted, ref)
		delete(b.free, ref)
		return true, false
	}
	b.wanted[ref] = removing
	if slices.ContainsFunc(removing, func(id state.ID) bool { return !slices.Contains(before, id) }) {
		delete(b.free, ref)
		more = true
	}
	return b.free[ref], more
}

// removed counts what a Unit took away.
func (b *brakes) removed(ref state.Ref, count int, now time.Time) {
	if count > 0 && len(b.wanted[ref]) > 0 {
		b.done = append(b.done, removal{at: now, count: count})
	}
}

// look decides whether what is wanted may go, given how much is ours, and
// returns the Services that may from now on.
func (b *brakes) look(owned int, now time.Time) []state.Ref {
	b.holding = false
	b.done = slices.DeleteFunc(b.done, func(r removal) bool { return now.Sub(r.at) >= b.Window })
	wanted, done := 0, 0
	for _, ids := range b.wanted {
		wanted += len(ids)
	}
	for _, r := range b.done {
		done += r.count
	}
	limit := max(b.Least, (owned+done)*b.Percent/100)
	if wanted+done > limit && !now.Before(b.allowed[b.hash()]) {
		b.holding = len(b.wanted) > len(b.free)
		return nil
	}
	var freed []state.Ref
	for _, ref := range slices.SortedFunc(maps.Keys(b.wanted), state.Ref.Compare) {
		if !b.free[ref] {
			b.free[ref] = true
			freed = append(freed, ref)
		}
	}
	return freed
}

// hash names the plan that the brake holds: exactly these removals.
func (b *brakes) hash() string {
	var ids []string
	for ref, removing := range b.wanted {
		if b.free[ref] {
			continue
		}
		for _, id := range removing {
			ids = append(ids, id.String())
		}
	}
	slices.Sort(ids)
	sum := sha256.Sum256(fmt.Append(nil, ids))
	return hex.EncodeToString(sum[:6])
}

func (b *brakes) problem(backend string, ref state.Ref) state.Problem {
	return state.Problem{
		Service: ref, Reason: "Braked",
		Message: "the brake keeps what stands on " + backend + ": more would be removed at once than brakes in the configuration allow, " +
			"of Services that nobody deleted; if it is meant, run `landbridge allow " + b.hash() + "`",
	}
}

// Allow lets exactly the plan with this hash through the brake until a time.
// It may be called from any goroutine, and does not wait.
func (w *Worker) Allow(hash string, until time.Time) {
	replace(w.allowing, allowance{hash: hash, until: until})
}

// allowance is what Allow said last.
type allowance struct {
	hash  string
	until time.Time
}

// brakeLook is the alarm for looking at the removals that are wanted: the Ref
// of no Service.
func brakeLook() state.Ref { return state.Ref{Name: "brake"} }

// lookAtBrake decides on the removals that are wanted.
func (w *Worker) lookAtBrake(now time.Time) {
	if w.mirror == nil {
		return // the full read makes all dirty
	}
	said := w.brakes.said
	for _, ref := range w.brakes.look(w.owned(), now) {
		w.queue.push(ref)
	}
	w.Metrics.braked(w.Backend.Name(), w.brakes.holding)
	if !w.brakes.holding {
		return
	}
	if w.brakes.said = w.brakes.hash(); w.brakes.said != said {
		w.Log.Warn("the brake holds removals; landbridge allow releases it", zap.String("backend", w.Backend.Name()), zap.String("hash", w.brakes.said))
	}
	w.clock.set(brakeLook(), now.Add(w.brakes.Window/10)) // removals fall out of the window
	for ref := range w.brakes.wanted {
		if !w.brakes.free[ref] {
			w.queue.push(ref) // to say so, with the hash
		}
	}
}

// brake is the plan for a Service without what the brake holds, and why it is
// held.
func (w *Worker) brake(want state.Want, result plan.Result) (plan.Result, []state.Problem) {
	removing := result.Removing
	if want.Deleted {
		removing = nil
	}
	now := time.Now()
	may, news := w.brakes.want(want.Service, removing)
	if news {
		w.clock.soonest(brakeLook(), now.Add(gather))
	}
	if may {
		return result, nil
	}
	kept := w.plan(want, true)
	kept.Waiting = append(kept.Waiting, removing...)
	if !w.brakes.holding {
		return kept, nil
	}
	return kept, []state.Problem{w.brakes.problem(w.Backend.Name(), want.Service)}
}

// owned is how many virtual servers, pools and routes on the backend are ours.
func (w *Worker) owned() int {
	n := 0
	for _, ref := range w.mirror.Owners() {
		for _, id := range w.mirror.Owned(ref) {
			o, _ := w.mirror.Get(id)
			if id.Kind.Whole() && w.Identity.Owns(o.OwnedBy()) && o.OwnedBy().Service == ref {
				n++
			}
		}
	}
	return n
}
