package reconcile

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/report"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// claim puts the finalizer on a Service before anything is made for it. A
// process that is not the leader writes nothing: there, and while the write
// fails, the Service is held as it stands.
func (r *Reconciler) claim(ctx context.Context, ref state.Ref, in translate.Input, want *state.Want) error {
	if r.holdUntilLeading(ref) {
		want.Mode = max(want.Mode, state.Hold)
		return nil
	}
	err := r.reporter.Claim(ctx, in.Service)
	if err != nil {
		want.Mode = max(want.Mode, state.Hold)
	}
	return err
}

// holdUntilLeading is true, and remembered, while this is not the leader.
func (r *Reconciler) holdUntilLeading(ref state.Ref) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leading.Load() {
		return false
	}
	r.held[ref] = true
	return true
}

// withdraw takes a Service out of the ledger that is no longer there. What
// still stands of it outside is cleaned up, as it was to be when it was last
// seen: not where it was paused, and with what deletion-policy said.
func (r *Reconciler) withdraw(ref state.Ref) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.records[ref]
	if rec == nil {
		return
	}
	last := rec.result.Want
	want := state.Want{Service: ref, Drain: last.Drain, Deleted: last.Deleted, Orphan: last.Orphan}
	if last.Mode == state.Still && last.Deleted {
		want.Mode = state.Still
	}
	rec.result = translate.Result{Want: want}
	r.ledger.Put(want, time.Time{})
	r.statuses.Add(ref)
}

// known says whether a Service has been in the ledger.
func (r *Reconciler) known(ref state.Ref) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.records[ref] != nil
}

// report writes how a Service stands, if this is the leader and all of it is
// known.
func (r *Reconciler) report(ctx context.Context, ref state.Ref) error {
	r.mu.Lock()
	rec := r.records[ref]
	if rec == nil {
		r.mu.Unlock()
		return nil
	}
	result, observed := rec.result, rec.observed
	problems, settled, gone, members := rec.outside(r.ledger.Revisions(ref))
	r.mu.Unlock()

	svc, exists := r.watch.Service(ref)
	wanted := exists && result.Addressed && svc.DeletionTimestamp == nil
	if !wanted && gone {
		return r.forget(ctx, ref)
	}
	if !exists || !r.leading.Load() {
		return nil
	}
	if !wanted && result.Want.Mode != state.Still && r.overdue(ref, svc) {
		return r.reporter.GiveUp(ctx, svc, problems)
	}
	problems = append(result.Problems[:len(result.Problems):len(result.Problems)], problems...)
	if len(problems) == 0 && (!settled || !wanted) {
		return nil // on its way: nothing to say yet
	}
	return r.reporter.Write(ctx, svc, report.Standing{
		Problems: problems, Members: members, Addresses: result.Addresses, Observed: observed,
	})
}

// overdue says whether a deleted Service has waited for longer than the
// configuration lets it; if it may wait on, it is looked at again in time.
func (r *Reconciler) overdue(ref state.Ref, svc *corev1.Service) bool {
	timeout := time.Duration(r.policy.Load().FinalizerTimeout)
	if timeout == 0 || svc.DeletionTimestamp == nil || !report.Claimed(svc) {
		return false
	}
	left := time.Until(svc.DeletionTimestamp.Add(timeout))
	if left > 0 {
		r.statuses.AddAfter(ref, left)
	}
	return left <= 0
}

// outside sums up what the backends said of the newest claim.
func (rec *serviceRecord) outside(newest map[string]ledger.Revision) (problems []state.Problem, settled, gone bool, members int) {
	settled, gone = true, true
	for backend, revision := range newest {
		told, ok := rec.reports[backend]
		if !ok || told.Revision != revision {
			settled, gone = false, false
			continue
		}
		problems = append(problems, told.Problems...)
		settled = settled && told.Settled
		gone = gone && told.Gone
		members += told.Members
	}
	return problems, settled, gone, members
}

// forget ends the bookkeeping of a Service of which nothing stands any more.
func (r *Reconciler) forget(ctx context.Context, ref state.Ref) error {
	if svc, exists := r.watch.Service(ref); exists && report.Touched(svc) {
		if !r.leading.Load() {
			return nil
		}
		return r.reporter.Release(ctx, svc) // seen by watch, which ends here again
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, exists := r.watch.Service(ref); !exists || r.records[ref] == nil || !r.records[ref].result.Addressed {
		delete(r.records, ref)
		delete(r.held, ref)
		r.ledger.Forget(ref)
	}
	return nil
}
