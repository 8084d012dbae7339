package dispatch_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"landbridge.dev/mq/dispatch"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/broker/scene"
)

// In order: each message before the next, through retries.
func TestOrderQueue(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	s.Publish("orders.work", messages(60)...)
	p := newPod(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		if n%20 == 0 {
			w.WriteHeader(500)
		}
	})
	c := consumer(s, p)
	c.Ordering = state.OrderQueue
	// Of two gateways one serves: the other would overtake.
	start(s).Set(ref, c)
	start(s, func(o *dispatch.Options) { o.Replica = "b" }).Set(ref, c)
	s.Eventually("all are delivered", func() bool { return len(p.requests()) >= 63 })
	var order []string
	for _, r := range p.requests() {
		if len(order) == 0 || order[len(order)-1] != r.key {
			order = append(order, r.key)
		}
	}
	var want []string
	for _, m := range messages(60) {
		want = append(want, m.MessageId)
	}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	empty(s)
}

// By key: those of one key in order, and none waits for another key.
func TestOrderKey(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	all := messages(80)
	for i := range all {
		all[i].Headers = amqp.Table{"customer": fmt.Sprint(i % 4)}
	}
	s.Publish("orders.work", all...)
	var failed sync.Map
	p := newPod(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		key := r.Header.Get("Mq-H-Customer")
		if _, before := failed.LoadOrStore(r.Header.Get("Idempotency-Key"), true); key == "1" && !before && strings.HasSuffix(r.Header.Get("Idempotency-Key"), "5") {
			w.WriteHeader(500)
		}
	})
	c := consumer(s, p)
	c.Ordering, c.OrderHeader, c.Concurrency = state.OrderKey, "customer", 8
	start(s).Set(ref, c)
	s.Eventually("all are delivered", func() bool { return len(p.keys()) == 80 })
	empty(s)
	orders := map[string][]string{}
	for _, r := range p.requests() {
		customer := r.header.Get("Mq-H-Customer")
		if !slices.Contains(orders[customer], r.key) {
			orders[customer] = append(orders[customer], r.key)
		}
	}
	for i := range 4 {
		var want []string
		for n := i; n < 80; n += 4 {
			want = append(want, fmt.Sprintf("m%d", n))
		}
		if diff := cmp.Diff(want, orders[fmt.Sprint(i)]); diff != "" {
			t.Errorf("customer %d (-want +got):\n%s", i, diff)
		}
	}
}

// An older Service takes a queue over whose messages have an order. Its gateway
// may be told to serve it for the new one before it is told to end the other's:
// of all messages one is with a pod at a time, whatever the gateway.
func TestOrderIsKeptWhenAnotherServiceTakesOver(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	s.Publish("orders.work", messages(40)...)
	var now atomic.Int32
	var together atomic.Bool
	begun, handed := make(chan struct{}), make(chan struct{})
	work := func(n int) {
		if now.Add(1) > 1 {
			together.Store(true)
		}
		defer now.Add(-1)
		if n == 1 {
			close(begun)
			<-handed
			<-time.After(time.Second) // in which others could begin
		}
		<-time.After(20 * time.Millisecond)
	}
	first := newPod(t, func(_ http.ResponseWriter, _ *http.Request, n int) { work(n) })
	second := newPod(t, func(http.ResponseWriter, *http.Request, int) { work(0) })
	before, after := consumer(s, first), consumer(s, second)
	before.Ordering, after.Ordering = state.OrderQueue, state.OrderQueue
	after.Service.Name = "orders-next"
	g := start(s)
	g.Set(before.Service, before)
	<-begun
	start(s, func(o *dispatch.Options) { o.Replica = "b" }).Set(after.Service, after)
	g.Set(after.Service, after)
	g.Set(before.Service, nil)
	close(handed)
	s.Eventually("all have their effect", func() bool { return len(first.keys())+len(second.keys()) == 40 })
	empty(s)
	if together.Load() {
		t.Error("two messages were with pods at a time")
	}
}

// keyed are messages of one customer, and a consumer that keeps their order.
func keyed(c *state.QueueConsumer, n int) (*state.QueueConsumer, []amqp.Publishing) {
	c.Ordering, c.OrderHeader = state.OrderKey, "customer"
	all := messages(n)
	for i := range all {
		all[i].Headers = amqp.Table{"customer": "c"}
	}
	return c, all
}

// onQueues runs a test of an order with each kind of queue: what goes back has to
// come again in its order from all.
func onQueues(t *testing.T, test func(*testing.T, *scene.Scene)) {
	t.Helper()
	for name, arguments := range map[string]map[string]any{
		"quorum":                       {"x-queue-type": "quorum"},
		"quorum with a delivery limit": {"x-queue-type": "quorum", "x-delivery-limit": 100},
		"classic":                      {"x-queue-type": "classic"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scene.New(t, node)
			s.Must(node.AddQueue(t.Context(), s.Vhost, "orders.work", arguments))
			test(t, s)
		})
	}
}

// Messages that wait for one that fails are not kept for longer than the broker
// lets them: they go back to the queue, and come again in their order.
func TestOrderOfWhatWaitsForLong(t *testing.T) {
	t.Parallel()
	onQueues(t, orderOfWhatWaitsForLong)
}

func orderOfWhatWaitsForLong(t *testing.T, s *scene.Scene) {
	p := newPod(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.Header.Get("Idempotency-Key") == "m0" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	c, all := keyed(consumer(s, p), 100) // as many are here at a time
	c.Concurrency = len(all)
	s.Publish("orders.work", all...)
	g := start(s)
	g.SetMostWait(time.Second)
	g.Set(ref, c)
	s.Eventually("all are delivered", func() bool { return len(p.keys()) == len(all) })
	empty(s)
	var order []string
	for _, r := range p.requests() {
		if r.key != "m0" {
			order = append(order, r.key+" redelivered "+r.header.Get("Landbridge-Redelivered"))
		}
	}
	var want []string
	for _, m := range all[1:] {
		want = append(want, m.MessageId+" redelivered true")
	}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The broker ends a subscription while messages wait for one that fails: none of
// those is delivered any more, and the next subscription does not wait for them.
func TestOrderWhenTheSubscriptionEnds(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	classic := func() {
		s.Must(node.AddQueue(t.Context(), s.Vhost, "orders.work", map[string]any{"x-queue-type": "classic"}))
	}
	classic()
	failed := make(chan struct{}, 100)
	p := newPod(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.Header.Get("Idempotency-Key") == "m0" {
			w.WriteHeader(http.StatusInternalServerError)
			failed <- struct{}{}
		}
	})
	c, all := keyed(consumer(s, p), 6)
	c.MaxAttempts, c.Retry = 100, []time.Duration{5 * time.Minute}
	s.Publish("orders.work", all...)
	start(s).Set(ref, c)
	<-failed
	s.Must(node.RemoveQueue(t.Context(), s.Vhost, "orders.work"))
	classic()
	s.Publish("orders.work", amqp.Publishing{MessageId: "new", Headers: amqp.Table{"customer": "c"}})
	s.Eventually("the next message is delivered", func() bool { return p.keys()["new"] == 1 })
	var keys []string
	for key := range p.keys() {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if diff := cmp.Diff([]string{"m0", "new"}, keys); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What goes back often goes by a retry queue at last: the broker drops what
// exceeds its queue's delivery limit.
func TestOrderOfWhatGoesBackOften(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Must(node.AddQueue(t.Context(), s.Vhost, "orders.work", map[string]any{"x-queue-type": "quorum", "x-delivery-limit": 20}))
	c, all := keyed(consumer(s, newPod(t, nil)), 6)
	c.Retry = []time.Duration{time.Hour}
	s.Publish("orders.work", all...)
	g := start(s)
	g.SetMostWait(-1) // each has waited for too long, always
	g.Set(ref, c)
	s.Eventually("all are in the retry queue", func() bool { ready, _ := s.Count("landbridge.test.retry.3600000"); return ready == 6 })
	s.Eventually("none is left", func() bool { ready, unacked := s.Count("orders.work"); return ready == 0 && unacked == 0 })
}

// No pod is ready for a moment, again and again, while messages come all the
// time: what went back comes again in the order of each key.
func TestOrderWhenNoPodIsReady(t *testing.T) {
	t.Parallel()
	onQueues(t, orderWhenNoPodIsReady)
}

func orderWhenNoPodIsReady(t *testing.T, s *scene.Scene) {
	const count, keys = 1600, 8
	all := messages(count)
	for i := range all {
		all[i].Headers = amqp.Table{"customer": fmt.Sprint(i % keys)}
	}
	s.Publish("orders.work", all...)
	p := newPod(t, nil)
	c := consumer(s, p)
	c.Ordering, c.OrderHeader, c.Concurrency = state.OrderKey, "customer", 64
	nobody := *c
	nobody.Endpoints = nil
	g := start(s)
	for done := 0; done < count; done = len(p.keys()) {
		g.Set(ref, c)
		s.Eventually("a few more are delivered", func() bool { n := len(p.keys()); return n >= min(done+200, count) })
		g.Set(ref, &nobody)
	}
	empty(s)
	var last [keys]int
	seen := map[string]bool{}
	for _, r := range p.requests() {
		if seen[r.key] {
			continue
		}
		seen[r.key] = true
		var n int
		_, err := fmt.Sscanf(r.key, "m%d", &n)
		s.Must(err)
		if n < last[n%keys] {
			t.Errorf("%s came first after m%d", r.key, last[n%keys])
		}
		last[n%keys] = n
	}
}
