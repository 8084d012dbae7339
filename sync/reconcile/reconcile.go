// Package reconcile ties the parts together: what watch sees is translated
// into the ledger, a worker for each backend brings the outside to it, and
// what comes of it is reported. It also decides when changes may be made at
// all: only by the leader, and only once every Service has been translated.
package reconcile

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"

	"landbridge.dev/config"
	"landbridge.dev/sync/allocate"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/report"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/tracing"
	"landbridge.dev/sync/translate"
	"landbridge.dev/sync/watch"
)

// Backend is a backend and how its worker is to drive it.
type Backend struct {
	apply.Backend
	NodePartition string
	Concurrency   int
	Resync        time.Duration
	// Always says that this process makes changes there whether it leads or
	// not: a speaker beside others.
	Always bool
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
	// Dynamic reads what Client has no types for: Calico's and Cilium's pod
	// networks. It may be nil where these are not asked for.
	Dynamic dynamic.Interface
	// Queues tells how queues stand on the broker; nil without a broker.
	Queues Queues
	// VMs are those that register over the broker; nil without one.
	VMs VMs
	// Holds says whether the lease is this process's still, by the clock: see
	// apply.Options. nil: Lead and Follow alone decide.
	Holds func() bool
	// Traces makes traces of changes; nil makes none.
	Traces *tracing.Recorder
}

// Reconciler keeps the outside in step with Kubernetes.
type Reconciler struct {
	Options
	policy   atomic.Pointer[config.Config]
	watch    *watch.Watcher
	ledger   *ledger.Ledger
	book     *allocate.Book
	reporter *report.Reporter
	workers  []*apply.Worker
	leading  atomic.Bool
	lead     sync.Mutex                                      // Lead and Follow take turns
	inputs   workqueue.TypedRateLimitingInterface[state.Ref] // Services to translate
	statuses workqueue.TypedRateLimitingInterface[state.Ref] // Services to report
	gates    workqueue.TypedRateLimitingInterface[state.Ref] // Pods whose readiness gates to write
	rosters  workqueue.TypedRateLimitingInterface[state.Ref] // Services whose VMs' slices to write

	mu      sync.Mutex
	records map[state.Ref]*serviceRecord
	first   map[state.Ref]bool // not yet translated; nil once all have been
	ready   chan struct{}      // closed when first is empty
	held    map[state.Ref]bool // wait for a leader to put the finalizer on
	queues  *ledger.Queues

	asking    sync.Mutex // confirm takes turns
	confirmed time.Time  // when the cluster was last found to be the same
}

// serviceRecord is what is known of one Service between its translation and its
// report.
type serviceRecord struct {
	result   translate.Result
	queue    queueRecord
	vms      translate.VMResult
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
		gates:    workqueue.NewTypedRateLimitingQueue(limits()),
		rosters:  workqueue.NewTypedRateLimitingQueue(limits()),
		records:  map[state.Ref]*serviceRecord{},
		ready:    make(chan struct{}),
		held:     map[state.Ref]bool{},
		book:     allocate.New(),
		queues:   ledger.NewQueues(),
		reporter: report.New(o.Client, o.Events, time.Now),
	}
	r.policy.Store(o.Config)
	var names []string
	for _, b := range o.Backends {
		names = append(names, b.Name())
	}
	r.ledger = ledger.New(names...)
	for _, b := range o.Backends {
		holds := o.Holds
		if b.Always {
			holds = nil
		}
		r.workers = append(r.workers, apply.NewWorker(apply.Options{
			Backend: b.Backend, Ledger: r.ledger, Identity: o.Identity, NodePartition: b.NodePartition,
			Concurrency: b.Concurrency, Resync: b.Resync, Drain: translate.DefaultDrain,
			Watched: r.watched,
			Brake: apply.Brake{
				Percent: *o.Config.Brakes.MaxDeletePercent, Least: *o.Config.Brakes.MinDelete,
				Window: time.Duration(*o.Config.Brakes.Window),
			},
			Report: r.reported, Repaired: r.repaired, Onlooker: taker{r}, Holds: holds, Log: o.Log, Metrics: o.Workers, Traces: o.Traces,
		}))
	}
	var err error
	r.watch, err = watch.New(o.Reader, o.Config.Namespaces, r.seen,
		func(pod state.Ref) { r.gates.Add(pod) })
	if err != nil {
		return nil, err
	}
	return r, r.watchNetworks()
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
	if r.Config.BGP != nil {
		r.inputs.Add(state.PodNetworks())
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
	return len(r.Config.Namespaces) == 0 || namespace == state.PodNetworks().Namespace || slices.Contains(r.Config.Namespaces, namespace)
}

// seen takes in that Kubernetes has told of something that a Service hangs on.
func (r *Reconciler) seen(ref state.Ref) {
	r.Traces.Seen(ref)
	r.inputs.Add(ref)
}

// put takes what is wanted for a Service into the ledger; ctx is that of its
// translation.
func (r *Reconciler) put(ctx context.Context, want state.Want, created time.Time) {
	r.Traces.Put(ctx, r.ledger, want, created, r.acts)
}

// acts says whether this process makes changes on a backend.
func (r *Reconciler) acts(backend string) bool {
	return r.leading.Load() || slices.ContainsFunc(r.Backends, func(b Backend) bool { return b.Always && b.Name() == backend })
}

// translate takes one Service from what watch sees into the ledger.
func (r *Reconciler) translate(ctx context.Context, ref state.Ref) error {
	if ref == state.PodNetworks() {
		r.translateNetworks(ctx)
		return nil
	}
	in, exists := r.watch.Input(ref)
	if !exists {
		return r.vanished(ctx, ref)
	}
	result := r.translated(in)
	if !result.Addressed && !report.Touched(in.Service) && !r.known(ref) {
		return nil
	}
	var claiming error
	if unclaimed(in.Service, result) {
		claiming = r.claim(ctx, ref, in, &result)
	}
	queue, recording := r.translateQueue(ctx, ref, in, result.Want.Approval)
	vms := r.translateVMs(ref, in)
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
	if serves(rec.result) != serves(result) {
		r.lookAtGates(ref.Namespace)
	}
	rec.result, rec.queue, rec.vms, rec.observed = result, queue, vms, observed
	if !result.Again.IsZero() {
		r.inputs.AddAfter(ref, time.Until(result.Again))
	}
	r.put(ctx, result.Want, in.Service.CreationTimestamp.Time)
	r.statuses.Add(ref)
	r.gatesOf(ref, result)
	return errors.Join(claiming, recording)
}
