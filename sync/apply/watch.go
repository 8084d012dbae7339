package apply

import (
	"context"

	"go.uber.org/zap"
)

// Watcher is a Backend that notices by itself when what was read of it does
// not hold any more: another unit has become active, it has restarted. Of one
// that cannot, the resync finds out.
type Watcher interface {
	// Watch blocks until all has to be read anew, and says why, or until
	// ctx ends. It is called again at once; what happens between two calls
	// is not lost. Answers that were given before it returns are dropped.
	Watch(ctx context.Context) (why string)
}

// watch listens to a backend that can tell.
func (w *Worker) watch(ctx context.Context) {
	watcher, can := w.Backend.(Watcher)
	if !can {
		return
	}
	w.calls.Go(func() {
		for ctx.Err() == nil {
			why := watcher.Watch(ctx)
			if ctx.Err() != nil {
				return
			}
			select {
			case w.moves <- why:
			case <-ctx.Done():
			}
		}
	})
}

// readAnew drops what was read, a read under way included. Nothing is changed
// before all was read again.
func (w *Worker) readAnew(ctx context.Context, why string) {
	w.Log.Info("reading all anew", zap.String("backend", w.Backend.Name()), zap.String("why", why))
	w.mirror = nil
	w.stale = w.reading
	w.readAll(ctx)
}
