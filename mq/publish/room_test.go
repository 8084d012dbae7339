package publish_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"landbridge.dev/mq/publish"
	"landbridge.dev/testenv/broker/scene"
)

// slow is a request whose body comes when the test writes it.
type slow struct {
	body *io.PipeWriter
	end  chan answered
}

func (a *api) slow(token, path string, length int64) slow {
	a.TB.Helper()
	from, to := io.Pipe()
	s := slow{to, make(chan answered, 1)}
	r, err := http.NewRequest(http.MethodPost, a.url+"/v1/vhosts/"+a.vhost+path, from)
	a.Must(err)
	r.ContentLength = length
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Expect", "100-continue") // which comes when the body is read
	transport := &http.Transport{ExpectContinueTimeout: time.Minute}
	a.TB.Cleanup(transport.CloseIdleConnections)
	go func() {
		resp, err := transport.RoundTrip(r)
		if err != nil {
			a.TB.Error(err)
			s.end <- answered{}
			return
		}
		raw, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		s.end <- answered{status: resp.StatusCode, body: string(raw), header: resp.Header}
	}()
	return s
}

// write has a part of the body read.
func (s slow) write(a *api, text string) {
	a.TB.Helper()
	_, err := io.WriteString(s.body, text)
	a.Must(err)
}

// A namespace has so much in hand and no more, before any of it is read: one more
// is told to come later, others' are taken, and so is the next when there is room.
func TestTooMuchInHand(t *testing.T) {
	t.Parallel()
	a := start(t, scene.New(t, node), func(o *publish.Options) { o.Body, o.Held, o.Timeout = 100<<10, 400<<10, time.Second })
	a.exchange("shop.orders", "orders.work", nil)
	a.exchange("shop.till", "orders.till", nil)
	var all []slow
	for range 4 {
		s := a.slow("shop", "/exchanges/shop.orders/x", 100<<10)
		s.write(a, "x")
		all = append(all, s)
	}
	for _, path := range []string{"/exchanges/shop.orders/x", "/batch"} {
		if got := a.call("shop", "POST", path, "x"); got.status != 429 || got.code != "busy" || got.header.Get("Retry-After") == "" {
			t.Errorf("%s, one too many: %d %s", path, got.status, got.body)
		}
	}
	if got := a.call("till", "POST", "/exchanges/shop.till/x", "x"); got.status != 202 {
		t.Errorf("another namespace's: %d %s", got.status, got.body)
	}
	for _, s := range all {
		s.write(a, strings.Repeat("x", 100<<10-1))
		if got := <-s.end; got.status != 202 {
			t.Errorf("one that had come slowly: %d %s", got.status, got.body)
		}
	}
	if got := a.call("shop", "POST", "/exchanges/shop.orders/x", "x"); got.status != 202 {
		t.Errorf("when there is room: %d %s", got.status, got.body)
	}
}

// A batch has no more of its lines in hand than a few of the longest messages,
// and comes to its end.
func TestBatchOfLongLines(t *testing.T) {
	t.Parallel()
	a := start(t, scene.New(t, node), func(o *publish.Options) { o.Body = 1000 })
	a.exchange("shop.orders", "orders.work", nil)
	line := `{"exchange":"shop.orders","key":"x","body":"` + strings.Repeat("x", 1000) + `"}` + "\n"
	if got := a.call("shop", "POST", "/batch", strings.Repeat(line, 100)); strings.Count(got.body, `"status":202`) != 100 {
		t.Errorf("answered %d %s", got.status, got.body)
	}
}

// A body that does not come is waited for so long, and a line of a batch; what
// has come is waited for as long as its answer takes.
func TestBodyThatDoesNotCome(t *testing.T) {
	t.Parallel()
	a := start(t, scene.New(t, node), func(o *publish.Options) { o.Reading = 300 * time.Millisecond })
	a.exchange("shop.orders", "orders.work", nil)
	s := a.slow("shop", "/exchanges/shop.orders/x", 10)
	s.write(a, "x")
	if got := <-s.end; got.status != http.StatusRequestTimeout || !strings.Contains(got.body, `"slow"`) {
		t.Errorf("a body: %d %s", got.status, got.body)
	}
	s = a.slow("shop", "/batch", 1000)
	s.write(a, `{"exchange":"shop.orders","key":"x","body":"a"}`+"\n"+`{"exch`)
	if got := <-s.end; !strings.Contains(got.body, `"line":1,`) || !strings.Contains(got.body, `"line":2,"status":408,"error":"slow"`) {
		t.Errorf("a line: %d %s", got.status, got.body)
	}
	began := time.Now()
	got := a.call("shop", "POST", "/rpc/shop.orders/x?timeout=1s", "nobody answers")
	if took := time.Since(began); got.status != http.StatusGatewayTimeout || took < time.Second {
		t.Errorf("a question: %d %s after %s", got.status, got.body, took)
	}
}
