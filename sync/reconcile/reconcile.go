// Package reconcile ties the parts together: what watch sees is translated
// into the ledger, a worker for each backend brings the outside to it, and
// what comes of it is reported. It also decides when changes may be made at
// all: only by the leader, and only once every Service has been translated.
package reconcile

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"

	"landbridge.dev/config"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/report"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
	"landbridge.dev/sync/watch"
)

// Backend is a backend and how its worker is to drive it.
type Backend struct {
	apply.Backend
	NodePartition string
	Concurrency   int
	Resync        time.Duration
}

// Options are what a Reconciler is made of. All are required.
type Options struct {
	// Client writes to Kubernetes; Reader watches it, and may wait for the
	// API server where Client should not (watch.Patient).
	Client, Reader kubernetes.Interface
	Config         *config.Config
	Identity       state.Identity
	Backends       []Backend
	Events         record.EventRecorder
	Log            *zap.Logger
	Metrics        *Metrics
	// Workers may be nil.
	Workers *apply.Metrics
}

// Reconciler keeps the outside in step with Kubernetes.
type Reconciler struct {
	Options
	policy   atomic.Pointer[config.Config]
	watch    *watch.Watcher
	ledger   *ledger.Ledger
	reporter *report.Reporter
	workers  []*apply.Worker
	leading  atomic.Bool
	lead     sync.Mutex                                      // Lead and Follow take turns
	inputs   workqueue.TypedRateLimitingInterface[state.Ref] // Services to translate
	statuses workqueue.TypedRateLimitingInterface[state.Ref] // Services to report

	mu      sync.Mutex
	records map[state.Ref]*serviceRecord
	first   map[state.Ref]bool // not yet translated; nil once all have been
	ready   chan struct{}      // closed when first is empty
	held    map[state.Ref]bool // wait for a leader to put the finalizer on
}

// serviceRecord is what is known of one Service between its translation and its
// report.
type serviceRecord struct {
	result   translate.Result
	observed string
	reports  map[string]apply.Report // by backend
}

// New makes a reconciler. It starts nothing: Run does.
func New(o Options) (*Reconciler, error) {
	limits := func() workqueue.TypedRateLimiter[state.Ref] {
		return workqueue.NewTypedItemExponentialFailureRateLimiter[state.Ref](50*time.Millisecond, 30*time.Second)
	}
	r := &Reconciler{
		Options:  o,
		inputs:   workqueue.NewTypedRateLimitingQueue(limits()),
		statuses: workqueue.NewTypedRateLimitingQueue(limits()),
		records:  map[state.Ref]*serviceRecord{},
		ready:    make(chan struct{}),
		held:     map[state.Ref]bool{},
		reporter: report.New(o.Client, o.Events, time.Now),
	}
	r.policy.Store(o.Config)
	var names []string
	for _, b := range o.Backends {
		names = append(names, b.Name())
	}
	r.ledger = ledger.New(names...)
	for _, b := range o.Backends {
		r.workers = append(r.workers, apply.NewWorker(apply.Options{
			Backend: b.Backend, Ledger: r.ledger, Identity: o.Identity, NodePartition: b.NodePartition,
			Concurrency: b.Concurrency, Resync: b.Resync, Drain: translate.DefaultDrain,
			Watched: r.watched,
			Brake: apply.Brake{
				Percent: *o.Config.Brakes.MaxDeletePercent, Least: *o.Config.Brakes.MinDelete,
				Window: time.Duration(*o.Config.Brakes.Window),
			},
			Report: r.reported, Log: o.Log, Metrics: o.Workers,
		}))
	}
	var err error
	r.watch, err = watch.New(o.Reader, o.Config.Namespaces, func(ref state.Ref) { r.inputs.Add(ref) })
	return r, err
}

// Reload takes a new configuration and translates every Service anew. What
// the process was built from (cluster, devices, namespaces) must not differ.
func (r *Reconciler) Reload(c *config.Config) {
	r.policy.Store(c)
	r.lead.Lock()
	r.act()
	r.lead.Unlock()
	for _, ref := range r.watch.Services() {
		r.inputs.Add(ref)
	}
}

// Allow lets exactly the plan with this hash through the brakes until a time.
func (r *Reconciler) Allow(hash string, until time.Time) {
	for _, w := range r.workers {
		w.Allow(hash, until)
	}
}

// Ready says whether this process could act: its caches are full, and every
// Service has been translated once.
func (r *Reconciler) Ready() bool {
	select {
	case <-r.ready:
		return true
	default:
		return false
	}
}

// watched says whether the Services of a namespace are seen.
func (r *Reconciler) watched(namespace string) bool {
	return len(r.Config.Namespaces) == 0 || slices.Contains(r.Config.Namespaces, namespace)
}

// translate takes one Service from what watch sees into the ledger.
func (r *Reconciler) translate(ctx context.Context, ref state.Ref) error {
	in, exists := r.watch.Input(ref)
	if !exists {
		r.withdraw(ref)
		return nil
	}
	result := translate.Service(in, translate.Policy{Config: r.policy.Load(), Identity: r.Identity})
	if !result.Addressed && !report.Touched(in.Service) && !r.known(ref) {
		return nil
	}
	var claiming error
	if result.Want.Mode == state.Follow && len(result.Want.Objects) > 0 && !report.Claimed(in.Service) {
		claiming = r.claim(ctx, ref, in, &result.Want)
	}
	observed, err := translate.Observed(in.Service)
	if err != nil {
		return err
	}
	r.mu.Lock() // a report must find both the new result and its revision, or neither
	defer r.mu.Unlock()
	rec := r.records[ref]
	if rec == nil {
		rec = &serviceRecord{reports: map[string]apply.Report{}}
		r.records[ref] = rec
	}
	rec.result, rec.observed = result, observed
	r.ledger.Put(result.Want, in.Service.CreationTimestamp.Time)
	r.statuses.Add(ref)
	return claiming
}
