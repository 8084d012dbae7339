package publish_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"landbridge.dev/mq/publish"
	"landbridge.dev/testenv/broker/scene"
)

// stuck sends a request of which the body, of so many bytes, ends in the middle, as
// clients do who ask for no leave to send it. It is answered, and its connection
// closed.
func (a *api) stuck(path string, length int, part string) answered {
	a.TB.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	a.Must(err)
	defer conn.Close()
	a.Must(conn.SetDeadline(time.Now().Add(20 * time.Second)))
	_, err = fmt.Fprintf(conn, "POST /v1/vhosts/%s%s HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer shop\r\nContent-Length: %d\r\n\r\n%s", a.vhost, path, length, part)
	a.Must(err)
	from := bufio.NewReader(conn)
	resp, err := http.ReadResponse(from, nil)
	if err != nil {
		a.TB.Errorf("%s: no answer: %v", path, err)
		return answered{}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	a.Must(err)
	if _, err := from.ReadByte(); !errors.Is(err, io.EOF) {
		a.TB.Errorf("%s: the connection is not closed: %v", path, err)
	}
	return answered{status: resp.StatusCode, body: string(raw), header: resp.Header}
}

// Who does not send what he has announced is answered, and keeps no connection:
// also where he is refused before any of it is read.
func TestBodyThatStops(t *testing.T) {
	t.Parallel()
	a := start(t, scene.New(t, node), func(o *publish.Options) {
		o.Body, o.Held, o.Reading, o.Timeout = 100<<10, 400<<10, 300*time.Millisecond, 100*time.Millisecond
	})
	a.exchange("shop.orders", "orders.work", nil)
	a.Eventually("its connections are there", func() bool { // for which the timeout is short
		return a.call("shop", "POST", "/exchanges/shop.orders/x", "x").status == http.StatusAccepted
	})
	for _, test := range []struct {
		path, part string
		status     int
		code       string
	}{
		{"/exchanges/shop.orders/x", "x", http.StatusRequestTimeout, `"slow"`},
		{"/rpc/shop.orders/x", "x", http.StatusRequestTimeout, `"slow"`},
		{"/exchanges/shop.gone/x", "x", http.StatusNotFound, `"no-exchange"`},
		{"/batch", `{"exch`, http.StatusOK, `"line":1,"status":408,"error":"slow"`},
	} {
		if got := a.stuck(test.path, 1000, test.part); got.status != test.status || !strings.Contains(got.body, test.code) {
			t.Errorf("%s: %d %s", test.path, got.status, got.body)
		}
	}
}

// Who does not read his answer keeps no connection, and no room: what others of
// his namespace send is taken.
func TestAnswerThatIsNotRead(t *testing.T) {
	t.Parallel()
	a := start(t, scene.New(t, node), func(o *publish.Options) {
		o.Body, o.Held, o.Reading = 100<<10, 400<<10, 300*time.Millisecond
	})
	a.exchange("shop.orders", "orders.work", nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	a.Must(err)
	defer conn.Close()
	a.Must(conn.(*net.TCPConn).SetReadBuffer(4 << 10))
	_, err = fmt.Fprintf(conn, "POST /v1/vhosts/%s/batch HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer shop\r\nContent-Length: %d\r\n\r\n", a.vhost, 60<<20)
	a.Must(err)
	a.Must(conn.SetWriteDeadline(time.Now().Add(time.Minute)))
	lines := strings.Repeat("[]\n", 10_000) // each has an answer of a hundred bytes
	for range 60 << 20 / len(lines) {
		if _, err = io.WriteString(conn, lines); err != nil {
			break
		}
	}
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("its connection is kept: %v", err)
	}
	if got := a.call("shop", "POST", "/exchanges/shop.orders/x", "x"); got.status != http.StatusAccepted {
		t.Errorf("what others send: %d %s", got.status, got.body)
	}
}

// A batch may go on without a message for as long as its caller likes, who says
// from time to time that he is there: its answer has an end all the same.
func TestBatchThatPauses(t *testing.T) {
	t.Parallel()
	a := start(t, scene.New(t, node), func(o *publish.Options) { o.Reading = 500 * time.Millisecond })
	a.exchange("shop.orders", "orders.work", nil)
	body, lines := io.Pipe()
	go func() {
		defer lines.Close()
		_, _ = io.WriteString(lines, `{"exchange":"shop.orders","key":"x"}`+"\n")
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for began := time.Now(); time.Since(began) < 3*time.Second; <-tick.C {
			_, _ = io.WriteString(lines, "\n")
		}
	}()
	r, err := http.NewRequest(http.MethodPost, a.url+"/v1/vhosts/"+a.vhost+"/batch", body)
	a.Must(err)
	r.Header.Set("Authorization", "Bearer shop")
	resp, err := (&http.Client{Timeout: time.Minute}).Do(r)
	a.Must(err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || strings.Count(string(got), `"status":202`) != 1 {
		t.Errorf("answered %s, %v", got, err)
	}
}
