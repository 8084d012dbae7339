package f5_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"landbridge.dev/backends/f5"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// TestOutcomes answers the creation of a pool in the ways of real devices
// (texts from EC-BigIp's and f5-bigip-rest-go's tests and F5's own articles).
func TestOutcomes(t *testing.T) {
	t.Parallel()
	mcpd := func(status int, message string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			answer(w, status, `{"code":400,"message":"`+message+`","errorStack":[],"apiError":3}`)
		}
	}
	for _, test := range []struct {
		name    string
		handle  http.HandlerFunc
		status  apply.Status
		reason  string
		mention []string
	}{
		{
			name: "another virtual server has the address", status: apply.Refused, reason: f5.ReasonAddressInUse,
			handle:  mcpd(400, "01070333:3: Virtual Server /web/v illegally shares destination address with Virtual Server /a/b."),
			mention: []string{"choose another", "/a/b"},
		},
		{
			name: "no such partition", status: apply.Refused, reason: f5.ReasonPartitionNotFound,
			handle:  mcpd(400, "The requested folder (/web) was not found."),
			mention: []string{"landbridge.dev/partition", "(/web)"},
		},
		{
			name: "a profile is missing", status: apply.Refused, reason: f5.ReasonNotFound,
			handle: mcpd(404, "01020036:3: The requested profile (/Common/x) was not found."), mention: []string{"/Common/x"},
		},
		{
			name: "no rights, with 403", status: apply.Refused, reason: f5.ReasonAccessDenied,
			handle: mcpd(403, "01070822:3: Access Denied: User (x) may not write here."), mention: []string{"role"},
		},
		{
			name: "no rights, with 400", status: apply.Refused, reason: f5.ReasonAccessDenied,
			handle: mcpd(400, "01070824:3: Access Denied."),
		},
		{
			name: "no rights, by the REST daemon", status: apply.Refused, reason: f5.ReasonAccessDenied,
			handle: mcpd(401, "Authorization failed: user=https://localhost/mgmt/shared/authz/users/x resource=/mgmt/tm/ltm/pool verb=POST"),
		},
		{
			name: "an application service's", status: apply.Refused, reason: f5.ReasonManagedElsewhere,
			handle: mcpd(400, "010715bc:3: The application service must be updated using an application management interface."),
		},
		{
			name: "anything else", status: apply.Refused, reason: f5.ReasonDeviceRefused,
			handle: mcpd(400, "01070734:3: Configuration error: so it is."), mention: []string{"so it is"},
		},
		{
			name: "a 400 that says nothing", status: apply.Refused, reason: f5.ReasonDeviceRefused,
			handle: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) }, mention: []string{"400: Bad Request"},
		},
		{
			name: "a 400 with an empty message", status: apply.Refused, reason: f5.ReasonDeviceRefused,
			handle: mcpd(400, ""), mention: []string{"400: Bad Request"},
		},
		{
			name: "JSON without a message", status: apply.Refused, reason: f5.ReasonDeviceRefused,
			handle: func(w http.ResponseWriter, _ *http.Request) { answer(w, 422, `{"code":422}`) }, mention: []string{"422"},
		},
		{
			name: "the REST daemon starts", status: apply.Unavailable, reason: f5.ReasonDeviceStarting,
			handle: func(w http.ResponseWriter, _ *http.Request) {
				answer(w, 404, `{"code":404,"message":"Public URI path not registered: /tm/ltm/pool"}`)
			},
		},
		{
			name: "the configuration utility restarts", status: apply.Unavailable, reason: f5.ReasonDeviceStarting,
			handle:  func(w http.ResponseWriter, _ *http.Request) { html(w, 503, "Configuration Utility restarting...") },
			mention: []string{"Configuration Utility restarting..."},
		},
		{
			name: "an asynchronous task runs", status: apply.Unavailable, reason: f5.ReasonDeviceStarting,
			handle: mcpd(503, "There is an active asynchronous task executing."),
		},
		{
			name: "mcpd is lost", status: apply.Unknown, reason: f5.ReasonDeviceFailed,
			handle: mcpd(500, "The connection to mcpd has been lost, try again."),
		},
		{
			name: "the REST daemon gives up", status: apply.Unknown, reason: f5.ReasonDeviceFailed,
			handle: func(w http.ResponseWriter, _ *http.Request) { html(w, 500, "AsyncContext timeout") }, mention: []string{"AsyncContext timeout"},
		},
		{
			name: "the connection is cut", status: apply.Unknown, reason: f5.ReasonNoAnswer,
			handle: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		},
		{
			name: "the connection is cut in the answer", status: apply.Unknown, reason: f5.ReasonNoAnswer,
			handle: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "1000")
				answer(w, 200, `{"kind":"tm:ltm:pool:poolstate"`)
			},
		},
		{
			name: "a login page with 200", status: apply.Unknown, reason: f5.ReasonNoAnswer,
			handle: func(w http.ResponseWriter, _ *http.Request) { html(w, 200, "Please log in") }, mention: []string{"management address"},
		},
		{
			name: "a redirect", status: apply.Refused, reason: f5.ReasonDeviceRefused,
			handle: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/tmui/login.jsp", http.StatusFound) }, mention: []string{"302"},
		},
		{
			name: "no token is good enough", status: apply.Unavailable, reason: f5.ReasonLoginFailed,
			handle: func(w http.ResponseWriter, r *http.Request) {
				answer(w, 401, `{"code":401,"message":"no: `+r.Header.Get("X-F5-Auth-Token")+`"}`)
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var writes atomic.Int32
			f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
				writes.Add(1)
				test.handle(w, r)
			})
			core, logs := observer.New(zap.InfoLevel)
			b := f.open(t, func(o *f5.Options) { o.Log = zap.New(core) })
			out := applyOne(t, b, plan.Change{Op: plan.Create, After: testPool("p")})
			if out.Status != test.status || out.Reason != test.reason || out.Applied != 0 {
				t.Errorf("outcome is %s, reason %s, %d applied: %v; want %s, %s", out.Status, out.Reason, out.Applied, out.Err, test.status, test.reason)
			}
			if want := test.reason == f5.ReasonNotFound; out.Stale != want {
				t.Errorf("stale is %v, want %v", out.Stale, want)
			}
			wantMentioned(t, out.Err, append(test.mention, "/web/lb_prod_p")...)
			wantNoSecret(t, out.Err.Error(), f)
			if want := map[bool]int32{true: 2, false: 1}[test.reason == f5.ReasonLoginFailed]; writes.Load() != want {
				t.Errorf("the creation was sent %d times, want %d", writes.Load(), want)
			}
			if lines := logs.Len(); (lines == 1) != (test.status == apply.Unknown) {
				t.Errorf("%d audit lines after %s", lines, test.status)
			}
		})
	}
}

func TestRefusedConnection(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b := open(t, f5.Options{
		Name: "bigip/dc1", Hosts: []string{"https://" + addr}, Identity: identity(),
		Credentials: func() (string, string, error) { return user, password, nil },
	})
	out := applyOne(t, b, plan.Change{Op: plan.Create, After: testPool("p")})
	if out.Status != apply.Unavailable || out.Reason != f5.ReasonUnreachable {
		t.Errorf("outcome is %s, reason %s: %v", out.Status, out.Reason, out.Err)
	}
	wantMentioned(t, out.Err, addr)
}

func TestReadsAreTriedAgain(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]http.HandlerFunc{
		"503":              func(w http.ResponseWriter, _ *http.Request) { html(w, 503, "restarting") },
		"a cut connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) <= 2 {
					fail(w, r)
					return
				}
				answer(w, 404, `{"code":404,"message":"01020036:3: The requested Pool (/web/lb_prod_p) was not found.","apiError":3}`)
			})
			b := f.open(t, nil)
			set, err := b.Read(t.Context(), apply.Scope{IDs: []state.ID{testPool("p").ID()}})
			if err != nil || set.Len() != 0 {
				t.Errorf("read %v, %v after %d calls", set, err, calls.Load())
			}
		})
	}
}

// TestFailureIsNotAbsence reads what fails in ways that resemble absence.
func TestFailureIsNotAbsence(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]http.HandlerFunc{
		"not registered": func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 404, `{"code":404,"message":"URI path /mgmt/tm/ltm/pool not registered.  Please verify URI is supported and wait for /available suffix to be responsive."}`)
		},
		"404 as a page":   func(w http.ResponseWriter, _ *http.Request) { html(w, 404, "Not Found") },
		"an empty object": func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `{}`) },
		"a page with 200": func(w http.ResponseWriter, _ *http.Request) { html(w, 200, "Please log in") },
		"an empty answer": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) },
		"503 for ever":    func(w http.ResponseWriter, _ *http.Request) { html(w, 503, "restarting") },
		"mcpd is lost":    func(w http.ResponseWriter, _ *http.Request) { answer(w, 500, `{"code":500,"message":"lost"}`) },
		"half of an answer": func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 200, `{"kind":"tm:ltm:pool:poolcollectionstate","items":[`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, handle)
			b := f.open(t, nil)
			if set, err := b.Read(t.Context(), apply.Scope{}); err == nil {
				t.Errorf("a full read found %d objects, want an error", set.Len())
			}
			if set, err := b.Read(t.Context(), apply.Scope{IDs: []state.ID{testPool("p").ID()}}); err == nil {
				t.Errorf("a scoped read found %d objects, want an error", set.Len())
			}
		})
	}
}

func TestDeletionOfWhatFailsIsNotDone(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 404, `{"code":404,"message":"Public URI path not registered: /tm/ltm/pool"}`)
	})
	out := applyOne(t, f.open(t, nil), plan.Change{Op: plan.Delete, Before: testPool("p")})
	if out.Status != apply.Unavailable {
		t.Errorf("outcome is %s: %v", out.Status, out.Err)
	}
}

func TestEndedContextMakesNoCall(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { emptyCollection(w) })
	b := f.open(t, nil)
	if _, err := b.Read(t.Context(), apply.Scope{}); err != nil {
		t.Fatal(err)
	}
	before := len(f.asked())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out := b.Apply(ctx, []apply.Unit{createUnit(testPool("p"))})[0]
	if out.Status != apply.Unavailable || out.Reason != f5.ReasonStopped || !errors.Is(out.Err, context.Canceled) {
		t.Errorf("outcome is %s, reason %s: %v", out.Status, out.Reason, out.Err)
	}
	if n := len(f.asked()); n != before {
		t.Errorf("%d calls were made", n-before)
	}
}

func TestAuditLineForEachChange(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `{"kind":"tm:ltm:pool:poolstate"}`) })
	core, logs := observer.New(zap.InfoLevel)
	b := f.open(t, func(o *f5.Options) { o.Log = zap.New(core) })
	p := testPool("p")
	e, err := state.ParseEndpoint("10.0.0.5:8080")
	if err != nil {
		t.Fatal(err)
	}
	m := &state.PoolMember{Backend: p.Backend, Pool: p.Path, Member: state.Member{Endpoint: e, Node: "/Common/10.0.0.5", Owner: p.Owner, Ratio: 1}}
	offline := *m
	offline.Admin = state.Offline
	out := applyOne(t, b,
		plan.Change{Op: plan.Create, After: p},
		plan.Change{Op: plan.Update, Before: p, After: p}, // nothing to do, so nothing changes
		plan.Change{Op: plan.Update, Before: m, After: &offline, Why: "drains"},
	)
	if out.Status != apply.Done || out.Applied != 3 {
		t.Fatalf("outcome is %s: %v", out.Status, out.Err)
	}
	lines := logs.FilterMessage("changed").All()
	if len(lines) != 2 {
		t.Fatalf("%d audit lines, want 2", len(lines))
	}
	got := lines[1].ContextMap()
	for key, want := range map[string]string{
		"backend": "bigip/dc1", "op": "update", "kind": "member", "name": "/web/lb_prod_p", "member": "10.0.0.5:8080",
		"service": "shop/cart", "status": "done", "why": "drains",
	} {
		if got[key] != want {
			t.Errorf("%s is %v, want %q", key, got[key], want)
		}
	}
	if _, ok := got["milliseconds"].(int64); !ok {
		t.Errorf("milliseconds is %v", got["milliseconds"])
	}
	for _, l := range lines {
		for _, v := range l.ContextMap() {
			if s, ok := v.(string); ok && strings.Contains(s, "SECRET") {
				t.Errorf("%q shows a token", s)
			}
		}
	}
}
