package manage

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"landbridge.dev/mq/broker"
	"landbridge.dev/sync/state"
)

// DefaultInterval is how often a broker is looked at: its own counts are five
// seconds old.
const DefaultInterval = 5 * time.Second

const (
	// proof is in how many looks, one after the other and an interval apart,
	// VMs must have no consumer before it is believed that they are drained.
	proof = 3
	// stale is after how many intervals a look is none any more.
	stale = 3
)

// Watcher looks at the queues of Services. It is safe for concurrent use.
type Watcher struct {
	client   *Client
	names    broker.Names
	interval time.Duration
	changed  func(state.Ref)

	mu    sync.Mutex
	wants map[state.Ref]*state.QueueConsumer
	seen  map[state.Ref]*seen
	wake  chan struct{}
}

// seen is what was found out about a Service's queue.
type seen struct {
	queue    Queue
	known    bool
	err      error
	alone    int // looks without a consumer of VMs
	orphaned int // looks without a gateway
	counted  time.Time
	standing state.Standing
}

// NewWatcher makes a watcher; Run looks. changed, which may be nil, is called
// when Standing of a Service has changed; it must not block.
func NewWatcher(client *Client, names broker.Names, interval time.Duration, changed func(state.Ref)) *Watcher {
	return &Watcher{
		client: client, names: names, interval: interval, changed: changed,
		wants: map[state.Ref]*state.QueueConsumer{}, seen: map[state.Ref]*seen{}, wake: make(chan struct{}, 1),
	}
}

// Watch has a Service's queue looked at from now on; nil no longer.
func (w *Watcher) Watch(service state.Ref, c *state.QueueConsumer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.wants[service]
	if c == nil {
		delete(w.wants, service)
		delete(w.seen, service)
		return
	}
	w.wants[service] = c
	if before != nil && before.Same(c) {
		return
	}
	if before != nil && before.Queue != c.Queue {
		delete(w.seen, service)
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run looks until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	defer w.client.Close()
	t := time.NewTicker(w.interval)
	defer t.Stop()
	for {
		w.look(ctx)
		select {
		case <-t.C:
		case <-w.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// look looks at every vhost once.
func (w *Watcher) look(ctx context.Context) {
	w.mu.Lock()
	vhosts := map[string]bool{}
	for _, c := range w.wants {
		vhosts[c.Queue.Vhost] = true
	}
	w.mu.Unlock()
	for _, vhost := range slices.Sorted(maps.Keys(vhosts)) {
		a, err := w.client.vhost(ctx, vhost)
		if ctx.Err() != nil {
			return
		}
		for _, ref := range w.take(vhost, &a, err) {
			if w.changed != nil {
				w.changed(ref)
			}
		}
	}
}

// take takes in a look at a vhost, and names the Services that stand otherwise.
func (w *Watcher) take(vhost string, a *vhostAnswer, err error) []state.Ref {
	w.mu.Lock()
	defer w.mu.Unlock()
	var others []state.Ref
	now := time.Now()
	for ref, c := range w.wants {
		if c.Queue.Vhost != vhost {
			continue
		}
		s := w.seen[ref]
		if s == nil {
			s = &seen{}
			w.seen[ref] = s
		}
		if s.err = err; err == nil {
			s.queue, s.known = a.read(c, w.names, now), true
			s.prove(w.interval, now)
		}
		if standing := s.stands(c, w.interval, now); standing != s.standing {
			s.standing = standing
			others = append(others, ref)
		}
	}
	slices.SortFunc(others, state.Ref.Compare)
	return others
}

// prove counts looks that show the same. Those that are close together, because
// something was changed, count for one: the broker's counts are as old.
func (s *seen) prove(interval time.Duration, now time.Time) {
	more := 0
	if now.Sub(s.counted) >= interval/2 {
		more, s.counted = 1, now
	}
	for n, is := range map[*int]bool{&s.alone: s.queue.VMs == 0, &s.orphaned: s.queue.Gateways == 0} {
		if is {
			*n += more
		} else {
			*n = 0
		}
	}
}

// Queue is what is known of a Service's queue now; false where that is nothing,
// or too old.
func (w *Watcher) Queue(service state.Ref) (Queue, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.seen[service]
	if s == nil || !s.fresh(w.interval, time.Now()) {
		return Queue{}, false
	}
	return s.queue, true
}

func (s *seen) fresh(interval time.Duration, now time.Time) bool {
	return s.known && now.Sub(s.queue.At) <= stale*interval+callTimeout
}

// Taken tells what is taken of a queue: see dispatch.Rates.
func (w *Watcher) Taken(queue state.Queue) (theirs, ours float64, consumers, gateways int, known bool) {
	q, known := w.of(queue)
	return q.VMRate, q.PodRate, q.VMs, q.Gateways, known
}

// Waits tells whether messages of a queue wait: see dispatch.Rates.
func (w *Watcher) Waits(queue state.Queue) bool {
	q, known := w.of(queue)
	return known && q.Counted && (q.Ready > 0 || q.Unacked > 0 && q.VMs == 0)
}

// of is what is known of a queue now, whosever it is.
func (w *Watcher) of(queue state.Queue) (Queue, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ref, c := range w.wants {
		if s := w.seen[ref]; c.Queue == queue && s != nil && s.fresh(w.interval, time.Now()) && s.queue.Exists {
			return s.queue, true
		}
	}
	return Queue{}, false
}

// Standing is how a Service's queue stands. Before the first look it is unknown
// and has no reason.
func (w *Watcher) Standing(service state.Ref) state.Standing {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.seen[service]; s != nil {
		return s.standing
	}
	return state.Standing{Unknown: true}
}

// stands sums up what was seen.
func (s *seen) stands(c *state.QueueConsumer, interval time.Duration, now time.Time) state.Standing {
	q := s.queue
	switch {
	case !s.fresh(interval, now) && s.err != nil:
		return state.Standing{Unknown: true, Reason: "BrokerUnknown", Message: fmt.Sprintf("how queue %s stands is not known: %v", c.Queue, s.err)}
	case !s.known:
		return state.Standing{Unknown: true}
	case !q.Exists:
		return problem("QueueMissing", "the broker has no queue %s; users' queues are theirs to declare, and Landbridge never does", c.Queue)
	case c.Native:
		return s.nativeStands(c)
	case c.PodShare == 0:
		return good("VMsOnly", "mq-pod-share is 0: the gateways take nothing of queue %s", c.Queue)
	case len(c.Endpoints) == 0:
		return good("NoEndpoints", "no pod is ready: the gateways take nothing of queue %s", c.Queue)
	case q.Gateways == 0 && s.orphaned < proof:
		return state.Standing{Unknown: true} // one that starts is not there yet
	case q.Gateways == 0:
		return problem("NoGateway", "no gateway of this cluster is connected to vhost %s: run `landbridge gateway`", c.Queue.Vhost)
	case s.alone >= proof:
		return good("PodsOnly", "the pods alone serve queue %s: in %d looks one after the other nobody else consumed it", c.Queue, proof)
	}
	return good("Shared", "pods and VMs serve queue %s", c.Queue)
}

// nativeStands is for pods that speak AMQP themselves.
func (s *seen) nativeStands(c *state.QueueConsumer) state.Standing {
	switch q := s.queue; {
	case q.Pods == 0 && q.VMs == 0 && s.alone < proof:
		return state.Standing{Unknown: true}
	case q.Pods == 0 && q.VMs == 0:
		return problem("NoConsumer", "nobody consumes queue %s", c.Queue)
	case q.Pods == 0:
		return good("VMsOnly", "of queue %s no consumer is from a pod of this Service", c.Queue)
	case s.alone >= proof:
		return good("PodsOnly", "the VMs are drained: in %d looks one after the other all consumers of queue %s were pods of this Service", proof, c.Queue)
	}
	return good("Shared", "pods and VMs consume queue %s", c.Queue)
}

// good is a queue that stands as asked.
func good(reason, format string, args ...any) state.Standing {
	return state.Standing{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// problem is one that does not.
func problem(reason, format string, args ...any) state.Standing {
	return state.Standing{Problem: true, Reason: reason, Message: fmt.Sprintf(format, args...)}
}
