package reconcile

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// networksPatience is how long the start waits for the source of pod networks:
// a router forgets those that are not announced with the rest, and a source
// that is not there must not keep everything else waiting.
const networksPatience = 10 * time.Second

// watchNetworks has the networks of pods watched, where they are asked for.
func (r *Reconciler) watchNetworks() error {
	if r.Config.BGP == nil {
		return nil
	}
	return r.watch.WatchNetworks(r.Config.BGP.PodNetworks.Source, r.Dynamic, func(wait time.Duration) {
		r.inputs.AddAfter(state.PodNetworks(), wait)
	})
}

// translateNetworks takes the networks of pods into the ledger, as if they were
// a Service.
func (r *Reconciler) translateNetworks(ctx context.Context) {
	if !r.Ready() {
		ctx, cancel := context.WithTimeout(ctx, networksPatience)
		defer cancel()
		r.watch.WaitNetworks(ctx)
	}
	ref := state.PodNetworks()
	result := translate.PodNetworks(r.watch.Networks(), translate.Policy{Config: r.policy.Load(), Identity: r.Identity})
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.records[ref]
	if rec == nil {
		rec = &serviceRecord{reports: map[string]apply.Report{}}
		r.records[ref] = rec
	}
	for _, p := range slices.Concat(result.Problems, result.Warnings) {
		if !slices.Contains(rec.result.Problems, p) && !slices.Contains(rec.result.Warnings, p) {
			r.Log.Warn("pod networks", zap.String("reason", p.Reason), zap.String("message", p.Message))
		}
	}
	rec.result = result
	r.put(ctx, result.Want, time.Time{})
	r.statuses.Add(ref)
}
