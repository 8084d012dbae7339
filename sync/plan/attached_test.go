package plan_test

import (
	"net/netip"
	"testing"

	"landbridge.dev/sync/state"
)

// monitorOf is a monitor of the scene's pool.
func monitorOf(number, kind string, set ...func(*state.Monitor)) *state.Monitor {
	m := &state.Monitor{Backend: dc1, Path: path + "_m" + number, Owner: ours, Type: kind, Interval: 5, Timeout: 16}
	for _, s := range set {
		s(m)
	}
	return m
}

func slower(m *state.Monitor) { m.Interval, m.Timeout = 10, 31 }

func onPort(m *state.Monitor) { m.Port = 32000 }

// watched is a pool with these monitors.
func watched(p *state.Pool, monitors ...string) *state.Pool {
	p.Monitors = monitors
	return p
}

var (
	group   = &state.DataGroup{Backend: dc1, Path: path + "_src", Owner: ours, Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	rule    = &state.IRule{Backend: dc1, Path: path + "_src", Owner: ours, Text: "when CLIENT_ACCEPTED { }"}
	persist = &state.Persistence{Backend: dc1, Path: path + "_p", Owner: ours, Timeout: 60}
)

// guarded is a virtual server that refers to all of them.
func guarded() *state.VirtualServer {
	v := virtual()
	v.IRules, v.Persistence = []string{"/Common/x", path + "_src"}, path+"_p"
	return v
}

func TestWhatOthersReferTo(t *testing.T) {
	t.Parallel()
	theirs := *rule
	theirs.Owner = state.Owner{}
	check(t, []row{
		{
			name: "comes before them",
			in:   input(follow(guarded(), watched(wantPool(), path+"_m1"), persist, rule, monitorOf("1", "http"), group)),
			want: expect{Changes: []string{
				"create monitor /web/cart_m1", "create data-group /web/cart_src", "create irule /web/cart_src", "create persistence /web/cart_p",
				"create pool /web/cart", "create virtual-server /web/cart",
			}},
		},
		{
			name: "goes after them",
			in:   input(follow(), guarded(), watched(havePool(), path+"_m1"), persist, rule, monitorOf("1", "http"), group),
			want: expect{Changes: []string{
				"delete virtual-server /web/cart", "delete pool /web/cart", "delete monitor /web/cart_m1", "delete irule /web/cart_src",
				"delete data-group /web/cart_src", "delete persistence /web/cart_p",
			}},
		},
		{
			name: "goes alone, once it is let go of",
			in:   input(follow(virtual(), wantPool()), guarded(), watched(havePool(), "/Common/tcp", path+"_m1"), persist, rule, monitorOf("1", "http"), group),
			want: expect{Changes: []string{
				"update pool /web/cart: ", "update virtual-server /web/cart: ", "delete monitor /web/cart_m1", "delete irule /web/cart_src",
				"delete data-group /web/cart_src", "delete persistence /web/cart_p",
			}},
		},
		{
			name: "stays while a pool drains that it watches, and a virtual server that asks it",
			in:   input(follow(), guarded(), watched(havePool(draining("10.0.0.1:8080", soonAt, false)), path+"_m1"), persist, rule, monitorOf("1", "http"), group, node("10.0.0.1", ours)),
			want: expect{Changes: []string{"update virtual-server /web/cart: disabled (takes nothing new while the pool drains)"}, Again: soon},
		},
		{
			name: "stays where somebody has taken over what refers to it",
			in:   input(follow(), watched(poolBy(state.Owner{}), path+"_m1"), monitorOf("1", "http")),
			want: expect{Problems: []string{"InUse: monitor /web/cart_m1 on bigip/dc1 is kept, because pool /web/cart, which is not ours, refers to it; take it out there"}},
		},
		{
			name: "with its name taken, what refers to it is not made",
			in:   input(follow(guarded(), wantPool(), persist, rule, group), &theirs),
			want: expect{
				Changes:  []string{"create data-group /web/cart_src", "create persistence /web/cart_p", "create pool /web/cart"},
				Problems: []string{"NameTaken: irule /web/cart_src stands on bigip/dc1 without our tag and is left alone; rename or delete it there"},
			},
		},
		{
			name: "is left without our tag", in: input(state.Want{Service: cart, Orphan: true}, guarded(), persist, rule, group),
			want: expect{Changes: []string{
				"update data-group /web/cart_src: owner  (deletion-policy: orphan)", "update irule /web/cart_src: owner  (deletion-policy: orphan)",
				"update persistence /web/cart_p: owner  (deletion-policy: orphan)", "update virtual-server /web/cart: owner  (deletion-policy: orphan)",
			}},
		},
	})
}

// A device changes neither a monitor's type nor the port that it probes.
func TestMonitorsThatProbeOtherwise(t *testing.T) {
	t.Parallel()
	check(t, []row{
		{
			name: "a time is changed where it stands",
			in:   input(follow(watched(wantPool(), path+"_m1"), monitorOf("1", "http", slower)), watched(havePool(), path+"_m1"), monitorOf("1", "http")),
			want: expect{Changes: []string{"update monitor /web/cart_m1: interval 10, timeout 31"}},
		},
		{
			name: "another type comes beside it",
			in:   input(follow(watched(wantPool(), path+"_m1"), monitorOf("1", "tcp", slower)), watched(havePool(), path+"_m1"), monitorOf("1", "http")),
			want: expect{Changes: []string{"create monitor /web/cart_m2", "update pool /web/cart: monitor /web/cart_m2", "delete monitor /web/cart_m1"}},
		},
		{
			name: "and is known there",
			in:   input(follow(watched(wantPool(), path+"_m1"), monitorOf("1", "tcp", slower)), watched(havePool(), path+"_m2"), monitorOf("2", "tcp", slower)),
		},
		{
			name: "another port too",
			in:   input(follow(watched(wantPool(), path+"_m1"), monitorOf("1", "http", onPort)), watched(havePool(), path+"_m1"), monitorOf("1", "http")),
			want: expect{Changes: []string{"create monitor /web/cart_m2", "update pool /web/cart: monitor /web/cart_m2", "delete monitor /web/cart_m1"}},
		},
		{
			name: "two in each other's place stay where they are",
			in: input(follow(watched(wantPool(), path+"_m1", path+"_m2"), monitorOf("1", "http"), monitorOf("2", "tcp", slower)),
				watched(havePool(), path+"_m1", path+"_m2"), monitorOf("1", "tcp", slower), monitorOf("2", "http")),
		},
		{
			name: "a name that somebody else has is not passed over",
			in: input(follow(watched(wantPool(), path+"_m1"), monitorOf("1", "tcp", slower)),
				watched(havePool(), "/Common/tcp"), monitorOf("1", "http", func(m *state.Monitor) { m.Owner = state.Owner{} })),
			want: expect{Problems: []string{"NameTaken: monitor /web/cart_m1 stands on bigip/dc1 without our tag and is left alone; rename or delete it there"}},
		},
	})
}

// Beside profiles of which none is one of a protocol, the device puts one by
// itself: that is no difference.
func TestTheProfileThatTheDeviceGives(t *testing.T) {
	t.Parallel()
	with := func(paths ...string) *state.VirtualServer {
		v := virtual()
		v.Profiles = nil
		for _, p := range paths {
			v.Profiles = append(v.Profiles, state.Profile{Path: p, Context: "all"})
		}
		return v
	}
	check(t, []row{
		{name: "given", in: input(follow(with("/web/x"), wantPool()), with("/Common/tcp", "/web/x"), havePool())},
		{
			name: "put there by somebody", in: input(follow(with("/web/x"), wantPool()), with("/Common/http", "/web/x"), havePool()),
			want: expect{Changes: []string{"update virtual-server /web/cart: "}},
		},
	})
}

// Kubernetes knows no route domains: a member in one belongs to the endpoint at
// its address, also where a bad address of the Service no longer says which.
func TestRouteDomains(t *testing.T) {
	t.Parallel()
	routed := virtual()
	routed.Destination = at("203.0.113.10%2:80")
	held := follow(wantPool(ready("10.0.0.1:8080"), ready("10.0.0.2:8080")))
	held.Mode = state.Hold
	frozen := state.Want{Service: cart, Mode: state.Freeze, Live: live("10.0.0.1")}
	check(t, []row{
		{
			name: "held", in: input(held, routed, havePool(ready("10.0.0.1%2:8080")), node("10.0.0.1%2", ours)),
			want: expect{Changes: []string{"create node /Common/10.0.0.2%2", "create in /web/cart: 10.0.0.2%2:8080"}},
		},
		{
			name: "frozen", in: input(frozen, routed, havePool(ready("10.0.0.1%2:8080"), ready("10.0.0.2%2:8080")), node("10.0.0.1%2", ours), node("10.0.0.2%2", ours)),
			want: expect{Changes: []string{"update in /web/cart: 10.0.0.2%2:8080 offline (its endpoint is gone)"}},
		},
	})
}
