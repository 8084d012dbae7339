package f5_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/backends/f5"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/bigip"
	"landbridge.dev/testenv/bigip/fault"
)

func mustFault(t *testing.T, d *bigip.Device, r fault.Rule) {
	t.Helper()
	if _, err := d.Fault(r); err != nil {
		t.Fatal(err)
	}
}

// wholeService is all that a Service puts on a device, in the order in which
// it is made.
func wholeService(t *testing.T) []state.Object {
	t.Helper()
	p := testPool("cart_80")
	p.Members = []state.Member{member(t, "10.0.0.5", 8080, "/Common/10.0.0.5")}
	v := virtual(t, "cart_80", "203.0.113.10", 80)
	v.Pool = p.Path
	m := &state.Monitor{
		Backend: "bigip/dc1", Path: "/web/lb_prod_cart_80_m1", Owner: identity().Owner(cart), Type: "http",
		Interval: 5, Timeout: 16, Send: `GET / HTTP/1.0\r\n\r\n`,
	}
	return []state.Object{
		m, node(t, "10.0.0.5", "/Common/10.0.0.5"), node(t, "10.0.0.6", "/Common/10.0.0.6"), p,
		poolMember(p, member(t, "10.0.0.6", 8080, "/Common/10.0.0.6")), v,
	}
}

// TestLostAnswers loses one answer after another, with and without the call's
// effect, and goes on from where the Outcome says that it stands.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, action := range []fault.Action{fault.CutBefore, fault.CutAfter, fault.AsyncTimeout, fault.MCPDLost, fault.ForgetTokens} {
		t.Run(string(action), func(t *testing.T) {
			t.Parallel()
			d := startDevice(t, bigip.Options{})
			b := open(t, optionsFor(d))
			objects := wholeService(t)
			for i, o := range objects {
				mustFault(t, d, fault.Rule{Method: "write", Path: "/mgmt/tm/", Count: 1, Do: action})
				out := applyOne(t, b, plan.Change{Op: plan.Create, After: o})
				want := apply.Unknown
				if action == fault.ForgetTokens {
					want = apply.Done // a 401 says that nothing was done
				}
				if out.Status != want {
					t.Fatalf("object %d, %s: outcome is %s: %v; want %s", i, o.ID(), out.Status, out.Err, want)
				}
				mustCreate(t, b, o) // whether it stands or not
			}
			set := mustRead(t, b)
			for _, o := range objects {
				have, ok := set.Get(o.ID())
				if !ok {
					t.Fatalf("%s is not there", o.ID())
				}
				if p, isPool := o.(*state.Pool); isPool {
					o = p.With(objects[4].(*state.PoolMember).Member)
				}
				if diff := cmp.Diff(o.Lines(), have.Lines()); diff != "" {
					t.Errorf("%s (-want +got):\n%s", o.ID(), diff)
				}
			}
			for i := len(objects) - 1; i >= 0; i-- {
				mustFault(t, d, fault.Rule{Method: "DELETE", Path: "/mgmt/tm/", Count: 1, Do: action})
				applyOne(t, b, plan.Change{Op: plan.Delete, Before: objects[i]})
				if out := applyOne(t, b, plan.Change{Op: plan.Delete, Before: objects[i]}); out.Status != apply.Done {
					t.Fatalf("deleting %s again: %s: %v", objects[i].ID(), out.Status, out.Err)
				}
			}
			for o := range mustRead(t, b).All() {
				if identity().Owns(o.OwnedBy()) {
					t.Errorf("%s is still there", o.ID())
				}
			}
		})
	}
}

// TestDeviceThatTakesNoCalls has Units wait in line before a device that
// starts: only those that were on their way meet it.
func TestDeviceThatTakesNoCalls(t *testing.T) {
	t.Parallel()
	for action, reason := range map[fault.Action]string{
		fault.Starting: f5.ReasonDeviceStarting,
		fault.Busy:     f5.ReasonDeviceStarting,
		fault.HTML:     f5.ReasonDeviceStarting,
	} {
		t.Run(string(action), func(t *testing.T) {
			t.Parallel()
			d := startDevice(t, bigip.Options{})
			o := optionsFor(d)
			b := open(t, o)
			mustRead(t, b)
			mustFault(t, d, fault.Rule{Method: http.MethodPost, Path: "/mgmt/tm/ltm", Do: action})
			before := d.Writes()
			var units []apply.Unit
			for i := range 50 {
				units = append(units, createUnit(testPool(pathOf(i)[5:])))
			}
			for i, out := range b.Apply(t.Context(), units) {
				if out.Status != apply.Unavailable || out.Reason != reason || out.Applied != 0 {
					t.Errorf("unit %d: %s, %s: %v", i, out.Status, out.Reason, out.Err)
				}
			}
			if n := d.Writes() - before; n > 4 {
				t.Errorf("%d calls were made, want no more than there may be at once", n)
			}
			d.ClearFaults()
			for i, out := range b.Apply(t.Context(), units) {
				if out.Status != apply.Done {
					t.Errorf("unit %d: %s, %s: %v", i, out.Status, out.Reason, out.Err)
				}
			}
		})
	}
}

func TestFullReadUnderFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		action fault.Action
		works  bool
	}{
		{action: fault.ForgetTokens, works: true},
		{action: fault.CutBefore, works: true},
		{action: fault.Busy, works: true},
		{action: fault.MCPDLost},
		{action: fault.Starting},
		{action: fault.AsyncTimeout},
	} {
		t.Run(string(test.action), func(t *testing.T) {
			t.Parallel()
			d := startDevice(t, bigip.Options{})
			b := open(t, optionsFor(d))
			mustCreate(t, b, wholeService(t)...)
			before := mustRead(t, b).Len()
			mustFault(t, d, fault.Rule{Method: http.MethodGet, Path: "/mgmt/tm/ltm/pool", Count: 1, Do: test.action})
			set, err := b.Read(t.Context(), apply.Scope{})
			if (err == nil) != test.works {
				t.Fatalf("error is %v", err)
			}
			if err == nil && set.Len() != before {
				t.Errorf("%d objects were read, want %d", set.Len(), before)
			}
		})
	}
}
