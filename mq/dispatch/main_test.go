package dispatch_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	mqbroker "landbridge.dev/mq/broker"
	"landbridge.dev/mq/dispatch"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/broker"
	"landbridge.dev/testenv/broker/scene"
)

// node is the broker of all tests here; each has a vhost of its own.
var node *broker.Node

func TestMain(m *testing.M) {
	scene.Main(m, broker.Options{TLS: true}, func(n *broker.Node) { node = n })
}

// gateway is a running dispatcher.
type gateway struct {
	*dispatch.Dispatcher
	stop func()
}

func newDialer(s *scene.Scene) *mqbroker.Dialer { return mqbroker.NewDialer(s.MQ, "landbridge test") }

// start starts a gateway; it stops with the test, in good order.
func start(s *scene.Scene, change ...func(*dispatch.Options)) *gateway {
	s.TB.Helper()
	log := zaptest.NewLogger(s.TB, zaptest.Level(zap.WarnLevel))
	hub := mqbroker.NewHub(newDialer(s), log, nil)
	o := dispatch.Options{Hub: hub, Names: mqbroker.Names{Cluster: scene.Cluster}, Replica: "a", Grace: 5 * time.Second, Log: log}
	for _, c := range change {
		c(&o)
	}
	g := &gateway{Dispatcher: dispatch.New(o)}
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.TB.Context()))
	links, unlink := context.WithCancel(context.WithoutCancel(s.TB.Context()))
	var running, linking sync.WaitGroup
	linking.Go(func() { _ = hub.Run(links) })
	running.Go(func() { _ = g.Run(ctx) })
	g.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		unlink()
		linking.Wait()
	})
	s.TB.Cleanup(g.stop)
	return g
}

// ref is the Service of the tests.
var ref = state.Ref{Namespace: "shop", Name: "orders"}

// consumer serves orders.work of a scene, with quick retries.
func consumer(s *scene.Scene, pods ...*pod) *state.QueueConsumer {
	c := &state.QueueConsumer{
		Service: ref, Queue: state.Queue{Vhost: s.Vhost, Name: "orders.work"}, Path: "/events", Concurrency: 4,
		Timeout: 2 * time.Second, Retry: []time.Duration{time.Second}, MaxAttempts: 3, Ordering: state.OrderNone, PodShare: 100,
	}
	for _, p := range pods {
		c.Endpoints = append(c.Endpoints, p.endpoint)
	}
	return c
}

// pod is a real HTTP server.
type pod struct {
	endpoint state.Endpoint
	server   *http.Server

	mu   sync.Mutex
	seen []request
}

// request is what a pod got.
type request struct {
	key, body string
	header    http.Header
}

// newPod serves handle; nil answers 200. Each request is noted before.
func newPod(tb testing.TB, handle func(http.ResponseWriter, *http.Request, int)) *pod {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	address := netip.MustParseAddrPort(l.Addr().String())
	p := &pod{endpoint: state.Endpoint{Address: state.Address{IP: address.Addr()}, Port: address.Port()}}
	p.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.seen = append(p.seen, request{r.Header.Get("Idempotency-Key"), string(body), r.Header})
		n := len(p.seen)
		p.mu.Unlock()
		if handle != nil {
			handle(w, r, n)
		}
	})}
	go func() { _ = p.server.Serve(l) }()
	tb.Cleanup(func() { _ = p.server.Close() })
	return p
}

// requests are what the pod got so far.
func (p *pod) requests() []request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]request(nil), p.seen...)
}

// count is how many requests the pod got so far.
func (p *pod) count() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(len(p.seen))
}

// keys are the keys of what the pod got.
func (p *pod) keys() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	keys := map[string]int{}
	for _, r := range p.seen {
		keys[r.key]++
	}
	return keys
}

// messages are n messages with ids m0, m1, ….
func messages(n int) []amqp.Publishing {
	var all []amqp.Publishing
	for i := range n {
		all = append(all, amqp.Publishing{MessageId: "m" + strconv.Itoa(i), Body: fmt.Appendf(nil, "body %d", i)})
	}
	return all
}
