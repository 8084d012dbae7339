package reconcile

import (
	"slices"
	"time"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// Plan reckons what a controller would change now, on the backends that were
// read.
func (v *View) Plan(now time.Time) *plan.Report {
	report := &plan.Report{
		Schema: plan.Schema, Cluster: v.Config.Cluster, Services: len(v.services),
		Backends: []plan.Backend{}, Problems: []plan.ProblemEntry{},
	}
	for _, b := range v.Backends {
		if v.have[b.Name()] == nil {
			continue
		}
		report.Backends = append(report.Backends, plan.Backend{Name: b.Name(), Objects: v.have[b.Name()].Len(), Changes: []plan.Entry{}})
		v.planBackend(report, b, now)
	}
	report.AddProblems(v.networks.Problems)
	report.AddProblems(v.networks.Warnings)
	for _, s := range v.services {
		report.AddProblems(s.result.Problems)
		report.AddProblems(s.result.Warnings)
	}
	for _, s := range v.services {
		if a := s.result.Want.Approval; a != nil && slices.ContainsFunc(s.result.Problems, state.Problem.AwaitsApproval) {
			report.AddApproval(s.result.Want.Service, a)
		}
	}
	return report
}

// PlanOf is the part of Plan that is about some Services.
func (v *View) PlanOf(now time.Time, of func(state.Ref) bool) *plan.Report {
	others := func(service string) bool {
		ref, ok := state.ParseRef(service)
		return !ok || !of(ref)
	}
	report := v.Plan(now)
	report.Services = 0
	for _, s := range v.services {
		if of(s.result.Want.Service) {
			report.Services++
		}
	}
	for i, b := range report.Backends {
		report.Backends[i].Changes = slices.DeleteFunc(b.Changes, func(e plan.Entry) bool { return others(e.Service) })
	}
	report.Problems = slices.DeleteFunc(report.Problems, func(p plan.ProblemEntry) bool { return others(p.Service) })
	report.Approvals = slices.DeleteFunc(report.Approvals, func(a plan.ApprovalEntry) bool { return others(a.Service) })
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
		result := plan.Diff(plan.Input{Backend: b.Name(), Want: want, Have: have, Identity: v.Identity, Now: now, NodePartition: b.NodePartition})
		if result.Unapproved != nil { // what waits is what is to be looked at
			report.AddApproval(ref, want.Approval)
			result.Changes = result.Unapproved
		}
		for i := range result.Changes {
			v.markMove(&result.Changes[i], b.Name(), ref)
		}
		report.Add(b.Name(), ref, result)
		for _, c := range result.Changes {
			c.ApplyTo(have)
		}
	}
}

// markMove marks what stops a virtual server whose address and port the
// Service asks for on another backend: devices know nothing of each other, so
// that an address cannot pass between two without an interruption.
func (v *View) markMove(c *plan.Change, backend string, ref state.Ref) {
	before, ok := c.Before.(*state.VirtualServer)
	if !ok {
		return
	}
	if after, stays := c.After.(*state.VirtualServer); stays && (before.Disabled || !after.Disabled) {
		return
	}
	for _, other := range v.Backends {
		if other.Name() == backend {
			continue
		}
		want, _, _ := v.book.Want(other.Name(), ref)
		for _, o := range want.Objects {
			if w, ok := o.(*state.VirtualServer); ok && w.Destination == before.Destination && w.Protocol == before.Protocol {
				c.Interrupts, c.Why = true, "the address and port are served on "+other.Name()+" from now on"
			}
		}
	}
}
