package reconcile

import (
	"context"
	"errors"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/state"
)

// mostLive is how many pools are read from a device for one look.
const mostLive = 64

// Look is a View of what this process knows: nothing is read anew but the pools
// of o.Live. It needs o.Queues, o.Live, o.Measure, o.Partial and o.Instead alone.
// It answers while this process leads: a standby does not know of addresses that
// were given since.
func (r *Reconciler) Look(ctx context.Context, o LookOptions) (*View, error) {
	if !r.leading.Load() || !r.Ready() {
		return nil, ErrNotLeading
	}
	o.Client, o.Config, o.Identity, o.Dynamic = r.Client, r.policy.Load(), r.Identity, r.Dynamic
	o.Backends = nil
	for i, b := range r.Backends {
		if b.Name() != state.Speaker { // what it announces is told by the Services
			b.Backend = known{Backend: b.Backend, worker: r.workers[i], live: o.Live}
			o.Backends = append(o.Backends, b)
		}
	}
	v := &View{LookOptions: o}
	return v, v.look(ctx, v.inputs(ctx, r.watch))
}

// ErrNotLeading is that of a process that only stands by.
var ErrNotLeading = errors.New("this process does not lead, or has just begun to")

// known is a backend as its worker knows it.
type known struct {
	apply.Backend
	worker *apply.Worker
	live   func(state.Ref) bool
}

// Read is what the worker knows, with some pools read anew: whether a member is
// up the worker does not follow.
func (k known) Read(ctx context.Context, scope apply.Scope) (*state.Set, error) {
	if !scope.All() {
		return k.Backend.Read(ctx, scope)
	}
	set, err := k.worker.Mirror(ctx)
	if err != nil || k.live == nil {
		return set, err
	}
	var pools []state.ID
	for _, ref := range set.Owners() {
		if !k.live(ref) {
			continue
		}
		for _, id := range set.Owned(ref) {
			if id.Kind == state.KindPool {
				pools = append(pools, id)
			}
		}
	}
	if len(pools) == 0 || len(pools) > mostLive {
		return set, nil
	}
	now, err := k.Backend.Read(ctx, apply.Scope{IDs: pools})
	if err != nil {
		return nil, err
	}
	for _, id := range pools {
		if p, there := now.Get(id); there {
			set.Put(p)
		} else {
			set.Delete(id)
		}
	}
	return set, nil
}

// Count asks the backend itself.
func (k known) Count(ctx context.Context, pool state.ID) ([]apply.Count, error) {
	if counter, can := k.Backend.(apply.Counter); can {
		return counter.Count(ctx, pool)
	}
	return nil, errors.New(k.Name() + " does not count")
}
