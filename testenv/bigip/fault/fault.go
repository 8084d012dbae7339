// Package fault makes a simulated BIG-IP fail as real ones do: calls that are
// slow, refused, cut before or after their effect, daemons that restart, a
// failover in the middle of a commit. A fault is a rule: which calls, how
// often, and what happens to them.
package fault

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Action is what happens to a call.
type Action string

// The actions. Each is a failure that devices are known for.
const (
	// Delay spends Rule.Delay and then handles the call.
	Delay Action = "delay"
	// Status answers with Rule.Status and Rule.Body (JSON error body when
	// empty) and has no effect.
	Status Action = "status"
	// HTML answers Rule.Status with an HTML page, as httpd and the
	// configuration utility do, and has no effect.
	HTML Action = "html"
	// CutBefore drops the connection without an effect.
	CutBefore Action = "cut-before"
	// CutAfter lets the call have its effect and drops the connection before
	// the answer.
	CutAfter Action = "cut-after"
	// ForgetTokens logs everybody out before the call, as a restart of
	// restjavad does.
	ForgetTokens Action = "forget-tokens"
	// Starting answers 404 "Public URI path not registered": restjavad is up,
	// its workers are not.
	Starting Action = "starting"
	// MCPDLost answers 500 "The connection to mcpd has been lost".
	MCPDLost Action = "mcpd-lost"
	// Busy answers 503 with JSON: an asynchronous task is executing.
	Busy Action = "busy"
	// AsyncTimeout lets the call have its effect and answers 500 with the HTML
	// "AsyncContext timeout": the outcome is unknown to the client.
	AsyncTimeout Action = "async-timeout"
	// LoseTransactions drops all open transactions before the call, as a
	// restart of icrd does.
	LoseTransactions Action = "lose-transactions"
	// Failover makes the unit standby before the call is handled; a call that
	// commits is then cut.
	Failover Action = "failover"
)

// Rule is one fault. The zero value of a matching field matches everything.
type Rule struct {
	Method string // "POST"; "write" is all but GET; "" any
	Path   string // path.Match pattern, or a prefix when it has no wildcard
	User   string
	Skip   int // calls that match and are spared first
	Count  int // calls that are hit then; 0: all
	Do     Action
	Delay  time.Duration // of Delay, and before any other action
	Status int           // of Status and HTML; default 503
	Body   string        // of Status and HTML
}

// Parse reads a rule from text: "do=status,status=503,method=POST,
// path=/mgmt/tm/ltm/*,count=3,skip=1,delay=2s,user=x,body=...". body, if any,
// comes last and may contain commas.
func Parse(s string) (Rule, error) {
	var r Rule
	rest := s
	for rest != "" {
		var part string
		if strings.HasPrefix(rest, "body=") {
			part, rest = rest, ""
		} else {
			part, rest, _ = strings.Cut(rest, ",")
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return r, fmt.Errorf("fault %q: %q is not key=value", s, part)
		}
		if err := r.set(strings.TrimSpace(name), value); err != nil {
			return r, fmt.Errorf("fault %q: %w", s, err)
		}
	}
	return r, r.validate()
}

func (r *Rule) set(name, value string) error {
	var err error
	switch name {
	case "method":
		r.Method, err = method(value)
	case "path":
		r.Path = value
	case "user":
		r.User = value
	case "do":
		r.Do = Action(value)
	case "skip":
		r.Skip, err = strconv.Atoi(value)
	case "count":
		r.Count, err = strconv.Atoi(value)
	case "status":
		r.Status, err = strconv.Atoi(value)
	case "delay":
		r.Delay, err = time.ParseDuration(value)
	case "body":
		r.Body = value
	default:
		return fmt.Errorf("unknown key %q (method, path, user, do, skip, count, status, delay, body)", name)
	}
	return err
}

// method reads a method in letters of either case, or "write".
func method(value string) (string, error) {
	if value == "write" {
		return value, nil
	}
	m := strings.ToUpper(value)
	switch m {
	case http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete:
		return m, nil
	}
	return "", fmt.Errorf("method %q: want GET, POST, PATCH, PUT, DELETE or write", value)
}

func (r *Rule) validate() error {
	all := []Action{Delay, Status, HTML, CutBefore, CutAfter, ForgetTokens, Starting, MCPDLost, Busy, AsyncTimeout, LoseTransactions, Failover}
	if r.Do == "" && r.Delay > 0 {
		r.Do = Delay
	}
	if !slices.Contains(all, r.Do) {
		return fmt.Errorf("fault: do=%q: want one of %v", r.Do, all)
	}
	if _, err := path.Match(r.Path, "/"); err != nil {
		return fmt.Errorf("fault: path %q: %w", r.Path, err)
	}
	return nil
}

// Effects are what rules do to the device itself.
type Effects struct {
	ForgetTokens     func()
	LoseTransactions func()
	Failover         func()
	Hit              func() // when a call meets a rule; nil for none
}

// Rules are the faults of one device. They are safe for concurrent use; the
// zero value has none.
type Rules struct {
	mu   sync.Mutex
	all  []*active
	next int
}

type active struct {
	Rule
	id   int
	seen int
	hits int
}

// Add puts a rule in force after those that are; the first that matches a call
// decides. It returns the number that Remove takes.
func (rs *Rules) Add(r Rule) (int, error) {
	if err := r.validate(); err != nil {
		return 0, err
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.next++
	rs.all = append(rs.all, &active{Rule: r, id: rs.next})
	return rs.next, nil
}

// Remove takes a rule out; it returns how many calls the rule hit.
func (rs *Rules) Remove(id int) int {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for i, a := range rs.all {
		if a.id == id {
			rs.all = slices.Delete(rs.all, i, i+1)
			return a.hits
		}
	}
	return 0
}

// Clear takes all rules out.
func (rs *Rules) Clear() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.all = nil
}

// Hits returns how many calls a rule hit so far.
func (rs *Rules) Hits(id int) int {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, a := range rs.all {
		if a.id == id {
			return a.hits
		}
	}
	return 0
}

// match finds the rule for a call and counts it.
func (rs *Rules) match(r *http.Request) (Rule, bool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, a := range rs.all {
		if !a.covers(r) || a.Count > 0 && a.hits >= a.Count {
			continue
		}
		a.seen++
		if a.seen <= a.Skip {
			continue
		}
		a.hits++
		return a.Rule, true
	}
	return Rule{}, false
}

func (r Rule) covers(req *http.Request) bool {
	switch {
	case r.Method == "write":
		if req.Method == http.MethodGet || req.Method == http.MethodHead {
			return false
		}
	case r.Method != "" && r.Method != req.Method:
		return false
	}
	if r.User != "" {
		if name, _, _ := req.BasicAuth(); name != r.User {
			return false
		}
	}
	if r.Path == "" {
		return true
	}
	p := req.URL.Path
	if !strings.ContainsAny(r.Path, "*?[") {
		return strings.HasPrefix(p, r.Path)
	}
	if prefix, ok := strings.CutSuffix(r.Path, "*"); ok && !strings.ContainsAny(prefix, "*?[") {
		return strings.HasPrefix(p, prefix)
	}
	ok, err := path.Match(r.Path, p)
	return ok && err == nil
}

// Wrap puts the rules before a handler.
func (rs *Rules) Wrap(next http.Handler, e Effects) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r, ok := rs.match(req)
		if !ok {
			next.ServeHTTP(w, req)
			return
		}
		if e.Hit != nil {
			e.Hit()
		}
		if !spend(req.Context(), r.Delay) {
			return
		}
		r.apply(w, req, next, e)
	})
}

func (r Rule) apply(w http.ResponseWriter, req *http.Request, next http.Handler, e Effects) {
	switch r.Do {
	case Status:
		r.answer(w)
	case HTML:
		r.page(w, "Configuration Utility restarting...")
	case CutBefore:
		panic(http.ErrAbortHandler)
	case CutAfter:
		next.ServeHTTP(httptest.NewRecorder(), req)
		panic(http.ErrAbortHandler)
	case AsyncTimeout:
		next.ServeHTTP(httptest.NewRecorder(), req)
		r.Status = http.StatusInternalServerError
		r.page(w, "AsyncContext timeout")
	case Starting:
		writeJSON(w, http.StatusNotFound, fmt.Sprintf(`{"code":404,"message":"Public URI path not registered: %s","referer":"127.0.0.1","restOperationId":39168,"kind":":resterrorresponse"}`,
			strings.TrimPrefix(req.URL.Path, "/mgmt")))
	case MCPDLost:
		writeJSON(w, http.StatusInternalServerError, `{"code":500,"message":"The connection to mcpd has been lost, try again.","errorStack":[],"apiError":32768001}`)
	case Busy:
		writeJSON(w, http.StatusServiceUnavailable, `{"code":503,"message":"There is an active asynchronous task executing.","errorStack":[],"apiError":1}`)
	case ForgetTokens:
		e.ForgetTokens()
		next.ServeHTTP(w, req)
	case LoseTransactions:
		e.LoseTransactions()
		next.ServeHTTP(w, req)
	case Failover:
		e.Failover()
		if req.Method == http.MethodPatch && strings.Contains(req.URL.Path, "/tm/transaction/") {
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, req)
	default:
		next.ServeHTTP(w, req)
	}
}

func (r Rule) answer(w http.ResponseWriter) {
	status := r.Status
	if status == 0 {
		status = http.StatusServiceUnavailable
	}
	body := r.Body
	if body == "" {
		body = fmt.Sprintf(`{"code":%d,"message":%q,"errorStack":[],"apiError":1}`, status, http.StatusText(status))
	}
	writeJSON(w, status, body)
}

func (r Rule) page(w http.ResponseWriter, text string) {
	status := r.Status
	if status == 0 {
		status = http.StatusServiceUnavailable
	}
	if r.Body != "" {
		text = r.Body
	}
	w.Header().Set("Content-Type", "text/html; charset=iso-8859-1")
	w.WriteHeader(status)
	io.WriteString(w, "<html><head><title>"+http.StatusText(status)+"</title></head><body><h1>"+text+"</h1></body></html>\n") //nolint:errcheck // the client may be gone
}

func writeJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	io.WriteString(w, body) //nolint:errcheck // the client may be gone
}

func spend(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
