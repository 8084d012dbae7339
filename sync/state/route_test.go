package state_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"landbridge.dev/sync/state"
)

func route(prefix string, hops ...netip.Addr) *state.Route {
	r := &state.Route{Backend: state.Speaker, Prefix: netip.MustParsePrefix(prefix)}
	for _, a := range hops {
		r.NextHops = append(r.NextHops, state.NextHop{Address: a})
	}
	state.SortNextHops(r.NextHops)
	return r
}

// nodes are as many neighbouring addresses, as nodes have them.
func nodes(n int) []netip.Addr {
	var all []netip.Addr
	a := netip.MustParseAddr("172.18.0.2")
	for range n {
		all = append(all, a)
		a = a.Next()
	}
	return all
}

// The next hop that carries a prefix alone changes only when it goes itself, or
// for one that comes: of N that come one by one, the last takes a prefix over
// once in N.
func TestBestIsStable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := nodes(rapid.IntRange(2, 12).Draw(t, "nodes"))
		n := rapid.IntRange(1, 4).Draw(t, "n")
		with := route("203.0.113.7/32", all...).Best(n)
		gone := rapid.IntRange(0, len(all)-1).Draw(t, "gone")
		without := route("203.0.113.7/32", slices.Delete(slices.Clone(all), gone, gone+1)...).Best(n)
		for _, h := range with {
			if h.Address != all[gone] && !slices.Contains(without, h) {
				t.Fatalf("%s was of the best, and is not any more since %s has gone", h.Address, all[gone])
			}
		}
		if len(with) != min(n, len(all)) || !slices.IsSortedFunc(with, func(a, b state.NextHop) int { return a.Address.Compare(b.Address) }) {
			t.Fatalf("best are %v", with)
		}
	})
}

func TestBestSpreadsPrefixes(t *testing.T) {
	t.Parallel()
	carries := map[netip.Addr]int{}
	for i := range 4 * 256 {
		carries[route(fmt.Sprintf("203.0.%d.%d/32", i/256, i%256), nodes(4)...).Best(1)[0].Address]++
	}
	for a, n := range carries {
		if n < 200 || n > 312 { // 256 each; four standard deviations are 55
			t.Errorf("%s carries %d of 1024 prefixes", a, n)
		}
	}
	if len(carries) != 4 {
		t.Errorf("%d of 4 nodes carry any", len(carries))
	}
}
