package f5_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"landbridge.dev/backends/f5"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

const (
	user     = "landbridge"
	password = "hunter2-is-secret"
)

// fake is the least of a device: it logs in, and answers all else from a
// handler. It is for what goes wrong below the objects; the simulator is for
// the objects.
type fake struct {
	*httptest.Server
	handle http.HandlerFunc

	mu       sync.Mutex
	password string
	lifetime int // seconds
	tokens   map[string]bool
	issued   []string
	logins   int
	refused  int
	requests []string // "PATCH /mgmt/tm/ltm/pool/~web~p"
}

func newFake(t testing.TB, handle http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{handle: handle, password: password, lifetime: 1200, tokens: map[string]bool{}}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	f.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that tests cut
	f.StartTLS()
	t.Cleanup(f.Close)
	return f
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.requests = append(f.requests, r.Method+" "+r.URL.EscapedPath())
	known := f.tokens[r.Header.Get("X-F5-Auth-Token")]
	f.mu.Unlock()
	switch {
	case r.URL.Path == "/mgmt/shared/authn/login":
		f.login(w, r)
	case !known:
		answer(w, http.StatusUnauthorized, fmt.Sprintf(`{"code":401,"message":"X-F5-Auth-Token %s does not exist."}`, r.Header.Get("X-F5-Auth-Token")))
	case strings.HasPrefix(r.URL.Path, "/mgmt/shared/authz/tokens/"):
		f.mu.Lock()
		delete(f.tokens, strings.TrimPrefix(r.URL.Path, "/mgmt/shared/authz/tokens/"))
		f.mu.Unlock()
		answer(w, http.StatusOK, "{}")
	default:
		f.handle(w, r)
	}
}

func (f *fake) login(w http.ResponseWriter, r *http.Request) {
	var body struct{ Username, Password, LoginProviderName string }
	err := json.NewDecoder(r.Body).Decode(&body)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil || body.Username != user || body.Password != f.password || body.LoginProviderName != "tmos" {
		f.refused++
		answer(w, http.StatusUnauthorized, fmt.Sprintf(`{"code":401,"message":"Authentication failed for %s/%s."}`, body.Username, body.Password))
		return
	}
	f.logins++
	token := fmt.Sprintf("SECRETTOKEN%d", f.logins)
	f.tokens[token] = true
	f.issued = append(f.issued, token)
	answer(w, http.StatusOK, fmt.Sprintf(`{"token":{"token":%q,"timeout":%d}}`, token, f.lifetime))
}

func (f *fake) forgetTokens() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.tokens)
}

func (f *fake) setPassword(p string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.password = p
}

// counts are the logins that succeeded and that were refused, and the tokens
// that were not given back.
func (f *fake) counts() (logins, refused, open int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.logins, f.refused, len(f.tokens)
}

// asked are the requests below /mgmt/tm so far.
func (f *fake) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, r := range f.requests {
		if strings.Contains(r, "/mgmt/tm/") {
			out = append(out, r)
		}
	}
	return out
}

func (f *fake) roots() (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	pool.AddCert(f.Certificate())
	return pool, nil
}

func (f *fake) options() f5.Options {
	return f5.Options{
		Name: "bigip/dc1", Hosts: []string{f.URL}, RootCAs: f.roots, Identity: identity(),
		Credentials: func() (string, string, error) { return user, password, nil },
	}
}

// open makes a Backend for the fake; change may be nil.
func (f *fake) open(t testing.TB, change func(*f5.Options)) *f5.Backend {
	t.Helper()
	o := f.options()
	if change != nil {
		change(&o)
	}
	return open(t, o)
}

func open(t testing.TB, o f5.Options) *f5.Backend {
	t.Helper()
	b, err := f5.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Some fakes are gone or broken by now: only that it ends matters.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = b.Close(ctx)
	})
	return b
}

func identity() state.Identity { return state.Identity{Cluster: "prod", UID: "0a1b2c3d"} }

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

func html(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<html><head><style>p{}</style><title>F5</title></head><body><p>%s</p></body></html>", text)
}

// hang keeps a request until its client goes, which net/http sees only once
// the body was read, and gives no answer even then.
func hang(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

func emptyCollection(w http.ResponseWriter) {
	answer(w, http.StatusOK, `{"kind":"tm:ltm:any:anycollectionstate"}`)
}

func testPool(name string) *state.Pool {
	return &state.Pool{
		Backend: "bigip/dc1", Path: "/web/lb_prod_" + name, Mode: "round-robin",
		Owner: identity().Owner(state.Ref{Namespace: "shop", Name: "cart"}),
	}
}

func createUnit(o state.Object) apply.Unit {
	return apply.Unit{Service: o.OwnedBy().Service, Changes: []plan.Change{{Op: plan.Create, After: o}}}
}

func applyOne(t testing.TB, b *f5.Backend, changes ...plan.Change) apply.Outcome {
	t.Helper()
	return b.Apply(t.Context(), []apply.Unit{{Service: state.Ref{Namespace: "shop", Name: "cart"}, Changes: changes}})[0]
}
