package dispatch_test

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	amqp "github.com/rabbitmq/amqp091-go"

	"landbridge.dev/mq/dispatch"
	"landbridge.dev/testenv/broker"
	"landbridge.dev/testenv/broker/scene"
)

// BenchmarkDispatch posts messages of 1 KB of a quorum queue to a pod, in turns
// by a bare client (consume, POST, acknowledge) and by a gateway, and reports how
// fast the gateway is beside it: the goal is 0.8.
func BenchmarkDispatch(b *testing.B) {
	for _, size := range []struct{ concurrency, messages int }{{1, 2000}, {16, 10_000}, {128, 20_000}} {
		b.Run(strconv.Itoa(size.concurrency), func(b *testing.B) {
			s := scene.New(b, node)
			s.Queue("orders.work")
			all := slices.Repeat([]amqp.Publishing{{Body: bytes.Repeat([]byte("x"), 1024)}}, size.messages)
			for i := range all {
				all[i].MessageId = strconv.Itoa(i)
			}
			g := start(s, func(o *dispatch.Options) { o.Metrics = dispatch.NewMetrics(prometheus.NewRegistry()) })
			var ours, theirs time.Duration
			for b.Loop() {
				theirs += round(s, all, func(p *pod, done <-chan struct{}) { bare(b, s, "orders.work", p, size.concurrency, done) })
				ours += round(s, all, func(p *pod, done <-chan struct{}) {
					c := consumer(s, p)
					c.Concurrency, c.Timeout = size.concurrency, time.Minute // no message comes twice
					g.Set(ref, c)
					<-done
					g.Set(ref, nil)
				})
			}
			n := float64(b.N * size.messages)
			b.ReportMetric(n/ours.Seconds(), "msg/s-gateway")
			b.ReportMetric(n/theirs.Seconds(), "msg/s-bare")
			b.ReportMetric(theirs.Seconds()/ours.Seconds(), "ratio")
		})
	}
}

// round has messages consumed until a pod has had all, and says how long that
// took from its first one: what is opened and declared before is no matter of
// messages. The queue has no consumer before, and none after.
func round(s *scene.Scene, all []amqp.Publishing, consume func(p *pod, done <-chan struct{})) time.Duration {
	s.Publish("orders.work", all...)
	done := make(chan struct{})
	var n atomic.Int64
	var first, last time.Time
	p := newPod(s.TB, nil)
	defer p.server.Close()
	p.server.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		switch n.Add(1) {
		case 1:
			first = time.Now()
		case int64(len(all)):
			last = time.Now()
			close(done)
		}
	})
	runtime.GC()
	consume(p, done)
	var queues []broker.Queue
	defer func() {
		if s.TB.Failed() {
			s.TB.Logf("of %d messages pods had %d; queues: %+v", len(all), n.Load(), queues)
		}
	}()
	s.Within(2*time.Minute, "nothing is left, and nobody consumes", func() bool {
		var err error
		queues, err = node.Queues(s.TB.Context(), s.Vhost)
		for _, q := range queues {
			if q.Name == "orders.work" && (q.Ready > 0 || q.Unacked > 0 || q.Consumers > 0) {
				return false
			}
		}
		return err == nil
	})
	return last.Sub(first)
}

// BenchmarkLatency reports how much later than by a bare client a message comes
// to a pod by a gateway, from the start of its publish, on an idle queue: the
// median of 300 messages each, one at a time, in turns.
func BenchmarkLatency(b *testing.B) {
	const warm, count = 20, 300
	s := scene.New(b, node)
	came := make(chan time.Time, 1)
	p := newPod(b, nil)
	p.server.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came <- time.Now() })
	for _, queue := range []string{"orders.work", "orders.bare"} {
		s.Queue(queue)
	}
	start(s).Set(ref, consumer(s, p))
	done := make(chan struct{})
	var serving sync.WaitGroup
	serving.Go(func() { bare(b, s, "orders.bare", p, 4, done) })
	ch, err := s.Dial().Channel()
	s.Must(err)
	took := map[string][]time.Duration{}
	for b.Loop() {
		for i := range warm + count {
			for _, queue := range []string{"orders.work", "orders.bare"} {
				sent := time.Now()
				s.Must(ch.Publish("", queue, false, false, amqp.Publishing{MessageId: fmt.Sprint(i), DeliveryMode: amqp.Persistent, Body: make([]byte, 1024)}))
				if at := <-came; i >= warm {
					took[queue] = append(took[queue], at.Sub(sent))
				}
			}
		}
	}
	close(done)
	serving.Wait()
	p50 := func(queue string) float64 {
		slices.Sort(took[queue])
		return took[queue][len(took[queue])/2].Seconds() * 1000
	}
	b.ReportMetric(p50("orders.work"), "ms-gateway")
	b.ReportMetric(p50("orders.bare"), "ms-bare")
	b.ReportMetric(p50("orders.work")-p50("orders.bare"), "ms-more")
}

// BenchmarkBacklog is what a gateway's heap grows by while 100,000 messages of
// 1 KB wait in the queue and pods take their time.
func BenchmarkBacklog(b *testing.B) {
	s := scene.New(b, node)
	s.Queue("orders.work")
	s.Publish("orders.work", slices.Repeat([]amqp.Publishing{{Body: make([]byte, 1024)}}, 100_000)...)
	var most int64
	for b.Loop() {
		before := heap()
		var had atomic.Int64
		p := newPod(b, nil)
		p.server.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			had.Add(1)
			<-r.Context().Done()
		})
		c := consumer(s, p)
		c.Concurrency, c.Timeout = 128, time.Minute
		g := start(s, func(o *dispatch.Options) { o.Grace = time.Millisecond })
		g.Set(ref, c)
		s.Eventually("pods have as many as they may", func() bool { return had.Load() == 128 })
		s.Eventually("the gateway has what it asked for", func() bool { _, unacked := s.Count("orders.work"); return unacked == 256 })
		most = max(most, heap()-before)
		g.stop()
		_ = p.server.Close()
	}
	b.ReportMetric(float64(most)/(1<<20), "MB")
}

// heap is what is in use, in bytes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// bare is the client that the gateway is measured by. It works until done.
func bare(b *testing.B, s *scene.Scene, queue string, p *pod, concurrency int, done <-chan struct{}) {
	c := s.Dial()
	defer c.Close()
	ch, err := c.Channel()
	s.Must(err)
	s.Must(ch.Qos(max(2, 2*concurrency), 0, false))
	messages, err := ch.Consume(queue, "", false, false, false, false, nil)
	s.Must(err)
	transport := &http.Transport{MaxIdleConnsPerHost: concurrency}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	url := fmt.Sprintf("http://%s:%d/events", p.endpoint.IP, p.endpoint.Port)
	var workers sync.WaitGroup
	for range concurrency {
		workers.Go(func() {
			for {
				select {
				case d := <-messages:
					resp, err := client.Post(url, "application/octet-stream", bytes.NewReader(d.Body))
					if err != nil {
						b.Error(err)
						return
					}
					_ = resp.Body.Close()
					if err := d.Ack(false); err != nil {
						b.Error(err)
						return
					}
				case <-done:
					return
				}
			}
		})
	}
	workers.Wait()
}
