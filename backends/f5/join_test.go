package f5_test

import (
	"fmt"
	"math/bits"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"landbridge.dev/backends/f5"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/bigip"
	"landbridge.dev/testenv/bigip/fault"
)

// newUnit makes all of the n-th Service: a node, a pool with its member, and a
// virtual server.
func newUnit(t testing.TB, n int) apply.Unit {
	t.Helper()
	want := wanted(n)
	p, v := *want.Objects[0].(*state.Pool), *want.Objects[1].(*state.VirtualServer)
	at := p.Members[0].Endpoint.Address.String()
	m, host := member(t, at, 8080, "/Common/"+at), node(t, at, "/Common/"+at)
	m.Owner, host.Owner = p.Owner, p.Owner
	p.Members = []state.Member{m}
	return apply.Unit{Service: want.Service, Changes: creations([]state.Object{host, &p, &v})}
}

func newUnits(t testing.TB, n int) []apply.Unit {
	t.Helper()
	var units []apply.Unit
	for i := range n {
		units = append(units, newUnit(t, i))
	}
	return units
}

// virtualOf is the virtual server that a Unit of newUnit makes.
func virtualOf(u apply.Unit) *state.VirtualServer { return u.Changes[2].After.(*state.VirtualServer) }

// commits are how many transactions a device was asked to commit, from the
// n-th change on.
func commits(d *bigip.Device, n int) (count int) {
	for _, c := range calls(d, n) {
		if c == "PATCH transaction/N" {
			count++
		}
	}
	return count
}

func wantAllDone(t *testing.T, outs []apply.Outcome, but ...int) {
	t.Helper()
	for i, out := range outs {
		if len(but) > 0 && i == but[0] {
			continue
		}
		if out.Status != apply.Done || out.Applied == 0 {
			t.Errorf("Unit %d: %s after %d: %v", i, out.Status, out.Applied, out.Err)
		}
	}
}

func TestUnitsShareATransaction(t *testing.T) {
	t.Parallel()
	d := startDevice(t, bigip.Options{})
	core, logs := observer.New(zap.InfoLevel)
	o := optionsFor(d)
	o.Log = zap.New(core)
	b := open(t, o)
	units := newUnits(t, 3)
	wantAllDone(t, b.Apply(t.Context(), units))
	want := []string{"POST transaction"}
	for range units {
		want = append(want, "POST ltm/node", "POST ltm/pool", "POST ltm/virtual")
	}
	want = append(want, "PATCH transaction/N")
	if diff := cmp.Diff(want, calls(d, 0)); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	services := map[string]int{}
	for _, l := range logs.FilterMessage("changed").All() {
		services[fmt.Sprint(l.ContextMap()["service"])]++
	}
	if len(services) != 3 || services["shop/s001"] != 3 {
		t.Errorf("audit lines by Service are %v, want three for each of three", services)
	}
}

// TestTransactionIsBounded hands over more than one transaction holds: Units
// stay whole, and each transaction holds at most 200 commands.
func TestTransactionIsBounded(t *testing.T) {
	t.Parallel()
	d := startDevice(t, bigip.Options{})
	b := open(t, optionsFor(d))
	wantAllDone(t, b.Apply(t.Context(), newUnits(t, 150))) // of three commands each
	if n := commits(d, 0); n != 3 {                        // 66, 66 and 18 Units
		t.Errorf("%d commits, want 3", n)
	}
	if n := len(writes(d)); n != 450+3*2 {
		t.Errorf("%d calls, want 456", n)
	}
	wantNoTransaction(t, d)
}

// TestOneRefusedUnitOfMany has one Unit of a transaction refused: the others
// are done within a bounded number of calls, wherever it stands among them.
func TestOneRefusedUnitOfMany(t *testing.T) {
	t.Parallel()
	const many = 32
	for _, test := range []struct {
		name    string
		spoil   func(t *testing.T, d *bigip.Device, u apply.Unit)
		reason  string
		mention string
		commits int // at most
	}{
		{
			name: "named by the device", reason: f5.ReasonAddressInUse, mention: "/web/other", commits: 2,
			spoil: func(t *testing.T, d *bigip.Device, u apply.Unit) {
				mustPost(t, d, "/mgmt/tm/ltm/virtual", map[string]any{
					"name": "/web/other", "destination": "/web/" + virtualOf(u).Destination.String(), "ipProtocol": "tcp",
				})
			},
		},
		{
			name: "not named", reason: f5.ReasonNotFound, mention: "/Common/nope", commits: 2*bits.Len(many) - 1,
			spoil: func(_ *testing.T, _ *bigip.Device, u apply.Unit) { virtualOf(u).Profiles[0].Path = "/Common/nope" },
		},
		{
			name: "when it is queued", reason: f5.ReasonAccessDenied, mention: "role", commits: 1,
			spoil: func(t *testing.T, d *bigip.Device, u apply.Unit) {
				// The device refuses by path alone: a call of its own kind.
				u.Changes[0] = plan.Change{Op: plan.Delete, Before: node(t, "10.9.9.9", "/Common/10.9.9.9")}
				mustFault(t, d, fault.Rule{
					Method: http.MethodDelete, Path: "/mgmt/tm/ltm/node/", Do: fault.Status, Status: 403,
					Body: `{"code":403,"message":"01070822:3: Access Denied: no.","apiError":3}`,
				})
			},
		},
	} {
		for _, at := range []int{0, 13, many - 1} {
			t.Run(fmt.Sprintf("%s, at %d", test.name, at), func(t *testing.T) {
				t.Parallel()
				d := startDevice(t, bigip.Options{})
				b := open(t, optionsFor(d))
				units := newUnits(t, many)
				test.spoil(t, d, units[at])
				before := len(writes(d))
				outs := b.Apply(t.Context(), units)
				wantAllDone(t, outs, at)
				bad := outs[at]
				if bad.Status != apply.Refused || bad.Reason != test.reason || bad.Applied != 0 {
					t.Errorf("the bad Unit is %s, %s after %d: %v", bad.Status, bad.Reason, bad.Applied, bad.Err)
				}
				wantMentioned(t, bad.Err, test.mention)
				if n := commits(d, before); n > test.commits {
					t.Errorf("%d commits, want at most %d", n, test.commits)
				}
				if n := len(writes(d)) - before; n > 3*3*many+4*test.commits {
					t.Errorf("%d calls for %d Units of 3, want at most three for each change, and those of the transactions", n, many)
				}
				if _, there := d.Object("ltm/pool", units[at].Changes[1].ID().Name); there {
					t.Error("the refused Unit's pool was left")
				}
				wantNoTransaction(t, d)
			})
		}
	}
}

// TestRefusalThatSaysNothing has a commit refused without a word: all are right,
// and are done in halves.
func TestRefusalThatSaysNothing(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"{}", `{"code":400,"message":"","errorStack":[],"apiError":2}`, "<html></html>"} {
		d := startDevice(t, bigip.Options{})
		b := open(t, optionsFor(d))
		mustFault(t, d, fault.Rule{Method: "PATCH", Path: "/mgmt/tm/transaction/", Count: 1, Do: fault.Status, Status: 400, Body: body})
		wantAllDone(t, b.Apply(t.Context(), newUnits(t, 8)))
		if n := commits(d, 0); n != 2 { // besides the one that the fault answered
			t.Errorf("%s: %d commits, want one for each half", body, n)
		}
	}
}

// TestAllRefused has every Unit be wrong: the calls stay bounded, and each has
// its own refusal.
func TestAllRefused(t *testing.T) {
	t.Parallel()
	const many = 32
	d := startDevice(t, bigip.Options{})
	b := open(t, optionsFor(d))
	units := newUnits(t, many)
	for _, u := range units {
		virtualOf(u).Profiles[0].Path = "/Common/nope-" + u.Service.Name
	}
	for i, out := range b.Apply(t.Context(), units) {
		if out.Status != apply.Refused || out.Applied != 0 {
			t.Errorf("Unit %d: %s after %d: %v", i, out.Status, out.Applied, out.Err)
		}
		wantMentioned(t, out.Err, "/Common/nope-"+units[i].Service.Name)
	}
	if n := len(writes(d)); n > 3*many*(bits.Len(many)+4) {
		t.Errorf("%d calls for %d changes", n, 3*many)
	}
	wantNoTransaction(t, d)
}

// TestNamesThatTwoServicesShare has the device name a member that two Units'
// pools have: it is not taken for one of them by guess.
func TestNamesThatTwoServicesShare(t *testing.T) {
	t.Parallel()
	d := startDevice(t, bigip.Options{})
	b := open(t, optionsFor(d))
	var units []apply.Unit
	for _, name := range []string{"a", "b", "c", "d"} {
		p, ref := testPool(name), state.Ref{Namespace: "shop", Name: name}
		mustCreate(t, b, p)
		units = append(units, apply.Unit{Service: ref, Changes: creations([]state.Object{poolMember(p, member(t, "10.0.0.5", 8080, "/Common/10.0.0.5"))})})
	}
	mustCreate(t, b, node(t, "10.0.0.5", "/Common/10.0.0.5"))
	heavy := units[2].Changes[0].After.(*state.PoolMember)
	gone := *heavy // c's is updated, and is not there
	gone.Ratio = 7
	units[2].Changes[0] = plan.Change{Op: plan.Update, Before: heavy, After: &gone}
	outs := b.Apply(t.Context(), units)
	wantAllDone(t, outs, 2)
	if outs[2].Status != apply.Refused || !outs[2].Stale {
		t.Errorf("the bad Unit is %s: %v", outs[2].Status, outs[2].Err)
	}
}

// TestJoinedUnitsMeetWhatIsDone has parts of two Units done already, which
// single calls take for success.
func TestJoinedUnitsMeetWhatIsDone(t *testing.T) {
	t.Parallel()
	d := startDevice(t, bigip.Options{})
	b := open(t, optionsFor(d))
	units := newUnits(t, 6)
	mustCreate(t, b, units[1].Changes[0].After, units[1].Changes[1].After)
	mustCreate(t, b, units[4].Changes[0].After)
	wantAllDone(t, b.Apply(t.Context(), units))
	wantAllDone(t, b.Apply(t.Context(), units)) // all of it
	for i := range units {
		var objects []state.Object
		for _, c := range units[i].Changes {
			objects = append(objects, c.After)
		}
		units[i].Changes = deletions(objects)
	}
	if out := b.Apply(t.Context(), units[2:3])[0]; out.Status != apply.Done {
		t.Fatal(out.Err)
	}
	wantAllDone(t, b.Apply(t.Context(), units))
	if left := d.Objects("ltm/pool", ""); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	wantNoTransaction(t, d)
}

// TestUserThatMayBeginNoTransaction has all made with single calls.
func TestUserThatMayBeginNoTransaction(t *testing.T) {
	t.Parallel()
	d := startDevice(t, bigip.Options{})
	b := open(t, optionsFor(d))
	mustFault(t, d, fault.Rule{Method: http.MethodPost, Path: "/mgmt/tm/transaction", Do: fault.Status, Status: 403, Body: `{"code":403,"message":"no"}`})
	wantAllDone(t, b.Apply(t.Context(), newUnits(t, 5)))
}

// TestLostAnswersOfABatch fails a batch at each of its calls: what nobody knows
// is unknown of all its Units, and what is known not to be done of none.
func TestLostAnswersOfABatch(t *testing.T) {
	t.Parallel()
	const begin, queued, commit = "/mgmt/tm/transaction", "/mgmt/tm/ltm/virtual", "/mgmt/tm/transaction/"
	for _, test := range []struct {
		name   string
		rule   fault.Rule
		status apply.Status
		stands bool
	}{
		{name: "cut before it begins", rule: fault.Rule{Method: "POST", Path: begin, Do: fault.CutBefore}, status: apply.Unknown},
		{name: "cut when a change is queued", rule: fault.Rule{Method: "POST", Path: queued, Skip: 3, Do: fault.CutAfter}, status: apply.Unknown},
		{name: "lost while it is filled", rule: fault.Rule{Method: "POST", Path: queued, Skip: 3, Do: fault.LoseTransactions}, status: apply.Unavailable},
		{name: "the device takes no call", rule: fault.Rule{Method: "POST", Path: queued, Skip: 3, Do: fault.Busy}, status: apply.Unavailable},
		{name: "cut before its commit", rule: fault.Rule{Method: "PATCH", Path: commit, Do: fault.CutBefore}, status: apply.Unknown},
		{name: "cut after its commit", rule: fault.Rule{Method: "PATCH", Path: commit, Do: fault.CutAfter}, status: apply.Unknown, stands: true},
		{name: "the answer came too late", rule: fault.Rule{Method: "PATCH", Path: commit, Do: fault.AsyncTimeout}, status: apply.Unknown, stands: true},
		{name: "the token is forgotten", rule: fault.Rule{Method: "PATCH", Path: commit, Do: fault.ForgetTokens}, status: apply.Done, stands: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := startDevice(t, bigip.Options{})
			b := open(t, optionsFor(d))
			test.rule.Count = 1
			mustFault(t, d, test.rule)
			units := newUnits(t, 8)
			for i, out := range b.Apply(t.Context(), units) {
				if out.Status != test.status || out.Applied > 0 != (test.status == apply.Done) {
					t.Errorf("Unit %d: %s after %d: %v; want %s", i, out.Status, out.Applied, out.Err, test.status)
				}
				if _, there := d.Object("ltm/virtual", virtualOf(units[i]).Path); there != test.stands {
					t.Errorf("Unit %d stands: %t", i, there)
				}
			}
			wantAllDone(t, b.Apply(t.Context(), units))
		})
	}
}

// TestFailoverInAJoinedBatch has the unit hand over to the other while a batch
// is filled, and in its commit: nothing of it counts, whatever it answered.
func TestFailoverInAJoinedBatch(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]fault.Rule{
		"while it is filled": {Method: "POST", Path: "/mgmt/tm/ltm/pool", Skip: 4, Count: 1, Do: fault.Failover},
		"in its commit":      {Method: "PATCH", Path: "/mgmt/tm/transaction/", Count: 1, Do: fault.Failover},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, b, _ := startPair(t, bigip.Options{Latency: 200 * time.Millisecond}, bigip.PairOptions{}, nil)
				mustRead(t, b)
				mustFault(t, p.A, rule)
				units := newUnits(t, 8)
				for i, out := range b.Apply(t.Context(), units) {
					if out.Status != apply.Unavailable || out.Reason != f5.ReasonUnitChanged || out.Applied != 0 {
						t.Errorf("Unit %d: %s, %s after %d: %v", i, out.Status, out.Reason, out.Applied, out.Err)
					}
				}
				if n := p.B.Writes(); n != 0 {
					t.Errorf("%d changes on the other unit, of which nothing was read", n)
				}
				mustRead(t, b)
				wantAllDone(t, b.Apply(t.Context(), units))
				for _, u := range units {
					if _, there := p.B.Object("ltm/virtual", virtualOf(u).Path); !there {
						t.Errorf("%s is not on the unit that is active now", virtualOf(u).Path)
					}
				}
			})
		})
	}
}

// burst has a worker make many Services on a device and then change one member
// of each at once. It returns how long that took and how many calls.
func burst(t *testing.T, services int, o bigip.Options) (took time.Duration, made []string) {
	t.Helper()
	p, b, _ := startPair(t, o, bigip.PairOptions{}, func(o *f5.Options) { o.Hosts = []string{"http://a"} })
	e := run(t, b)
	want := make([]state.Want, services)
	for n := range want {
		want[n] = wanted(n)
		e.ledger.Put(want[n], time.Time{})
	}
	settle(t, e, services)
	before, start := len(writes(p.A)), time.Now()
	e.forget()
	for _, w := range want {
		e.ledger.Put(heavier(w), time.Time{})
	}
	settle(t, e, services)
	return time.Since(start), calls(p.A, before)
}

// heavier is a Want whose member has another ratio.
func heavier(w state.Want) state.Want {
	p := *w.Objects[0].(*state.Pool)
	m := p.Members[0]
	m.Ratio = 5
	w.Objects = []state.Object{p.With(m), w.Objects[1]}
	return w
}

// settle waits until so many Services are as asked.
func settle(t *testing.T, e *engine, services int) {
	t.Helper()
	for range 100_000 {
		if e.settled() == services {
			return
		}
		time.Sleep(10 * time.Millisecond) // of the bubble
	}
	t.Fatalf("%d of %d Services are settled", e.settled(), services)
}

// TestSlowCommitsAreShared changes 300 pools at once, on a device that makes
// one change in 200 ms, and on one that makes them as fast as they come.
func TestSlowCommitsAreShared(t *testing.T) {
	t.Parallel()
	const services = 300
	synctest.Test(t, func(t *testing.T) {
		took, made := burst(t, services, bigip.Options{Latency: 30 * time.Millisecond, CommitLatency: 200 * time.Millisecond})
		t.Logf("simulated device, 30 ms a call, 200 ms a commit: %d pools in %v with %d calls; one by one it takes %v",
			services, took, len(made), services*200*time.Millisecond)
		if most := services * 200 * time.Millisecond / 6; took > most {
			t.Errorf("took %v, want at most %v", took, most)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		took, made := burst(t, services, bigip.Options{Latency: 30 * time.Millisecond})
		bare := services * 30 * time.Millisecond / 4
		t.Logf("simulated device, 30 ms a call: %d pools in %v with %d calls; a bare client takes %v", services, took, len(made), bare)
		if took > bare*12/10 {
			t.Errorf("took %v, want at most 1.2 times %v", took, bare)
		}
	})
}

// TestIdleDeviceGetsOneCall has one change on a device that is known to be slow
// go out at once, by itself.
func TestIdleDeviceGetsOneCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, b, _ := startPair(t, bigip.Options{Latency: 30 * time.Millisecond, CommitLatency: 200 * time.Millisecond},
			bigip.PairOptions{}, func(o *f5.Options) { o.Hosts = []string{"http://a"} })
		e := run(t, b)
		for n := range 40 {
			e.ledger.Put(wanted(n), time.Time{})
		}
		settle(t, e, 40)
		before, start := len(writes(p.A)), time.Now()
		e.ledger.Put(heavier(wanted(7)), time.Time{})
		for len(writes(p.A)) == before {
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(start); took > 240*time.Millisecond {
			t.Errorf("it was made after %v, want 230 ms: a call and its commit", took)
		}
		if got := calls(p.A, before); len(got) != 1 || !strings.HasPrefix(got[0], "PATCH ltm/pool/") {
			t.Errorf("calls %q, want one", got)
		}
	})
}

// TestDeviceThatAnswersTooLate has calls take longer than a call may, in the
// middle of a burst, alone and in a commit: nobody knows what became of them,
// and all ends as asked, without a change too many.
func TestDeviceThatAnswersTooLate(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]fault.Rule{
		"a change":        {Method: "PATCH", Path: "/mgmt/tm/ltm/pool/", Skip: 2, Count: 2},
		"a queued change": {Method: "PATCH", Path: "/mgmt/tm/ltm/pool/", Skip: 10, Count: 1},
		"a commit":        {Method: "PATCH", Path: "/mgmt/tm/transaction/", Count: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const services = 40
				p, b, _ := startPair(t, bigip.Options{Latency: 30 * time.Millisecond, CommitLatency: 200 * time.Millisecond},
					bigip.PairOptions{}, func(o *f5.Options) { o.Hosts = []string{"http://a"} })
				e := run(t, b)
				for n := range services {
					e.ledger.Put(wanted(n), time.Time{})
				}
				settle(t, e, services)
				rule.Do, rule.Delay = fault.Delay, 70*time.Second
				mustFault(t, p.A, rule)
				e.forget()
				for n := range services {
					e.ledger.Put(heavier(wanted(n)), time.Time{})
				}
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				if n := e.settled(); n != services {
					t.Errorf("%d of %d Services are settled", n, services)
				}
				for n := range services {
					pool := wanted(n).Objects[0].ID().Name
					at := wanted(n).Objects[0].(*state.Pool).Members[0].Endpoint
					m, there := p.A.Object("ltm/pool/members", fmt.Sprintf("%s /Common/%s", pool, at))
					if !there || fmt.Sprint(m["ratio"]) != "5" {
						t.Errorf("the member of %s has ratio %v", pool, m["ratio"])
					}
				}
				before := p.A.Writes()
				time.Sleep(10 * time.Minute)
				if n := p.A.Writes() - before; n != 0 {
					t.Errorf("%d changes in a settled world", n)
				}
			})
		})
	}
}
