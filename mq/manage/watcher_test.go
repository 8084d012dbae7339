package manage_test

import (
	"context"
	"math"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	mqbroker "landbridge.dev/mq/broker"
	"landbridge.dev/mq/manage"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/broker"
	"landbridge.dev/testenv/broker/scene"
)

var node *broker.Node

func TestMain(m *testing.M) {
	scene.Main(m, broker.Options{}, func(n *broker.Node) { node = n })
}

var ref = state.Ref{Namespace: "shop", Name: "orders"}

// podAddress is that of the Service's pod; VMs dial from 127.0.0.1.
const podAddress = "127.0.0.7"

// watch watches a native consumer of orders.work, or one that is changed, while
// the test runs.
func watch(t *testing.T, s *scene.Scene, change ...func(*state.QueueConsumer)) *manage.Watcher {
	t.Helper()
	client, err := manage.NewClient(s.MQ)
	s.Must(err)
	w := manage.NewWatcher(client, mqbroker.Names{Cluster: scene.Cluster}, 100*time.Millisecond, nil)
	c := &state.QueueConsumer{
		Service: ref, Native: true, Queue: state.Queue{Vhost: s.Vhost, Name: "orders.work"},
		Endpoints: []state.Endpoint{{Address: state.Address{IP: netip.MustParseAddr(podAddress)}, Port: 8080}},
	}
	for _, change := range change {
		change(c)
	}
	w.Watch(ref, c)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = w.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return w
}

// consume consumes orders.work from an address until it is told to stop.
func consume(s *scene.Scene, address string) (stop func()) {
	s.TB.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 10 * time.Second}
	c, err := amqp.DialConfig(s.Node.URL(), amqp.Config{
		SASL: []amqp.Authentication{&amqp.PlainAuth{Username: broker.Username, Password: broker.Password}}, Vhost: s.Vhost,
		Dial: func(network, to string) (net.Conn, error) { return dialer.Dial(network, to) },
	})
	s.Must(err)
	ch, err := c.Channel()
	s.Must(err)
	deliveries, err := ch.Consume("orders.work", "", false, false, false, false, nil)
	s.Must(err)
	go func() { // ends with its connection
		for d := range deliveries {
			_ = d.Ack(false)
		}
	}()
	stop = sync.OnceFunc(func() { _ = c.Close() })
	s.TB.Cleanup(stop)
	return stop
}

// A queue whose pods speak AMQP themselves moves from VMs to pods: each step is
// seen by who consumes, and drained VMs are believed in only after three looks.
func TestNative(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	w := watch(t, s)
	stands := func(reason string, problem bool) {
		t.Helper()
		s.Eventually(reason, func() bool { st := w.Standing(ref); return st.Reason == reason && st.Problem == problem })
	}
	stands("QueueMissing", true)
	s.Queue("orders.work")
	stands("NoConsumer", true)
	stopVM := consume(s, "127.0.0.1")
	stands("VMsOnly", false)
	consume(s, podAddress)
	stands("Shared", false)
	if q, known := w.Queue(ref); !known || q.Pods != 1 || q.VMs != 1 {
		t.Errorf("known %t: %+v", known, q)
	}
	stopVM()
	stands("PodsOnly", false)
	consume(s, "127.0.0.1")
	stands("Shared", false)
}

// While messages flow no rate is 0: somebody scales by it.
func TestRates(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	w := watch(t, s)
	consume(s, "127.0.0.1")
	consume(s, podAddress)
	ch, err := s.Dial().Channel()
	s.Must(err)
	flowing, zero := time.Time{}, 0
	s.Within(2*time.Minute, "rates are known, and stay", func() bool {
		s.Must(ch.Publish("", "orders.work", false, false, amqp.Publishing{DeliveryMode: amqp.Persistent}))
		q, known := w.Queue(ref)
		switch {
		case flowing.IsZero() && known && q.PublishRate > 0 && q.VMRate > 0 && q.PodRate > 0:
			flowing = time.Now()
		case !flowing.IsZero() && known && (q.PublishRate == 0 || q.VMRate == 0 || q.PodRate == 0):
			zero++
		}
		return !flowing.IsZero() && time.Since(flowing) > 6*time.Second
	})
	if zero > 0 {
		q, _ := w.Queue(ref)
		t.Errorf("in %d looks a rate was 0; now %+v", zero, q)
	}
	theirs, ours, _, _, known := w.Taken(state.Queue{Vhost: s.Vhost, Name: "orders.work"})
	if q, _ := w.Queue(ref); !known || theirs == 0 || ours == 0 || math.Abs(theirs-q.VMRate)+math.Abs(ours-q.PodRate) > q.PublishRate/2 {
		t.Errorf("taken: known %t, by VMs %v and by gateways %v; the queue is %+v", known, theirs, ours, q)
	}
	if q, _ := w.Queue(ref); math.Abs(q.PodRate-q.VMRate) > q.PublishRate/2 {
		t.Errorf("of what both consume alike pods are said to take %v a second, and VMs %v", q.PodRate, q.VMRate)
	}
}

func TestPodsNeeded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		queue       manage.Queue
		seconds     float64
		concurrency int
		want        float64
	}{
		{"nothing to do", manage.Queue{}, 1, 16, 0},
		{"one message that waits", manage.Queue{Ready: 1}, 0.01, 16, 1},
		{"what comes in", manage.Queue{PublishRate: 100}, 0.5, 10, 5},
		{"a backlog within a minute", manage.Queue{Ready: 5900, Unacked: 100}, 1, 10, 10},
		{"both", manage.Queue{PublishRate: 100, Ready: 6000}, 1, 10, 20},
	} {
		if got := manage.PodsNeeded(test.queue, test.seconds, test.concurrency); got != test.want {
			t.Errorf("%s: %v pods, want %v", test.name, got, test.want)
		}
	}
}
