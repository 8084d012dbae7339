package reconcile

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/report"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/tracing"
	"landbridge.dev/sync/translate"
)

// claimOf is what has to stand on a Service before it is followed.
func claimOf(result translate.Result) report.Claim {
	return report.Claim{Backends: result.Want.Backends(), Given: result.Given, Addresses: result.Addresses, LastGood: result.LastGood}
}

// claim puts the finalizer on a Service, and what goes with it, before anything
// is made for it. A process that is not the leader writes nothing: there, and
// while the write fails, the Service is held as it stands.
func (r *Reconciler) claim(ctx context.Context, ref state.Ref, in translate.Input, result *translate.Result) error {
	hold := func() {
		result.Want.Mode = max(result.Want.Mode, state.Hold)
		result.Want.Routes = max(result.Want.Routes, state.Hold)
		// What is not remembered yet is not announced; what is announced stays.
		result.Want.Objects = slices.DeleteFunc(slices.Clone(result.Want.Objects), func(o state.Object) bool { return o.ID().Kind == state.KindRoute })
	}
	if r.holdUntilLeading(ref) {
		hold()
		return nil
	}
	written := tracing.Step(ctx, "claim")
	err := r.reporter.Claim(ctx, in.Service, claimOf(*result))
	written(err)
	if err != nil {
		hold()
	}
	return err
}

// unclaimed says whether something is to be made for a Service that it does not
// carry the finalizer for, or to be announced that it does not remember.
func unclaimed(svc *corev1.Service, result translate.Result) bool {
	if !result.Addressed || svc.DeletionTimestamp != nil || len(result.Want.Objects) == 0 || result.Want.Approval != nil {
		return false
	}
	return (result.Want.Mode == state.Follow || result.Want.Routes == state.Follow) && !claimOf(result).StandsOn(svc)
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

// vanished takes in that a Service is no longer there. One that somebody
// deleted had our finalizer and is expected to go. Of any other it is asked
// first whether this is still the cluster that it was in.
func (r *Reconciler) vanished(ctx context.Context, ref state.Ref) error {
	r.mu.Lock()
	rec := r.records[ref]
	expected := rec == nil || rec.result.Want.Deleted
	r.mu.Unlock()
	if !expected {
		if err := r.confirm(ctx); err != nil {
			return err
		}
	}
	r.withdraw(ctx, ref)
	return nil
}

// withdraw takes a Service out of the ledger that is no longer there. What
// still stands of it outside is cleaned up, as it was to be when it was last
// seen: not where it was paused, and with what deletion-policy said.
func (r *Reconciler) withdraw(ctx context.Context, ref state.Ref) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.records[ref]
	if rec == nil {
		return
	}
	last := rec.result.Want
	want := state.Want{Service: ref, Drain: last.Drain, Deleted: last.Deleted, Orphan: last.Orphan}
	if last.Deleted && (last.Mode == state.Still || last.Routes == state.Still) {
		want.Mode, want.Routes = last.Mode, last.Routes
	}
	if serves(rec.result) {
		r.lookAtGates(ref.Namespace)
	}
	rec.result, rec.queue, rec.vms = translate.Result{Want: want}, queueRecord{}, translate.VMResult{}
	r.dropQueue(ref)
	if r.VMs != nil {
		r.VMs.Offer(ref, nil)
		r.VMs.Announce(ref, nil, false)
	}
	r.put(ctx, want, time.Time{})
	r.statuses.Add(ref)
}

// known says whether a Service has been in the ledger.
func (r *Reconciler) known(ref state.Ref) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.records[ref] != nil
}

// since is the time since which a Service with faults is not as asked, as its
// conditions remember it over restarts; now where they do not.
func (r *Reconciler) since(ref state.Ref, faults []fault) time.Time {
	if len(faults) == 0 {
		return time.Time{}
	}
	if svc, exists := r.watch.Service(ref); exists {
		if since := report.NotAsAskedSince(svc); !since.IsZero() {
			return since
		}
	}
	return time.Now()
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
	result, observed, queue, vms := rec.result, rec.observed, r.queueStanding(ref, rec), rec.vms
	faults, notices := rec.faults(r.ledger.Revisions(ref), queue)
	r.Metrics.stands(ref, r.since(ref, faults), faults, notices)
	newest := r.ledger.Revisions(ref)
	seen := rec.outside(newest)
	left := rec.left(newest)
	routing := rec.reports[state.Speaker]
	r.mu.Unlock()

	svc, exists := r.watch.Service(ref)
	wanted := exists && result.Addressed && svc.DeletionTimestamp == nil
	if ref == state.PodNetworks() { // there is no Service to be told
		wanted = result.Addressed
	}
	if !wanted && seen.gone {
		left = nil // forgotten in a moment, as a whole
	}
	if exists && r.leading.Load() {
		if left, err := r.leave(ctx, svc, left); left || err != nil {
			return err // seen by watch, which ends here again
		}
	}
	if !wanted && seen.gone {
		return r.forget(ctx, ref)
	}
	if !exists || !r.leading.Load() {
		return nil
	}
	if !wanted && result.Want.Mode != state.Still && result.Want.Approval == nil && r.overdue(ref, svc) {
		return r.reporter.GiveUp(ctx, svc, seen.problems)
	}
	problems := slices.Concat(result.Problems, vms.Problems, seen.problems)
	if queue != nil && queue.Problem {
		problems = append(problems, state.Problem{Service: ref, Reason: queue.Reason, Message: queue.Message})
	}
	if len(problems) == 0 && (!seen.settled || !wanted || queue != nil && queue.Reason == "") {
		return nil // on its way: nothing to say yet
	}
	return r.reporter.Write(ctx, svc, report.Standing{
		Problems: problems, Warnings: slices.Concat(result.Warnings, seen.notices), Members: seen.members, VMs: seen.vms,
		Addresses: state.SortAddresses(slices.Concat(result.Addresses, seen.addresses)), Stand: wanted && seen.stand(svc, result), Observed: observed, Queue: queue,
		Parts: slices.Concat(parts(svc, result, routing), r.vmParts(ref, vms)), Outside: queue != nil || vms.Asked,
	})
}

// leave notes on a Service where nothing of it stands any more, or nobody can
// tell, because the device is no longer configured. It is false where there is
// nothing to note.
func (r *Reconciler) leave(ctx context.Context, svc *corev1.Service, left []string) (bool, error) {
	var gone, lost []string
	for _, name := range report.StandsOn(svc) {
		switch {
		case !slices.ContainsFunc(r.Backends, func(b Backend) bool { return b.Name() == name }):
			lost = append(lost, name)
		case slices.Contains(left, name):
			gone = append(gone, name)
		}
	}
	if len(gone) == 0 && len(lost) == 0 {
		return false, nil
	}
	return true, r.reporter.Leave(ctx, svc, gone, lost)
}

// left are the backends on which nothing of the Service is wanted, and nothing
// stands.
func (rec *serviceRecord) left(newest map[string]ledger.Revision) []string {
	wanted := rec.result.Want.Backends()
	var left []string
	for backend, revision := range newest {
		told, ok := rec.reports[backend]
		if ok && told.Revision == revision && told.Gone && !slices.Contains(wanted, backend) {
			left = append(left, backend)
		}
	}
	return left
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

// outside is what the backends said of a Service's newest claim.
type outside struct {
	problems, notices []state.Problem
	settled, gone     bool
	members, vms      int
	addresses         []state.Address // of adopted virtual servers
	amiss             map[string]bool // backends on which not all is as asked, or not yet
}

// stand says whether the addresses of a Service stand as they are asked for: on
// nodes those that the speaker announces, otherwise those on devices.
func (o outside) stand(svc *corev1.Service, result translate.Result) bool {
	if translate.OnNodes(svc) {
		return result.Want.Routes == state.Follow && !o.amiss[state.Speaker]
	}
	for backend := range o.amiss {
		if backend != state.Speaker {
			return false
		}
	}
	return result.Want.Mode == state.Follow
}

// outside sums up what the backends said of the newest claim.
func (rec *serviceRecord) outside(newest map[string]ledger.Revision) outside {
	o := outside{settled: true, gone: true, amiss: map[string]bool{}}
	for backend, revision := range newest {
		told, ok := rec.reports[backend]
		if !ok || told.Revision != revision {
			o.settled, o.gone, o.amiss[backend] = false, false, true
			continue
		}
		for _, p := range told.Problems {
			if p.Notice {
				o.notices = append(o.notices, p)
			} else {
				o.problems = append(o.problems, p)
				o.amiss[backend] = true
			}
		}
		if !told.Settled {
			o.settled, o.amiss[backend] = false, true
		}
		o.gone = o.gone && told.Gone
		o.members += told.Members
		o.vms += told.VMs
		o.addresses = append(o.addresses, told.Addresses...)
	}
	return o
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
		r.Metrics.stands(ref, time.Time{}, nil, nil)
		delete(r.records, ref)
		delete(r.held, ref)
		r.ledger.Forget(ref)
		r.lookAgain(r.book.Release(ref))
	}
	return nil
}
