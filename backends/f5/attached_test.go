package f5_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/bigip"
)

func sourceRule() *state.IRule {
	return &state.IRule{
		Backend: "bigip/dc1", Path: "/web/lb_prod_cart_80_src", Owner: identity().Owner(cart), Text: "when CLIENT_ACCEPTED {\n    reject\n}",
	}
}

// TestSettingsGoAsWhatDiffers pins what goes over the wire for settings: a
// PATCH of those that changed, with lists whole.
func TestSettingsGoAsWhatDiffers(t *testing.T) {
	t.Parallel()
	d := startDevice(t, bigip.Options{})
	b := open(t, optionsFor(d))
	group := &state.DataGroup{
		Backend: "bigip/dc1", Path: "/web/lb_prod_cart_80_src", Owner: identity().Owner(cart), Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
	}
	affinity := &state.Persistence{Backend: "bigip/dc1", Path: "/web/lb_prod_cart_80_p", Owner: identity().Owner(cart), Timeout: 60}
	monitor := &state.Monitor{
		Backend: "bigip/dc1", Path: "/web/lb_prod_cart_80_m1", Owner: identity().Owner(cart), Type: "http", Interval: 5, Timeout: 16, Send: `GET /\r\n`, Port: 32000,
	}
	mustCreate(t, b, monitor, group, sourceRule(), affinity)
	plain := virtual(t, "cart_80", "203.0.113.10%2", 80)
	mustPost(t, d, "/mgmt/tm/net/route-domain", map[string]any{"name": "two", "id": 2})
	mustCreate(t, b, plain)

	before := len(writes(d))
	full := *plain
	full.IRules, full.Persistence, full.ConnectionLimit = []string{sourceRule().Path}, affinity.Path, 10
	full.VLANs, full.Source = []string{"/Common/http-tunnel"}, netip.MustParsePrefix("192.0.2.0/24")
	wider, longer, slower := *group, *affinity, *monitor
	wider.Prefixes = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	longer.Timeout, slower.Interval = 0, 10
	update := func(before, after state.Object) plan.Change {
		return plan.Change{Op: plan.Update, Before: before, After: after}
	}
	if out := applyOne(t, b, update(plain, &full), update(group, &wider), update(affinity, &longer), update(monitor, &slower), update(&full, plain)); out.Err != nil {
		t.Fatal(out.Err)
	}
	want := []string{
		`PATCH ltm/virtual/~web~lb_prod_cart_80 {"connectionLimit":10,"persist":[{"name":"lb_prod_cart_80_p","partition":"web","tmDefault":"yes"}],"rules":["/web/lb_prod_cart_80_src"],"source":"192.0.2.0%2/24","vlans":["/Common/http-tunnel"],"vlansEnabled":true}`,
		`PATCH ltm/data-group/internal/~web~lb_prod_cart_80_src {"records":[{"name":"192.0.2.0/24"},{"name":"2001:db8::/32"}]}`,
		`PATCH ltm/persistence/source-addr/~web~lb_prod_cart_80_p {"timeout":"indefinite"}`,
		`PATCH ltm/monitor/http/~web~lb_prod_cart_80_m1 {"interval":10}`,
		`PATCH ltm/virtual/~web~lb_prod_cart_80 {"connectionLimit":0,"persist":[],"rules":[],"source":"0.0.0.0%2/0","vlans":[],"vlansDisabled":true}`,
	}
	// On a machine that is busy, a device may seem so slow that a transaction pays.
	transaction := func(call string) bool { return strings.Contains(call, " transaction") }
	if diff := cmp.Diff(want, slices.DeleteFunc(writes(d)[before:], transaction)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, o := range []state.Object{plain, &wider, &longer, &slower} {
		if got, ok := mustRead(t, b).Get(o.ID()); !ok || !state.Equal(o, got) {
			t.Errorf("%s reads as %v", o.ID(), got)
		}
	}
}

// TestSettingsAsTheyAreShown: what a device or a person writes otherwise and
// means the same is no difference, and what means something else is one.
func TestSettingsAsTheyAreShown(t *testing.T) {
	t.Parallel()
	tag := identity().Owner(cart).Tag()
	const vs, ir, dg = "ltm/virtual/~web~lb_prod_cart_80", "ltm/rule/~web~lb_prod_cart_80_src", "ltm/data-group/internal/~web~lb_prod_cart_80_src"
	for _, test := range []struct {
		name, path string
		body       map[string]any
		of         state.Kind
		same       bool
	}{
		{"blanks around an iRule", ir, map[string]any{"apiAnonymous": "\n# " + tag + "  \n\n" + sourceRule().Text + "\n\n"}, state.KindIRule, true},
		{"another iRule", ir, map[string]any{"apiAnonymous": "# " + tag + "\nwhen CLIENT_ACCEPTED { }"}, state.KindIRule, false},
		{"an iRule whose tag is not its first line", ir, map[string]any{"apiAnonymous": "# mine\n# " + tag + "\n" + sourceRule().Text}, state.KindIRule, false},
		{"an address for its prefix", dg, map[string]any{"records": []map[string]any{{"name": "192.0.2.7"}}}, state.KindDataGroup, true},
		{"another record", dg, map[string]any{"records": []map[string]any{{"name": "192.0.2.7"}, {"name": "10.0.0.0%1/8"}}}, state.KindDataGroup, false},
		{"all VLANs but one", vs, map[string]any{"vlansDisabled": true, "vlans": []string{"/Common/http-tunnel"}}, state.KindVirtualServer, false},
		{"everybody by another name", vs, map[string]any{"source": "0.0.0.0/0"}, state.KindVirtualServer, true},
		{"somebody alone", vs, map[string]any{"source": "192.0.2.0/24"}, state.KindVirtualServer, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := startDevice(t, bigip.Options{})
			b := open(t, optionsFor(d))
			group := &state.DataGroup{
				Backend: "bigip/dc1", Path: "/web/lb_prod_cart_80_src", Owner: identity().Owner(cart), Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32")},
			}
			v := virtual(t, "cart_80", "203.0.113.10", 80)
			mustCreate(t, b, group, sourceRule(), v)
			if status, answer := d.Do("PATCH", "/mgmt/tm/"+test.path, test.body); status != 200 {
				t.Fatalf("%d %v", status, answer)
			}
			for _, o := range []state.Object{group, sourceRule(), v} {
				if o.ID().Kind != test.of {
					continue
				}
				for what, set := range map[string]*state.Set{"full": mustRead(t, b), "scoped": mustRead(t, b, o.ID())} {
					got, ok := set.Get(o.ID())
					if !ok || state.Equal(o, got) != test.same {
						t.Errorf("%s read: %s", what, strings.Join(got.Lines(), "\n"))
					}
				}
			}
		})
	}
}
