package reconcile

import (
	"context"
	"errors"
	"sync"

	"go.uber.org/zap"
	"k8s.io/client-go/util/workqueue"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/state"
)

// How many goroutines translate, and how many write to Kubernetes.
const (
	translators = 2
	reporters   = 4
)

// errStopped ends the others when one part has ended without an error.
var errStopped = errors.New("stopped")

// Run works until ctx ends or a part of it fails, and returns when all of its
// goroutines have. Nothing is changed before Lead.
func (r *Reconciler) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var parts sync.WaitGroup
	part := func(run func(context.Context) error) {
		parts.Go(func() {
			err := run(ctx)
			if err == nil {
				err = errStopped
			}
			stop(err)
		})
	}
	part(r.watch.Run)
	for _, w := range r.workers {
		part(w.Run)
	}
	if r.watch.WaitSynced(ctx) {
		r.awaitFirst()
		for range translators {
			part(func(ctx context.Context) error { return r.drain(ctx, r.inputs, "translate", r.translateFirst) })
		}
		for range reporters {
			part(func(ctx context.Context) error { return r.drain(ctx, r.statuses, "report", r.report) })
		}
	}
	<-ctx.Done()
	r.inputs.ShutDown()
	r.statuses.ShutDown()
	parts.Wait()
	if err := context.Cause(ctx); !errors.Is(err, errStopped) && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Lead allows changes, once all Services have been translated. It waits for
// that; when ctx, that of the lease, has ended, it allows nothing.
func (r *Reconciler) Lead(ctx context.Context) {
	select {
	case <-r.ready:
	case <-ctx.Done():
		return
	}
	r.lead.Lock()
	defer r.lead.Unlock()
	if ctx.Err() != nil {
		return // the lease was lost while we waited
	}
	r.Metrics.leading(true)
	r.mu.Lock()
	r.leading.Store(true)
	held := r.held
	r.held = map[state.Ref]bool{}
	for ref, rec := range r.records {
		clear(rec.reports) // of an earlier lead: what stands now is read first
		r.statuses.Add(ref)
	}
	r.mu.Unlock()
	for ref := range held {
		r.inputs.Add(ref)
	}
	r.act()
}

// act lets the workers make changes if this is the leader and the
// configuration allows any. r.lead is held.
func (r *Reconciler) act() {
	for _, w := range r.workers {
		w.Act(r.leading.Load() && r.policy.Load().Applies())
	}
}

// Follow takes the right to make changes away. None is begun once the workers
// have seen it, which they do at once; those in flight end. The context that
// Lead was called with has to have ended before.
func (r *Reconciler) Follow() {
	r.lead.Lock()
	defer r.lead.Unlock()
	r.leading.Store(false)
	r.Metrics.leading(false)
	r.act()
}

// awaitFirst notes which Services there are to translate before any change.
func (r *Reconciler) awaitFirst() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.first = map[state.Ref]bool{}
	for _, ref := range r.watch.Services() {
		r.first[ref] = true
		r.inputs.Add(ref)
	}
	if len(r.first) == 0 {
		close(r.ready)
	}
}

// translateFirst translates a Service, and opens the gate with the last of
// those that were there at the start.
func (r *Reconciler) translateFirst(ctx context.Context, ref state.Ref) error {
	if err := r.translate(ctx, ref); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first[ref] {
		delete(r.first, ref)
		if len(r.first) == 0 {
			close(r.ready)
		}
	}
	return nil
}

// drain works off a queue until it is shut down. What fails comes again,
// later and later.
func (r *Reconciler) drain(ctx context.Context, q workqueue.TypedRateLimitingInterface[state.Ref], stage string, do func(context.Context, state.Ref) error) error {
	for {
		ref, shutdown := q.Get()
		if shutdown {
			return nil
		}
		if err := do(ctx, ref); err != nil && ctx.Err() == nil {
			r.Metrics.failed(stage)
			r.Log.Warn("trying again", zap.String("stage", stage), zap.Stringer("service", ref), zap.Error(err))
			q.AddRateLimited(ref)
		} else {
			q.Forget(ref)
		}
		q.Done(ref)
	}
}

// reported takes in what a worker says of a Service. It does not wait.
func (r *Reconciler) reported(told apply.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec := r.records[told.Service]; rec != nil {
		rec.reports[told.Backend] = told
		r.statuses.Add(told.Service)
	}
}
