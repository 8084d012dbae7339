package dispatch_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/mq/dispatch"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/broker/scene"
)

// A pod takes longer for a message than its gateway may wait at its end. The
// gateway ends all the same, and leaves the message to the broker as it is: the
// next gateway gives it again, under its key and as redelivered, and no attempt
// is counted. What the first pod says in the end is nobody's any more.
func TestPodThatOutlastsTheGrace(t *testing.T) {
	t.Parallel()
	for _, ordering := range []state.Ordering{state.OrderNone, state.OrderQueue, state.OrderKey} {
		t.Run(string(ordering), func(t *testing.T) {
			t.Parallel()
			s := scene.New(t, node)
			s.Queue("orders.work")
			begun, late := make(chan struct{}, 10), make(chan struct{})
			slow := newPod(t, func(http.ResponseWriter, *http.Request, int) {
				begun <- struct{}{}
				<-late
			})
			quick := newPod(t, nil)
			consumers := func(p *pod) *state.QueueConsumer {
				c, _ := keyed(consumer(s, p), 0)
				c.Ordering, c.Concurrency, c.Timeout = ordering, 1, time.Minute
				return c
			}
			const grace = time.Second
			_, all := keyed(consumer(s), 3)
			s.Publish("orders.work", all...)
			g := start(s, func(o *dispatch.Options) { o.Grace = grace })
			g.Set(ref, consumers(slow))
			<-begun
			stopping, stopped := time.Now(), make(chan struct{})
			go func() { defer close(stopped); g.stop() }()
			ending, cancel := context.WithTimeout(t.Context(), 30*time.Second) // of the minute that the pod has
			defer cancel()
			select {
			case <-stopped:
			case <-ending.Done():
				t.Fatal("the gateway waits for the pod, and not for the grace")
			}
			if took := time.Since(stopping); took < grace {
				t.Errorf("it ended after %s, and did not wait for the grace of %s", took, grace)
			}
			s.Eventually("all are ready again", func() bool {
				ready, unacked := s.Count("orders.work")
				return ready == len(all) && unacked == 0
			})
			start(s, func(o *dispatch.Options) { o.Replica = "b" }).Set(ref, consumers(quick))
			s.Eventually("all are delivered", func() bool { return len(quick.requests()) >= len(all) })
			close(late)
			empty(s)
			got := map[string]string{}
			for _, r := range quick.requests() {
				got[r.key] += fmt.Sprintf("%s, attempt %s", r.body, r.header.Get("Landbridge-Attempt"))
			}
			want := map[string]string{"m0": "body 0, attempt 1", "m1": "body 1, attempt 1", "m2": "body 2, attempt 1"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the next gateway gave (-want +got):\n%s", diff)
			}
			for _, r := range quick.requests() {
				if r.key == "m0" && r.header.Get("Landbridge-Redelivered") != "true" {
					t.Error("what a pod has had came as if none had")
				}
			}
			if keys := slow.keys(); len(keys) != 1 || keys["m0"] != 1 {
				t.Errorf("the pod that outlasted the gateway was given %v", keys)
			}
			if dead := s.Drain(deadQueue); len(dead) > 0 {
				t.Errorf("%d dead letters", len(dead))
			}
		})
	}
}
