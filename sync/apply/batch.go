package apply

import "context"

// Joiner is a Backend that carries out several Units together where that is
// quicker than each by itself. To one that cannot, they are handed over one by
// one.
type Joiner interface {
	// Together is how many changes it is best handed over at once while so
	// many Services wait; 1 when it is best handed over one Unit at a time.
	// It makes no call.
	Together(waiting int) int
}

// mostChanges is how many changes one Apply carries at most. Of a Service with
// more, the first go; it then stands behind those that wait meanwhile, and what
// it wants by then is planned. So one with thousands of endpoints keeps a call
// from the others for no longer than any does.
const mostChanges = 200

// next looks at the Services that have waited longest, and sends off what there
// is to do for them: each in an Apply of its own while there are enough for all,
// several in one where there are not and the backend takes them together. It
// returns at how many it has looked.
//
// A change is never kept back for others to join it. Nothing that has just
// happened shares an Apply with what a full read found, which would delay it,
// and nothing at all shares one with a Service that was refused last time.
func (w *Worker) next(ctx context.Context) (looked int) {
	var (
		from, waiting = w.queue.waiting()
		free          = w.Concurrency - w.airborne
		most          = w.together(waiting, free)
		batch         []flight
		changes       int
	)
	for looked < most {
		if lane, _ := w.queue.waiting(); lane != from {
			break
		}
		ref, ok := w.queue.pop()
		if !ok {
			break
		}
		looked++
		f, ready := w.consider(ref)
		if !ready {
			continue
		}
		refused := w.backoff[ref] > 0
		changes += len(f.unit.Changes)
		if len(batch) > 0 && (refused || changes > most) {
			w.queue.putBack(ref)
			break
		}
		w.flying[ref] = true
		w.locks.take(f.locks)
		batch = append(batch, f)
		if refused {
			break
		}
	}
	if len(batch) <= free {
		for i := range batch {
			w.start(ctx, batch[i:i+1:i+1])
		}
		return looked
	}
	w.start(ctx, batch)
	return looked
}

// together is how many changes go into the next Apply.
func (w *Worker) together(waiting, free int) int {
	j, can := w.Backend.(Joiner)
	if !can || waiting <= free {
		return 1
	}
	return min(max(j.Together(waiting), 1), mostChanges)
}
