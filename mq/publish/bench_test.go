package publish_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"landbridge.dev/testenv/broker/scene"
)

// BenchmarkPublish posts messages of 1 KB, so many at a time, in turns to a bare
// handler, which publishes each on one channel and waits for its confirm, and to
// the gateway; and reports how fast that is beside it: the goal is 0.8. Of 512 at
// a time the gateway lets half wait: a namespace has 256 on their way.
func BenchmarkPublish(b *testing.B) {
	for _, size := range []struct{ concurrency, messages int }{{1, 1500}, {64, 10_000}, {256, 15_000}, {512, 15_000}} {
		b.Run(strconv.Itoa(size.concurrency), func(b *testing.B) {
			a := start(b, scene.New(b, node))
			a.exchange("shop.orders", "orders.work", nil)
			gateway, bare := a.url+"/v1/vhosts/"+a.vhost+"/exchanges/shop.orders/new.eu", bareHandler(b, a)
			var ours, theirs time.Duration
			for b.Loop() {
				theirs += a.posts(bare, size.concurrency, size.messages)
				ours += a.posts(gateway, size.concurrency, size.messages)
				a.Must(node.API(b.Context(), http.MethodDelete, "/api/queues/"+a.Vhost+"/orders.work/contents", nil, nil))
			}
			report(b, size.messages, ours, theirs)
		})
	}
}

// posts sends so many messages, and says how long it took. What is opened at the
// first one is no matter of the others.
func (a *api) posts(url string, concurrency, messages int) time.Duration {
	a.TB.Helper()
	body := bytes.Repeat([]byte("x"), 1024)
	transport := &http.Transport{MaxIdleConnsPerHost: concurrency}
	defer transport.CloseIdleConnections()
	post := func() {
		r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			a.TB.Error(err)
			return
		}
		r.Header.Set("Authorization", "Bearer shop")
		resp, err := transport.RoundTrip(r)
		if err != nil {
			a.TB.Error(err)
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			a.TB.Errorf("answered %s", resp.Status)
		}
	}
	post()
	began := time.Now()
	var next atomic.Int64
	var callers sync.WaitGroup
	for range concurrency {
		callers.Go(func() {
			for next.Add(1) <= int64(messages) {
				post()
			}
		})
	}
	callers.Wait()
	return time.Since(began)
}

// report reports how fast we are beside what is bare, in rounds of so many
// messages.
func report(b *testing.B, messages int, ours, theirs time.Duration) {
	n := float64(b.N * messages)
	b.ReportMetric(n/ours.Seconds(), "msg/s-gateway")
	b.ReportMetric(n/theirs.Seconds(), "msg/s-bare")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "ratio")
}

// confirming opens a channel in confirm mode.
func confirming(a *api) *amqp.Channel {
	ch, err := a.Dial().Channel()
	a.Must(err)
	a.Must(ch.Confirm(false))
	return ch
}

// bareHandler is the handler that the gateway is measured by.
func bareHandler(b *testing.B, a *api) (url string) {
	ch := confirming(a)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		confirm, err := ch.PublishWithDeferredConfirmWithContext(r.Context(), "shop.orders", "new.eu", true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: body})
		if err != nil {
			b.Error(err)
			return
		}
		if ok, err := confirm.WaitContext(r.Context()); ok && err == nil {
			w.WriteHeader(http.StatusAccepted)
		}
	}))
	b.Cleanup(front.Close)
	return front.URL
}

// BenchmarkBatch publishes 15,000 messages of 1 KB, in turns by a bare publisher
// with as many on their way as the gateway has, 256, and in batches of 5,000; and
// reports how fast these are beside it: the goal is 0.8.
func BenchmarkBatch(b *testing.B) {
	const window, size, batches = 256, 5000, 3
	line := `{"exchange":"shop.orders","key":"new.eu","body":"` + strings.Repeat("x", 1024) + `"}` + "\n"
	body := []byte(strings.Repeat("x", 1024))
	a := start(b, scene.New(b, node))
	a.exchange("shop.orders", "orders.work", nil)
	a.call("shop", "POST", "/batch", line)
	ch := confirming(a)
	var ours, theirs time.Duration
	for b.Loop() {
		began := time.Now()
		var confirms []*amqp.DeferredConfirmation
		for i := range size*batches + window {
			if i >= window && !confirms[i-window].Wait() {
				b.Fatal("not confirmed")
			}
			if i >= size*batches {
				continue
			}
			confirm, err := ch.PublishWithDeferredConfirm("shop.orders", "new.eu", true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: body})
			a.Must(err)
			confirms = append(confirms, confirm)
		}
		theirs += time.Since(began)
		began = time.Now()
		for range batches {
			got := a.call("shop", "POST", "/batch", strings.Repeat(line, size))
			if taken := strings.Count(got.body, `"status":202`); taken != size {
				b.Fatalf("%d of %d are taken", taken, size)
			}
		}
		ours += time.Since(began)
		a.Must(node.API(b.Context(), http.MethodDelete, "/api/queues/"+a.Vhost+"/orders.work/contents", nil, nil))
	}
	report(b, size*batches, ours, theirs)
}
