package reconcile

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"

	"landbridge.dev/config"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
	"landbridge.dev/sync/watch"
)

// PlanOptions are what a plan is made from.
type PlanOptions struct {
	Client   kubernetes.Interface
	Config   *config.Config
	Identity state.Identity
	Backends []Backend
}

// Plan reads Kubernetes and every backend once, and reckons what a controller
// would change now. It writes nothing. A backend that cannot be read is an
// error: a plan that lacks a device would be believed.
func Plan(ctx context.Context, o PlanOptions) (*plan.Report, error) {
	book, problems, err := translateAll(ctx, o)
	if err != nil {
		return nil, err
	}
	report := &plan.Report{
		Schema: plan.Schema, Cluster: o.Config.Cluster, Services: len(book.Services()),
		Backends: []plan.Backend{}, Problems: []plan.ProblemEntry{},
	}
	for _, b := range o.Backends {
		have, err := b.Read(ctx, apply.Scope{})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.Name(), err)
		}
		report.Backends = append(report.Backends, plan.Backend{Name: b.Name(), Objects: have.Len(), Changes: []plan.Entry{}})
		planBackend(report, o, b, book, have)
	}
	report.AddProblems(problems)
	return report, nil
}

// translateAll reads Kubernetes into a ledger.
func translateAll(ctx context.Context, o PlanOptions) (*ledger.Ledger, []state.Problem, error) {
	ctx, cancel := context.WithCancel(ctx)
	w, err := watch.New(o.Client, o.Config.Namespaces, func(state.Ref) {})
	if err != nil {
		cancel()
		return nil, nil, err
	}
	var watching sync.WaitGroup
	watching.Go(func() { _ = w.Run(ctx) }) // it ends without an error, with ctx
	defer func() {
		cancel()
		watching.Wait()
	}()
	if !w.WaitSynced(ctx) {
		return nil, nil, fmt.Errorf("reading Kubernetes: %w", context.Cause(ctx))
	}
	var names []string
	for _, b := range o.Backends {
		names = append(names, b.Name())
	}
	book := ledger.New(names...)
	acting := *o.Config // the plan of a paused controller is what it would do
	acting.Mode, acting.Paused = config.ModeApply, false
	var problems []state.Problem
	for _, ref := range w.Services() {
		in, ok := w.Input(ref)
		if !ok {
			continue
		}
		result := translate.Service(in, translate.Policy{Config: &acting, Identity: o.Identity})
		if result.Addressed {
			book.Put(result.Want, in.Service.CreationTimestamp.Time)
		}
		problems = append(problems, result.Problems...)
	}
	return book, problems, nil
}

// planBackend plans for every Service that wants or has something there. have
// is changed as the plan would change the backend.
func planBackend(report *plan.Report, o PlanOptions, b Backend, book *ledger.Ledger, have *state.Set) {
	for _, ref := range have.Owners() {
		book.Seen(b.Name(), ref, func(id state.ID) bool { _, ok := have.Get(id); return ok }, shownOn(have, ref, o.Identity))
	}
	refs := slices.Concat(book.Services(), have.Owners())
	slices.SortFunc(refs, state.Ref.Compare)
	for _, ref := range slices.Compact(refs) {
		want, revision, problems := book.Want(b.Name(), ref)
		if revision == 0 {
			want.Drain = translate.DefaultDrain
		}
		report.AddProblems(problems)
		result := plan.Diff(plan.Input{
			Backend: b.Name(), Want: want, Have: have, Identity: o.Identity, Now: time.Now(), NodePartition: b.NodePartition,
		})
		report.Add(b.Name(), ref, result)
		for _, c := range result.Changes {
			c.ApplyTo(have) // the next Service finds the nodes that this one makes
		}
	}
}

// shownOn are the frontends on which a backend shows a Service.
func shownOn(have *state.Set, ref state.Ref, identity state.Identity) []state.Frontend {
	var shows []state.Frontend
	for _, id := range have.Owned(ref) {
		o, _ := have.Get(id)
		if v, ok := o.(*state.VirtualServer); ok && identity.Owns(v.Owner) {
			shows = append(shows, v.Frontend())
		}
	}
	return shows
}
