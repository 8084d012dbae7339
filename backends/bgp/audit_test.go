package bgp_test

import (
	"fmt"
	"slices"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"landbridge.dev/backends/bgp"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// The log has one line for each prefix that routers are told otherwise of, and
// none where they see no difference.
func TestAuditTrail(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	core, logs := observer.New(zap.InfoLevel)
	conf := *s.conf
	conf.Peers = append(conf.Peers, s.peer(1), s.peer(2)) // two, and one line all the same
	speaker := bgp.New(bgp.Options{Config: &conf, Address: s.us(), Log: zap.New(core)})

	to := func(service string, hops ...string) *state.Route {
		r := route("203.0.113.10/32", hops...)
		r.Owner = us.Owner(state.Ref{Namespace: "shop", Name: service})
		r.Follows = []state.ID{{Backend: "bigip/dc1", Kind: state.KindVirtualServer, Name: "/web/" + service}}
		return r
	}
	one, two, other := to("a", "172.18.0.2"), to("b", "172.18.0.2"), to("a", "172.18.0.3")
	hidden := to("a")
	again := create(one)
	again.Why = "as it was announced before"
	for _, step := range []struct {
		name   string
		change plan.Change
		want   string // without a line: empty
	}{
		{"nothing leads to it yet", create(hidden), ""},
		{"announced", update(hidden, one), "create 203.0.113.10/32 [172.18.0.2] [tor-1 tor-2]"},
		{"as it is already", update(one, one), ""},
		{"another Service shares the address", create(two), ""},
		{"another next hop", update(one, other), "update 203.0.113.10/32 [172.18.0.3] [tor-1 tor-2]"},
		{"the other Service's speaks from now on", remove(other), "update 203.0.113.10/32 [172.18.0.2] [tor-1 tor-2]"},
		{"withdrawn", remove(two), "delete 203.0.113.10/32 <nil> [tor-1 tor-2]"},
		{"gone already", remove(two), ""},
		{"with a reason", again, "create 203.0.113.10/32 [172.18.0.2] [tor-1 tor-2] as it was announced before"},
	} {
		do(t, speaker, step.change)
		var got, want []string
		for _, line := range logs.TakeAll() {
			if line.Message != "changed" {
				continue
			}
			f := line.ContextMap()
			text := fmt.Sprint(f["op"], " ", f["name"], " ", f["nextHops"], " ", f["peers"])
			if f["why"] != nil {
				text += fmt.Sprint(" ", f["why"])
			}
			got = append(got, text)
			if f["backend"] != state.Speaker || f["kind"] != "route" || f["service"] != cart.String() || f["status"] != "done" {
				t.Errorf("%s: the line says %v", step.name, f)
			}
		}
		if step.want != "" {
			want = []string{step.want}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: lines %q, want %q", step.name, got, want)
		}
	}
}
