package dispatch_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"landbridge.dev/mq/dispatch"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/broker/scene"
)

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
