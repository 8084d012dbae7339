package plan_test

import (
	"net/netip"
	"testing"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// many are n wanted members, each at an address of its own.
func many(n int) []state.Member {
	list := make([]state.Member, n)
	ip := netip.MustParseAddr("10.0.0.0")
	for i := range list {
		ip = ip.Next()
		list[i] = state.Member{Endpoint: state.Endpoint{Address: state.Address{IP: ip}, Port: 8080}, Ratio: 1}
	}
	return list
}

// Of what a plan costs, in the three cases that a running controller meets.
func BenchmarkDiff(b *testing.B) {
	for _, bench := range []struct {
		name      string
		endpoints int
		changed   bool
	}{
		{"10 endpoints, unchanged", 10, false},
		{"10 endpoints, one changed", 10, true},
		{"5000 endpoints, one changed", 5000, true},
	} {
		b.Run(bench.name, func(b *testing.B) {
			list := many(bench.endpoints)
			have := havePool(list...)
			if bench.changed {
				list[len(list)/2].Admin = state.Offline
			}
			in := input(follow(wantPool(list...), virtual()), have, virtual())
			b.ReportAllocs()
			for b.Loop() {
				if n := len(plan.Diff(in).Changes); n > 1 || (n == 1) != bench.changed {
					b.Fatalf("%d changes", n)
				}
			}
		})
	}
}
