package state_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/sync/state"
)

// full are one object of each kind, with no field at its zero value.
func full(t *testing.T) map[string]state.Object {
	t.Helper()
	number := uint32(7)
	follows := []state.ID{{Backend: "bigip/dc2", Kind: state.KindPool, Name: "/web/p"}}
	member := state.Member{
		Endpoint: endpoint(t, "10.0.0.1%2:8080"), Node: "/Common/10.0.0.1%2", Owner: cartOwner, Admin: state.Offline,
		Ratio: 3, Priority: 2, Terminating: true, Drain: 1782900000, Available: true, Idle: true, Serves: true, Stays: true,
		VM: true, Text: "rack 7", Managed: true,
		Loan: &state.Loan{To: cartOwner, Was: state.Terms{Admin: state.Disabled, Ratio: 1, Priority: 1}, Set: state.Terms{Admin: state.Offline, Ratio: 2, Priority: 1}},
	}
	return map[string]state.Object{
		"virtual server": &state.VirtualServer{
			Backend: "bigip/dc1", Path: "/web/v", Owner: cartOwner, Destination: endpoint(t, "203.0.113.10%2:80"),
			Protocol: state.TCP, Pool: "/web/p", Profiles: []state.Profile{{Path: "/Common/tcp", Context: "all"}},
			SNAT: "automap", Disabled: true, Follows: follows, Source: netip.MustParsePrefix("192.0.2.0/24"), VLANs: []string{"/Common/external"},
			IRules: []string{"/Common/r"}, Policies: []string{"/Common/l"}, Persistence: "/Common/c", ConnectionLimit: 100,
			Use: state.Adopted, Named: []state.Property{state.NamedSNAT}, Text: "the shop", Managed: true,
		},
		"monitor": &state.Monitor{
			Backend: "bigip/dc1", Path: "/web/m", Owner: cartOwner, Type: "http", Interval: 5, Timeout: 16,
			Send: "GET /", Receive: "200 OK", Port: 32000,
		},
		"data group": &state.DataGroup{
			Backend: "bigip/dc1", Path: "/web/v_src", Owner: cartOwner, Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		},
		"irule":       &state.IRule{Backend: "bigip/dc1", Path: "/web/v_src", Owner: cartOwner, Text: "when CLIENT_ACCEPTED {\n    reject\n}"},
		"persistence": &state.Persistence{Backend: "bigip/dc1", Path: "/web/v_p", Owner: cartOwner, Timeout: 10800},
		"node":        &state.Node{Backend: "bigip/dc1", Path: "/Common/10.0.0.1%2", Address: member.Endpoint.Address, Owner: cartOwner},
		"route": &state.Route{
			Backend: "bgp", Prefix: netip.MustParsePrefix("203.0.113.10/32"), Owner: cartOwner,
			NextHops: []state.NextHop{{Address: netip.MustParseAddr("198.51.100.1"), Via: "self IP of dc1"}}, Peers: []string{"tor-a"},
			Communities: []string{"64512:1"}, LocalPreference: &number, MED: &number, Prepend: 2, Stood: true, Follows: follows,
		},
		"pool": &state.Pool{
			Backend: "bigip/dc1", Path: "/web/p", Owner: cartOwner, Mode: "round-robin", Monitors: []string{"/Common/tcp"},
			ReselectTries: 3, SlowRamp: 10, DrainTimeout: time.Minute, Members: []state.Member{member},
			MinActive: 1, Use: state.Adopted, Named: []state.Property{state.NamedMonitors}, Lent: state.PoolTerms{Mode: "round-robin", MinActive: 2}, Text: "the shop", Managed: true,
			Share: state.Share{Percent: 5, Given: true, Fallback: state.FallbackNone, FallbackGiven: true, Borrow: true, Elsewhere: true},
			Peers: []state.Member{{Ratio: 1}}, Beside: []state.Member{{Ratio: 1}},
		},
		"pool member": &state.PoolMember{Backend: "bigip/dc1", Pool: "/web/p", Member: member},
	}
}

// silent are the fields that Lines leaves out, each for its reason.
var silent = map[string]map[string]string{
	"virtual server": {
		".Backend": "the ID", ".Path": "the ID",
		".Named": "says what else of it counts", ".Text": "what others wrote", ".Managed": "what others said",
		".Follows": "the order of things, not their content",
	},
	"monitor":     {".Backend": "the ID", ".Path": "the ID"},
	"data group":  {".Backend": "the ID", ".Path": "the ID"},
	"irule":       {".Backend": "the ID", ".Path": "the ID"},
	"persistence": {".Backend": "the ID", ".Path": "the ID"},
	"node":        {".Backend": "the ID"},
	"route": {
		".Backend": "the ID", ".Prefix": "the ID",
		".Stood":   "decides when, and not what",
		".Follows": "the order of things, not their content",
	},
	"pool": {
		".Backend": "the ID", ".Path": "the ID",
		".DrainTimeout":                         "wanted, and stands on no device",
		".Share":                                "wanted, and stands on no device",
		".Named":                                "says what else of it counts",
		".Peers":                                "wanted, and stands on no device",
		".Beside":                               "wanted, and stands on no device",
		".Text":                                 "what others wrote",
		".Managed":                              "what others said",
		".Members[0].Node":                      "the member's address says it; a plan fills it in",
		".Members[0].Available":                 "what the device reports, and nobody sets",
		".Members[0].Idle":                      "what the device reports, and nobody sets",
		".Members[0].Serves":                    "decides when, and not what",
		".Members[0].Stays":                     "leaves it to what stands",
		".Members[0].Text":                      "what others wrote",
		".Members[0].Managed":                   "what others said",
		".Members[0].Loan.To.Cluster":           "a plan looks at it by itself, as at the owner",
		".Members[0].Loan.To.UID":               "as above",
		".Members[0].Loan.To.Service.Name":      "as above",
		".Members[0].Loan.To.Service.Namespace": "as above",
		".Members[0].Owner.Cluster":             "a plan looks at a member's owner by itself",
		".Members[0].Owner.UID":                 "as above",
		".Members[0].Owner.Service.Name":        "as above",
		".Members[0].Owner.Service.Namespace":   "as above",
	},
	"pool member": {
		".Backend": "the ID", ".Pool": "the ID",
		".Member.Node":                      "the member's address says it; a plan fills it in",
		".Member.Available":                 "what the device reports, and nobody sets",
		".Member.Idle":                      "what the device reports, and nobody sets",
		".Member.Serves":                    "decides when, and not what",
		".Member.Stays":                     "leaves it to what stands",
		".Member.Text":                      "what others wrote",
		".Member.Managed":                   "what others said",
		".Member.Loan.To.Cluster":           "a plan looks at it by itself, as at the owner",
		".Member.Loan.To.UID":               "as above",
		".Member.Loan.To.Service.Name":      "as above",
		".Member.Loan.To.Service.Namespace": "as above",
		".Member.Owner.Cluster":             "a plan looks at a member's owner by itself",
		".Member.Owner.UID":                 "as above",
		".Member.Owner.Service.Name":        "as above",
		".Member.Owner.Service.Namespace":   "as above",
	},
}

// A wanted field that Lines forgets would never be put right on a device, for
// Lines is what a plan compares.
func TestLinesShowEveryWantedField(t *testing.T) {
	t.Parallel()
	for name, o := range full(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := o.Lines()
			got := map[string]string{}
			flip(t, reflect.ValueOf(o).Elem(), "", func(field string) {
				if slices.Equal(before, o.Lines()) {
					got[field] = silent[name][field]
				}
			})
			if diff := cmp.Diff(silent[name], got); diff != "" {
				t.Errorf("fields that Lines do not show (-want +got):\n%s", diff)
			}
		})
	}
}

// flip changes one leaf of v after the other, calls see with its path, and
// puts it back.
func flip(t *testing.T, v reflect.Value, path string, see func(field string)) {
	t.Helper()
	if a, ok := v.Interface().(netip.Addr); ok {
		before := reflect.ValueOf(a)
		v.Set(reflect.ValueOf(a.Next()))
		see(path)
		v.Set(before)
		return
	}
	if path == ".Share" || path == ".Peers" || path == ".Beside" || path == ".Named" { // each is one thing
		before := reflect.ValueOf(v.Interface())
		v.SetZero()
		see(path)
		v.Set(before)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		flip(t, v.Elem(), path, see)
		before := reflect.ValueOf(v.Interface())
		v.SetZero()
		see(path + " without")
		v.Set(before)
		return
	case reflect.Struct:
		if p, ok := v.Interface().(netip.Prefix); ok {
			before := reflect.ValueOf(p)
			v.Set(reflect.ValueOf(netip.PrefixFrom(p.Addr(), p.Bits()-1)))
			see(path)
			v.Set(before)
			return
		}
		for i := range v.NumField() {
			flip(t, v.Field(i), path+"."+v.Type().Field(i).Name, see)
		}
		return
	case reflect.Slice:
		if v.Len() == 0 {
			t.Fatalf("%s is empty: fill it in", path)
		}
		for i := range v.Len() {
			if v.Type().Elem() == reflect.TypeFor[state.ID]() {
				break // an After is one thing
			}
			flip(t, v.Index(i), fmt.Sprintf("%s[%d]", path, i), see)
		}
		before := reflect.ValueOf(v.Interface())
		v.Set(v.Slice(0, 0))
		see(path)
		v.Set(before)
		return
	}
	if v.IsZero() {
		t.Fatalf("%s is zero: fill it in", path)
	}
	before := reflect.ValueOf(v.Interface())
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(v.Uint() - 1)
	default:
		t.Fatalf("%s: %s is not known here", path, v.Kind())
	}
	see(path)
	v.Set(before)
}

func TestLinesDoNotDependOnOrder(t *testing.T) {
	t.Parallel()
	a := &state.VirtualServer{Profiles: []state.Profile{{Path: "/Common/tcp", Context: "all"}, {Path: "/Common/http", Context: "all"}}}
	b := &state.VirtualServer{Profiles: []state.Profile{a.Profiles[1], a.Profiles[0]}}
	if !state.Equal(a, b) {
		t.Errorf("the order of profiles is a difference:\n%q\n%q", a.Lines(), b.Lines())
	}
	for name, o := range full(t) {
		if name == "pool" { // settings, then members
			continue
		}
		if !slices.IsSorted(o.Lines()) {
			t.Errorf("%s: lines are not sorted: %q", name, o.Lines())
		}
	}
}

func TestIDsAndOrder(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"virtual server": "bigip/dc1 virtual-server /web/v",
		"monitor":        "bigip/dc1 monitor /web/m",
		"data group":     "bigip/dc1 data-group /web/v_src",
		"irule":          "bigip/dc1 irule /web/v_src",
		"persistence":    "bigip/dc1 persistence /web/v_p",
		"node":           "bigip/dc1 node 10.0.0.1%2",
		"route":          "bgp route 203.0.113.10/32 for shop/cart",
		"pool":           "bigip/dc1 pool /web/p",
		"pool member":    "bigip/dc1 member /web/p 10.0.0.1%2:8080",
	}
	for name, o := range full(t) {
		if got := o.ID().String(); got != want[name] {
			t.Errorf("%s: ID %q, want %q", name, got, want[name])
		}
		if o.OwnedBy() != cartOwner {
			t.Errorf("%s: owner %v", name, o.OwnedBy())
		}
		if follows := name == "virtual server" || name == "route"; follows != (len(o.After()) == 1) {
			t.Errorf("%s comes after %v", name, o.After())
		}
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	for name, o := range full(t) {
		if !state.Same(o, full(t)[name]) {
			t.Errorf("%s is not the same as its copy", name)
		}
	}
	for _, test := range []struct {
		name   string
		of     string
		change func(state.Object)
	}{
		{"another drain timeout is another plan", "pool", func(o state.Object) { o.(*state.Pool).DrainTimeout++ }},
		{"a member's mark", "pool", func(o state.Object) { o.(*state.Pool).Members[0].Terminating = false }},
		{"another member", "pool", func(o state.Object) { o.(*state.Pool).Members[0].Endpoint.Port++ }},
		{"another member beside", "pool", func(o state.Object) { o.(*state.Pool).Beside[0].Endpoint.Port++ }},
		{"another mode", "pool", func(o state.Object) { o.(*state.Pool).Mode = "ratio-member" }},
		{"another path", "pool", func(o state.Object) { o.(*state.Pool).Path = "/web/q" }},
		{"another order of things", "virtual server", func(o state.Object) { o.(*state.VirtualServer).Follows = nil }},
		{"a route that stood", "route", func(o state.Object) { o.(*state.Route).Stood = false }},
		{"another SNAT", "virtual server", func(o state.Object) { o.(*state.VirtualServer).SNAT = "none" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := full(t)[test.of]
			test.change(o)
			if state.Same(o, full(t)[test.of]) || state.Same(full(t)[test.of], o) {
				t.Error("is no difference")
			}
		})
	}
	if state.Same(full(t)["pool"], full(t)["node"]) || state.Same(full(t)["node"], full(t)["pool"]) {
		t.Error("a pool and a node are the same")
	}
}
