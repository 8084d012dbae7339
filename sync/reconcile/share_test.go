package reconcile

import (
	"testing"

	"landbridge.dev/sync/state"
)

var (
	shareIdentity = state.Identity{Cluster: "prod", UID: "0123abcd"}
	shareOwner    = shareIdentity.Owner(state.Ref{Namespace: "shop", Name: "cart"})
	stageOwner    = state.Identity{Cluster: "stage", UID: "99999999"}.Owner(state.Ref{Namespace: "shop", Name: "cart"})
)

// sided are members by whose they are: p a pod of ours, v a VM of ours, f one of
// nobody, o another cluster's.
func sided(whose byte, address string, set func(m *state.Member)) state.Member {
	e, err := state.ParseEndpoint(address + ":80")
	if err != nil {
		panic(err)
	}
	m := state.Member{Endpoint: e, Ratio: 1}
	switch whose {
	case 'p':
		m.Owner = shareOwner
	case 'v':
		m.Owner, m.VM = shareOwner, true
	case 'o':
		m.Owner = stageOwner
	}
	if set != nil {
		set(&m)
	}
	return m
}

func ratioOf(n int) func(*state.Member)    { return func(m *state.Member) { m.Ratio = n } }
func priorityOf(n int) func(*state.Member) { return func(m *state.Member) { m.Priority = n } }
func offline(m *state.Member)              { m.Admin = state.Offline }
func drains(m *state.Member)               { m.Drain = state.NoDeadline }

func TestStandingShare(t *testing.T) {
	t.Parallel()
	v := &View{LookOptions: LookOptions{Identity: shareIdentity}}
	one, two, three := "10.0.0.1", "10.0.0.2", "10.0.0.3"
	for _, test := range []struct {
		name      string
		mode      string
		minActive int
		members   []state.Member
		want      float64 // -1 for none
	}{
		{"by ratio", "ratio-member", 0, []state.Member{sided('p', one, nil), sided('v', two, ratioOf(3))}, 25},
		{"by ratio and connections", "ratio-least-connections-member", 0, []state.Member{sided('p', one, nil), sided('f', two, ratioOf(3))}, 25},
		{"a mode without ratios counts heads", "round-robin", 0, []state.Member{sided('p', one, nil), sided('v', two, ratioOf(3))}, 50},
		{"another cluster's are on no side", "ratio-member", 0, []state.Member{sided('p', one, nil), sided('f', two, nil), sided('o', three, ratioOf(9))}, 50},
		{"who is off or drains takes nothing", "ratio-member", 0, []state.Member{sided('p', one, offline), sided('f', two, nil), sided('p', three, drains)}, 0},
		{"nobody takes clients", "ratio-member", 0, []state.Member{sided('p', one, offline), sided('v', two, offline)}, -1},
		{"the highest group alone", "ratio-member", 1, []state.Member{sided('p', one, priorityOf(1)), sided('v', two, nil)}, 100},
		{"two groups, for one has too few", "ratio-member", 2, []state.Member{sided('p', one, priorityOf(1)), sided('v', two, nil), sided('v', three, nil)}, 100. / 3},
		{"all, for there are too few", "ratio-member", 5, []state.Member{sided('p', one, priorityOf(1)), sided('v', two, nil)}, 50},
	} {
		got := v.standingShare(&state.Pool{Mode: test.mode, MinActive: test.minActive, Members: test.members})
		if (got == nil) != (test.want < 0) || got != nil && *got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// Counters are those of new connections since a member's began. One that went
// back was begun anew: the unit is another, or somebody reset it.
func TestCame(t *testing.T) {
	t.Parallel()
	pod, vm, other := sided('p', "10.0.0.1", nil), sided('f', "10.0.0.2", nil), sided('o', "10.0.0.3", nil)
	pool := &state.Pool{Backend: "bigip/dc1", Path: "/web/shop", Members: []state.Member{pod, vm, other}}
	v := &View{LookOptions: LookOptions{Identity: shareIdentity}, have: map[string]*state.Set{"bigip/dc1": state.NewSet(pool)}}
	counts := func(p, f, o int) map[state.Endpoint]int {
		return map[state.Endpoint]int{pod.Endpoint: p, vm.Endpoint: f, other.Endpoint: o}
	}
	less := counts(20, 20, 0)
	delete(less, vm.Endpoint)
	for _, test := range []struct {
		name      string
		then, now map[state.Endpoint]int
		want      float64 // -1: not known
	}{
		{"a quarter", counts(100, 100, 0), counts(110, 130, 0), 25},
		{"another cluster's are on no side", counts(100, 100, 5), counts(110, 110, 500), 50},
		{"none came", counts(100, 100, 5), counts(100, 100, 9), -1},
		{"after a failover all begin anew", counts(100, 100, 0), counts(1, 3, 0), -1},
		{"one was reset", counts(100, 100, 0), counts(110, 10, 0), -1},
		{"one is gone", counts(10, 10, 0), less, -1},
		{"one has come", less, counts(30, 30, 0), -1},
	} {
		got, known := v.came(pool.ID(), test.then, test.now)
		if known != (test.want >= 0) || known && got != test.want {
			t.Errorf("%s: %v, %t, want %v", test.name, got, known, test.want)
		}
	}
}
