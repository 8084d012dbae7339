package dispatch_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"landbridge.dev/mq/dispatch"
	"landbridge.dev/testenv/broker"
	"landbridge.dev/testenv/broker/scene"
)

const (
	deadQueue  = "landbridge.test.dead.orders.work"
	retryQueue = "landbridge.test.retry.1000"
)

// empty waits until nothing is left of a scene's messages.
func empty(s *scene.Scene) {
	s.TB.Helper()
	s.Eventually("queue and retry queue are empty", func() bool {
		ready, unacked := s.Count("orders.work")
		retries, taken := s.Count(retryQueue)
		return ready == 0 && unacked == 0 && retries <= 0 && taken <= 0
	})
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	p := newPod(t, nil)
	s.Publish("orders.work", amqp.Publishing{
		MessageId: "m1", ContentType: "application/json", ContentEncoding: "identity", CorrelationId: "c1", Type: "order", AppId: "till",
		Timestamp: time.Unix(1700000000, 0), Body: []byte(`{"n":1}`),
		Headers: amqp.Table{
			"region": "eu", "Number": int64(7), "odd name": "x", "x-internal": "y", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			"cloudEvents:type": "com.example.order", "cloudEvents:specversion": "1.0",
		},
	})
	start(s).Set(ref, consumer(s, p))
	s.Eventually("the message is delivered", func() bool { return len(p.requests()) == 1 })
	r := p.requests()[0]
	got := map[string]string{"body": r.body}
	for name := range r.header {
		if name != "Accept-Encoding" && name != "Content-Length" && name != "User-Agent" {
			got[name] = r.header.Get(name)
		}
	}
	want := map[string]string{
		"body": `{"n":1}`, "Content-Type": "application/json", "Content-Encoding": "identity", "Idempotency-Key": "m1",
		"Landbridge-Queue": s.Vhost + ":orders.work", "Landbridge-Routing-Key": "orders.work", "Landbridge-Attempt": "1",
		"Landbridge-Correlation-Id": "c1", "Landbridge-Type": "order", "Landbridge-App-Id": "till", "Landbridge-Timestamp": "2023-11-14T22:13:20Z",
		"Mq-H-Region": "eu", "Mq-H-Number": "7", "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"Ce-Type": "com.example.order", "Ce-Specversion": "1.0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	empty(s)
}

// What each answer of a pod does with a message.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request, int)
		times  int    // that the pod gets it
		reason string // of the dead letter; none where it has its effect in the end
	}{
		{"200", nil, 1, ""},
		{"500 twice", status(500, 500, 200), 3, ""},
		{"503 for ever", status(503, 503, 503, 503), 3, "after 3 attempts: the pod answered 503"},
		{"429 with Retry-After", func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 1 {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(429)
			}
		}, 2, ""},
		{"400", status(400), 1, "the pod answered 400 Bad Request"},
		{"302", status(302), 1, "the pod answered 302 Found"},
		{"404, and then it is there", status(404, 200), 2, ""},
		{"404 for ever", status(404, 404, 404), 3, "the pod answered 404 Not Found"},
		{"400 that says retry", disposed("retry", 400, 200), 2, ""},
		{"500 that says dead", disposed("dead", 500), 1, "the pod answered 500"},
		{"500 that says ack", disposed("ack", 500), 1, ""},
		{"a reset", func(_ http.ResponseWriter, _ *http.Request, n int) {
			if n == 1 {
				panic(http.ErrAbortHandler)
			}
		}, 2, ""},
		{"an answer cut in the middle", func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 1 {
				w.Header().Set("Content-Length", "1000")
				w.WriteHeader(200)
				_, _ = w.Write([]byte("not all"))
				panic(http.ErrAbortHandler)
			}
		}, 2, ""},
		{"no answer in time", func(_ http.ResponseWriter, r *http.Request, n int) {
			if n == 1 {
				<-r.Context().Done()
			}
		}, 2, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := scene.New(t, node)
			s.Queue("orders.work")
			p := newPod(t, test.answer)
			p.server.ErrorLog = nil
			s.Publish("orders.work", amqp.Publishing{MessageId: "m1", Body: []byte("x"), Expiration: "600000", UserId: broker.Username, Headers: amqp.Table{"region": "eu"}})
			start(s).Set(ref, consumer(s, p))
			s.Eventually("the pod has had it", func() bool { return len(p.requests()) >= test.times })
			empty(s)
			for i, r := range p.requests() {
				if attempt := r.header.Get("Landbridge-Attempt"); r.key != "m1" || attempt != fmt.Sprint(i+1) || r.header.Get("Mq-H-Region") != "eu" ||
					r.header.Get("Landbridge-Routing-Key") != "orders.work" || r.header.Get("Landbridge-User-Id") != broker.Username {
					t.Errorf("request %d: key %s, attempt %s, headers %v", i+1, r.key, attempt, r.header)
				}
			}
			if n := len(p.requests()); n != test.times {
				t.Errorf("the pod got it %d times, want %d", n, test.times)
			}
			var dead []amqp.Delivery
			s.Eventually("the dead letter is there", func() bool {
				dead = append(dead, s.Drain(deadQueue)...)
				return len(dead) > 0 || test.reason == ""
			})
			if (test.reason == "") != (len(dead) == 0) {
				t.Fatalf("%d dead letters", len(dead))
			}
			for _, d := range dead {
				if reason, _ := d.Headers["landbridge-reason"].(string); !strings.HasPrefix(reason, test.reason) || d.MessageId != "m1" || string(d.Body) != "x" {
					t.Errorf("dead letter %s: %s", d.MessageId, reason)
				}
			}
		})
	}
}

func status(codes ...int) func(http.ResponseWriter, *http.Request, int) {
	return func(w http.ResponseWriter, _ *http.Request, n int) { w.WriteHeader(codes[min(n, len(codes))-1]) }
}

func disposed(disposition string, codes ...int) func(http.ResponseWriter, *http.Request, int) {
	return func(w http.ResponseWriter, _ *http.Request, n int) {
		if code := codes[min(n, len(codes))-1]; code != 200 {
			w.Header().Set(dispatch.HeaderDisposition, disposition)
			w.WriteHeader(code)
		}
	}
}

// A message without an id has the same key in all its attempts.
func TestKeyOfAMessageWithoutId(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	p := newPod(t, status(500, 200))
	s.Publish("orders.work", amqp.Publishing{Body: []byte("x")})
	start(s).Set(ref, consumer(s, p))
	s.Eventually("it is delivered twice", func() bool { return len(p.requests()) == 2 })
	first, second := p.requests()[0], p.requests()[1]
	if first.key == "" || first.key != second.key || first.header.Get("Landbridge-Idempotency") != "weak" {
		t.Errorf("keys %q and %q, %s", first.key, second.key, first.header.Get("Landbridge-Idempotency"))
	}
	empty(s)
}

// An id that HTTP does not carry as it is goes percent-encoded, and a copy has it
// as it was.
func TestKeyOfAnOddId(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	p := newPod(t, nil)
	bad := newPod(t, status(400))
	c := consumer(s, p)
	g := start(s)
	g.Set(ref, c)
	odd := map[string]string{"a\nb": "a%0Ab", " a ": "%20a%20", "a\x00": "a%00", "a b%é": "a b%é"}
	for id := range odd {
		s.Publish("orders.work", amqp.Publishing{MessageId: id})
	}
	s.Eventually("all are delivered", func() bool { return len(p.requests()) == len(odd) })
	got := p.keys()
	for id, key := range odd {
		if got[key] != 1 {
			t.Errorf("%q did not come as %q: %v", id, key, got)
		}
	}
	g.Set(ref, consumer(s, bad))
	s.Publish("orders.work", amqp.Publishing{MessageId: "a\nb"})
	s.Eventually("the dead letter has its id", func() bool {
		dead := s.Drain(deadQueue)
		return len(dead) == 1 && dead[0].MessageId == "a\nb"
	})
}

// Without a ready endpoint nothing is consumed; what was not begun goes back.
func TestNoEndpointNothingConsumed(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	s.Publish("orders.work", messages(100)...)
	g := start(s)
	g.Set(ref, consumer(s))
	consumers := func() int {
		all, err := node.Queues(t.Context(), s.Vhost)
		if err != nil {
			return -1
		}
		for _, q := range all {
			if q.Name == "orders.work" {
				return q.Consumers
			}
		}
		return -1
	}
	hold := make(chan struct{})
	p := newPod(t, func(http.ResponseWriter, *http.Request, int) { <-hold })
	s.Eventually("the broker counts", func() bool { ready, _ := s.Count("orders.work"); return ready == 100 })
	if n := consumers(); n != 0 {
		t.Fatalf("%d consumers without an endpoint", n)
	}
	served := consumer(s, p)
	served.Timeout = time.Minute
	g.Set(ref, served)
	s.Eventually("pods have as many as they may", func() bool { return len(p.requests()) == 4 })
	g.Set(ref, consumer(s))
	s.Eventually("what was not begun is back", func() bool {
		ready, unacked := s.Count("orders.work")
		return ready == 96 && unacked == 4
	})
	close(hold)
	s.Eventually("what was begun is settled", func() bool {
		ready, unacked := s.Count("orders.work")
		return ready == 96 && unacked == 0 && consumers() == 0
	})
}

// An endpoint that takes no connection has not had the message: the other gets
// it at once, and it is no attempt.
func TestRefusingEndpoint(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	gone, p := newPod(t, nil), newPod(t, nil)
	_ = gone.server.Close()
	s.Publish("orders.work", messages(50)...)
	start(s).Set(ref, consumer(s, gone, p))
	s.Eventually("all are delivered", func() bool { return len(p.requests()) == 50 })
	for _, r := range p.requests() {
		if r.header.Get("Landbridge-Attempt") != "1" {
			t.Errorf("%s came with attempt %s", r.key, r.header.Get("Landbridge-Attempt"))
		}
	}
	empty(s)
}

// Prefetch and concurrency follow what pods take.
func TestBackpressure(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	s.Publish("orders.work", messages(400)...)
	var now, most, busy atomic.Int64
	var overloaded atomic.Bool
	overloaded.Store(true)
	p := newPod(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if overloaded.Load() {
			busy.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		<-time.After(time.Millisecond)
	})
	c := consumer(s, p)
	c.Concurrency, c.MaxAttempts = 64, 100
	start(s).Set(ref, c)
	s.Eventually("one at a time is left", func() bool {
		_, unacked := s.Count("orders.work")
		return busy.Load() > 20 && unacked >= 0 && unacked <= 4
	})
	overloaded.Store(false)
	s.Eventually("all have their effect", func() bool { return len(p.keys()) == 400 })
	empty(s)
}

// Pods go, and fewer messages may be with pods: none stays behind here.
func TestFewerPlaces(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	p := newPod(t, func(http.ResponseWriter, *http.Request, int) { <-time.After(5 * time.Millisecond) })
	c := consumer(s, p)
	c.Concurrency = 64
	d := start(s)
	d.Set(ref, c)
	s.Publish("orders.work", messages(600)...)
	s.Eventually("pods are at work", func() bool { return len(p.keys()) > 100 })
	fewer := *c
	fewer.Concurrency = 48
	d.Set(ref, &fewer)
	s.Eventually("all have their effect", func() bool { return len(p.keys()) == 600 })
	empty(s)
}

// A gateway that is told to stop gives back what it has not begun, and lets
// pods finish what they have.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	s.Publish("orders.work", messages(50)...)
	begun := make(chan struct{}, 50)
	p := newPod(t, func(http.ResponseWriter, *http.Request, int) {
		begun <- struct{}{}
		<-time.After(300 * time.Millisecond)
	})
	g := start(s)
	g.Set(ref, consumer(s, p))
	<-begun
	g.stop()
	had := len(p.requests())
	s.Eventually("all that no pod had is ready again, and nothing else", func() bool {
		ready, unacked := s.Count("orders.work")
		return ready == 50-had && unacked == 0
	})
	if dead := s.Drain(deadQueue); len(dead) > 0 {
		t.Errorf("%d dead letters", len(dead))
	}
}
