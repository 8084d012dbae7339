package tmm

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testPool(mode string, members ...*member) *pool {
	return &pool{mode: mode, members: members, turns: []*turns{newTurns()}}
}

func testMember(path string, s settings) *member {
	m := &member{path: path, node: &node{}, flows: make(map[cutter]struct{})}
	m.node.conf.Store(&settings{ratio: 1})
	s.ratio = max(1, s.ratio)
	m.conf.Store(&s)
	return m
}

func serve(p *pool, n int) map[string]int {
	out := map[string]int{}
	for range n {
		if m := p.pick(0, nil); m != nil {
			m.take()
			out[m.path]++
		}
	}
	return out
}

func TestPick(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		mode      string
		minActive int64
		members   []*member
		n         int
		want      map[string]int
	}{
		{"round robin", "round-robin", 0, []*member{testMember("a", settings{}), testMember("b", settings{}), testMember("c", settings{})}, 9, map[string]int{"a": 3, "b": 3, "c": 3}},
		{"ratio", "ratio-member", 0, []*member{testMember("a", settings{ratio: 7}), testMember("b", settings{ratio: 3})}, 20, map[string]int{"a": 14, "b": 6}},
		{"ratio least connections", "ratio-least-connections-member", 0, []*member{testMember("a", settings{ratio: 4}), testMember("b", settings{ratio: 1})}, 10, map[string]int{"a": 8, "b": 2}},
		{"disabled takes nothing new", "round-robin", 0, []*member{testMember("a", settings{}), testMember("b", settings{disabled: true})}, 4, map[string]int{"a": 4}},
		{"forced offline neither", "round-robin", 0, []*member{testMember("a", settings{}), testMember("b", settings{forced: true})}, 4, map[string]int{"a": 4}},
		{"a limit", "round-robin", 0, []*member{testMember("a", settings{limit: 1}), testMember("b", settings{limit: 2})}, 9, map[string]int{"a": 1, "b": 2}},
		{"groups are off without minActiveMembers", "round-robin", 0, []*member{testMember("a", settings{priority: 9}), testMember("b", settings{})}, 4, map[string]int{"a": 2, "b": 2}},
		{"the highest group alone", "round-robin", 1, []*member{testMember("a", settings{priority: 9}), testMember("b", settings{})}, 4, map[string]int{"a": 4}},
		{"the next group joins when too few are there", "round-robin", 2, []*member{testMember("a", settings{priority: 9}), testMember("b", settings{priority: 5}), testMember("c", settings{})}, 4, map[string]int{"a": 2, "b": 2}},
		{"nobody", "round-robin", 0, nil, 3, map[string]int{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := testPool(c.mode, c.members...)
			p.minActive = c.minActive
			if diff := cmp.Diff(c.want, serve(p, c.n)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSlowRamp(t *testing.T) {
	t.Parallel()
	old, young := testMember("old", settings{}), testMember("young", settings{})
	old.since.Store(time.Now().Add(-time.Hour).UnixNano())
	young.since.Store(time.Now().Add(-10 * time.Second).UnixNano())
	p := testPool("round-robin", old, young)
	p.ramp = 40 * time.Second
	got := serve(p, 125)
	if got["young"] < 22 || got["young"] > 28 {
		t.Errorf("a quarter into its ramp the young member got %d of 125, want about 25", got["young"])
	}
}

// What a member was given while it was held back is not counted against it
// later, when there is nobody to hold back.
func TestAfterSlowRamp(t *testing.T) {
	t.Parallel()
	old, young := testMember("old", settings{ratio: 24}), testMember("young", settings{})
	old.since.Store(time.Now().Add(-time.Hour).UnixNano())
	young.since.Store(time.Now().Add(-39 * time.Second).UnixNano())
	p := testPool("ratio-member", old, young)
	p.ramp = 40 * time.Second
	for serve(p, 1)["young"] == 0 {
	}
	young.since.Store(time.Now().Add(-41 * time.Second).UnixNano())
	if got := serve(p, 250); got["young"] < 9 || got["young"] > 11 {
		t.Errorf("after its ramp the young member got %d of 250, want 10", got["young"])
	}
}

func TestPersistenceCookie(t *testing.T) {
	t.Parallel()
	// The example of F5 K6917: 10.1.1.100, port 8080.
	m := testMember("a", settings{addr: mustAddrPort(t, "10.1.1.100:8080")})
	p := testPool("round-robin", m)
	const value = "1677787402.36895.0000"
	if got := encodeMember(m.conf.Load().addr); got != value {
		t.Errorf("encoded as %s, want %s", got, value)
	}
	if p.byCookie(value) != m || p.byCookie("1.2.0000") != nil {
		t.Error("the cookie does not lead back")
	}
}

func mustAddrPort(t *testing.T, s string) netip.AddrPort {
	t.Helper()
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
