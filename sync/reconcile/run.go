package reconcile

import (
	"context"
	"errors"
	"sync"

	"go.uber.org/zap"
	"k8s.io/client-go/util/workqueue"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
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
			part(func(ctx context.Context) error { return r.drain(ctx, r.inputs, stageTranslate, r.translateFirst) })
		}
		for range reporters {
			part(func(ctx context.Context) error { return r.drain(ctx, r.statuses, stageReport, r.report) })
			part(func(ctx context.Context) error { return r.drain(ctx, r.gates, stageGate, r.gate) })
			part(func(ctx context.Context) error { return r.drain(ctx, r.rosters, stageRoster, r.writeRoster) })
		}
	}
	part(r.actAlways)
	<-ctx.Done()
	r.inputs.ShutDown()
	r.statuses.ShutDown()
	r.gates.ShutDown()
	r.rosters.ShutDown()
	parts.Wait()
	r.Traces.Forget()
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
		for _, b := range r.Backends {
			if !b.Always {
				delete(rec.reports, b.Name()) // of an earlier lead: what stands now is read first
			}
		}
		r.statuses.Add(ref)
	}
	r.mu.Unlock()
	if r.VMs == nil { // no broker any more: nobody renews what stands
		for ref := range r.Standing() {
			r.rosters.Add(ref)
		}
	}
	for ref := range held {
		r.inputs.Add(ref)
	}
	for _, pod := range r.watch.Pods() {
		r.gates.Add(pod)
	}
	r.book.Open()
	r.act()
}

// act lets the workers make changes if this is the leader and the
// configuration allows any. r.lead is held.
func (r *Reconciler) act() {
	leads, applies := r.leading.Load(), r.policy.Load().Applies()
	for i, w := range r.workers {
		switch b := r.Backends[i]; {
		case b.Always:
			w.Act(r.Ready())
		case b.Name() == state.Speaker:
			// Pausing changes nothing outside, and a router forgets what a
			// speaker that has started anew does not tell it again: so that it
			// does, while every Service is held as it stands.
			w.Act(leads)
		default:
			w.Act(leads && applies)
		}
	}
}

// Yield gives up what this process has outside in its own name: another leads,
// and has taken it over.
func (r *Reconciler) Yield() {
	for _, b := range r.Backends {
		if y, ok := b.Backend.(interface{ Leave() }); ok && !b.Always {
			y.Leave()
		}
	}
}

// actAlways lets those make changes that need not lead, once all is known.
func (r *Reconciler) actAlways(ctx context.Context) error {
	select {
	case <-r.ready:
		r.lead.Lock()
		r.act()
		r.lead.Unlock()
	case <-ctx.Done():
	}
	<-ctx.Done()
	return nil
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
	r.Traces.Forget()
	r.lookAgain(r.book.Close())
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
	if r.Config.BGP != nil {
		r.first[state.PodNetworks()] = true
		r.inputs.Add(state.PodNetworks())
	}
	if len(r.first) == 0 {
		close(r.ready)
	}
}

// translateFirst translates a Service, and opens the gate with the last of
// those that were there at the start.
func (r *Reconciler) translateFirst(ctx context.Context, ref state.Ref) error {
	ctx = r.Traces.Translating(ctx, ref)
	if err := r.translate(ctx, ref); err != nil {
		r.Traces.Failed(ctx)
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
// later and later; in another cluster than that of the start nothing does.
func (r *Reconciler) drain(ctx context.Context, q workqueue.TypedRateLimitingInterface[state.Ref], stage string, do func(context.Context, state.Ref) error) error {
	for {
		ref, shutdown := q.Get()
		if shutdown {
			return nil
		}
		err := do(ctx, ref)
		if errors.Is(err, ErrAnotherCluster) {
			q.Done(ref)
			return err
		}
		if err != nil && ctx.Err() == nil {
			r.Metrics.failed(stage)
			r.Log.Warn("trying again", zap.String("stage", stage), zap.Stringer("object", ref), zap.Error(err))
			q.AddRateLimited(ref)
		} else {
			q.Forget(ref)
		}
		q.Done(ref)
	}
}

// repaired tells of what was put back that others had changed. It does not wait.
func (r *Reconciler) repaired(backend string, ref state.Ref, changes []plan.Change) {
	if svc, exists := r.watch.Service(ref); exists {
		r.reporter.Repaired(svc, backend, changes)
	}
}

// reported takes in what a worker says of a Service. It does not wait.
func (r *Reconciler) reported(told apply.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec := r.records[told.Service]; rec != nil {
		rec.reports[told.Backend] = told
		r.statuses.Add(told.Service)
		r.gatesOf(told.Service, rec.result)
	}
}
