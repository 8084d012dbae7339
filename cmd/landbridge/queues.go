package main

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/util/workqueue"

	"landbridge.dev/config"
	"landbridge.dev/mq/broker"
	"landbridge.dev/mq/dispatch"
	"landbridge.dev/mq/manage"
	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/reconcile"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
	"landbridge.dev/sync/watch"
)

// brokerDialer makes what connects to the broker, and shows the certificates that
// have to do with it.
func brokerDialer(mq config.MQ, name string, shown *certificates) *broker.Dialer {
	d := broker.NewDialer(mq, name)
	d.Presented = shown.of(ofBroker)
	shown.file(ofBroker, mq.CertFile)
	return d
}

// watchQueues makes what looks at the broker's queues; nil without a broker.
func watchQueues(conf *config.Config, shown *certificates, changed func(state.Ref)) (*manage.Watcher, error) {
	if conf.MQ == nil {
		return nil, nil //nolint:nilnil // nothing to watch is no error
	}
	client, err := manage.NewClient(*conf.MQ)
	if err != nil {
		return nil, fmt.Errorf("mq: %w", err)
	}
	client.Presented = shown.of(ofBroker)
	return manage.NewWatcher(client, broker.Names{Cluster: conf.Cluster}, manage.DefaultInterval, changed), nil
}

// lookAtQueues is how status looks at queues; nil without a broker.
func lookAtQueues(conf *config.Config) func(context.Context, []*state.QueueConsumer) (map[state.Ref]reconcile.QueueStatus, error) {
	if conf.MQ == nil {
		return nil
	}
	return func(ctx context.Context, all []*state.QueueConsumer) (map[state.Ref]reconcile.QueueStatus, error) {
		client, err := manage.NewClient(*conf.MQ)
		if err != nil {
			return nil, fmt.Errorf("mq: %w", err)
		}
		defer client.Close()
		found, err := manage.Look(ctx, client, broker.Names{Cluster: conf.Cluster}, all)
		status := map[state.Ref]reconcile.QueueStatus{}
		for ref, q := range found {
			status[ref] = queueStatus(&q)
		}
		return status, err
	}
}

// queueStatus is a look at a queue as status shows it.
func queueStatus(q *manage.Queue) reconcile.QueueStatus {
	if !q.Exists {
		return reconcile.QueueStatus{Unknown: "the broker has no such queue"}
	}
	s := reconcile.QueueStatus{Pods: &q.Pods, VMs: &q.VMs}
	if q.Counted {
		s.Ready, s.Unacked = &q.Ready, &q.Unacked
		s.PublishRate, s.PodRate, s.VMRate = &q.PublishRate, &q.PodRate, &q.VMRate
	}
	if q.Buried {
		s.DeadLetters = &q.Dead
	}
	if !q.Oldest.IsZero() {
		age := max(0, q.At.Sub(q.Oldest).Seconds())
		s.OldestSeconds = &age
	}
	return s
}

// served brings a gateway to what the cluster says: which queues it serves,
// and how. It is driven by watch.
type served struct {
	watch      *watch.Watcher
	policy     atomic.Pointer[config.Config]
	queues     *ledger.Queues
	dispatcher *dispatch.Dispatcher
	rates      *manage.Watcher
	changed    workqueue.TypedInterface[state.Ref]
	ready      chan struct{} // closed when every Service has been looked at
}

// run follows the cluster until ctx ends. Before every Service has been seen
// nothing is served: which of two is the older is not known.
func (s *served) run(ctx context.Context) error {
	defer s.changed.ShutDown()
	context.AfterFunc(ctx, s.changed.ShutDown)
	if !s.watch.WaitSynced(ctx) {
		return nil
	}
	all := s.watch.Services()
	for _, ref := range all {
		s.put(ref)
	}
	for _, ref := range all {
		s.serve(ref)
	}
	close(s.ready)
	for {
		ref, shutdown := s.changed.Get()
		if shutdown {
			return nil
		}
		for _, other := range append(s.put(ref), ref) {
			s.serve(other)
		}
		s.changed.Done(ref)
	}
}

// put takes in what a Service asks for, and names the others that it concerns.
func (s *served) put(ref state.Ref) []state.Ref {
	in, exists := s.watch.Input(ref)
	if !exists {
		return s.queues.Put(ref, nil)
	}
	return s.queues.Put(ref, translate.Serving(in, translate.Policy{Config: s.policy.Load()}))
}

// serve has a Service's queue served, if it holds it.
func (s *served) serve(ref state.Ref) {
	c, _ := s.queues.Consumer(ref)
	s.dispatcher.Set(ref, c)
	s.rates.Watch(ref, c)
}

// reload takes up another configuration.
func (s *served) reload(conf *config.Config) {
	s.policy.Store(conf)
	for _, ref := range s.watch.Services() {
		s.changed.Add(ref)
	}
}

// mayReply says whether a Service may send answers to a queue: where it may
// publish, it may.
func (s *served) mayReply(service state.Ref, queue state.Queue) bool {
	return !config.ReservedName(queue.Name) && s.granted(service.Namespace, func(t config.Tenant) bool {
		return t.GrantsPublish(queue.Vhost, "", queue.Name)
	})
}

// granted says whether one of a namespace's entries in the tenants' list
// grants something.
func (s *served) granted(namespace string, grants func(config.Tenant) bool) bool {
	labels := s.watch.NamespaceLabels(namespace)
	return slices.ContainsFunc(s.policy.Load().Tenants, func(t config.Tenant) bool { return t.Covers(namespace, labels) && grants(t) })
}

// isReady says whether every Service has been looked at.
func (s *served) isReady() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

// register shows what is known of the queues.
func (s *served) register(registry *prometheus.Registry) {
	registry.MustRegister(manage.NewCollector(s.rates, s.dispatcher.Handling))
}
