package plan_test

import (
	"testing"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// sslVS is a second virtual server in front of shop.
func sslVS() *state.VirtualServer {
	return taken(shopVS(), func(v *state.VirtualServer) { v.Path, v.Destination = "/web/shop_ssl", at("203.0.113.10:443") })
}

// adoptsBoth is what a Service asks for that adopts both, with a change to what
// it asks for of the second one's pool.
func adoptsBoth(change func(*state.Pool), members ...state.Member) state.Want {
	want := adopts(0, members...)
	pool := taken(adopts(0, members...).Objects[0].(*state.Pool), func(p *state.Pool) { p.Path = "/web/shop_ssl" })
	change(pool)
	want.Objects = append(want.Objects, pool, &state.VirtualServer{Backend: dc1, Path: "/web/shop_ssl", Owner: ours, Use: state.Adopted})
	return want
}

// Two virtual servers that a Service adopts may have one pool between them.
func TestAdoptOnePoolTwice(t *testing.T) {
	t.Parallel()
	pod1, vm1 := "10.0.0.1:8080", "10.9.0.1:8080"
	theSame := func(*state.Pool) {}
	joins := adopts(0, ready(pod1))
	joins.Objects = append(joins.Objects, joined(0, false, ready(pod1)))
	adoptedSSL := taken(sslVS(), func(v *state.VirtualServer) { v.Owner, v.Use = ours, state.Adopted })
	const twoWays = "OnePool: virtual servers /web/shop_vs and /web/shop_ssl on bigip/dc1 have pool /web/shop between them, and it is asked for in two ways; " +
		"give the ports of both one target port and the same settings, a monitor by its path there, or each virtual server a pool of its own"
	check(t, []row{
		{
			name: "asked for in one way they are adopted together",
			in:   input(adoptsBoth(theSame, ready(pod1)), vmNodes(shopVS(), sslVS(), shop("round-robin", theirs(vm1)))...),
			want: expect{Changes: []string{
				"update pool /web/shop: adopted, owner " + ours.Tag() + " (adopted)",
				"update virtual-server /web/shop_vs: adopted, owner " + ours.Tag() + " (adopted)",
				"update virtual-server /web/shop_ssl: adopted, owner " + ours.Tag() + " (adopted)",
				"create in /web/shop: 10.0.0.1:8080 offline",
			}},
		},
		{
			name: "and go on so",
			in: input(adoptsBoth(theSame, ready(pod1)),
				vmNodes(adoptedVS(), adoptedSSL, adoptedPool("round-robin", 0, state.PoolTerms{}, on(unready(pod1), ours), theirs(vm1)))...),
		},
		{
			name: "with two target ports nothing is done",
			in: input(adoptsBoth(func(p *state.Pool) { p.Members = []state.Member{ready("10.0.0.1:9090")} }, ready(pod1)),
				vmNodes(shopVS(), sslVS(), shop("round-robin", theirs(vm1)))...),
			want: expect{Problems: []string{twoWays}},
		},
		{
			name: "with two monitors what stands stays",
			in: input(adoptsBoth(func(p *state.Pool) {
				p.Monitors, p.Named = []string{"/Common/https"}, []state.Property{state.NamedMonitors}
			}, ready(pod1)),
				vmNodes(adoptedVS(), adoptedSSL, adoptedPool("round-robin", 0, state.PoolTerms{}, on(unready(pod1), ours), theirs(vm1)))...),
			want: expect{Problems: []string{twoWays}},
		},
		{
			name: "joined for another port",
			in:   input(joins, vmNodes(shopVS(), shop("round-robin", theirs(vm1)))...),
			want: expect{Problems: []string{
				"OnePool: pool /web/shop on bigip/dc1, which this Service joins, is that of virtual server /web/shop_vs, which it adopts; leave join-pool or adopt out",
			}},
		},
	})
}

// A pool that the Service adopted and joins from now on is given back as it was,
// with its members where they are.
func TestJoinWhatWasAdopted(t *testing.T) {
	t.Parallel()
	pod1, pod2, vm1 := "10.0.0.1:80", "10.0.0.2:80", "10.9.0.1:80"
	lent := state.PoolTerms{Mode: "round-robin"}
	down := theirs(vm1)
	down.Available = false
	const goesBack = "ModeIgnoresRatios: pod-share: 50 needs a load-balancing mode that looks at ratios, and pool /web/shop on bigip/dc1 goes back to round-robin where it is no longer adopted; " +
		"keep adopt, or ask for 0 first, and for 50 once ratio-member is set there"
	check(t, []row{
		{
			name: "the tags go, and nothing moves",
			in:   input(follow(joined(0, false, ready(pod1))), vmNodes(adoptedVS(), adoptedPool("round-robin", 0, state.PoolTerms{}, on(unready(pod1), ours), theirs(vm1)))...),
			want: expect{Changes: []string{
				"update pool /web/shop: owner  (given back, and joined)",
				"update virtual-server /web/shop_vs: owner  (given back)",
			}},
		},
		{
			name: "a share goes on where the pool's own mode has it",
			in: input(follow(joined(50, false, ready(pod1))),
				vmNodes(adoptedVS(), adoptedPool("ratio-member", 0, state.PoolTerms{}, on(ready(pod1), ours), theirs(vm1)))...),
			want: expect{Changes: []string{
				"update pool /web/shop: owner  (given back, and joined)",
				"update virtual-server /web/shop_vs: owner  (given back)",
			}},
		},
		{
			name: "a mode that was lent stays where the share needs it, and so does the share",
			in: input(follow(joined(50, false, ready(pod1))),
				vmNodes(adoptedVS(), adoptedPool("ratio-member", 0, lent, on(ready(pod1), ours), theirs(vm1)))...),
			want: expect{Problems: []string{goesBack}},
		},
		{
			name: "meanwhile its members follow",
			in: input(follow(joined(50, false, ready(pod2))),
				vmNodes(adoptedVS(), adoptedPool("ratio-member", 0, lent, on(with(lastServing(pod1), state.Enabled, 3, 0), ours), with(theirs(vm1), state.Enabled, 9, 0)))...),
			want: expect{
				Changes:  []string{"create in /web/shop: 10.0.0.2:80 ratio 3", "delete in /web/shop: 10.0.0.1:80 terminating ratio 3 (its pod is gone)"},
				Problems: []string{goesBack},
			},
		},
		{
			name: "a mode that was lent goes back where the pods are to take nothing",
			in: input(follow(joined(0, false, ready(pod1))),
				vmNodes(adoptedVS(), adoptedPool("ratio-member", 0, lent, on(ready(pod1), ours), theirs(vm1)))...),
			want: expect{Changes: []string{
				"update pool /web/shop: mode round-robin, owner  (given back, and joined)",
				"update in /web/shop: 10.0.0.1:80 offline",
				"update virtual-server /web/shop_vs: owner  (given back)",
			}},
		},
		{
			name: "and not before the VMs are up, which the pods serve until then",
			in: input(follow(joined(0, false, ready(pod1))),
				vmNodes(adoptedVS(), adoptedPool("ratio-member", 0, lent, on(ready(pod1), ours), down))...),
			want: expect{Changes: []string{"update virtual-server /web/shop_vs: owner  (given back)"}, Again: "2026-07-01T12:00:10Z"},
		},
		{
			name: "another Service's stays its",
			in: input(follow(joined(0, false, ready(pod1))),
				vmNodes(taken(adoptedPool("round-robin", 0, state.PoolTerms{}, theirs(vm1)), func(p *state.Pool) { p.Owner = webs }))...),
			want: expect{Problems: []string{"JoinsOurs: pool /web/shop on bigip/dc1 is that of shop/web of this cluster; join a pool of others"}},
		},
	})
}

// A virtual server may listen on what is no address to us, as a list of
// addresses is: another cluster's beside it is not on the same.
func TestAdoptWithoutAnAddress(t *testing.T) {
	t.Parallel()
	anywhere := func(v *state.VirtualServer) { v.Destination = state.Endpoint{Port: 80} }
	theirsToo := taken(taken(adoptedVS(), anywhere), func(v *state.VirtualServer) { v.Path, v.Pool, v.Owner = "/web/other_vs", "/web/other", theyr })
	got := told(plan.Diff(input(adopts(0, ready("10.0.0.1:80")), vmNodes(taken(adoptedVS(), anywhere), theirsToo,
		adoptedPool("round-robin", 0, state.PoolTerms{}, on(unready("10.0.0.1:80"), ours), theirs("10.9.0.1:80")))...)))
	if len(got.Problems) > 0 || len(got.Changes) > 0 {
		t.Errorf("problems %q, changes %q", got.Problems, got.Changes)
	}
}
