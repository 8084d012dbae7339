package f5_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"landbridge.dev/backends/f5"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/bigip"
	"landbridge.dev/testenv/bigip/fault"
)

// wires lead to devices in this process by the host of a URL, and can be cut.
type wires struct {
	mu      sync.Mutex
	devices map[string]*bigip.Device
	cut     map[string]bool
}

func (w *wires) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	w.mu.Lock()
	d, cut := w.devices[r.URL.Host], w.cut[r.URL.Host]
	w.mu.Unlock()
	if cut {
		return nil, errors.New("connection refused")
	}
	defer func() {
		if v := recover(); v != nil {
			if v != http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
				panic(v)
			}
			err = errors.New("the connection was cut")
		}
	}()
	answer := httptest.NewRecorder()
	d.Handler().ServeHTTP(answer, r)
	return answer.Result(), nil
}

func (w *wires) setCut(host string, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut[host] = cut
}

// startPair makes two units a and b, of which a is active, and a Backend for
// both; change may be nil.
func startPair(t *testing.T, o bigip.Options, p bigip.PairOptions, change func(*f5.Options)) (*bigip.Pair, *f5.Backend, *wires) {
	t.Helper()
	o.Partitions = append(o.Partitions, "web")
	units, err := bigip.NewPair(o, o, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := units.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &wires{devices: map[string]*bigip.Device{"a": units.A, "b": units.B}, cut: map[string]bool{}}
	opts := optionsFor(units.A)
	opts.Hosts, opts.Transport, opts.RootCAs = []string{"http://a", "http://b"}, w, nil
	if change != nil {
		change(&opts)
	}
	return units, open(t, opts), w
}

// pastTheWindow lets the time pass for which a look at the roles holds.
func pastTheWindow() { time.Sleep(3 * time.Second) }

func order(t *testing.T, d *bigip.Device, command string) {
	t.Helper()
	if status, answer := d.Do(http.MethodPost, "/mgmt/tm/sys/failover", map[string]any{"command": "run", command: true}); status != http.StatusOK {
		t.Fatalf("failover: %d %v", status, answer)
	}
}

func wantUnavailable(t *testing.T, out apply.Outcome, reason string, words ...string) {
	t.Helper()
	if out.Status != apply.Unavailable || out.Reason != reason || out.Applied != 0 {
		t.Errorf("outcome is %s, %s, %d applied: %v; want unavailable, %s", out.Status, out.Reason, out.Applied, out.Err, reason)
	}
	wantMentioned(t, out.Err, words...)
}

func TestActiveUnitIsFound(t *testing.T) {
	t.Parallel()
	for _, second := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p, b, _ := startPair(t, bigip.Options{}, bigip.PairOptions{}, nil)
			if second {
				p.Failover()
			}
			active, standby := p.Active(), p.Standby()
			before := active.Writes() // by preparing the test
			mustRead(t, b)
			mustCreate(t, b, testPool("a"))
			if active.Writes() != before+1 || standby.Writes() != 0 {
				t.Errorf("second active: %v: %d changes on the active unit, %d on the standby", second, active.Writes()-before, standby.Writes())
			}
		})
	}
}

// TestChangesCostNoRoleCall has the roles looked at beside the changes.
func TestChangesCostNoRoleCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, b, _ := startPair(t, bigip.Options{}, bigip.PairOptions{}, nil)
		mustRead(t, b)
		roles := func() (n int) {
			for _, r := range p.A.Requests() {
				if strings.HasSuffix(r.Path, "/cm/failover-status") {
					n++
				}
			}
			return n
		}
		before := roles()
		for i := range 50 {
			mustCreate(t, b, testPool(pathOf(i)[5:]))
		}
		if n := roles() - before; n != 0 {
			t.Errorf("50 changes within the window made %d looks at the role", n)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan string)
		go func() { done <- b.Watch(ctx) }()
		time.Sleep(time.Minute)
		if n := roles() - before; n < 55 || n > 65 {
			t.Errorf("%d looks at the role in a minute of watching, want one a second", n)
		}
		stop()
		if why := <-done; why != "" {
			t.Errorf("watching ended with %q", why)
		}
	})
}

func TestFailoverBetweenCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, b, _ := startPair(t, bigip.Options{}, bigip.PairOptions{}, nil)
		mustRead(t, b)
		mustCreate(t, b, testPool("a"))
		p.Failover()
		before := p.A.Writes()
		pastTheWindow()
		wantUnavailable(t, applyOne(t, b, plan.Change{Op: plan.Create, After: testPool("b")}), f5.ReasonUnitChanged, "http://a", "http://b")
		if p.A.Writes() != before || p.B.Writes() != 0 {
			t.Error("a change that was planned for one unit was made on another")
		}
		if _, err := b.Read(t.Context(), apply.Scope{IDs: []state.ID{testPool("a").ID()}}); err == nil {
			t.Error("a part of the other unit was read into what is known of the one before")
		}
		if why := b.Watch(t.Context()); !strings.Contains(why, "http://b") {
			t.Errorf("watching says %q", why)
		}
		if _, there := mustRead(t, b).Get(testPool("a").ID()); there {
			t.Error("what was read is the unit's before")
		}
		mustCreate(t, b, testPool("a"))
		if p.B.Writes() != 1 {
			t.Errorf("%d changes on the unit that is active now, want 1", p.B.Writes())
		}
	})
}

// TestAnswerOfTheUnitBeforeDoesNotCount has a unit become standby in the middle
// of a long Unit, which it goes on accepting.
func TestAnswerOfTheUnitBeforeDoesNotCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, b, _ := startPair(t, bigip.Options{CommitLatency: 500 * time.Millisecond}, bigip.PairOptions{}, nil)
		mustRead(t, b)
		mustFault(t, p.A, fault.Rule{Method: "write", Path: "/mgmt/tm/ltm/node", Skip: 3, Count: 1, Do: fault.Failover})
		var changes []plan.Change
		for i := range 20 {
			at := fmt.Sprintf("10.0.0.%d", i+1)
			changes = append(changes, plan.Change{Op: plan.Create, After: node(t, at, "/Common/"+at)})
		}
		wantUnavailable(t, applyOne(t, b, changes...), f5.ReasonUnitChanged)
		if n := p.A.Writes(); n > 10 {
			t.Errorf("%d changes on a unit that became standby at the fourth, want none 2 s after that", n)
		}
	})
}

func TestActiveUnitIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, b, w := startPair(t, bigip.Options{}, bigip.PairOptions{}, nil)
		mustRead(t, b)
		w.setCut("a", true)
		p.Failover()
		// At once: the failed call itself has the other unit looked for.
		wantUnavailable(t, applyOne(t, b, plan.Change{Op: plan.Create, After: testPool("a")}), f5.ReasonUnitChanged, "http://b")
		mustRead(t, b)
		mustCreate(t, b, testPool("a"))
		if p.B.Writes() != 1 {
			t.Errorf("%d changes on the unit that lives, want 1", p.B.Writes())
		}
	})
}

func TestNoUnitIsActive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, b, w := startPair(t, bigip.Options{}, bigip.PairOptions{}, nil)
		mustRead(t, b)
		order(t, p.A, "offline")
		order(t, p.B, "offline")
		pastTheWindow()
		wantUnavailable(t, applyOne(t, b, plan.Change{Op: plan.Create, After: testPool("a")}), f5.ReasonNoActiveUnit,
			"http://a is forced offline", "http://b is forced offline", "traffic-group-1")
		w.setCut("a", true)
		pastTheWindow()
		_, err := b.Read(t.Context(), apply.Scope{})
		wantMentioned(t, err, "connection refused", "http://b is forced offline")
		var reasoned apply.Reasoned
		if !errors.As(err, &reasoned) || reasoned.Reason() != f5.ReasonNoActiveUnit {
			t.Errorf("the read's reason is %v", err)
		}
		w.setCut("b", true)
		if _, err := b.Read(t.Context(), apply.Scope{}); !errors.As(err, &reasoned) || reasoned.Reason() != f5.ReasonUnreachable {
			t.Errorf("nobody answers: %v", err)
		}
		w.setCut("a", false)
		order(t, p.A, "online")
		pastTheWindow()
		wantUnavailable(t, applyOne(t, b, plan.Change{Op: plan.Create, After: testPool("a")}), f5.ReasonUnitChanged, "for a while")
		mustRead(t, b)
		mustCreate(t, b, testPool("a"))
	})
}

// TestBothUnitsSayThatTheyAreActive has the units lose sight of each other: one
// of them is used, and it stays the one, which is said.
func TestBothUnitsSayThatTheyAreActive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wires{devices: map[string]*bigip.Device{}, cut: map[string]bool{}}
		for _, name := range []string{"a", "b"} {
			d, err := bigip.New(bigip.Options{Partitions: []string{"web"}}) // alone, and so active
			if err != nil {
				t.Fatal(err)
			}
			w.devices[name] = d
		}
		core, logs := observer.New(zap.WarnLevel)
		o := optionsFor(w.devices["a"])
		o.Hosts, o.Transport, o.RootCAs, o.Log = []string{"http://a", "http://b"}, w, nil, zap.New(core)
		b := open(t, o)
		mustRead(t, b)
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		if why := b.Watch(ctx); why != "" {
			t.Errorf("watching says %q", why)
		}
		mustCreate(t, b, testPool("a"))
		if n, m := w.devices["a"].Writes(), w.devices["b"].Writes(); n != 1 || m != 0 {
			t.Errorf("%d changes on the first unit, %d on the second", n, m)
		}
		if logs.FilterMessageSnippet("several units say that they are active").Len() == 0 {
			t.Error("nobody was told")
		}
	})
}

func TestSingleUnitIsNeverAskedForItsRole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, b, _ := startPair(t, bigip.Options{}, bigip.PairOptions{}, func(o *f5.Options) { o.Hosts = []string{"http://b"} })
		mustRead(t, b)
		mustCreate(t, b, testPool("a")) // on a standby: as configured
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		if why := b.Watch(ctx); why != "" {
			t.Errorf("watching says %q", why)
		}
		for _, r := range p.B.Requests() {
			if strings.Contains(r.Path, "/cm/") {
				t.Errorf("%s %s", r.Method, r.Path)
			}
		}
	})
}

func TestRestartIsNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, b, _ := startPair(t, bigip.Options{}, bigip.PairOptions{}, func(o *f5.Options) { o.Hosts = []string{"http://a"} })
		mustRead(t, b)
		time.Sleep(18 * time.Minute) // a token that has lived its time is no sign
		mustCreate(t, b, testPool("a"))
		p.A.ForgetTokens()
		mustCreate(t, b, testPool("b"))
		if why := b.Watch(t.Context()); !strings.Contains(why, "forgotten our login") {
			t.Errorf("watching says %q", why)
		}
	})
}

// engine is a worker over a Backend, as in the controller.
type engine struct {
	ledger  *ledger.Ledger
	mu      sync.Mutex
	reports map[state.Ref]apply.Report
}

// run has a worker act on a Backend until the test's end.
func run(t testing.TB, b *f5.Backend) *engine {
	t.Helper()
	e := &engine{ledger: ledger.New(b.Name()), reports: map[state.Ref]apply.Report{}}
	w := apply.NewWorker(apply.Options{
		Backend: b, Ledger: e.ledger, Identity: identity(), NodePartition: "Common", Concurrency: 4,
		Resync: 5 * time.Minute, Drain: time.Minute, Log: zap.NewNop(), Brake: apply.Brake{Percent: 30, Least: 10, Window: 10 * time.Minute},
		Report: func(r apply.Report) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.reports[r.Service] = r
		},
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	w.Act(true)
	return e
}

// settled is how many Services are as asked.
func (e *engine) settled() (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.reports {
		if r.Settled {
			n++
		}
	}
	return n
}

// forget forgets how Services stand.
func (e *engine) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.reports)
}

// wanted is what the n-th Service wants: a virtual server and a pool with one
// member.
func wanted(n int) state.Want {
	ref := state.Ref{Namespace: "shop", Name: fmt.Sprintf("s%03d", n)}
	at := func(network byte) state.Address {
		return state.Address{IP: netip.AddrFrom4([4]byte{10, network, byte(n / 250), byte(n%250 + 1)})}
	}
	path := "/web/lb_prod_shop_" + ref.Name + "_80"
	owner := identity().Owner(ref)
	return state.Want{Service: ref, Drain: time.Minute, Objects: []state.Object{
		&state.Pool{
			Backend: "bigip/dc1", Path: path, Owner: owner, Mode: "round-robin", ReselectTries: 3, DrainTimeout: time.Minute,
			Members: []state.Member{{Endpoint: state.Endpoint{Address: at(1), Port: 8080}, Ratio: 1}},
		},
		&state.VirtualServer{
			Backend: "bigip/dc1", Path: path, Owner: owner, Protocol: state.TCP, Pool: path, SNAT: "automap",
			Profiles: []state.Profile{{Path: "/Common/tcp", Context: "all"}}, Destination: state.Endpoint{Address: at(2), Port: 80},
		},
	}}
}

// TestFailoverInTheMiddleOfABatch moves the traffic to the other unit while 50
// Services are being made, with and without automatic sync, by command, in
// a commit, and with the death of the unit.
func TestFailoverInTheMiddleOfABatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		auto bool
		dies bool
		slow bool // in its commits, so that Services share one
		rule fault.Rule
	}{
		{name: "manual sync", rule: fault.Rule{Method: "write", Path: "/mgmt/tm/", Skip: 60, Count: 1, Do: fault.Failover}},
		{name: "automatic sync", auto: true, rule: fault.Rule{Method: "write", Path: "/mgmt/tm/", Skip: 60, Count: 1, Do: fault.Failover}},
		{name: "in a commit", rule: fault.Rule{Method: "PATCH", Path: "/mgmt/tm/transaction/", Skip: 15, Count: 1, Do: fault.Failover}},
		{name: "in a commit that many share", slow: true, rule: fault.Rule{Method: "PATCH", Path: "/mgmt/tm/transaction/", Skip: 4, Count: 1, Do: fault.Failover}},
		{name: "while a commit is filled that many share", slow: true, rule: fault.Rule{Method: "POST", Path: "/mgmt/tm/ltm/pool", Skip: 30, Count: 1, Do: fault.Failover}},
		{name: "the unit dies", dies: true, rule: fault.Rule{Method: "write", Path: "/mgmt/tm/", Skip: 60, Count: 1, Do: fault.Failover}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const services = 50
				o := bigip.Options{Latency: 20 * time.Millisecond}
				if test.slow {
					o.CommitLatency = 200 * time.Millisecond
				}
				p, b, w := startPair(t, o, bigip.PairOptions{AutoSync: test.auto}, nil)
				e := run(t, b)
				mustFault(t, p.A, test.rule)
				for n := range services {
					e.ledger.Put(wanted(n), time.Time{})
				}
				if test.dies {
					for p.Active() == p.A {
						time.Sleep(10 * time.Millisecond)
					}
					w.setCut("a", true)
				}
				time.Sleep(20 * time.Second)
				synctest.Wait()
				if p.Active() != p.B {
					t.Fatal("there was no failover")
				}
				if n := commits(p.A, 0) + commits(p.B, 0); test.slow != (n < services*4/5) {
					t.Errorf("%d commits of %d Services", n, services)
				}
				if n := e.settled(); n != services {
					t.Errorf("%d of %d Services are settled", n, services)
				}
				for n := range services {
					for _, o := range wanted(n).Objects {
						kind := map[state.Kind]string{state.KindPool: "ltm/pool", state.KindVirtualServer: "ltm/virtual"}[o.ID().Kind]
						if _, there := p.B.Object(kind, o.ID().Name); !there {
							t.Errorf("%s is not on the unit that is active now", o.ID())
						}
					}
				}
				before := p.A.Writes() + p.B.Writes()
				time.Sleep(20 * time.Second)
				if n := p.A.Writes() + p.B.Writes() - before; n != 0 {
					t.Errorf("%d changes in a settled world", n)
				}
			})
		})
	}
}
