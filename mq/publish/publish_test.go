package publish_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"landbridge.dev/mq/publish"
	"landbridge.dev/testenv/broker"
	"landbridge.dev/testenv/broker/scene"
)

func TestPublish(t *testing.T) {
	t.Parallel()
	a := start(t, scene.New(t, node))
	a.exchange("shop.orders", "orders.work", nil)
	got := a.call("shop", "POST", "/exchanges/shop.orders/new.eu", `{"n":1}`, "Content-Type: application/json", "Idempotency-Key: k1",
		"Mq-Type: order", "Mq-Priority: 3", "Mq-Correlation-Id: c1", "Mq-App-Id: till", "Mq-Expiration: 600000", "Mq-H-Region: eu",
		"Ce-Type: com.example.order", "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if got.status != http.StatusAccepted || got.body != `{"messageId":"k1","confirmed":true}`+"\n" {
		t.Fatalf("answered %d %s", got.status, got.body)
	}
	d := a.Drain("orders.work")[0]
	type message struct {
		Body, Type, Encoding, ID, Kind, Correlation, App, Expiration, Key string
		Priority, Mode                                                    uint8
		Headers                                                           amqp.Table
	}
	want := message{
		`{"n":1}`, "application/json", "", "k1", "order", "c1", "till", "600000", "new.eu", 3, amqp.Persistent,
		amqp.Table{"region": "eu", "cloudEvents:type": "com.example.order", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	}
	delete(d.Headers, "x-delivery-count")
	if diff := cmp.Diff(want, message{string(d.Body), d.ContentType, d.ContentEncoding, d.MessageId, d.Type, d.CorrelationId, d.AppId, d.Expiration, d.RoutingKey, d.Priority, d.DeliveryMode, d.Headers}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Without a key it gets one.
	var answer struct{ MessageID string }
	if err := json.Unmarshal([]byte(a.call("shop", "POST", "/exchanges/amq.default/orders.work", "x").body), &answer); err != nil || len(answer.MessageID) != 36 {
		t.Errorf("answered %+v, %v", answer, err)
	}
}

// Each thing that can become of a message is called what it is, and after each
// of them the next message is taken.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	a := start(t, scene.New(t, node), func(o *publish.Options) { o.Body = 1000 })
	a.exchange("shop.orders", "orders.work", nil)
	a.exchange("shop.nowhere", "", nil)
	a.exchange("shop.full", "orders.full", map[string]any{"x-queue-type": "classic", "x-max-length": 1, "x-overflow": "reject-publish"})
	a.exchange("other", "other", nil)
	a.Must(node.API(t.Context(), http.MethodPut, "/api/exchanges/"+a.Vhost+"/shop.internal", map[string]any{"type": "topic", "durable": true, "internal": true}, nil))
	if got := a.call("shop", "POST", "/exchanges/shop.full/x", "x"); got.status != 202 {
		t.Fatalf("the first into the small queue: %d %s", got.status, got.body)
	}
	long := strings.Repeat("x", 256)
	before := a.connections()
	for _, test := range []struct {
		name, token, path, body string
		headers                 []string
		status                  int
		code                    string
	}{
		{"no token", "", "/exchanges/shop.orders/x", "x", nil, 401, "unauthenticated"},
		{"a bad token", "nobody", "/exchanges/shop.orders/x", "x", nil, 401, "unauthenticated"},
		{"an exchange of others", "shop", "/exchanges/other/x", "x", nil, 403, "forbidden"},
		{"a queue of others", "shop", "/exchanges/amq.default/other", "x", nil, 403, "forbidden"},
		{"a queue of ours", "shop", "/exchanges/amq.default/landbridge.test.dead.orders.work", "x", nil, 403, "forbidden"},
		{"another tenant's exchange", "till", "/exchanges/shop.orders/x", "x", nil, 403, "forbidden"},
		{"a key that * does not reach", "shop", "/exchanges/shop.orders/a%2Fb", "x", nil, 403, "forbidden"},
		{"no exchange", "shop", "/exchanges/shop.missing/x", "x", nil, 404, "no-exchange"},
		{"no queue", "shop", "/exchanges/shop.nowhere/x", "x", nil, 422, "unroutable"},
		{"a full queue", "shop", "/exchanges/shop.full/x", "x", nil, 429, "refused"},
		{"too long", "shop", "/exchanges/shop.orders/x", strings.Repeat("x", 1001), nil, 413, "too-large"},
		{"an exchange's name too long", "shop", "/exchanges/shop." + long + "/x", "x", nil, 400, "invalid"},
		{"a key too long", "shop", "/exchanges/shop.orders/" + long, "x", nil, 400, "invalid"},
		{"a correlation id too long", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-Correlation-Id: " + long}, 400, "invalid"},
		{"a message id too long", "shop", "/exchanges/shop.orders/x", "x", []string{"Idempotency-Key: " + long}, 400, "invalid"},
		{"a content type too long", "shop", "/exchanges/shop.orders/x", "x", []string{"Content-Type: " + long}, 400, "invalid"},
		{"a type too long", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-Type: " + long}, 400, "invalid"},
		{"an application id too long", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-App-Id: " + long}, 400, "invalid"},
		{"a content encoding too long", "shop", "/exchanges/shop.orders/x", "x", []string{"Content-Encoding: " + long}, 400, "invalid"},
		{"an expiration too long", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-Expiration: " + strings.Repeat("1", 256)}, 400, "invalid"},
		{"an expiration of more than the broker takes", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-Expiration: 4294967296"}, 400, "invalid"},
		{"an expiration of many digits", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-Expiration: 99999999999"}, 400, "invalid"},
		{"a header's name of 300 characters", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-H-" + long + long[:44] + ": y"}, 400, "invalid"},
		{"an attribute of CloudEvents too long", "shop", "/exchanges/shop.orders/x", "x", []string{"Ce-" + long + ": y"}, 400, "invalid"},
		{"a header of the broker", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-H-Amq.X: y"}, 400, "invalid"},
		{"a delivery mode", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-Delivery-Mode: 1"}, 400, "invalid"},
		{"a header's name too long", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-H-" + long + ": y"}, 400, "invalid"},
		{"headers too long", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-H-A: " + strings.Repeat("y", 70000)}, 400, "invalid"},
		{"CC", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-H-CC: other"}, 400, "invalid"},
		{"BCC", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-H-bcc: other"}, 400, "invalid"},
		{"x-match", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-H-X-Delay: 1"}, 400, "invalid"},
		{"a header of ours", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-H-Landbridge-Attempt: 7"}, 400, "invalid"},
		{"a user id", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-User-Id: admin"}, 400, "invalid"},
		{"a reply-to", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-Reply-To: other"}, 400, "invalid"},
		{"a timeout", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-Timeout: 1s"}, 400, "invalid"},
		{"a bad expiration", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-Expiration: soon"}, 400, "invalid"},
		{"a negative expiration", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-Expiration: -1"}, 400, "invalid"},
		{"a bad priority", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-Priority: 256"}, 400, "invalid"},
		{"a header twice", "shop", "/exchanges/shop.orders/x", "x", []string{"Mq-H-A: 1", "Mq-H-A: 2"}, 400, "invalid"},
		{"no such path", "shop", "/exchange/shop.orders/x", "x", nil, 404, "no-path"},
		{"a path of the wrong length", "shop", "/exchanges/shop.orders/x/y", "x", nil, 404, "no-path"},
		{"no key for the default exchange", "shop", "/exchanges/amq.default/", "x", nil, 400, "invalid"},
	} {
		got := a.call(test.token, "POST", test.path, test.body, test.headers...)
		if got.status != test.status || got.code != test.code {
			t.Errorf("%s: answered %d %s, want %d %s", test.name, got.status, got.body, test.status, test.code)
		}
		if (test.status == 429) != (got.header.Get("Retry-After") != "") {
			t.Errorf("%s: Retry-After is %q", test.name, got.header.Get("Retry-After"))
		}
		if next := a.call("shop", "POST", "/exchanges/shop.orders/x", "x"); next.status != 202 {
			t.Fatalf("after %s: %d %s", test.name, next.status, next.body)
		}
	}
	if n := len(a.Drain("other")); n > 0 {
		t.Errorf("%d messages came where they may not", n)
	}
	if diff := cmp.Diff(before, a.connections()); diff != "" {
		t.Errorf("the connections did not live (-before +after):\n%s", diff)
	}
	// What closes the namespace's channel: it is told that nobody knows.
	if got := a.call("shop", "POST", "/exchanges/shop.internal/x", "x"); got.status != 504 || got.code != "unknown" {
		t.Errorf("an internal exchange: %d %s", got.status, got.body)
	}
	if next := a.call("shop", "POST", "/exchanges/shop.orders/x", "x"); next.status != 202 {
		t.Errorf("after an internal exchange: %d %s", next.status, next.body)
	}
}

// Two messages with one id are not taken for each other.
func TestSameIdRoutableAndNot(t *testing.T) {
	t.Parallel()
	a := start(t, scene.New(t, node), func(o *publish.Options) { o.Timeout = time.Minute })
	a.exchange("shop.orders", "orders.work", nil)
	a.exchange("shop.nowhere", "", nil)
	var all sync.WaitGroup
	for range 50 {
		for path, want := range map[string]int{"/exchanges/shop.orders/x": 202, "/exchanges/shop.nowhere/x": 422} {
			all.Go(func() {
				if got, err := a.try("shop", "POST", path, "x", "Idempotency-Key: same"); err != nil || got.status != want {
					t.Errorf("%s: %d %s, %v", path, got.status, got.body, err)
				}
			})
		}
	}
	all.Wait()
}

func TestBatch(t *testing.T) {
	t.Parallel()
	a := start(t, scene.New(t, node))
	a.exchange("shop.orders", "orders.work", nil)
	a.exchange("shop.nowhere", "", nil)
	var body strings.Builder
	var want []string
	for i := range 600 {
		line, status := fmt.Sprintf(`{"exchange":"shop.orders","key":"x","messageId":"m%d","body":"b"}`, i), "202"
		switch i % 100 {
		case 50:
			line, status = `{"exchange":"shop.nowhere","key":"x","body":"b"}`, "422"
		case 51:
			line, status = `{"exchange":"other","key":"x"}`, "403"
		case 52:
			line, status = `not JSON`, "400"
		case 53:
			line, status = `{"exchange":"shop.orders","key":"x","headers":{"CC":"other"}}`, "400"
		case 54:
			line, status = `{"exchange":"shop.missing","key":"x"}`, "404"
		}
		body.WriteString(line + "\n")
		want = append(want, fmt.Sprintf("%d %s", i+1, status))
	}
	got := a.call("shop", "POST", "/batch", body.String())
	var results []string
	for line := range strings.Lines(got.body) {
		var r struct{ Line, Status int }
		a.Must(json.Unmarshal([]byte(line), &r))
		results = append(results, fmt.Sprintf("%d %d", r.Line, r.Status))
	}
	if diff := cmp.Diff(want, results); diff != "" || got.status != 200 {
		t.Errorf("status %d (-want +got):\n%s", got.status, diff)
	}
	if n := len(a.Drain("orders.work")); n != 570 {
		t.Errorf("%d messages arrived, want 570", n)
	}
}

// Dead letters are shown, and go back.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	a := start(t, scene.New(t, node))
	a.Queue("orders.work")
	if got := a.call("shop", "GET", "/dead/orders.work", ""); got.status != 404 || got.code != "none" {
		t.Errorf("without any: %d %s", got.status, got.body)
	}
	a.Must(node.AddQueue(t.Context(), a.Vhost, "landbridge.test.dead.orders.work", nil))
	var letters []amqp.Publishing
	for i := range 5 {
		letters = append(letters, amqp.Publishing{MessageId: fmt.Sprint("d", i), Body: []byte("x"), UserId: broker.Username, Headers: amqp.Table{
			"landbridge-reason": "the pod answered 400 Bad Request", "landbridge-status": "400", "landbridge-attempt": "3", "region": "eu",
		}})
	}
	a.Publish("landbridge.test.dead.orders.work", letters...)
	got := a.call("shop", "GET", "/dead/orders.work?limit=2", "")
	if got.status != 200 || strings.Count(got.body, `"attempts":3`) != 2 || !strings.Contains(got.body, `"reason":"the pod answered 400 Bad Request"`) {
		t.Errorf("listed %d %s", got.status, got.body)
	}
	if got := a.call("till", "GET", "/dead/orders.work", ""); got.status != 403 {
		t.Errorf("for another tenant: %d", got.status)
	}
	if got := a.call("shop", "POST", "/dead/orders.work/replay?id=d3", ""); got.status != 200 || got.body != `{"replayed":1}`+"\n" {
		t.Errorf("one replayed: %d %s", got.status, got.body)
	}
	if got := a.call("shop", "POST", "/dead/orders.work/replay", ""); got.status != 200 || got.body != `{"replayed":4}`+"\n" {
		t.Errorf("the others replayed: %d %s", got.status, got.body)
	}
	for _, d := range a.Drain("orders.work") {
		if _, old := d.Headers["landbridge-attempt"]; old || d.Headers["region"] != "eu" || d.MessageId == "" {
			t.Errorf("back is %s with %v", d.MessageId, d.Headers)
		}
	}
	if n := len(a.Drain("landbridge.test.dead.orders.work")); n != 0 {
		t.Errorf("%d dead letters are left", n)
	}
}
