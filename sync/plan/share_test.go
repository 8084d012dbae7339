package plan_test

import (
	"strings"
	"testing"
	"time"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// ours at share_test: VMs at 10.9.0.N, pods at 10.0.0.N.

// vmOf is a wanted VM member of ours.
func vmOf(e string) state.Member {
	m := ready(e)
	m.VM = true
	return m
}

// with is a member with these terms.
func with(m state.Member, admin state.Admin, ratio, priority int) state.Member {
	return m.SetTerms(state.Terms{Admin: admin, Ratio: ratio, Priority: priority})
}

func down(m state.Member) state.Member {
	m.Available = false
	return m
}

// theirs is a member that no Landbridge owns, as it stands.
func theirs(e string) state.Member { return on(ready(e), state.Owner{}) }

// loanTo is a foreign member lent to an owner, with what was set.
func loanTo(m state.Member, to state.Owner, was, set state.Terms) state.Member {
	return m.SetTerms(set).WithLoan(&state.Loan{To: to, Was: was, Set: set})
}

func terms(admin state.Admin, ratio int) state.Terms {
	return state.Terms{Admin: admin, Ratio: ratio}
}

func share(p *state.Pool, percent int) *state.Pool {
	p.Mode, p.Share.Percent, p.Share.Given = "ratio-member", percent, true
	return p
}

func fallback(p *state.Pool, f state.Fallback) *state.Pool {
	p.Share.Fallback, p.Share.FallbackGiven = f, true
	return p
}

func ratioPool(minActive int, members ...state.Member) *state.Pool {
	p := havePool(members...)
	p.Mode, p.MinActive = "ratio-member", minActive
	return p
}

// joined is a wanted pool of others.
func joined(percent int, borrow bool, members ...state.Member) *state.Pool {
	p := share(wantPool(members...), percent)
	p.Path, p.Owner, p.Mode, p.Monitors, p.ReselectTries = "/web/shop", state.Owner{}, "", nil, 0
	p.Use, p.Share.Borrow = state.Joined, borrow
	return p
}

// shop is a pool of the network team as it stands.
func shop(mode string, members ...state.Member) *state.Pool {
	p := havePool(members...)
	p.Path, p.Owner, p.Mode = "/web/shop", state.Owner{}, mode
	return p
}

func gatedFor(in plan.Input, since time.Time) plan.Input {
	in.Gated = func(state.ID) time.Time { return since }
	return in
}

func vmNodes(objects ...state.Object) []state.Object {
	for _, a := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.9.0.1", "10.9.0.2"} {
		objects = append(objects, node(a, state.Owner{}))
	}
	return objects
}

// last is a pod that ends and still serves, and no pod is better.
func last(e string) state.Member {
	m := serving(ready(e))
	m.Terminating = true
	return m
}

// The pods of a pool all end. Where a VM answers they leave like any other;
// where none does they go on for as long as they serve.
func TestAllPodsEnd(t *testing.T) {
	t.Parallel()
	pod := with(last("10.0.0.1:80"), state.Enabled, 1, 1)
	pod.Serves = false
	even := pod
	even.Priority = 0
	want := func(percent int) *state.Pool {
		return share(wantPool(last("10.0.0.1:80"), vmOf("10.9.0.1:80")), percent)
	}
	drains := "update in /web/cart: 10.0.0.1:80 offline draining, until " + soon + " terminating"
	check(t, []row{
		{
			name: "at 100, the VMs stand by",
			in:   input(follow(want(100)), vmNodes(ratioPool(1, pod, vmOf("10.9.0.1:80")))...),
			want: expect{Changes: []string{drains + " priority 1 (drains)"}, Again: soon},
		},
		{
			name: "and are down",
			in:   input(follow(want(100)), vmNodes(ratioPool(1, pod, down(on(vmOf("10.9.0.1:80"), ours))))...),
		},
		{
			name: "at 100 without a fallback",
			in: input(follow(fallback(want(100), state.FallbackNone)),
				vmNodes(ratioPool(0, even, with(vmOf("10.9.0.1:80"), state.Offline, 1, 0)))...),
		},
		{
			name: "at 50",
			in:   input(follow(want(50)), vmNodes(ratioPool(0, even, vmOf("10.9.0.1:80")))...),
			want: expect{Changes: []string{drains + " (drains)"}, Again: soon},
		},
		{
			name: "in a pool of others",
			in: input(follow(joined(50, true, last("10.0.0.1:80"))),
				vmNodes(shop("ratio-member", on(even, ours), theirs("10.9.0.1:80")))...),
			want: expect{Changes: []string{strings.Replace(drains, "/web/cart", "/web/shop", 1) + " (drains)"}, Again: soon},
		},
	})
}

func TestShareOfOurPool(t *testing.T) {
	t.Parallel()
	check(t, []row{
		{
			name: "a pool that starts with VMs moves nothing to pods",
			in: input(follow(func() *state.Pool {
				p := wantPool(ready("10.0.0.1:80"), vmOf("10.9.0.1:80"))
				p.Mode = "ratio-member"
				return p
			}()), vmNodes()...),
			want: expect{Changes: []string{"create pool /web/cart"}},
		},
		{
			name: "VMs come to pods that serve, and nobody says how much: all stays",
			in: input(follow(wantPool(ready("10.0.0.1:80"), vmOf("10.9.0.1:80"))),
				vmNodes(havePool(ready("10.0.0.1:80")))...),
			want: expect{Problems: []string{"ShareNeeded: pool /web/cart is served by pods and is to get a VM side: say with pod-share how much goes to the pods; until then it stays as it stands"}},
		},
		{
			name: "from 0 to 25",
			in: input(follow(share(wantPool(ready("10.0.0.1:80"), ready("10.0.0.2:80"), vmOf("10.9.0.1:80"), vmOf("10.9.0.2:80")), 25)),
				vmNodes(ratioPool(0, unready("10.0.0.1:80"), unready("10.0.0.2:80"), vmOf("10.9.0.1:80"), vmOf("10.9.0.2:80")))...),
			want: expect{Changes: []string{
				"update in /web/cart: 10.0.0.1:80",
				"update in /web/cart: 10.0.0.2:80",
				"update in /web/cart: 10.9.0.1:80 ratio 3 vm",
				"update in /web/cart: 10.9.0.2:80 ratio 3 vm",
			}},
		},
		{
			name: "a third pod at 25 changes the VMs' part with it",
			in: input(follow(share(wantPool(ready("10.0.0.1:80"), ready("10.0.0.2:80"), ready("10.0.0.3:80"), vmOf("10.9.0.1:80")), 25)),
				vmNodes(ratioPool(0, ready("10.0.0.1:80"), ready("10.0.0.2:80"), with(vmOf("10.9.0.1:80"), state.Enabled, 6, 0)))...),
			want: expect{Changes: []string{
				"create in /web/cart: 10.0.0.3:80",
				"update in /web/cart: 10.9.0.1:80 ratio 9 vm",
			}},
		},
		{
			name: "a pod that is not ready is not reckoned with",
			in: input(follow(share(wantPool(ready("10.0.0.1:80"), unready("10.0.0.2:80"), vmOf("10.9.0.1:80")), 50)),
				vmNodes(ratioPool(0, ready("10.0.0.1:80"), unready("10.0.0.2:80"), vmOf("10.9.0.1:80")))...),
		},
		{
			name: "at 100 the VMs stand by",
			in: input(follow(share(wantPool(ready("10.0.0.1:80"), vmOf("10.9.0.1:80")), 100)),
				vmNodes(ratioPool(0, ready("10.0.0.1:80"), vmOf("10.9.0.1:80")))...),
			want: expect{Changes: []string{
				"update pool /web/cart: min-active 1",
				"update in /web/cart: 10.0.0.1:80 priority 1",
			}},
		},
		{
			name: "back from there to 0 at once: the VMs are up",
			in: input(follow(share(wantPool(ready("10.0.0.1:80"), vmOf("10.9.0.1:80")), 0)),
				vmNodes(ratioPool(1, with(ready("10.0.0.1:80"), state.Enabled, 1, 1), vmOf("10.9.0.1:80")))...),
			want: expect{Changes: []string{
				"update pool /web/cart: ",
				"update in /web/cart: 10.0.0.1:80 offline",
			}},
		},
		{
			name: "to 100 without a fallback: the pods come first",
			in: input(follow(fallback(share(wantPool(ready("10.0.0.1:80"), vmOf("10.9.0.1:80")), 100), state.FallbackNone)),
				vmNodes(ratioPool(0, unready("10.0.0.1:80"), vmOf("10.9.0.1:80")))...),
			want: expect{Changes: []string{"update in /web/cart: 10.0.0.1:80"}, Again: "2026-07-01T12:00:10Z"},
		},
		{
			name: "and the VMs leave once they are up",
			in: input(follow(fallback(share(wantPool(ready("10.0.0.1:80"), vmOf("10.9.0.1:80")), 100), state.FallbackNone)),
				vmNodes(ratioPool(0, ready("10.0.0.1:80"), vmOf("10.9.0.1:80")))...),
			want: expect{Changes: []string{"update in /web/cart: 10.9.0.1:80 offline vm"}},
		},
		{
			name: "or after two monitor intervals",
			in: gatedFor(input(follow(fallback(share(wantPool(ready("10.0.0.1:80"), vmOf("10.9.0.1:80")), 100), state.FallbackNone)),
				vmNodes(ratioPool(0, down(on(ready("10.0.0.1:80"), ours)), vmOf("10.9.0.1:80")))...), now.Add(-10*time.Second)),
			want: expect{Changes: []string{"update in /web/cart: 10.9.0.1:80 offline vm"}},
		},
		{
			name: "to 0 while the VM is down: the pods go on for a moment",
			in: input(follow(share(wantPool(ready("10.0.0.1:80"), vmOf("10.9.0.1:80")), 0)),
				vmNodes(ratioPool(0, ready("10.0.0.1:80"), down(on(vmOf("10.9.0.1:80"), ours))))...),
			want: expect{Again: "2026-07-01T12:00:10Z"},
		},
		{
			name: "at 0 with fallback: both the pods stand by behind the VMs",
			in: input(follow(fallback(share(wantPool(ready("10.0.0.1:80"), vmOf("10.9.0.1:80")), 0), state.FallbackBoth)),
				vmNodes(ratioPool(0, unready("10.0.0.1:80"), vmOf("10.9.0.1:80")))...),
			want: expect{Changes: []string{
				"update pool /web/cart: min-active 1",
				"update in /web/cart: 10.0.0.1:80",
				"update in /web/cart: 10.9.0.1:80 priority 1 vm",
			}},
		},
		{
			name: "a share without VMs",
			in: input(follow(share(wantPool(ready("10.0.0.1:80")), 25)),
				vmNodes(ratioPool(0, ready("10.0.0.1:80")))...),
			want: expect{Problems: []string{"NoVMSide: pod-share: 25 asks for VMs in pool /web/cart, and there are none; name some with vm-members, or ask for 100"}},
		},
		{
			name: "a side with nobody ready gives its part to the other",
			in: input(follow(share(wantPool(unready("10.0.0.1:80"), vmOf("10.9.0.1:80")), 50)),
				vmNodes(ratioPool(0, ready("10.0.0.1:80"), vmOf("10.9.0.1:80")))...),
			want: expect{Changes: []string{"update in /web/cart: 10.0.0.1:80 offline"}},
		},
		{
			name: "weights of pods count",
			in: input(follow(share(wantPool(with(ready("10.0.0.1:80"), state.Enabled, 3, 0), ready("10.0.0.2:80"), vmOf("10.9.0.1:80")), 50)),
				vmNodes(ratioPool(0, ready("10.0.0.1:80"), ready("10.0.0.2:80"), vmOf("10.9.0.1:80")))...),
			want: expect{Changes: []string{
				"update in /web/cart: 10.0.0.1:80 ratio 3",
				"update in /web/cart: 10.9.0.1:80 ratio 4 vm",
			}},
		},
	})
}

func TestShareWhileHeld(t *testing.T) {
	t.Parallel()
	hold := func(objects ...state.Object) state.Want {
		w := follow(objects...)
		w.Mode, w.KeepVMs = state.Hold, true
		return w
	}
	check(t, []row{
		{
			name: "a new pod takes the ratio of its side, and the VM stays",
			in: input(hold(share(wantPool(ready("10.0.0.1:80"), ready("10.0.0.2:80")), 75)),
				vmNodes(ratioPool(0, with(ready("10.0.0.1:80"), state.Enabled, 5, 0), with(vmOf("10.9.0.1:80"), state.Enabled, 95, 0)))...),
			want: expect{Changes: []string{"create in /web/cart: 10.0.0.2:80 ratio 5"}},
		},
		{
			name: "at 0 a new pod is offline as the others",
			in: input(hold(share(wantPool(ready("10.0.0.1:80"), ready("10.0.0.2:80")), 75)),
				vmNodes(ratioPool(0, unready("10.0.0.1:80"), vmOf("10.9.0.1:80")))...),
			want: expect{Changes: []string{"create in /web/cart: 10.0.0.2:80 offline"}},
		},
		{
			name: "at 100 without VMs in service a pod that is ready again serves again",
			in: input(hold(share(wantPool(ready("10.0.0.1:80")), 75)),
				vmNodes(ratioPool(0, unready("10.0.0.1:80"), with(vmOf("10.9.0.1:80"), state.Offline, 1, 0)))...),
			want: expect{Changes: []string{"update in /web/cart: 10.0.0.1:80"}},
		},
		{
			name: "frozen: a VM stays, a pod that is gone stops",
			in: func() plan.Input {
				w := state.Want{Service: cart, Mode: state.Freeze, Live: live("10.0.0.1"), KeepVMs: true}
				return input(w, vmNodes(ratioPool(0, ready("10.0.0.1:80"), ready("10.0.0.2:80"), vmOf("10.9.0.1:80")))...)
			}(),
			want: expect{Changes: []string{"update in /web/cart: 10.0.0.2:80 offline (its endpoint is gone)"}},
		},
	})
}
