package f5_test

import (
	"net/http"
	"slices"
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

// newService is a node, a pool with one member and a virtual server.
func newService(t testing.TB) []state.Object {
	t.Helper()
	p := testPool("cart_80")
	p.Members = []state.Member{member(t, "10.0.0.5", 8080, "/Common/10.0.0.5")}
	v := virtual(t, "shop_443", "203.0.113.10", 443)
	v.Pool = p.Path
	return []state.Object{node(t, "10.0.0.5", "/Common/10.0.0.5"), p, v}
}

func creations(objects []state.Object) []plan.Change {
	var changes []plan.Change
	for _, o := range objects {
		changes = append(changes, plan.Change{Op: plan.Create, After: o})
	}
	return changes
}

func deletions(objects []state.Object) []plan.Change {
	var changes []plan.Change
	for _, o := range slices.Backward(objects) {
		changes = append(changes, plan.Change{Op: plan.Delete, Before: o})
	}
	return changes
}

// calls are the changes that a device was asked for from the n-th on, without
// bodies and the numbers of transactions.
func calls(d *bigip.Device, n int) []string {
	var out []string
	for _, w := range writes(d)[n:] {
		words := strings.Fields(w)
		if rest, ok := strings.CutPrefix(words[1], "transaction/"); ok && rest != "" {
			words[1] = "transaction/N"
		}
		out = append(out, words[0]+" "+words[1])
	}
	return out
}

// wantNoTransaction wants none to be left open.
func wantNoTransaction(t *testing.T, d *bigip.Device) {
	t.Helper()
	_, answer := d.Do(http.MethodGet, "/mgmt/tm/transaction", nil)
	if open, _ := answer["items"].([]any); len(open) > 0 {
		t.Errorf("%d transactions are open", len(open))
	}
}

func TestWholeServiceIsOneTransaction(t *testing.T) {
	t.Parallel()
	d := startDevice(t, bigip.Options{})
	core, logs := observer.New(zap.InfoLevel)
	o := optionsFor(d)
	o.Log = zap.New(core)
	b := open(t, o)
	objects := newService(t)
	out := applyOne(t, b, creations(objects)...)
	if out.Status != apply.Done || out.Applied != 3 {
		t.Fatalf("%s after %d: %v", out.Status, out.Applied, out.Err)
	}
	if out := applyOne(t, b, deletions(objects)...); out.Status != apply.Done || out.Applied != 3 {
		t.Fatalf("%s after %d: %v", out.Status, out.Applied, out.Err)
	}
	want := []string{
		"POST transaction", "POST ltm/node", "POST ltm/pool", "POST ltm/virtual", "PATCH transaction/N",
		"POST transaction", "DELETE ltm/virtual/~web~lb_prod_shop_443", "DELETE ltm/pool/~web~lb_prod_cart_80", "DELETE ltm/node/~Common~10.0.0.5", "PATCH transaction/N",
	}
	if diff := cmp.Diff(want, calls(d, 0)); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if n := logs.FilterMessage("changed").Len(); n != 6 {
		t.Errorf("%d audit lines, want one for each change", n)
	}
	if n := mustRead(t, b).Len() - mustRead(t, open(t, optionsFor(startDevice(t, bigip.Options{})))).Len(); n != 0 {
		t.Errorf("%d objects are left", n)
	}
}

func TestWhatGoesInSingleCalls(t *testing.T) {
	t.Parallel()
	objects := newService(t)
	n, p, v := objects[0], objects[1].(*state.Pool), objects[2].(*state.VirtualServer)
	bare := *p
	bare.Members = nil
	m := poolMember(p, p.Members[0])
	heavy := *m
	heavy.Ratio = 5
	elsewhere, away := *v, *v
	elsewhere.Path += "_b"
	away.Destination.Address = address(t, "203.0.113.11")
	for _, test := range []struct {
		name    string
		before  []state.Object
		changes []plan.Change
	}{
		{name: "one pool", changes: creations([]state.Object{&bare})},
		{name: "a new address in a pool that stands", before: []state.Object{&bare}, changes: creations([]state.Object{n, m})},
		{name: "a member of a pool made beside it", before: []state.Object{n}, changes: creations([]state.Object{&bare, m})},
		{
			name: "a pool removed and made anew", before: []state.Object{&bare},
			changes: append(deletions([]state.Object{&bare}), creations([]state.Object{&bare})...),
		},
		{
			name: "an address that one leaves and another takes", before: []state.Object{n, p, v},
			changes: append(deletions([]state.Object{v}), creations([]state.Object{&elsewhere})...),
		},
		{
			name: "a virtual server that moves", before: []state.Object{n, p, v},
			changes: append([]plan.Change{{Op: plan.Update, Before: v, After: &away}}, creations([]state.Object{testPool("other")})...),
		},
		{
			name: "a change beside one that changes nothing", before: []state.Object{n},
			changes: append([]plan.Change{{Op: plan.Update, Before: n, After: n}}, creations([]state.Object{p})...),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := startDevice(t, bigip.Options{})
			b := open(t, optionsFor(d))
			for _, o := range test.before {
				mustCreate(t, b, o)
			}
			before := len(writes(d))
			if out := applyOne(t, b, test.changes...); out.Status != apply.Done || out.Applied != len(test.changes) {
				t.Errorf("%s after %d: %v", out.Status, out.Applied, out.Err)
			}
			if got := calls(d, before); slices.Contains(got, "POST transaction") {
				t.Errorf("calls %q, want no transaction", got)
			}
		})
	}
}

func TestRefusedTransactionHasDoneNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		prepare func(t *testing.T, d *bigip.Device, v *state.VirtualServer)
		reason  string
		mention string
	}{
		{
			name: "another virtual server has the address", reason: f5.ReasonAddressInUse, mention: "/web/other",
			prepare: func(t *testing.T, d *bigip.Device, _ *state.VirtualServer) {
				mustPost(t, d, "/mgmt/tm/ltm/virtual", map[string]any{"name": "/web/other", "destination": "/web/203.0.113.10:443", "ipProtocol": "tcp"})
			},
		},
		{
			name: "a profile is missing", reason: f5.ReasonNotFound, mention: "/Common/nope",
			prepare: func(_ *testing.T, _ *bigip.Device, v *state.VirtualServer) { v.Profiles[0].Path = "/Common/nope" },
		},
		{
			name: "a pool of this name that is not ours", reason: f5.ReasonAlreadyExists, mention: "not ours",
			prepare: func(t *testing.T, d *bigip.Device, v *state.VirtualServer) {
				mustPost(t, d, "/mgmt/tm/ltm/pool", map[string]any{"name": v.Pool})
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := startDevice(t, bigip.Options{})
			b := open(t, optionsFor(d))
			objects := newService(t)
			test.prepare(t, d, objects[2].(*state.VirtualServer))
			before := mustRead(t, b).Len()
			out := applyOne(t, b, creations(objects)...)
			if out.Status != apply.Refused || out.Reason != test.reason || out.Applied != 0 {
				t.Errorf("%s, %s after %d: %v; want refused, %s", out.Status, out.Reason, out.Applied, out.Err, test.reason)
			}
			wantMentioned(t, out.Err, test.mention)
			if n := mustRead(t, b).Len(); n != before {
				t.Errorf("%d objects were left", n-before)
			}
			wantNoTransaction(t, d)
		})
	}
}

// TestTransactionMeetsWhatIsDone has part of a Unit done already: single calls
// take that for success, and so does the Unit.
func TestTransactionMeetsWhatIsDone(t *testing.T) {
	t.Parallel()
	d := startDevice(t, bigip.Options{})
	b := open(t, optionsFor(d))
	objects := newService(t)
	mustCreate(t, b, objects[0])
	mustCreate(t, b, objects[1])
	if out := applyOne(t, b, creations(objects)...); out.Status != apply.Done || out.Applied != 3 {
		t.Fatalf("making: %s after %d: %v", out.Status, out.Applied, out.Err)
	}
	mustPost(t, d, "/mgmt/tm/ltm/pool", map[string]any{"name": "/web/legacy", "members": []any{map[string]any{"name": "/Common/10.0.0.5:80"}}})
	if out := applyOne(t, b, plan.Change{Op: plan.Delete, Before: objects[2]}); out.Status != apply.Done {
		t.Fatal(out.Err)
	}
	if out := applyOne(t, b, deletions(objects)...); out.Status != apply.Done || out.Applied != 3 {
		t.Fatalf("removing: %s after %d: %v", out.Status, out.Applied, out.Err)
	}
	if _, there := d.Object("ltm/pool", objects[1].ID().Name); there {
		t.Error("our pool is still there")
	}
	if _, there := d.Object("ltm/node", "/Common/10.0.0.5"); !there {
		t.Error("the node is gone that another's member uses")
	}
	wantNoTransaction(t, d)
}

// TestTransactionThatIsLost fails a transaction at each of its calls, and goes
// on from where the Outcome says that it stands.
func TestTransactionThatIsLost(t *testing.T) {
	t.Parallel()
	const begin, queued, commit = "/mgmt/tm/transaction", "/mgmt/tm/ltm/virtual", "/mgmt/tm/transaction/"
	for _, test := range []struct {
		name   string
		rule   fault.Rule
		status apply.Status
		reason string
		open   int // transactions that only time ends
	}{
		{name: "cut before it begins", rule: fault.Rule{Method: "POST", Path: begin, Do: fault.CutBefore}, status: apply.Unknown, reason: f5.ReasonNoAnswer},
		{name: "cut when it begins", rule: fault.Rule{Method: "POST", Path: begin, Do: fault.CutAfter}, status: apply.Unknown, reason: f5.ReasonNoAnswer, open: 1},
		{name: "cut before a change is queued", rule: fault.Rule{Method: "POST", Path: queued, Do: fault.CutBefore}, status: apply.Unknown, reason: f5.ReasonNoAnswer},
		{name: "cut when a change is queued", rule: fault.Rule{Method: "POST", Path: queued, Do: fault.CutAfter}, status: apply.Unknown, reason: f5.ReasonNoAnswer},
		{name: "lost while it is filled", rule: fault.Rule{Method: "POST", Path: queued, Do: fault.LoseTransactions}, status: apply.Unavailable, reason: f5.ReasonTransactionLost},
		{name: "the device takes no call", rule: fault.Rule{Method: "POST", Path: queued, Do: fault.Busy}, status: apply.Unavailable, reason: f5.ReasonDeviceStarting},
		{name: "lost before its commit", rule: fault.Rule{Method: "PATCH", Path: commit, Do: fault.LoseTransactions}, status: apply.Unknown, reason: f5.ReasonNoAnswer},
		{name: "cut before its commit", rule: fault.Rule{Method: "PATCH", Path: commit, Do: fault.CutBefore}, status: apply.Unknown, reason: f5.ReasonNoAnswer, open: 1},
		{name: "cut after its commit", rule: fault.Rule{Method: "PATCH", Path: commit, Do: fault.CutAfter}, status: apply.Unknown, reason: f5.ReasonNoAnswer},
		{name: "the answer came too late", rule: fault.Rule{Method: "PATCH", Path: commit, Do: fault.AsyncTimeout}, status: apply.Unknown, reason: f5.ReasonDeviceFailed},
		{name: "mcpd is lost", rule: fault.Rule{Method: "PATCH", Path: commit, Do: fault.MCPDLost}, status: apply.Unknown, reason: f5.ReasonDeviceFailed, open: 1},
		{name: "the token is forgotten", rule: fault.Rule{Method: "PATCH", Path: commit, Do: fault.ForgetTokens}, status: apply.Done},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := startDevice(t, bigip.Options{})
			b := open(t, optionsFor(d))
			test.rule.Count = 1
			mustFault(t, d, test.rule)
			objects := newService(t)
			out := applyOne(t, b, creations(objects)...)
			if out.Status != test.status || out.Reason != test.reason || out.Status != apply.Done && out.Applied != 0 {
				t.Errorf("%s, %s after %d: %v; want %s, %s", out.Status, out.Reason, out.Applied, out.Err, test.status, test.reason)
			}
			_, answer := d.Do(http.MethodGet, "/mgmt/tm/transaction", nil)
			if open, _ := answer["items"].([]any); len(open) != test.open {
				t.Errorf("%d transactions are open, want %d", len(open), test.open)
			}
			if out := applyOne(t, b, creations(objects)...); out.Status != apply.Done || out.Applied != 3 {
				t.Errorf("again: %s after %d: %v", out.Status, out.Applied, out.Err)
			}
		})
	}
}

// TestTransactionIsFasterThanSingleCalls takes the times of the two ways for a
// new Service, on a device that needs 30 ms for a call and 200 ms for a commit.
func TestTransactionIsFasterThanSingleCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		took := func(apart bool) (time.Duration, int) {
			p, b, _ := startPair(t, bigip.Options{Latency: 30 * time.Millisecond, CommitLatency: 200 * time.Millisecond}, bigip.PairOptions{},
				func(o *f5.Options) { o.Hosts = []string{"http://a"} })
			mustRead(t, b)
			before, start := p.A.Writes(), time.Now()
			if objects := newService(t); apart {
				for _, o := range objects {
					mustCreate(t, b, o)
				}
			} else {
				mustCreate(t, b, objects...)
			}
			return time.Since(start), p.A.Writes() - before
		}
		single, singleCalls := took(true)
		together, togetherCalls := took(false)
		t.Logf("simulated device: a new Service takes %v in %d single calls, %v in %d calls of a transaction", single, singleCalls, together, togetherCalls)
		if together >= single {
			t.Errorf("the transaction takes %v, single calls %v", together, single)
		}
	})
}
