package bigip

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	"landbridge.dev/testenv/bigip/mcp"
	"landbridge.dev/testenv/bigip/rest"
)

// Request is one call as the device saw it.
type Request = rest.Request

// keepCalls is how many calls are remembered.
const keepCalls = 10000

// callLog remembers calls and wakes those who wait for one.
type callLog struct {
	out io.Writer

	mu     sync.Mutex
	calls  []Request
	writes int
	news   chan struct{} // closed and replaced at each call
}

func newCallLog(out io.Writer) *callLog {
	return &callLog{out: out, news: make(chan struct{})}
}

func (l *callLog) add(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.calls) >= keepCalls {
		l.calls = slices.Delete(l.calls, 0, keepCalls/10)
	}
	l.calls = append(l.calls, r)
	if isWrite(r) {
		l.writes++
	}
	close(l.news)
	l.news = make(chan struct{})
	if l.out != nil {
		user := r.User
		if user == "" {
			user = "-"
		}
		fmt.Fprintf(l.out, "%s %s %s %s %d %s\n", r.Time.Format("2006-01-02T15:04:05.000"), user, r.Method, r.Path, r.Status, r.Took.Round(10_000))
	}
}

func isWrite(r Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && strings.HasPrefix(r.Path, "/mgmt/tm/")
}

// Requests returns the latest calls, at most 10,000, oldest first.
func (d *Device) Requests() []Request {
	d.calls.mu.Lock()
	defer d.calls.mu.Unlock()
	return slices.Clone(d.calls.calls)
}

// Writes returns how many POST, PUT, PATCH and DELETE calls below /mgmt/tm
// came since the start, successful or not. Logins and tokens do not count.
func (d *Device) Writes() int {
	d.calls.mu.Lock()
	defer d.calls.mu.Unlock()
	return d.calls.writes
}

// WaitWrites waits until n writes came, counted as Writes does.
func (d *Device) WaitWrites(ctx context.Context, n int) error {
	return d.calls.wait(ctx, func(l *callLog) bool { return l.writes >= n })
}

// WaitRequest waits until a call came that match accepts; calls already
// remembered count. match must not call the Device.
func (d *Device) WaitRequest(ctx context.Context, match func(Request) bool) error {
	return d.calls.wait(ctx, func(l *callLog) bool { return slices.ContainsFunc(l.calls, match) })
}

func (l *callLog) wait(ctx context.Context, done func(*callLog) bool) error {
	for {
		l.mu.Lock()
		ok, news := done(l), l.news
		l.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("waiting for calls: %w", ctx.Err())
		}
	}
}

// Do makes one REST call as the administrator, in-process: path begins with
// "/mgmt/", body is anything that json.Marshal takes, or nil. It is for
// preparing and inspecting objects in tests; it is in Requests and Writes like
// any other call. The answer is nil when it was no JSON object; status is 0 when
// a fault cut the call.
func (d *Device) Do(method, path string, body any) (status int, answer map[string]any) {
	var in io.Reader = http.NoBody
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return http.StatusBadRequest, map[string]any{"message": err.Error()}
		}
		in = bytes.NewReader(data)
	}
	r := httptest.NewRequest(method, path, in)
	r.SetBasicAuth(d.o.Username, d.o.Password)
	w := httptest.NewRecorder()
	if !d.answered(w, r) {
		return 0, nil
	}
	v, err := mcp.DecodeJSON(w.Body.Bytes())
	if err != nil {
		return w.Code, nil
	}
	answer, _ = v.(map[string]any)
	return w.Code, answer
}

// answered serves a call in-process; false when a fault cut it.
func (d *Device) answered(w http.ResponseWriter, r *http.Request) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			if v != http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
				panic(v)
			}
			ok = false
		}
	}()
	d.rest.ServeHTTP(w, r)
	return true
}

// Object returns an object as a GET shows it: ("ltm/pool", "/web/p"),
// ("ltm/pool/members", "/web/p /web/10.0.0.1:80"). It is no call: it is not in
// Requests.
func (d *Device) Object(kind, fullPath string) (map[string]any, bool) {
	parent, path, ok := strings.Cut(fullPath, " ")
	if !ok {
		parent, path = "", fullPath
	}
	o, ok := d.store.Get(mcp.Key{Kind: kind, Parent: parent, Path: path})
	if !ok {
		return nil, false
	}
	return d.rest.Render(o), true
}

// Objects returns the full paths of all objects of a kind, sorted; those of
// one parent ("ltm/pool/members", "/web/p") if it is not empty.
func (d *Device) Objects(kind, parent string) []string {
	list := d.store.List(kind, parent)
	out := make([]string, 0, len(list))
	for _, o := range list {
		out = append(out, o.Path)
	}
	return out
}
