package histories

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"syscall"

	"landbridge.dev/backends/f5"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/bigip"
)

// simulated is the simulated BIG-IP, or two of them as a pair, reached through
// their handlers.
type simulated struct {
	play   *play
	units  []*unit
	pair   *bigip.Pair // nil for a single unit
	upkeep bool        // replicas save and sync what they changed

	mu      sync.Mutex
	changed int

	seeing sync.Mutex
	seen   snapshot
}

// snapshot is what the observer saw last, and when nothing of it has changed.
type snapshot struct {
	unit       *unit
	generation int64
	set        *state.Set
}

func newSimulated(p *play) (device, error) {
	d, err := bigip.New(bigip.Options{Partitions: partitions()})
	if err != nil {
		return nil, err
	}
	if err := furnish(d, theirs()); err != nil {
		return nil, err
	}
	s := &simulated{play: p}
	s.units, err = s.unitsOf(d)
	return s, err
}

// partitions are those of the device, besides Common.
func partitions() []string { return []string{"web", "app"} }

// options are those of a session with some units.
func (s *simulated) options(identity state.Identity, transport http.RoundTripper, units ...*unit) f5.Options {
	o := f5.Options{
		Name: deviceName, Identity: identity, Transport: transport,
		Credentials: func() (user, password string, err error) { return "admin", "admin", nil },
	}
	for _, u := range units {
		o.Hosts = append(o.Hosts, "https://"+u.name)
	}
	return o
}

// backend is a new session; a replica that is started anew has no token.
func (s *simulated) backend(r *replica) apply.Backend {
	o := s.options(r.cluster.identity, s, s.units...)
	if s.upkeep {
		o.ConfigSync, o.SaveConfig = groupName, saveEvery
	}
	b, err := f5.New(o)
	if err != nil {
		s.play.violated("the backend of the test: %v", err)
	}
	return b
}

// direct calls a handler, without a network between.
type direct struct{ http.Handler }

// RoundTrip is of http.RoundTripper.
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) { return roundTrip(d.Handler, r) }

func roundTrip(h http.Handler, r *http.Request) (resp *http.Response, err error) {
	defer func() {
		if v := recover(); v != nil {
			if v != http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
				panic(v)
			}
			resp, err = nil, &net.OpError{Op: "read", Net: "tcp", Err: io.ErrUnexpectedEOF}
		}
	}()
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// RoundTrip is a replica's way to the device.
func (s *simulated) RoundTrip(r *http.Request) (*http.Response, error) {
	u := s.unitAt(r.URL.Host)
	if u.isDown() {
		s.play.hit()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	if r.Method != http.MethodGet {
		s.play.begins(errandOf(r.Context()))
	} else if strings.HasPrefix(r.URL.Path, "/mgmt/tm/ltm/") {
		visits(r.Context(), u)
	}
	spend(r.Context(), s.play.latency(r.Method+r.URL.Path))
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return roundTrip(u.failed, r)
}

// coordination is the header of a call that is part of a transaction.
const coordination = "X-F5-REST-Coordination-Id"

// serve lets a call have its effect, and the observer see it. The calls of a
// transaction have theirs with its commit.
func (u *unit) serve(w http.ResponseWriter, r *http.Request) {
	path, change := strings.CutPrefix(r.URL.EscapedPath(), "/mgmt/tm/")
	if r.Method == http.MethodGet || !change {
		u.device.Handler().ServeHTTP(w, r)
		return
	}
	s := u.simulated
	if path == "cm" || path == "sys/config" {
		s.play.keepsUp(u, path)
		u.device.Handler().ServeHTTP(w, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	this := call{r.Method, strings.TrimPrefix(path, "ltm/")}
	calls, waits := []call{this}, r.Header.Get(coordination)
	switch transaction, commit := strings.CutPrefix(path, "transaction/"); {
	case waits != "", path == "transaction", commit && r.Method == http.MethodDelete:
		calls = nil
	case commit:
		calls = u.queued[transaction]
	}
	touched := map[string]thing{}
	for _, c := range calls {
		maps.Copy(touched, u.touches(c))
	}
	answer := httptest.NewRecorder()
	u.device.Handler().ServeHTTP(answer, r)
	switch {
	case answer.Code >= http.StatusBadRequest:
	case waits != "":
		u.queued[waits] = append(u.queued[waits], this)
	case len(calls) > 0:
		s.changed++
		s.play.serves(u, errandOf(r.Context()))
		s.play.observe(errandOf(r.Context()), touched)
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes()) //nolint:errcheck // a recorder takes all
}

func (s *simulated) things() map[string]thing { return s.active().things() }

func (s *simulated) set() *state.Set {
	s.seeing.Lock()
	defer s.seeing.Unlock()
	u := s.active()
	now := snapshot{unit: u, generation: u.device.Generation()}
	if s.seen.unit == u && s.seen.generation == now.generation {
		return s.seen.set
	}
	var err error
	if now.set, err = u.eye.Read(context.WithoutCancel(s.play.ctx), apply.Scope{}); err != nil {
		s.play.violated("the observer cannot read: %v", err)
		return state.NewSet()
	}
	s.seen = now
	return now.set
}

// forget has the observer look again, because a generation may come again.
func (s *simulated) forget() {
	s.seeing.Lock()
	defer s.seeing.Unlock()
	s.seen = snapshot{}
}

func (s *simulated) writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *simulated) reboot(i int) bool {
	before := s.active()
	u := s.unit(i)
	u.device.Reboot()
	s.forget()
	u.remember() // what it returned to is older than its peer's, and not a change
	s.roles(before)
	return true
}
