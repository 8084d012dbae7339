package bgp_test

import (
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"landbridge.dev/backends/bgp"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// many are n routes to 172.18.0.2, from a prefix on, to the peers tor-1 and tor-2.
func many(from string, n int) []*state.Route {
	a := netip.MustParseAddr(from)
	routes := make([]*state.Route, n)
	for i := range routes {
		routes[i] = route(netip.PrefixFrom(a, 32).String(), "172.18.0.2")
		a = a.Next()
	}
	return routes
}

// all makes changes in one Unit.
func all(t testing.TB, s *bgp.Speaker, changes []plan.Change) {
	t.Helper()
	if out := s.Apply(t.Context(), []apply.Unit{{Service: cart, Changes: changes}}); out[0].Status != apply.Done {
		t.Fatal(out[0].Err)
	}
}

func changes(of func(*state.Route) plan.Change, routes []*state.Route) []plan.Change {
	out := make([]plan.Change, len(routes))
	for i, r := range routes {
		out[i] = of(r)
	}
	return out
}

// Prefixes come and go, never the same twice, and what GoBGP keeps of each is let
// go of: the session is opened anew, by which the router loses nothing.
func TestChurnIsBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tor := s.bird(1, keeps)
	speaker := s.begun(s.peer(1, restarts))
	stays := route("203.0.113.10/32", "172.18.0.2")
	do(t, speaker, create(stays))
	holds(t, tor, "203.0.113.10/32 via 172.18.0.2 path 64512")
	established(t, speaker, "tor-1")
	since := session(t, speaker, "tor-1").Since
	churned := many("10.0.0.0", 16_385)
	all(t, speaker, changes(create, churned))
	all(t, speaker, changes(remove, churned))
	eventually(t, func() bool {
		up := session(t, speaker, "tor-1")
		return up.State == state.Established && !up.Since.Equal(since)
	}, func() string { return "the session is not opened anew" })
	holds(t, tor, "203.0.113.10/32 via 172.18.0.2 path 64512")
	if n := session(t, speaker, "tor-1").Routes; n != 1 {
		t.Errorf("the session is said to tell of %d routes, want 1", n)
	}
	if strings.Contains(removals(t, tor), "203.0.113.10/32") {
		t.Error("the route that stays was gone for a moment")
	}
}

// A day's churn: what the process keeps of prefixes that came and went, over
// many rounds, none of which has a prefix of another.
func BenchmarkChurn(b *testing.B) {
	s := newSite(b)
	s.bird(1, keeps)
	speaker := s.begun(s.peer(1, restarts))
	established(b, speaker, "tor-1")
	const round = 20_000
	before := heap()
	rounds := 0
	for b.Loop() {
		churned := many(netip.AddrFrom4([4]byte{10, byte(rounds), 0, 0}).String(), round)
		all(b, speaker, changes(create, churned))
		all(b, speaker, changes(remove, churned))
		speaker.Refresh()
		rounds++
		established(b, speaker, "tor-1")
	}
	b.ReportMetric(float64(heap()-before), "heap-B")
	b.ReportMetric(float64(heap()-before)/float64(rounds*round), "heap-B/prefix")
}

// heap is how much is in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
