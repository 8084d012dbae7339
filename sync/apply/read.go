package apply

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/sync/state"
)

// How long a backend that takes no calls is left alone between two probes,
// doubling.
const (
	firstProbe = 500 * time.Millisecond
	lastProbe  = 30 * time.Second
)

// read is the answer to a full read.
type read struct {
	set *state.Set
	err error
}

// readAll starts a full read, unless one is under way.
func (w *Worker) readAll(ctx context.Context) {
	if w.reading {
		return
	}
	w.reading = true
	w.touched = map[state.ID]bool{}
	w.calls.Go(func() {
		started := time.Now()
		set, err := w.Backend.Read(ctx, Scope{})
		w.Metrics.read(w.Backend.Name(), time.Since(started), err)
		select {
		case w.reads <- read{set, err}:
		case <-ctx.Done():
		}
	})
}

// haveRead takes a full read in: it becomes the mirror, but for what changed
// while it was under way, and every Service is looked at against it.
func (w *Worker) haveRead(ctx context.Context, r read) {
	w.reading = false
	if w.stale {
		w.stale = false
		w.readAll(ctx)
		return
	}
	if r.err != nil {
		w.goDown(reasonOf(r.err), r.err)
		return
	}
	if w.down != nil {
		w.Log.Info("backend is back", zap.String("backend", w.Backend.Name()))
	}
	w.down, w.retry = nil, 0
	for id := range w.touched {
		w.keep(r.set, id)
	}
	before := w.mirror
	w.mirror = r.set
	w.showAll()
	w.Metrics.up(w.Backend.Name(), true)
	if w.Resync > 0 {
		w.clock.set(fullRead(), time.Now().Add(w.Resync))
	}
	there := func(id state.ID) bool { _, ok := w.mirror.Get(id); return ok }
	var ours []state.Ref // without those of other clusters, which nobody looks at
	for _, ref := range w.mirror.Owners() {
		shows, _, owns := w.standing(ref)
		if owns {
			ours = append(ours, ref)
			w.Ledger.Seen(w.Backend.Name(), ref, there, shows)
			w.queue.pushLater(ref)
		}
	}
	if before != nil && w.act { // else it is no resync: all may have changed meanwhile
		w.tally.resynced(before, ours, w.Ledger.Services())
	}
	for _, ref := range w.Ledger.Services() {
		if shows, _, owns := w.standing(ref); !owns {
			w.Ledger.Seen(w.Backend.Name(), ref, there, shows) // what is not there is known by now
		}
		w.queue.pushLater(ref)
	}
}

// keep puts into a set what the mirror knows of an object.
func (w *Worker) keep(set *state.Set, id state.ID) {
	if w.mirror == nil {
		return
	}
	if o, there := w.mirror.Get(id); there {
		set.Put(o)
	} else {
		set.Delete(id)
	}
}

// goDown stops all calls but a probe, a full read, now and then.
func (w *Worker) goDown(reason string, err error) {
	if w.down == nil || w.down.reason != reason {
		w.Log.Warn("backend takes no calls", zap.String("backend", w.Backend.Name()), zap.String("reason", reason), zap.Error(err))
	}
	w.Metrics.up(w.Backend.Name(), false)
	w.down = &outage{reason: reason, message: err.Error()}
	w.retry = min(max(w.retry*2, firstProbe), lastProbe)
	w.clock.set(fullRead(), time.Now().Add(w.retry))
}

// callsFail has the backend probed from now on, if it is not yet: of many calls
// in flight that fail, one says all.
func (w *Worker) callsFail(out Outcome) {
	if w.down == nil {
		w.goDown(out.Reason, out.Err)
	}
}

// reportOutage tells the Services that wait for a backend why they do, each
// once. They come again with the full read that ends the outage.
func (w *Worker) reportOutage() {
	for {
		ref, ok := w.queue.pop()
		if !ok {
			return
		}
		_, revision, problems := w.Ledger.Want(w.Backend.Name(), ref)
		if revision == 0 {
			continue
		}
		w.tell(Report{Backend: w.Backend.Name(), Service: ref, Revision: revision, Problems: append(problems,
			state.Problem{Service: ref, Reason: w.down.reason, Message: w.down.message})})
	}
}

// Reasoned is an error that knows its reason, one CamelCase word for a
// condition. Errors of Backend.Read may be one.
type Reasoned interface {
	error
	Reason() string
}

func reasonOf(err error) string {
	var r Reasoned
	if errors.As(err, &r) {
		return r.Reason()
	}
	return "BackendUnavailable"
}
