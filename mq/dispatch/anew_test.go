package dispatch_test

import (
	"testing"
	"time"

	"landbridge.dev/mq/dispatch"
	"landbridge.dev/testenv/broker/scene"
)

// A quorum queue that is deleted and declared again at once is served on, though
// the broker forgets the consumers of most such queues.
func TestQueueMadeAnew(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	p := newPod(t, nil)
	rates := watchRates(t, s)
	c := consumer(s, p)
	rates.Watch(ref, c)
	for _, replica := range []string{"a", "b"} {
		g := start(s, func(o *dispatch.Options) { o.Rates, o.Replica = rates, replica })
		g.SetFirstLull(time.Second)
		g.Set(ref, c)
	}
	const messagesEach = 10
	for i := range 5 {
		s.Must(node.RemoveQueue(t.Context(), s.Vhost, "orders.work"))
		s.Must(node.AddQueue(t.Context(), s.Vhost, "orders.work", nil))
		s.Publish("orders.work", messages(messagesEach)...)
		s.Within(2*time.Minute, "all messages have their effect", func() bool { return len(p.requests()) == (i+1)*messagesEach })
	}
}
