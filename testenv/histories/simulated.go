package histories

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"landbridge.dev/backends/f5"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/bigip"
	"landbridge.dev/testenv/bigip/fault"
)

// simulated is the simulated BIG-IP, reached through its handler.
type simulated struct {
	play   *play
	device *bigip.Device
	faults fault.Rules
	failed http.Handler // the device behind its faults
	eye    *f5.Backend  // how the observer reads: past the faults, without latency

	mu      sync.Mutex
	down    bool
	changed int
	queued  map[string][]call // in transactions that are open
}

func newSimulated(p *play) (device, error) {
	d, err := bigip.New(bigip.Options{Partitions: []string{"web", "app"}})
	if err != nil {
		return nil, err
	}
	s := &simulated{play: p, device: d, queued: map[string][]call{}}
	s.failed = s.faults.Wrap(http.HandlerFunc(s.serve), fault.Effects{ForgetTokens: d.ForgetTokens})
	s.eye, err = f5.New(s.options(state.Identity{}, direct{d.Handler()}))
	return s, err
}

func (s *simulated) options(identity state.Identity, transport http.RoundTripper) f5.Options {
	return f5.Options{
		Name: deviceName, Hosts: []string{"https://bigip"}, Identity: identity, Transport: transport,
		Credentials: func() (user, password string, err error) { return "admin", "admin", nil },
	}
}

// backend is a new session; a replica that is started anew has no token.
func (s *simulated) backend(r *replica) apply.Backend {
	b, err := f5.New(s.options(r.cluster.identity, s))
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
	s.mu.Lock()
	down := s.down
	s.mu.Unlock()
	if down {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	if r.Method != http.MethodGet {
		s.play.begins(errandOf(r.Context()))
	}
	spend(r.Context(), s.play.latency(r.Method+r.URL.Path))
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return roundTrip(s.failed, r)
}

// coordination is the header of a call that is part of a transaction.
const coordination = "X-F5-REST-Coordination-Id"

// serve lets a call have its effect, and the observer see it. The calls of a
// transaction have theirs with its commit.
func (s *simulated) serve(w http.ResponseWriter, r *http.Request) {
	path, change := strings.CutPrefix(r.URL.EscapedPath(), "/mgmt/tm/")
	if r.Method == http.MethodGet || !change {
		s.device.Handler().ServeHTTP(w, r)
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
		calls = s.queued[transaction]
	}
	touched := map[string]thing{}
	for _, c := range calls {
		maps.Copy(touched, s.touches(c))
	}
	answer := httptest.NewRecorder()
	s.device.Handler().ServeHTTP(answer, r)
	switch {
	case answer.Code >= http.StatusBadRequest:
	case waits != "":
		s.queued[waits] = append(s.queued[waits], this)
	case len(calls) > 0:
		s.changed++
		s.play.observe(errandOf(r.Context()), touched)
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes()) //nolint:errcheck // a recorder takes all
}

// call is a change by its path below /mgmt/tm/ltm.
type call struct{ method, path string }

// touches are the things that stand and that a call would alter or remove.
func (s *simulated) touches(c call) map[string]thing {
	words := strings.Split(c.path, "/")
	touched := map[string]thing{}
	add := func(kind, parent, path string) {
		if name, t, ok := s.thing(kind, parent, path); ok {
			t.gone = c.method == http.MethodDelete
			touched[name] = t
		}
	}
	switch {
	case len(words) < 2:
	case words[0] == "pool" && len(words) == 2:
		add("ltm/pool", "", fullPath(words[1]))
		if c.method == http.MethodDelete {
			for _, m := range s.device.Objects("ltm/pool/members", fullPath(words[1])) {
				add("ltm/pool/members", fullPath(words[1]), m)
			}
		}
	case words[0] == "pool" && len(words) == 3:
		add("ltm/pool", "", fullPath(words[1]))
	case words[0] == "pool" && len(words) == 4:
		add("ltm/pool/members", fullPath(words[1]), fullPath(words[3]))
	case words[0] == "node", words[0] == "virtual":
		add("ltm/"+words[0], "", fullPath(words[1]))
	default:
		s.play.violated("a call to what no plan speaks of: %s %s", c.method, c.path)
	}
	return touched
}

func fullPath(word string) string {
	path, err := url.PathUnescape(word)
	if err != nil {
		return word
	}
	return strings.ReplaceAll(path, "~", "/")
}

// thing is an object as the device shows it, without what it reports by
// itself.
func (s *simulated) thing(kind, parent, path string) (name string, t thing, ok bool) {
	key := path
	if parent != "" {
		key = parent + " " + path
	}
	o, ok := s.device.Object(kind, key)
	if !ok {
		return "", thing{}, false
	}
	for _, volatile := range []string{"selfLink", "generation", "membersReference", "profilesReference", "policiesReference"} {
		delete(o, volatile)
	}
	if up, _ := o["state"].(string); up != "user-down" {
		delete(o, "state")
	}
	if session, _ := o["session"].(string); session == "monitor-enabled" {
		o["session"] = "user-enabled"
	}
	content, err := json.Marshal(o)
	if err != nil {
		s.play.violated("%s %s cannot be written: %v", kind, path, err)
	}
	description, _ := o["description"].(string)
	own, _ := o["name"].(string)
	t = thing{content: string(content)}
	switch kind {
	case "ltm/node":
		t.owner = ownerOf(description, own, false)
		return "node " + path, t, true
	case "ltm/pool/members":
		t.owner, t.within = ownerOf(description, own, false), "pool "+parent
		address, _ := o["address"].(string)
		if a, err := state.ParseAddress(address); err == nil {
			t.at = state.Endpoint{Address: a, Port: portOf(path)}
		}
		_, t.drain, t.terminating, _ = state.ParseMemberNote(description)
		return "member " + path + " of " + parent, t, true
	case "ltm/pool":
		t.owner = ownerOf(description, own, true)
		return "pool " + path, t, true
	}
	t.owner = ownerOf(description, own, true)
	return "virtual-server " + path, t, true
}

// portOf is the port that a member's path ends in.
func portOf(path string) uint16 {
	n, err := strconv.ParseUint(path[strings.LastIndexAny(path, ".:")+1:], 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

func (s *simulated) things() map[string]thing {
	all := map[string]thing{}
	add := func(kind, parent, path string) {
		if name, t, ok := s.thing(kind, parent, path); ok {
			all[name] = t
		}
	}
	for _, kind := range []string{"ltm/node", "ltm/pool", "ltm/virtual"} {
		for _, path := range s.device.Objects(kind, "") {
			add(kind, "", path)
			if kind != "ltm/pool" {
				continue
			}
			for _, m := range s.device.Objects("ltm/pool/members", path) {
				add("ltm/pool/members", path, m)
			}
		}
	}
	return all
}

func (s *simulated) set() *state.Set {
	set, err := s.eye.Read(context.WithoutCancel(s.play.ctx), apply.Scope{})
	if err != nil {
		s.play.violated("the observer cannot read: %v", err)
		return state.NewSet()
	}
	return set
}

func (s *simulated) writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *simulated) reboot() bool {
	s.device.Reboot()
	return true
}

func (s *simulated) fault(f Fault) {
	if f.Do == Down {
		s.mu.Lock()
		s.down = true
		s.mu.Unlock()
		return
	}
	rule := fault.Rule{Do: fault.Action(f.Do), Skip: f.Skip, Count: f.Count}
	if f.Writes {
		rule.Method = "write"
	}
	switch f.Do {
	case Refuse:
		rule.Do, rule.Status = fault.Status, http.StatusBadRequest
	case Broken:
		rule.Do, rule.Status = fault.Status, http.StatusInternalServerError
	case Slow:
		rule.Do, rule.Delay = fault.Delay, slow
	case Stuck:
		rule.Do, rule.Delay = fault.Delay, stuck
	case CutBefore, CutAfter, Lost, Busy, Page, Starting, MCPDLost, ForgetTokens, Down:
	}
	if _, err := s.faults.Add(rule); err != nil {
		s.play.violated("the fault of the test: %v", err)
	}
}

func (s *simulated) calm() {
	s.faults.Clear()
	s.mu.Lock()
	s.down = false
	s.mu.Unlock()
}
