package reconcile

import (
	"slices"
	"time"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// Plan reckons what a controller would change now.
func (v *View) Plan(now time.Time) *plan.Report {
	report := &plan.Report{
		Schema: plan.Schema, Cluster: v.Config.Cluster, Services: len(v.services),
		Backends: []plan.Backend{}, Problems: []plan.ProblemEntry{},
	}
	for _, b := range v.Backends {
		report.Backends = append(report.Backends, plan.Backend{Name: b.Name(), Objects: v.have[b.Name()].Len(), Changes: []plan.Entry{}})
		v.planBackend(report, b, now)
	}
	for _, s := range v.services {
		report.AddProblems(s.result.Problems)
	}
	return report
}

// planBackend plans for every Service that wants or has something there.
func (v *View) planBackend(report *plan.Report, b Backend, now time.Time) {
	have := v.have[b.Name()].Clone() // the next Service finds the nodes that this one makes
	refs := slices.Concat(v.book.Services(), have.Owners())
	slices.SortFunc(refs, state.Ref.Compare)
	for _, ref := range slices.Compact(refs) {
		want, revision, problems := v.book.Want(b.Name(), ref)
		if revision == 0 {
			want.Drain = translate.DefaultDrain
		}
		report.AddProblems(problems)
		result := plan.Diff(plan.Input{
			Backend: b.Name(), Want: want, Have: have, Identity: v.Identity, Now: now, NodePartition: b.NodePartition,
		})
		report.Add(b.Name(), ref, result)
		for _, c := range result.Changes {
			c.ApplyTo(have)
		}
	}
}
