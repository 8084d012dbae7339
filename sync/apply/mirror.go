package apply

import (
	"context"
	"errors"
	"fmt"

	"landbridge.dev/sync/state"
)

// mirrored is an answer to Mirror.
type mirrored struct {
	set *state.Set
	err error
}

// Mirror is a copy of what the worker knows to stand on its backend: from the
// last full read on, with what was changed since. While the backend cannot be
// read it is an error. It may be called from any goroutine while Run works, and
// waits for it.
func (w *Worker) Mirror(ctx context.Context) (*state.Set, error) {
	answer := make(chan mirrored, 1)
	select {
	case w.looks <- answer:
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", w.Backend.Name(), context.Cause(ctx))
	}
	select {
	case m := <-answer:
		return m.set, m.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", w.Backend.Name(), context.Cause(ctx))
	}
}

// mirrored is what Mirror answers now.
func (w *Worker) mirrored() mirrored {
	switch {
	case w.down != nil:
		return mirrored{err: errors.New(w.down.message)}
	case w.mirror == nil:
		return mirrored{err: errors.New(w.Backend.Name() + " has not been read yet")}
	}
	return mirrored{set: w.mirror.Clone()}
}
