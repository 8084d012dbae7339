package publish_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	amqp "github.com/rabbitmq/amqp091-go"

	"landbridge.dev/mq/publish"
	"landbridge.dev/testenv/broker/scene"
)

func TestRPC(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	a := start(t, scene.New(t, node), func(o *publish.Options) { o.Metrics = publish.NewMetrics(registry) })
	a.exchange("shop.orders", "orders.work", nil)
	a.exchange("shop.nowhere", "", nil)
	ch, err := a.Dial().Channel()
	a.Must(err)
	questions, err := ch.Consume("orders.work", "", true, false, false, false, nil)
	a.Must(err)
	patience := make(chan string, 1) // of the first question that is met with silence
	go func() {
		var unanswered amqp.Delivery
		for d := range questions {
			switch string(d.Body) {
			case "silence":
				unanswered = d
				select {
				case patience <- d.Expiration:
				default:
				}
				continue
			case "late":
				_ = ch.Publish("", unanswered.ReplyTo, false, false, amqp.Publishing{CorrelationId: unanswered.CorrelationId, Body: []byte("late")})
			case "42", "600", "eu":
				_ = ch.Publish("", d.ReplyTo, false, false, amqp.Publishing{CorrelationId: d.CorrelationId, Headers: amqp.Table{"landbridge-status": string(d.Body)}})
				continue
			case "list": // which our library does not read
				_ = ch.Publish("", d.ReplyTo, false, false, amqp.Publishing{CorrelationId: d.CorrelationId, Headers: amqp.Table{"ids": make([]any, 9000)}})
				continue
			case "number":
				_ = ch.Publish("", d.ReplyTo, false, false, amqp.Publishing{CorrelationId: d.CorrelationId, Headers: amqp.Table{"landbridge-status": int32(503)}})
				continue
			case "much":
				_ = ch.Publish("", d.ReplyTo, false, false, amqp.Publishing{CorrelationId: d.CorrelationId, Body: make([]byte, publish.DefaultBody+1)})
				continue
			case "sorry":
				_ = ch.Publish("", d.ReplyTo, false, false, amqp.Publishing{CorrelationId: d.CorrelationId, Headers: amqp.Table{"landbridge-status": "409"}, Body: []byte("no")})
				continue
			}
			_ = ch.Publish("", d.ReplyTo, false, false, amqp.Publishing{CorrelationId: d.CorrelationId, ContentType: "text/plain", Body: append([]byte("re: "), d.Body...)})
		}
	}()
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			q := fmt.Sprint("question ", i)
			if got, err := a.try("shop", "POST", "/rpc/shop.orders/x", q); err != nil || got.status != 200 || got.body != "re: "+q || got.header.Get("Content-Type") != "text/plain" {
				t.Errorf("%s: %d %s, %v", q, got.status, got.body, err)
			}
		})
	}
	all.Wait()
	for _, test := range []struct {
		name, path, body string
		headers          []string
		status           int
		code             string
	}{
		{"an answer with a status", "/rpc/shop.orders/x", "sorry", nil, 409, ""},
		{"an answer with a status that is a number", "/rpc/shop.orders/x", "number", nil, 503, ""},
		{"an answer with a header that cannot be read", "/rpc/shop.orders/x", "list", nil, 200, ""},
		{"an answer with a status of two digits", "/rpc/shop.orders/x", "42", nil, 502, "bad-answer"},
		{"an answer with a status of no class", "/rpc/shop.orders/x", "600", nil, 502, "bad-answer"},
		{"an answer that is too long", "/rpc/shop.orders/x", "much", nil, 502, "bad-answer"},
		{"an answer with a word for a status", "/rpc/shop.orders/x", "eu", nil, 502, "bad-answer"},
		{"no answer", "/rpc/shop.orders/x?timeout=200ms", "silence", nil, 504, "timeout"},
		{"nobody there", "/rpc/shop.nowhere/x", "q", nil, 502, "unroutable"},
		{"not granted", "/rpc/other/x", "q", nil, 403, "forbidden"},
		{"a bad timeout", "/rpc/shop.orders/x?timeout=1h", "q", nil, 400, "invalid"},
		{"a correlation id", "/rpc/shop.orders/x", "q", []string{"Mq-Correlation-Id: x"}, 400, "invalid"},
	} {
		if got := a.call("shop", "POST", test.path, test.body, test.headers...); got.status != test.status || got.code != test.code {
			t.Errorf("%s: %d %s", test.name, got.status, got.body)
		}
	}
	if ms, err := strconv.Atoi(<-patience); err != nil || ms < 1 || ms > 200 {
		t.Errorf("the question is good for %d ms, %v, and was to be for 200 at most", ms, err)
	}
	// An answer that comes too late is nobody's, and the next question is answered.
	if got := a.call("shop", "POST", "/rpc/shop.orders/x", "late"); got.status != 200 || got.body != "re: late" {
		t.Errorf("after an answer that came late: %d %s", got.status, got.body)
	}
	if n := outcomes(a, registry)["late-answer"]; n != 1 {
		t.Errorf("%v answers came late", n)
	}
	a.lose(t)
}

// lose asks as many questions as may wait, and more: those are told to come
// later. Then the connection goes: nobody knows what became of any of them.
func (a *api) lose(t *testing.T) {
	const taken, more = 1000, 100
	ends := make(chan answered, taken+more)
	for range taken + more {
		go func() {
			got, err := a.try("shop", "POST", "/rpc/shop.orders/x?timeout=2m", "silence")
			if err != nil {
				t.Error(err)
			}
			ends <- got
		}()
	}
	for range more { // none of those that are taken ends by itself
		if got := <-ends; got.status != 429 || got.code != "busy" || got.header.Get("Retry-After") == "" {
			t.Errorf("one question too many: %d %s", got.status, got.body)
		}
	}
	left := taken
	a.Within(time.Minute, "the connections are closed and each question is lost", func() bool {
		if _, err := node.CloseConnections(t.Context(), a.User); err != nil {
			return false
		}
		for {
			select {
			case got := <-ends:
				if left--; got.status != 503 && (got.status != 502 || got.code != "unknown") {
					t.Errorf("a question that was lost: %d %s", got.status, got.body)
				}
			case <-time.After(500 * time.Millisecond):
				return left == 0
			}
		}
	})
}

// outcomes are what the API counts for the tenant shop, by their words.
func outcomes(a *api, registry *prometheus.Registry) map[string]float64 {
	all := map[string]float64{}
	families, err := registry.Gather()
	a.Must(err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "outcome" {
					all[l.GetValue()] = m.GetCounter().GetValue()
				}
			}
		}
	}
	return all
}
