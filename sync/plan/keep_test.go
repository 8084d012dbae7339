package plan_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// serving is the leaving member m, which still serves.
func serving(m state.Member) state.Member {
	m.Serves = true
	return m
}

func ids(list []state.ID) []string {
	var words []string
	for _, id := range list {
		words = append(words, id.String())
	}
	return words
}

func TestDiffStandsStill(t *testing.T) {
	t.Parallel()
	want := follow(wantPool(ready("10.0.0.1:8080")), virtual())
	want.Mode = state.Still
	r := plan.Diff(input(want, havePool(draining("10.0.0.2:8080", pastAt, true)), node("10.0.0.3", ours)))
	if diff := cmp.Diff(expect{}, told(r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// With the brake on, what is no longer wanted stays, and is named; what is
// wanted goes on.
func TestDiffBraked(t *testing.T) {
	t.Parallel()
	old, oldPool := virtual(), havePool(ready("10.0.0.1:8080"))
	old.Path, old.Pool, oldPool.Path = "/old/cart", "/old/cart", "/old/cart"
	in := input(follow(wantPool(ready("10.0.0.1:8080"), ready("10.0.0.2:8080")), virtual()), havePool(ready("10.0.0.1:8080")), old, oldPool, node("10.0.0.2", ours))
	in.Keep = true
	r := plan.Diff(in)
	if diff := cmp.Diff(expect{Changes: []string{"create in /web/cart: 10.0.0.2:8080"}}, told(r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	removing := []string{"bigip/dc1 pool /old/cart", "bigip/dc1 virtual-server /old/cart"}
	if diff := cmp.Diff(removing, ids(r.Removing)); diff != "" {
		t.Errorf("removing (-want +got):\n%s", diff)
	}
	in.Keep = false
	if diff := cmp.Diff(removing, ids(plan.Diff(in).Removing)); diff != "" {
		t.Errorf("removing, without the brake (-want +got):\n%s", diff)
	}
}

// A leaving pod that still serves is kept while nobody else on the device
// takes its clients, for two monitor intervals at most.
func TestDiffKeepsTheLastThatServes(t *testing.T) {
	t.Parallel()
	const one, two = "10.0.0.1:8080", "10.0.0.2:8080"
	down := on(ready(one), ours)
	down.Available = false
	off := on(unready(one), ours)
	drained := []string{"update in /web/cart: 10.0.0.2:8080 offline draining, until 2026-07-01T12:01:00Z terminating (drains)"}
	const others = "MembersOfOthers: pool /web/cart on bigip/dc1 holds members that are not ours, or lost our tag: 10.0.0.1:8080; they stay as they are, and take their part of the connections; remove them there if that is not meant"
	kept := []string{"bigip/dc1 member /web/cart 10.0.0.2:8080"}
	for _, test := range []struct {
		name  string
		other state.Member // as it stands
		leave state.Member
		since time.Time
		want  expect
		gated []string
	}{
		{name: "the other is available", other: on(ready(one), ours), leave: serving(terminating(two)), want: expect{Changes: drained, Again: soon}},
		{name: "the other is somebody else's, and available", other: on(ready(one), state.Owner{}), leave: serving(terminating(two)), want: expect{Changes: drained, Again: soon, Problems: []string{others}}},
		{name: "the other is down on the device", other: down, leave: serving(terminating(two)), want: expect{Again: "2026-07-01T12:00:10Z"}, gated: kept},
		{name: "the other was forced offline", other: off, leave: serving(terminating(two)), want: expect{Changes: []string{"update in /web/cart: 10.0.0.1:8080"}, Again: "2026-07-01T12:00:10Z"}, gated: kept},
		{name: "kept for a while", other: down, leave: serving(terminating(two)), since: now.Add(-9 * time.Second), want: expect{Again: "2026-07-01T12:00:01Z"}, gated: kept},
		{name: "kept for long enough", other: down, leave: serving(terminating(two)), since: now.Add(-10 * time.Second), want: expect{Changes: drained, Again: soon}},
		{name: "it serves no more", other: down, leave: terminating(two), want: expect{Changes: drained, Again: soon}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			in := input(follow(wantPool(ready(one), test.leave)), havePool(test.other, ready(two)))
			if test.other.Owner.IsZero() {
				in.Want = follow(wantPool(test.leave))
			}
			in.Gated = func(state.ID) time.Time { return test.since }
			r := plan.Diff(in)
			if diff := cmp.Diff(test.want, told(r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.gated, ids(r.Gated)); diff != "" {
				t.Errorf("gated (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"bigip/dc1 pool /web/cart"}, ids(r.Count)); diff != "" {
				t.Errorf("to be counted (-want +got):\n%s", diff)
			}
		})
	}
}

// A member that another takes the place of is kept in the same way: the target
// port, the selector or the member type has changed, and what was behind it
// may serve on.
func TestDiffKeepsWhatIsReplaced(t *testing.T) {
	t.Parallel()
	const old, next = "10.0.0.1:8080", "10.0.0.1:9090"
	coming := on(ready(next), ours)
	coming.Available = false
	drained := []string{"update in /web/cart: 10.0.0.1:8080 offline draining, until 2026-07-01T12:01:00Z (drains)"}
	ended := on(lastServing(old), ours)
	check(t, []row{
		{
			name: "the new one comes, and the old one stays",
			in:   input(follow(wantPool(ready(next))), havePool(ready(old)), node("10.0.0.1", ours)),
			want: expect{Changes: []string{"create in /web/cart: 10.0.0.1:9090"}, Again: "2026-07-01T12:00:10Z"},
		},
		{
			name: "until the device has found the new one up",
			in:   input(follow(wantPool(ready(next))), havePool(ready(old), ready(next)), node("10.0.0.1", ours)),
			want: expect{Changes: drained, Again: soon},
		},
		{
			name: "not where nothing comes in its place",
			in:   input(follow(wantPool(unready(next))), havePool(ready(old), unready(next)), node("10.0.0.1", ours)),
			want: expect{Changes: drained, Again: soon},
		},
		{
			name: "nor where one that a person had disabled comes back, which the device has probed all the while",
			in:   input(follow(wantPool(ready(next))), havePool(ready(old), on(with(ready(next), state.Disabled, 1, 0), ours)), node("10.0.0.1", ours)),
			want: expect{Changes: append([]string{"update in /web/cart: 10.0.0.1:9090"}, drained...), Again: soon},
		},
		{
			name: "nor where its pod has ended",
			in:   input(follow(wantPool(ready(next))), havePool(ended, coming), node("10.0.0.1", ours)),
			want: expect{Changes: []string{"delete in /web/cart: 10.0.0.1:8080 terminating (its pod is gone)"}},
		},
	})
}

func TestDiffEndsAnIdleDrain(t *testing.T) {
	t.Parallel()
	idle := func(m state.Member) state.Member { m.Idle = true; return m }
	const two = "10.0.0.2:8080"
	check(t, []row{
		{
			name: "no connection left: removed before the deadline",
			in:   input(follow(wantPool()), havePool(idle(draining(two, soonAt, false)))),
			want: expect{Changes: []string{"delete in /web/cart: 10.0.0.2:8080 offline draining, until " + soon + " (it has no connection left)"}},
		},
		{
			name: "also without a limit",
			in: func() plan.Input {
				p := wantPool()
				p.DrainTimeout = -1
				return input(follow(p), havePool(idle(draining(two, state.NoDeadline, false))))
			}(),
			want: expect{Changes: []string{"delete in /web/cart: 10.0.0.2:8080 offline draining, until none (it has no connection left)"}},
		},
		{
			name: "a member that serves and has no connection is not removed for it",
			in:   input(follow(wantPool(ready(two))), havePool(idle(on(ready(two), ours)))),
		},
		{
			name: "one that is only now to leave drains first: it was counted before",
			in:   input(follow(wantPool()), havePool(idle(on(ready(two), ours)))),
			want: expect{Changes: []string{"update in /web/cart: 10.0.0.2:8080 offline draining, until " + soon + " (drains)"}, Again: soon},
		},
	})
}

// With deletion-policy orphan all stays, and is foreign from then on.
func TestDiffOrphans(t *testing.T) {
	t.Parallel()
	want := follow()
	want.Orphan = true
	in := input(want, havePool(ready("10.0.0.1:8080"), draining("10.0.0.2:8080", soonAt, true), on(ready("10.9.0.1:8080"), theyr)), virtual(),
		&state.Monitor{Backend: dc1, Path: "/web/cart_m1", Owner: ours}, node("10.0.0.1", ours), node("10.0.0.2", webs), node("10.0.0.3", ours))
	r := plan.Diff(in)
	have := in.Have.Clone()
	for _, c := range r.Changes {
		if c.Op == plan.Create || c.Op == plan.Delete && c.ID().Kind != state.KindNode {
			t.Errorf("%s", tell(c))
		}
		c.ApplyTo(have)
	}
	if left := have.Owned(cart); len(left) != 1 || have.Len() != in.Have.Len()-1 { // the other cluster's member is its own
		t.Errorf("ours are still %v, of %d objects %d stand", left, in.Have.Len(), have.Len())
	}
	if n, ok := have.Node(dc1, at("10.0.0.2:1").Address); !ok || n.Owner != webs {
		t.Errorf("another Service's node is %v", n)
	}
	if _, ok := have.Node(dc1, at("10.0.0.3:1").Address); ok {
		t.Error("a node that leads nowhere stays")
	}
	again := in
	again.Have = have
	if diff := cmp.Diff(expect{}, told(plan.Diff(again))); diff != "" {
		t.Errorf("once more (-want +got):\n%s", diff)
	}
}

// A node of ours that another Service of ours has a member at keeps its tag:
// it is to go with the last of them.
func TestDiffOrphansNoSharedNode(t *testing.T) {
	t.Parallel()
	want := follow()
	want.Orphan = true
	other := &state.Pool{Backend: dc1, Path: "/web/other", Owner: webs, Mode: "round-robin"}
	in := input(want, havePool(ready("10.0.0.1:8080")), other.With(on(ready("10.0.0.1:8081"), webs)), node("10.0.0.1", ours))
	for _, c := range plan.Diff(in).Changes {
		if c.ID().Kind == state.KindNode {
			t.Errorf("%s", tell(c))
		}
	}
}

// A member that a person made their own is left as it is; that it keeps a ready
// endpoint from its clients is said.
func TestDiffSaysWhereAForeignMemberStandsInTheWay(t *testing.T) {
	t.Parallel()
	off := on(ready("10.0.0.1:8080"), state.Owner{})
	off.Admin = state.Disabled
	r := plan.Diff(input(follow(wantPool(ready("10.0.0.1:8080"))), havePool(off)))
	if len(r.Changes) > 0 || len(r.Problems) != 1 || r.Problems[0].Reason != "ForeignMember" {
		t.Errorf("changes %v, problems %v", r.Changes, r.Problems)
	}
	off.Admin = state.Enabled
	if r := plan.Diff(input(follow(wantPool(ready("10.0.0.1:8080"))), havePool(off))); !state.AsAsked(r.Problems) || len(r.Problems) != 1 || r.Problems[0].Reason != "MembersOfOthers" {
		t.Errorf("one that takes clients: %v", r.Problems)
	}
}
