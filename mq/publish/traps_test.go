package publish_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/mq/publish"
	"landbridge.dev/testenv/broker/scene"
	"landbridge.dev/testenv/peer"
)

// trap is a request that would close a channel or the connection, if it were
// passed on as it is.
type trap struct {
	headers []string
	body    io.Reader
	status  int
}

func traps() []trap {
	long := strings.Repeat("x", 256)
	return []trap{
		{headers: []string{"Mq-Correlation-Id: " + long}, status: 400},
		{headers: []string{"Mq-H-" + long + long[:44] + ": y"}, status: 400},
		{headers: []string{"Mq-H-CC: other"}, status: 400},
		{headers: []string{"Mq-User-Id: admin"}, status: 400},
		{headers: []string{"Mq-Expiration: 4294967296"}, status: 400},
		{body: io.LimitReader(zeros{}, 129<<20), status: 413},
		{status: 504}, // an internal exchange, which nobody can find out about before
	}
}

// zeros is a body without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// spring sends the traps of a tenant, one after the other.
func (a *api) spring(t *testing.T) {
	for _, trap := range traps() {
		path := "/exchanges/shop.orders/x"
		if trap.status == 504 {
			path = "/exchanges/shop.internal/x"
		}
		r, err := http.NewRequest(http.MethodPost, a.url+"/v1/vhosts/"+a.vhost+path, trap.body)
		if err != nil {
			t.Error(err)
			return
		}
		r.Header.Set("Authorization", "Bearer shop")
		for _, h := range trap.headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Set(name, value)
		}
		r.Header.Set("Expect", "100-continue") // of what is too long, no more is sent than is read
		transport := &http.Transport{ExpectContinueTimeout: time.Minute}
		resp, err := transport.RoundTrip(r)
		if err != nil && trap.body != nil {
			continue // it was cut off, before its answer was read
		}
		if err != nil {
			t.Errorf("%v: %v", trap.headers, err)
			return
		}
		_ = resp.Body.Close()
		transport.CloseIdleConnections()
		if resp.StatusCode != trap.status {
			t.Errorf("%v: answered %d, want %d", trap.headers, resp.StatusCode, trap.status)
		}
	}
}

// One tenant springs every trap, again and again, and closes its own channel;
// what another has in flight is confirmed, and the connections live.
func TestIsolation(t *testing.T) {
	t.Parallel()
	a := start(t, scene.New(t, node))
	a.exchange("shop.till", "orders.till", nil)
	a.exchange("shop.orders", "orders.work", nil)
	a.Must(node.API(t.Context(), http.MethodPut, "/api/exchanges/"+a.Vhost+"/shop.internal", map[string]any{"type": "topic", "durable": true, "internal": true}, nil))
	a.call("till", "POST", "/exchanges/shop.till/x", "x")
	before := a.connections()
	var sprung atomic.Int64
	stop := make(chan struct{})
	var bad sync.WaitGroup
	bad.Go(func() {
		for {
			a.spring(t)
			sprung.Add(1)
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	var good sync.WaitGroup
	var taken atomic.Int64
	for range 8 {
		good.Go(func() {
			for i := 0; i < 100 || sprung.Load() < 3; i++ {
				if got, err := a.try("till", "POST", "/exchanges/shop.till/x", "x"); err != nil || got.status != 202 {
					t.Errorf("message %d: %d %s, %v", i, got.status, got.body, err)
					return
				}
				taken.Add(1)
			}
		})
	}
	good.Wait()
	close(stop)
	bad.Wait()
	if n, want := len(a.Drain("orders.till")), int(taken.Load())+1; n != want {
		t.Errorf("%d messages arrived, want %d", n, want)
	}
	if diff := cmp.Diff(before, a.connections()); diff != "" {
		t.Errorf("the connections did not live (-before +after):\n%s", diff)
	}
}

// The same traps in a batch, whose lines are JSON: each line is told, and those
// around it are taken.
func TestTrapsInABatch(t *testing.T) {
	t.Parallel()
	a := start(t, scene.New(t, node), func(o *publish.Options) { o.Body = 1000 })
	a.exchange("shop.orders", "orders.work", nil)
	a.call("shop", "POST", "/exchanges/shop.orders/x", "x")
	before := a.connections()
	long := strings.Repeat("x", 256)
	good := `{"exchange":"shop.orders","key":"x"}`
	body, want := good+"\n", []int{202}
	for _, trap := range []struct {
		fields string
		status int
	}{
		{`"messageId":"` + long + `"`, 400},
		{`"correlationId":"` + long + `"`, 400},
		{`"type":"` + long + `"`, 400},
		{`"contentType":"` + long + `"`, 400},
		{`"key":"` + long + `"`, 400},
		{`"expiration":"soon"`, 400},
		{`"expiration":60000`, 400},
		{`"expiration":"4294967296"`, 400},
		{`"userId":"admin"`, 400},
		{`"replyTo":"other"`, 400},
		{`"body":"a","bodyBase64":"Yg=="`, 400},
		{`"body":"a"} {"exchange":"shop.orders","key":"x"`, 400},
		{`"priority":256`, 400},
		{`"priority":-1`, 400},
		{`"headers":{"` + long + `":"y"}`, 400},
		{`"headers":{"n":1099511627776}`, 400},
		{`"headers":{"n":["a"]}`, 400},
		{`"headers":{"":"y"}`, 400},
		{`"headers":{"CC":"other"}`, 400},
		{`"headers":{"cc":"other"}`, 400},
		{`"headers":{"x-death":"other"}`, 400},
		{`"headers":{"landbridge-copy":"m1"}`, 400},
		{`"headers":{"a":"` + strings.Repeat("y", 1500) + `","b":"` + long + `"}`, 202}, // long, and not too long
		{`"body":"` + strings.Repeat("y", 1001) + `"`, 413},
		{`"bodyBase64":"!"`, 400},
	} {
		body += `{"exchange":"shop.orders","key":"x",` + trap.fields + "}\n" + good + "\n"
		want = append(want, trap.status, 202)
	}
	got := a.call("shop", "POST", "/batch", body)
	var results []int
	for line := range strings.Lines(got.body) {
		var r struct{ Status int }
		a.Must(json.Unmarshal([]byte(line), &r))
		results = append(results, r.Status)
	}
	if diff := cmp.Diff(want, results); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, got.body)
	}
	if diff := cmp.Diff(before, a.connections()); diff != "" {
		t.Errorf("the connections did not live (-before +after):\n%s", diff)
	}
}

// What a broker can say of a message, and when it says nothing: each has a
// status of its own. A peer that plays by script says it on time.
func TestWordsOfTheBroker(t *testing.T) {
	t.Parallel()
	p := peer.New(t)
	a := start(t, scene.At(t, p.URL()), func(o *publish.Options) {
		o.MayPublish = func(publish.Caller, string, string, string) bool { return true }
	})
	a.vhost = "%2F"
	post := func() <-chan answered {
		end := make(chan answered, 1)
		go func() {
			got, err := a.try("shop", "POST", "/exchanges/amq.default/orders.work", "x")
			if err != nil {
				t.Error(err)
			}
			end <- got
		}()
		return end
	}
	is := func(what string, end <-chan answered, status int, code string) {
		t.Helper()
		got := <-end
		if got.status != status || got.code != code {
			t.Errorf("%s: answered %d %s, want %d %s", what, got.status, got.body, status, code)
		}
		if later := got.header.Get("Retry-After") != ""; later != (status == 429 || status == 503) {
			t.Errorf("%s: Retry-After is there: %t", what, later)
		}
	}
	var conn *peer.Conn
	for _, word := range []struct {
		what   string
		say    func(*peer.Publish)
		status int
		code   string
	}{
		{"an ack", func(m *peer.Publish) { m.Ack(false) }, 202, ""},
		{"a return and then an ack", func(m *peer.Publish) { m.Return(); m.Ack(false) }, 422, "unroutable"},
		{"a nack", func(m *peer.Publish) { m.Nack() }, 429, "refused"},
		{"a channel that closes", func(m *peer.Publish) { m.CloseChannel(406, "PRECONDITION_FAILED") }, 504, "unknown"},
		{"a return, and the connection is cut", func(m *peer.Publish) { m.Return(); m.Conn.Cut() }, 504, "unknown"},
		{"nothing", func(*peer.Publish) {}, 504, "unknown"},
		{"an ack after all that", func(m *peer.Publish) { m.Ack(false); conn = m.Conn }, 202, ""},
	} {
		end := post()
		word.say(p.Published())
		is(word.what, end, word.status, word.code)
	}
	// Another with its id is on its way, and the broker says nothing of it.
	same := func() answered {
		return a.call("shop", "POST", "/exchanges/amq.default/orders.work", "x", "Idempotency-Key: same")
	}
	if got := same(); got.status != 504 || got.code != "unknown" {
		t.Errorf("nothing, of an id: answered %d %s", got.status, got.body)
	}
	p.Published()
	if got := same(); got.status != 429 || got.code != "busy" || got.header.Get("Retry-After") == "" {
		t.Errorf("its id once more: answered %d %s", got.status, got.body)
	}
	// An alarm: nothing is sent, and said so. Its beginning and its end cross
	// messages on their way.
	answer := func() answered {
		end := post()
		for {
			select {
			case m := <-p.Publishes():
				m.Ack(false)
			case got := <-end:
				return got
			}
		}
	}
	conn.Block()
	a.Eventually("an alarm is known", func() bool {
		got := answer()
		return got.status == 503 && got.code == "blocked" && got.header.Get("Retry-After") != ""
	})
	conn.Unblock()
	a.Eventually("the alarm is over", func() bool { return answer().status == 202 })
}
