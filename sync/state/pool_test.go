package state_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"landbridge.dev/sync/state"
)

func TestMemberLine(t *testing.T) {
	t.Parallel()
	at := endpoint(t, "10.0.0.1:80")
	for _, test := range []struct {
		name   string
		member state.Member
		want   string
	}{
		{"a member that serves", state.Member{Endpoint: at, Ratio: 1}, "member 10.0.0.1:80"},
		{"one that is not ready", state.Member{Endpoint: at, Ratio: 1, Admin: state.Offline}, "member 10.0.0.1:80 offline"},
		{
			"one that drains", state.Member{Endpoint: at, Ratio: 1, Admin: state.Offline, Drain: 1782907200, Terminating: true},
			"member 10.0.0.1:80 offline draining, until 2026-07-01T12:00:00Z terminating",
		},
		{
			"one that drains without limit", state.Member{Endpoint: at, Ratio: 1, Admin: state.Offline, Drain: state.NoDeadline},
			"member 10.0.0.1:80 offline draining, until none",
		},
		{
			"one with a weight, in a priority group", state.Member{Endpoint: at, Ratio: 5, Priority: 2, Admin: state.Disabled},
			"member 10.0.0.1:80 disabled ratio 5 priority 2",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := test.member.Line(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// SameWanted is Line without the cost of writing it.
func TestSameWantedIsLine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := members().Draw(t, "a"), members().Draw(t, "b")
		if got, want := a.SameWanted(b), a.Line() == b.Line(); got != want {
			t.Fatalf("SameWanted is %t:\n%s\n%s", got, a.Line(), b.Line())
		}
	})
}

// members are members at few endpoints, so that they meet.
func members() *rapid.Generator[state.Member] {
	return rapid.Custom(func(t *rapid.T) state.Member {
		a, _ := state.ParseAddress(rapid.SampledFrom([]string{"10.0.0.1", "10.0.0.2", "10.0.0.1%1", "2001:db8::1"}).Draw(t, "address"))
		return state.Member{
			Endpoint: state.Endpoint{Address: a, Port: rapid.SampledFrom([]uint16{80, 81}).Draw(t, "port")},
			Owner:    owners().Draw(t, "owner"),
			Admin:    rapid.SampledFrom([]state.Admin{state.Enabled, state.Disabled, state.Offline}).Draw(t, "admin"),
			Ratio:    rapid.IntRange(1, 2).Draw(t, "ratio"), Priority: rapid.IntRange(0, 1).Draw(t, "priority"),
			Terminating: rapid.Bool().Draw(t, "terminating"),
			Drain:       rapid.SampledFrom([]state.Deadline{0, 100, state.NoDeadline}).Draw(t, "drain"),
		}
	})
}

func owners() *rapid.Generator[state.Owner] {
	return rapid.SampledFrom([]state.Owner{
		{}, cartOwner,
		{Cluster: "prod", UID: "0123abcd", Service: state.Ref{Namespace: "shop", Name: "web"}},
		{Cluster: "test", UID: "99999999", Service: cartOwner.Service},
	})
}

// A pool in a Set is seen by many: what is made from it must not reach back.
func TestWithAndWithoutLeaveTheReceiver(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfNDistinct(members(), 0, 6, func(m state.Member) state.Endpoint { return m.Endpoint }).Draw(t, "members")
		state.SortMembers(list)
		// Room behind the last member, into which a careless append would write.
		p := &state.Pool{Members: slices.Grow(list, 8)}
		before := slices.Clone(list)
		whole := slices.Clone(p.Members[:cap(p.Members)])

		m := members().Draw(t, "m")
		with, without := p.With(m), p.Without(m.Endpoint)

		if got, ok := with.Member(m.Endpoint); !ok || got != m {
			t.Fatalf("With: the member is %v, %t", got, ok)
		}
		if _, ok := without.Member(m.Endpoint); ok {
			t.Fatal("Without: the member is still there")
		}
		for _, q := range []*state.Pool{with, without} {
			if !slices.IsSortedFunc(q.Members, func(a, b state.Member) int { return a.Endpoint.Compare(b.Endpoint) }) {
				t.Fatalf("members are not sorted: %v", q.Members)
			}
			for _, old := range before {
				if got, ok := q.Member(old.Endpoint); old.Endpoint != m.Endpoint && (!ok || got != old) {
					t.Fatalf("member %s became %v, %t", old.Endpoint, got, ok)
				}
			}
		}
		if len(without.Members) < len(before) { // else nothing was taken out, and it may be shared
			for i := range without.Members {
				without.Members[i].Ratio = 98
			}
		}
		for i := range with.Members {
			with.Members[i].Ratio = 99
		}
		if diff := cmp.Diff(whole, p.Members[:cap(p.Members)], equateComparable); diff != "" || len(p.Members) != len(before) {
			t.Fatalf("the receiver has changed (-want +got):\n%s", diff)
		}
	})
}
