package reconcile

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/sync/report"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// gate writes what the readiness gate of a Pod should say: open once the Pod's
// members stand for all Services that it is of. Before the Pod itself is ready
// there is nothing to say.
func (r *Reconciler) gate(ctx context.Context, ref state.Ref) error {
	p, ok := r.watch.Pod(ref)
	if !ok || !p.Ready || p.Open() || !r.leading.Load() {
		return nil
	}
	served, waits := false, []string(nil)
	for _, svc := range r.watch.ServicesOf(p) {
		is, stands := r.standsFor(p, svc)
		served = served || is
		if is && !stands {
			waits = append(waits, svc.Namespace+"/"+svc.Name)
		}
	}
	slices.Sort(waits)
	return r.reporter.SetGate(ctx, p, gateOf(served, waits))
}

// gateOf is what a gate says of a Pod that is served, and whose members do not
// stand yet for some Services.
func gateOf(served bool, waits []string) report.Gate {
	switch {
	case !served:
		return report.Gate{Open: true, Reason: "NotServed", Message: "no Service with this Pod is served by Landbridge: nothing is waited for"}
	case len(waits) == 0:
		return report.Gate{Open: true, Reason: "InPlace", Message: "the Pod's pool members stand as its Services ask for"}
	}
	return report.Gate{
		Reason:  "Waiting",
		Message: "the Pod's pool member is not up yet for " + strings.Join(waits, ", ") + "; if that lasts, see why there and with `landbridge status`",
	}
}

// standsFor says whether a Service is one that we serve, and whether the Pod's
// members stand for it.
func (r *Reconciler) standsFor(p translate.Pod, svc *corev1.Service) (served, stands bool) {
	ref := state.Ref{Namespace: svc.Namespace, Name: svc.Name}
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.records[ref]
	if rec == nil {
		return translate.Addressed(svc), false // perhaps not translated yet
	}
	if !serves(rec.result) {
		return false, false
	}
	i := slices.IndexFunc(rec.result.Gates, func(g translate.Gate) bool { return g.Pod == p.Ref.Name })
	if i < 0 {
		return true, false // not in its EndpointSlices yet, or frozen
	}
	newest := r.ledger.Revisions(ref)
	for _, id := range rec.result.Gates[i].Members {
		told := rec.reports[id.Backend]
		if told.Revision != newest[id.Backend] || !slices.Contains(told.InPlace, id) {
			return true, false
		}
	}
	return true, true
}

// serves says whether a Service is one that Pods wait for: it says what it
// wants, and is not about to go.
func serves(result translate.Result) bool {
	return result.OptedIn && result.Addressed && !result.Want.Deleted
}

// lookAtGates has all Pods of a namespace looked at that wait for members.
func (r *Reconciler) lookAtGates(namespace string) {
	for _, pod := range r.watch.Pods() {
		if pod.Namespace == namespace {
			r.gates.Add(pod)
		}
	}
}

// gatesOf has the Pods looked at that wait for a Service's members.
func (r *Reconciler) gatesOf(ref state.Ref, result translate.Result) {
	for _, g := range result.Gates {
		r.gates.Add(state.Ref{Namespace: ref.Namespace, Name: g.Pod})
	}
}
