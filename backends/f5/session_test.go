package f5_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"landbridge.dev/backends/f5"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/bigip"
)

func TestOneLoginServesAllCallsAndIsGivenBack(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { emptyCollection(w) })
	b := f.open(t, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := b.Read(t.Context(), apply.Scope{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if logins, _, open := f.counts(); logins != 1 || open != 1 {
		t.Errorf("%d logins and %d tokens, want one of each", logins, open)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, open := f.counts(); open != 0 {
		t.Errorf("%d tokens were not given back", open)
	}
	if _, err := b.Read(t.Context(), apply.Scope{}); err == nil {
		t.Error("a read after Close gave no error")
	}
}

func TestForgottenTokenIsReplacedOnce(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, `{"kind":"tm:ltm:pool:poolstate"}`)
	})
	b := f.open(t, nil)
	for i := range 3 {
		if out := applyOne(t, b, plan.Change{Op: plan.Create, After: testPool("p")}); out.Status != apply.Done {
			t.Fatalf("round %d: %s: %v", i, out.Status, out.Err)
		}
		f.forgetTokens()
	}
	if logins, _, _ := f.counts(); logins != 3 {
		t.Errorf("%d logins, want 3", logins)
	}
}

func TestTokenIsRenewedBeforeItEnds(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { emptyCollection(w) })
	var now atomic.Int64
	b := f.open(t, func(o *f5.Options) {
		o.Clock = func() time.Time { return time.Unix(now.Load(), 0) }
	})
	for _, step := range []struct {
		at     int64
		logins int
	}{{0, 1}, {900, 1}, {1000, 2}, {1900, 2}, {2500, 3}} {
		now.Store(step.at)
		if _, err := b.Read(t.Context(), apply.Scope{}); err != nil {
			t.Fatal(err)
		}
		if logins, _, _ := f.counts(); logins != step.logins {
			t.Errorf("at second %d: %d logins, want %d", step.at, logins, step.logins)
		}
	}
}

func TestOldTokenServesWhileTheLoginFails(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { emptyCollection(w) })
	var now atomic.Int64
	b := f.open(t, func(o *f5.Options) { o.Clock = func() time.Time { return time.Unix(now.Load(), 0) } })
	if _, err := b.Read(t.Context(), apply.Scope{}); err != nil {
		t.Fatal(err)
	}
	f.setPassword("another")
	now.Store(1000)
	if _, err := b.Read(t.Context(), apply.Scope{}); err != nil {
		t.Errorf("the token had 200 s left: %v", err)
	}
	now.Store(1300)
	if _, err := b.Read(t.Context(), apply.Scope{}); err == nil {
		t.Error("the token has ended and the password is wrong, but the read worked")
	}
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { emptyCollection(w) })
	f.setPassword("another")
	reg := prometheus.NewRegistry()
	b := f.open(t, func(o *f5.Options) { o.Metrics = f5.NewMetrics(reg) })
	wantLogins := func(refused int) {
		t.Helper()
		want := fmt.Sprintf(`# HELP landbridge_bigip_logins_total Logins to a BIG-IP, by result: ok, refused or failed.
# TYPE landbridge_bigip_logins_total counter
landbridge_bigip_logins_total{backend="bigip/dc1",result="failed"} 0
landbridge_bigip_logins_total{backend="bigip/dc1",result="ok"} 0
landbridge_bigip_logins_total{backend="bigip/dc1",result="refused"} %d
`, refused)
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "landbridge_bigip_logins_total"); err != nil {
			t.Error(err)
		}
	}
	wantLogins(0) // shown before the first, so that it is an increase

	var units []apply.Unit
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		units = append(units, createUnit(testPool(name)))
	}
	for _, out := range b.Apply(t.Context(), units) {
		if out.Status != apply.Unavailable || out.Reason != f5.ReasonLoginFailed || out.Applied != 0 {
			t.Errorf("outcome is %s, reason %s: %v", out.Status, out.Reason, out.Err)
		}
		wantMentioned(t, out.Err, "credentialsDir", user, "Authentication failed")
		wantNoSecret(t, out.Err.Error(), f)
	}
	_, err := b.Read(t.Context(), apply.Scope{})
	wantMentioned(t, err, "credentialsDir")
	var answer *f5.Error
	if !errors.As(err, &answer) || answer.Status != http.StatusUnauthorized {
		t.Errorf("no *f5.Error with 401 in %v", err)
	}
	var reasoned apply.Reasoned
	if !errors.As(err, &reasoned) || reasoned.Reason() != f5.ReasonLoginFailed {
		t.Errorf("no reason in %v", err)
	}
	if _, refused, _ := f.counts(); refused != 1 {
		t.Errorf("the wrong password was tried %d times, want once: users get locked out", refused)
	}
	wantLogins(1)
}

func TestNewPasswordIsTriedAtOnce(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { emptyCollection(w) })
	var current atomic.Value
	current.Store("wrong")
	b := f.open(t, func(o *f5.Options) {
		o.Credentials = func() (string, string, error) { return user, current.Load().(string), nil }
	})
	if _, err := b.Read(t.Context(), apply.Scope{}); err == nil {
		t.Fatal("a wrong password worked")
	}
	current.Store(password)
	if _, err := b.Read(t.Context(), apply.Scope{}); err != nil {
		t.Error(err)
	}
}

func TestCredentialsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	f := newFake(t, nil)
	missing := errors.New("open /etc/landbridge/dc1/password: no such file")
	b := f.open(t, func(o *f5.Options) {
		o.Credentials = func() (string, string, error) { return "", "", missing }
	})
	out := b.Apply(t.Context(), []apply.Unit{createUnit(testPool("p"))})[0]
	if out.Status != apply.Unavailable || !errors.Is(out.Err, missing) {
		t.Errorf("outcome is %s: %v", out.Status, out.Err)
	}
}

func TestUntrustedCertificate(t *testing.T) {
	t.Parallel()
	f := newFake(t, nil)
	b := f.open(t, func(o *f5.Options) { o.RootCAs = nil })
	out := b.Apply(t.Context(), []apply.Unit{createUnit(testPool("p"))})[0]
	if out.Status != apply.Unavailable || out.Reason != f5.ReasonCertificateInvalid {
		t.Errorf("outcome is %s, reason %s", out.Status, out.Reason)
	}
	wantMentioned(t, out.Err, "caFile", "127.0.0.1")
	if len(f.requests) != 0 {
		t.Errorf("%d requests were made, want none", len(f.requests))
	}
}

func TestCertificateForAnotherHost(t *testing.T) {
	t.Parallel()
	f := newFake(t, nil) // its certificate is for 127.0.0.1 and example.com
	b := f.open(t, func(o *f5.Options) {
		o.Hosts = []string{strings.Replace(f.URL, "127.0.0.1", "localhost", 1)}
	})
	_, err := b.Read(t.Context(), apply.Scope{})
	wantMentioned(t, err, "is not for localhost", "hosts")
}

func TestCAFileIsReadAgain(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { emptyCollection(w) })
	other := httptest.NewTLSServer(nil)
	other.Close()
	file := filepath.Join(t.TempDir(), "ca.crt")
	b := f.open(t, func(o *f5.Options) { o.RootCAs, o.CAFile = nil, file })

	_, err := b.Read(t.Context(), apply.Scope{})
	wantMentioned(t, err, "caFile")
	if err := os.WriteFile(file, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = b.Read(t.Context(), apply.Scope{})
	wantMentioned(t, err, "caFile", "no certificate")
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Read(t.Context(), apply.Scope{}); err != nil {
		t.Error(err)
	}
}

func TestInsecureSkipVerify(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { emptyCollection(w) })
	b := f.open(t, func(o *f5.Options) { o.RootCAs, o.InsecureSkipVerify = nil, true })
	if _, err := b.Read(t.Context(), apply.Scope{}); err != nil {
		t.Error(err)
	}
}

func TestCallsInFlightAreLimited(t *testing.T) {
	t.Parallel()
	var inFlight, most atomic.Int32
	full := make(chan struct{})
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		n := inFlight.Add(1)
		defer inFlight.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if n == 3 {
			close(full) // a fourth would close it again, and panic
		}
		<-full
		answer(w, http.StatusOK, `{"kind":"tm:ltm:pool:poolstate"}`)
	})
	b := f.open(t, func(o *f5.Options) { o.MaxConcurrentCalls = 3 })
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		wg.Go(func() {
			if out := applyOne(t, b, plan.Change{Op: plan.Create, After: testPool(name)}); out.Status != apply.Done {
				t.Error(out.Err)
			}
		})
	}
	wg.Wait()
	if most.Load() != 3 {
		t.Errorf("%d calls were in flight, want 3", most.Load())
	}
}

func TestContextReachesTheSocket(t *testing.T) {
	t.Parallel()
	arrived, gone := make(chan struct{}), make(chan struct{})
	f := newFake(t, func(_ http.ResponseWriter, r *http.Request) {
		defer close(gone)
		close(arrived)
		hang(r)
	})
	b := f.open(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	out := b.Apply(ctx, []apply.Unit{createUnit(testPool("p"))})[0]
	if out.Status != apply.Unknown || !errors.Is(out.Err, context.Canceled) {
		t.Errorf("outcome is %s: %v; want unknown, since the request had left", out.Status, out.Err)
	}
	<-gone
}

func TestCallTimeout(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(_ http.ResponseWriter, r *http.Request) { hang(r) })
	b := f.open(t, func(o *f5.Options) { o.CallTimeout, o.MaxConcurrentCalls = 2*time.Second, 1 })
	p := testPool("b")
	apart := createUnit(p) // no transaction holds both of its changes
	apart.Changes = append(apart.Changes, creations([]state.Object{poolMember(p, member(t, "10.0.0.5", 8080, "/Common/10.0.0.5"))})...)
	outs := b.Apply(t.Context(), []apply.Unit{createUnit(testPool("a")), apart})
	if outs[0].Status != apply.Unknown {
		t.Errorf("outcome is %s: %v; want unknown", outs[0].Status, outs[0].Err)
	}
	if outs[1].Status != apply.Unavailable || strings.Contains(outs[1].Err.Error(), "lb_prod_a") {
		t.Errorf("the second outcome is %s: %v; want unavailable, without the first's name", outs[1].Status, outs[1].Err)
	}
}

func wantMentioned(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that mentions %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not mention %q", err, w)
		}
	}
}

// wantNoSecret wants neither the password nor a token in a text.
func wantNoSecret(t *testing.T, text string, f *fake) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, secret := range append([]string{password, "SECRETTOKEN"}, f.issued...) {
		if strings.Contains(text, secret) {
			t.Errorf("%q shows %q", text, secret)
		}
	}
}

// TestSimulatedTime lets an hour of tokens pass in process, without sockets,
// as histories in a simulated clock do.
func TestSimulatedTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, err := bigip.New(bigip.Options{Partitions: []string{"web"}})
		if err != nil {
			t.Fatal(err)
		}
		o := optionsFor(d)
		o.Hosts, o.Transport = []string{"http://device"}, inProcess{d.Handler()}
		b := open(t, o)
		for i := range 7 {
			mustCreate(t, b, testPool(pathOf(i)[5:]))
			time.Sleep(10 * time.Minute) // of the bubble's clock
		}
		logins := 0
		for _, r := range d.Requests() {
			if r.Path == "/mgmt/shared/authn/login" {
				logins++
			}
		}
		// A token lives for 20 minutes and is renewed after 16.
		if got := mustRead(t, b).Len(); logins != 4 || got < 7 {
			t.Errorf("%d logins, %d objects; want 4 logins", logins, got)
		}
	})
}
