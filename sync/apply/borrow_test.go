package apply_test

import (
	"testing"
	"testing/synctest"

	"landbridge.dev/backends/memory"
	"landbridge.dev/sync/state"
)

// What others changed since the last full read is seen before anything of
// theirs is written over: a loan of another cluster, or what a person set.
func TestLooksBeforeItBorrows(t *testing.T) {
	t.Parallel()
	const pod = "10.0.0.1"
	vm := state.Member{Endpoint: endpoint("10.9.0.1"), Node: "/Common/10.9.0.1", Ratio: 2, Available: true}
	loan := &state.Loan{
		To:  state.Identity{Cluster: "stage", UID: "99999999"}.Owner(state.Ref{Namespace: "shop", Name: "web"}),
		Was: vm.Terms(), Set: state.Terms{Ratio: 8},
	}
	for _, test := range []struct {
		name   string
		before func(state.Member) state.Member // what somebody did since the last read
		ratio  int
		reason string
		was    int // the ratio that is put back one day; 0 for not lent to us
	}{
		{"nobody did anything", func(m state.Member) state.Member { return m }, 6, "", 2},
		{"another cluster borrowed it", func(m state.Member) state.Member { return m.SetTerms(loan.Set).WithLoan(loan) }, 8, "ShareUnreachable", 0},
		{"a person set another ratio", func(m state.Member) state.Member { m.Ratio = 3; return m }, 6, "", 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				pool := func(m state.Member) *state.Pool {
					return &state.Pool{Backend: dc1, Path: "/web/shop", Mode: "ratio-member", Members: []state.Member{m}}
				}
				device := memory.New(dc1,
					&state.Node{Backend: dc1, Path: vm.Node, Address: vm.Endpoint.Address}, pool(vm))
				b := start(t, device)
				defer b.end()
				b.lead()
				device.Put(pool(test.before(vm)))
				ref := state.Ref{Namespace: "shop", Name: "cart"}
				b.put(state.Want{Service: ref, Objects: []state.Object{&state.Pool{
					Backend: dc1, Path: "/web/shop", Use: state.Joined, Members: []state.Member{{Endpoint: endpoint(pod), Ratio: 1}},
					Share: state.Share{Percent: 14, Given: true, Borrow: true},
				}}})
				p, _ := device.Set().Pool(dc1, "/web/shop")
				m, ok := p.Member(vm.Endpoint)
				if !ok || m.Ratio != test.ratio || b.reason(ref) != test.reason {
					t.Errorf("the VM's ratio is %d and the reason %q, want %d and %q", m.Ratio, b.reason(ref), test.ratio, test.reason)
				}
				was := 0
				if m.Loan != nil && us.Owns(m.Loan.To) {
					was = m.Loan.Was.Ratio
				}
				if was != test.was {
					t.Errorf("lent, and was %d, want %d", was, test.was)
				}
			})
		})
	}
}
