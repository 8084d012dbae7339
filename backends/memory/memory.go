// Package memory is the reference backend: it holds a set of objects in
// memory and keeps the contract of apply.Backend, the rules between objects
// included (a pool that a virtual server uses is not deleted). Tests of
// workers drive it: they make it fail, make it slow, change it by hand, and
// look at what it was asked.
package memory

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// Fault is how a change fails. The zero Fault is Done: the change is said to
// be carried out, and with Effect false it was not.
type Fault struct {
	// Status is what the Unit ends with.
	Status apply.Status
	// Effect says that the change is carried out nevertheless: an answer
	// that was lost on its way back.
	Effect bool
	// Stale is the Outcome's.
	Stale bool
	// Reason and Err are the Outcome's; defaults are put for both.
	Reason string
	Err    error
}

// Hook is asked before each change; nil lets it through. It may block, to be
// slow, and should then return when ctx ends. It is called without a lock,
// from as many goroutines as Units are applied.
type Hook func(ctx context.Context, c plan.Change) *Fault

// ReadHook is asked before each read; an error makes it fail.
type ReadHook func(ctx context.Context, s apply.Scope) error

// Call is one read, or one change, that the backend was asked for.
type Call struct {
	// Read is set for a read, with its Scope.
	Read  bool
	Scope apply.Scope
	// Service and Change are those of a change.
	Service state.Ref
	Change  plan.Change
	// Status is how it ended; for a read Done or Unavailable.
	Status apply.Status
	// Effect says that the set has changed.
	Effect bool
}

// Backend holds objects in memory. Its methods may be called concurrently.
type Backend struct {
	name string

	mu       sync.Mutex
	set      *state.Set
	calls    []Call
	writes   int
	hook     Hook
	readHook ReadHook

	connections map[state.ID]int // by member
	counted     int

	changed chan struct{} // closed and replaced at each call that was recorded
}

var _ apply.Backend = (*Backend)(nil)

// New is a backend that holds the given objects.
func New(name string, objects ...state.Object) *Backend {
	return &Backend{name: name, set: state.NewSet(objects...), changed: make(chan struct{})}
}

// Name is the backend's name in IDs.
func (b *Backend) Name() string { return b.name }

// SetHook asks h before each change from now on; nil asks nobody.
func (b *Backend) SetHook(h Hook) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hook = h
}

// SetReadHook asks h before each read from now on; nil asks nobody.
func (b *Backend) SetReadHook(h ReadHook) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.readHook = h
}

// Set is a copy of what the backend holds.
func (b *Backend) Set() *state.Set {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.set.Clone()
}

// Put places objects as a person would by hand: it is neither recorded nor
// counted.
func (b *Backend) Put(objects ...state.Object) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range objects {
		b.set.Put(o)
	}
	b.broadcast()
}

// Remove takes objects away as a person would by hand.
func (b *Backend) Remove(ids ...state.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		b.set.Delete(id)
	}
	b.broadcast()
}

// Calls are the reads and changes asked for so far, in the order in which
// they ended.
func (b *Backend) Calls() []Call {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.calls)
}

// Writes is how many changes had an effect.
func (b *Backend) Writes() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.writes
}

// Wait returns when cond holds for what the backend holds, or with the
// context's error. cond is asked at once and after each call and each change
// by hand; it must not keep the set.
func (b *Backend) Wait(ctx context.Context, cond func(*state.Set) bool) error {
	for {
		b.mu.Lock()
		ok, changed := cond(b.set), b.changed
		b.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// WaitCall returns when a call that cond accepts was recorded, also an
// earlier one, or with the context's error.
func (b *Backend) WaitCall(ctx context.Context, cond func(Call) bool) error {
	return b.Wait(ctx, func(*state.Set) bool { return slices.ContainsFunc(b.calls, cond) })
}

func (b *Backend) record(c Call) {
	b.calls = append(b.calls, c)
	if c.Effect {
		b.writes++
	}
	b.broadcast()
}

func (b *Backend) broadcast() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// Read returns a copy of what is held, or of the objects in the scope. A
// member in the scope comes with its whole pool.
func (b *Backend) Read(ctx context.Context, scope apply.Scope) (*state.Set, error) {
	b.mu.Lock()
	hook := b.readHook
	b.mu.Unlock()
	err := ctx.Err()
	if err == nil && hook != nil {
		err = hook(ctx, scope)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.record(Call{Read: true, Scope: scope, Status: apply.Unavailable})
		return nil, fmt.Errorf("reading %s: %w", b.name, err)
	}
	b.record(Call{Read: true, Scope: scope})
	if scope.All() {
		return b.set.Clone(), nil
	}
	set := state.NewSet()
	for _, id := range scope.IDs {
		if id.Kind == state.KindMember {
			id = state.ID{Backend: id.Backend, Kind: state.KindPool, Name: id.Name}
		}
		if o, ok := b.set.Get(id); ok {
			set.Put(o)
		}
	}
	return set, nil
}
