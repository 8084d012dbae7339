package plan_test

import (
	"testing"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// Pods that join a pool, or come into an adopted one, are reached in the route
// domain in which those are that stand there.
func TestRouteDomainsOfLentPools(t *testing.T) {
	t.Parallel()
	pod1, pod2, routed1, routedVM := "10.0.0.1:80", "10.0.0.2:80", "10.0.0.1%2:80", "10.9.0.1%2:80"
	vs := adoptedVS()
	vs.Destination = at("203.0.113.10%2:80")
	nodes := func(objects ...state.Object) []state.Object {
		return append(objects, node("10.0.0.1%2", ours), node("10.9.0.1%2", state.Owner{}))
	}
	with2 := joined(25, true, ready(pod1))
	with2.Peers = []state.Member{ready(pod2)}
	gone := follow()
	gone.Live, gone.Deleted = live("10.0.0.1"), true
	check(t, []row{
		{
			name: "joined: the members', and the node is made in it",
			in:   input(follow(joined(50, false, ready(pod1))), shop("ratio-member", theirs(routedVM))),
			want: expect{Changes: []string{"create node /Common/10.0.0.1%2", "create in /web/shop: 10.0.0.1%2:80"}},
		},
		{
			name: "what stands there stays",
			in:   input(follow(joined(50, false, ready(pod1))), nodes(shop("ratio-member", on(ready(routed1), ours), theirs(routedVM)))...),
		},
		{
			name: "other Services of the cluster are in it too",
			in:   input(follow(with2), nodes(shop("ratio-member", on(ready(routed1), ours), on(ready("10.0.0.2%2:80"), webs), theirs(routedVM)))...),
			want: expect{Changes: []string{"update in /web/shop: 10.9.0.1%2:80 ratio 6 lent, was enabled/1/0, set to enabled/6/0 (lent for the share)"}},
		},
		{
			name: "without a member of others, the virtual server's",
			in: input(follow(joined(100, false, ready(pod1))), nodes(shop("round-robin", on(ready(routed1), ours)),
				taken(shopVS(), func(v *state.VirtualServer) { v.Destination = at("203.0.113.10%2:80") }))...),
		},
		{
			name: "the last of others has left, and no virtual server leads there: ours stay where they are",
			in:   input(follow(joined(100, false, ready(pod1))), nodes(shop("round-robin", on(ready(routed1), ours)))...),
		},
		{
			name: "adopted: the same",
			in:   input(adopts(0, ready(pod1)), nodes(vs, adoptedPool("round-robin", 0, state.PoolTerms{}, theirs(routedVM)))...),
			want: expect{Changes: []string{"create in /web/shop: 10.0.0.1%2:80 offline"}},
		},
		{
			name: "leaving, a pod that lives drains",
			in:   input(gone, nodes(shop("ratio-member", on(ready(routed1), ours), theirs(routedVM)))...),
			want: expect{Changes: []string{"update in /web/shop: 10.0.0.1%2:80 offline draining, until " + soon + " (drains)"}, Again: soon},
		},
		{
			name: "a pool in two is left as it stands",
			in:   input(follow(joined(50, true, ready(pod1))), shop("ratio-member", theirs(routedVM), theirs("10.9.0.2:80"))),
			want: expect{Problems: []string{"RouteDomains: pool /web/shop on bigip/dc1 is in the route domains 0 and 2 at once, and pods can be reached in one alone; give each its own pool"}},
		},
	})
}

func TestAwaitedInARouteDomain(t *testing.T) {
	t.Parallel()
	want := follow(joined(50, false, ready("10.0.0.1:80")))
	want.Awaited = []state.ID{{Backend: dc1, Kind: state.KindMember, Name: "/web/shop", Member: at("10.0.0.1:80")}}
	got := plan.Diff(input(want, shop("ratio-member", on(ready("10.0.0.1%2:80"), ours), theirs("10.9.0.1%2:80"))))
	if len(got.InPlace) != 1 || got.InPlace[0] != want.Awaited[0] {
		t.Errorf("in place is %v, with %v", got.InPlace, got.Changes)
	}
}

// Held for its address, a Service does not say any more in which route domain its
// members are: they stay in that of the virtual server that stands.
func TestAwaitedInARouteDomainThatIsHeld(t *testing.T) {
	t.Parallel()
	want := follow(wantPool(ready("10.0.0.1:80"), ready("10.0.0.2:80")))
	want.Mode, want.KeepVMs, want.Live = state.Hold, true, live("10.0.0.1", "10.0.0.2")
	want.Awaited = []state.ID{{Backend: dc1, Kind: state.KindMember, Name: path, Member: at("10.0.0.1:80")}}
	stands := taken(virtual(), func(v *state.VirtualServer) { v.Destination = at("203.0.113.10%2:80") })
	comes := input(want, stands, havePool(ready("10.0.0.1%2:80")), node("10.0.0.1%2", ours), node("10.0.0.2%2", ours))
	check(t, []row{{name: "endpoints are followed in it", in: comes, want: expect{Changes: []string{"create in /web/cart: 10.0.0.2%2:80"}}}})
	got := plan.Diff(input(want, stands, havePool(ready("10.0.0.1%2:80"), ready("10.0.0.2%2:80")), node("10.0.0.1%2", ours), node("10.0.0.2%2", ours)))
	if len(got.InPlace) != 1 || got.InPlace[0] != want.Awaited[0] {
		t.Errorf("in place is %v, with %v", got.InPlace, got.Changes)
	}
}
