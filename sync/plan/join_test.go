package plan_test

import (
	"fmt"
	"testing"
	"time"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// twenty are twenty VMs of others.
func twenty() []state.Member {
	var vms []state.Member
	for i := range 20 {
		vms = append(vms, theirs(fmt.Sprintf("10.9.0.%d:80", i+1)))
	}
	return vms
}

func TestJoin(t *testing.T) {
	t.Parallel()
	var (
		pod1, pod2 = "10.0.0.1:80", "10.0.0.2:80"
		vm1, vm2   = "10.9.0.1:80", "10.9.0.2:80"
		lent3      = loanTo(theirs(vm1), ours, terms(state.Enabled, 1), terms(state.Enabled, 3))
	)
	check(t, []row{
		{
			name: "a pool that is not there",
			in:   input(follow(joined(0, false, ready(pod1)))),
			want: expect{Sought: []string{"bigip/dc1 pool /web/shop"}, Problems: []string{"NoSuchPool: pool /web/shop is not there on bigip/dc1; make it there, or name another"}},
		},
		{
			name: "joining moves nothing",
			in: input(follow(func() *state.Pool {
				p := joined(0, false, ready(pod1))
				p.Share = state.Share{}
				return p
			}()), vmNodes(shop("round-robin", theirs(vm1)))...),
			want: expect{Changes: []string{"create in /web/shop: 10.0.0.1:80 offline"}},
		},
		{
			name: "twenty VMs as they are leave one of twenty to a pod",
			in:   input(follow(joined(5, false, ready(pod1))), vmNodes(shop("ratio-member", twenty()...))...),
			want: expect{Changes: []string{"create in /web/shop: 10.0.0.1:80"}},
		},
		{
			name: "a second pod would be too much, and waits",
			in: input(follow(joined(5, false, ready(pod1), ready(pod2))),
				vmNodes(shop("ratio-member", append(twenty(), on(ready(pod1), ours))...))...),
			want: expect{
				Changes:  []string{"create in /web/shop: 10.0.0.2:80 offline"},
				Problems: []string{"PodsWait: pod-share: 5 is reached in pool /web/shop on bigip/dc1 with fewer pods than are ready, and the others wait forced offline: the members of others may not be changed; the tenant needs the grant borrow for the pool"},
			},
		},
		{
			name: "a share that no number of pods can have",
			in:   input(follow(joined(5, false, ready(pod1))), vmNodes(shop("ratio-member", theirs(vm1)))...),
			want: expect{
				Changes:  []string{"create in /web/shop: 10.0.0.1:80 offline"},
				Problems: []string{"ShareUnreachable: pod-share: 5 cannot be reached in pool /web/shop on bigip/dc1 with its members' ratios as they are; the nearest that can is 50; to reach it the tenant needs the grant borrow for the pool, or the VMs other ratios"},
			},
		},
		{
			name: "with borrow the VMs' ratios are lent",
			in:   input(follow(joined(25, true, ready(pod1))), vmNodes(shop("ratio-member", on(unready(pod1), ours), theirs(vm1)))...),
			want: expect{Changes: []string{
				"update in /web/shop: 10.9.0.1:80 ratio 3 lent, was enabled/1/0, set to enabled/3/0 (lent for the share)",
				"update in /web/shop: 10.0.0.1:80",
			}},
		},
		{
			name: "VMs that differ keep their proportion",
			in: input(follow(joined(10, true, ready(pod1))),
				vmNodes(shop("ratio-member", on(ready(pod1), ours), with(theirs(vm1), state.Enabled, 2, 0), theirs(vm2)))...),
			want: expect{Changes: []string{
				"update in /web/shop: 10.9.0.1:80 ratio 6 lent, was enabled/2/0, set to enabled/6/0 (lent for the share)",
				"update in /web/shop: 10.9.0.2:80 ratio 3 lent, was enabled/1/0, set to enabled/3/0 (lent for the share)",
			}},
		},
		{
			name: "back to 0 they are given back",
			in:   input(follow(joined(0, true, ready(pod1))), vmNodes(shop("ratio-member", on(ready(pod1), ours), lent3))...),
			want: expect{Changes: []string{
				"update in /web/shop: 10.9.0.1:80 (given back as it was)",
				"update in /web/shop: 10.0.0.1:80 offline",
			}},
		},
		{
			name: "what a person changed of a lent one stays, and counts as it is",
			in: input(follow(joined(25, true, ready(pod1))),
				vmNodes(shop("ratio-member", on(ready(pod1), ours), with(lent3, state.Enabled, 7, 0), theirs(vm2)))...),
			want: expect{
				Changes: []string{
					"update in /web/shop: 10.9.0.2:80 ratio 2 lent, was enabled/1/0, set to enabled/2/0 (lent for the share)",
					"update in /web/shop: 10.0.0.1:80 ratio 3",
				},
				Problems: []string{"ChangedByHand: member 10.9.0.1:80 of pool /web/shop on bigip/dc1, which is lent to this cluster, was changed there by hand; it stays so, and counts as it is"},
			},
		},
		{
			name: "and stays when all is given back",
			in: input(follow(joined(0, true, ready(pod1))),
				vmNodes(shop("ratio-member", on(unready(pod1), ours), with(lent3, state.Enabled, 7, 0)))...),
			want: expect{
				Changes:  []string{"update in /web/shop: 10.9.0.1:80 ratio 7 (given back as it was)"},
				Problems: []string{"ChangedByHand: member 10.9.0.1:80 of pool /web/shop on bigip/dc1, which is lent to this cluster, was changed there by hand; it stays so, and counts as it is"},
			},
		},
		{
			name: "a pool that ignores ratios",
			in:   input(follow(joined(50, true, ready(pod1))), vmNodes(shop("round-robin", on(unready(pod1), ours), theirs(vm1)))...),
			want: expect{Problems: []string{"ModeIgnoresRatios: pod-share: 50 needs a load-balancing mode that looks at ratios, and pool /web/shop on bigip/dc1 has round-robin; set ratio-member there, or ask for 0"}},
		},
		{
			name: "members of another cluster are left out",
			in: input(follow(joined(50, false, ready(pod1))),
				vmNodes(shop("ratio-member", on(unready(pod1), ours), on(with(ready("10.5.0.1:80"), state.Enabled, 9, 0), theyr), theirs(vm1)))...),
			want: expect{Changes: []string{"update in /web/shop: 10.0.0.1:80"}},
		},
		{
			name: "what is lent to another cluster is not borrowed",
			in: input(follow(joined(10, true, ready(pod1))),
				vmNodes(shop("ratio-member", on(unready(pod1), ours), loanTo(theirs(vm1), theyr, terms(state.Enabled, 1), terms(state.Enabled, 2))))...),
			want: expect{Problems: []string{"ShareUnreachable: pod-share: 10 cannot be reached in pool /web/shop on bigip/dc1 with its members' ratios as they are; the nearest that can is 33; to reach it what is lent has to be given back: 10.9.0.1:80 (to cluster test)"}},
		},
		{
			name: "100 without borrow",
			in:   input(follow(fallback(joined(100, false, ready(pod1)), state.FallbackNone)), vmNodes(shop("ratio-member", on(ready(pod1), ours), theirs(vm1)))...),
			want: expect{Problems: []string{"BorrowNeeded: pod-share: 100 needs the members of others in pool /web/shop on bigip/dc1 to take nothing, and 10.9.0.1:80 may not be changed: the tenant needs the grant borrow for the pool, or ask for 99"}},
		},
		{
			name: "100 with borrow",
			in:   input(follow(fallback(joined(100, true, ready(pod1)), state.FallbackNone)), vmNodes(shop("round-robin", on(ready(pod1), ours), theirs(vm1)))...),
			want: expect{Changes: []string{"update in /web/shop: 10.9.0.1:80 offline lent, was enabled/1/0, set to offline/1/0 (lent for the share)"}},
		},
		{
			name: "another Service of the cluster that joins counts as pods, and carries the share",
			in: input(follow(func() *state.Pool {
				p := joined(25, true, ready(pod1))
				p.Share.Elsewhere, p.Peers = true, []state.Member{ready(pod2)}
				return p
			}()), vmNodes(shop("ratio-member", on(unready(pod1), ours), on(ready(pod2), webs), theirs(vm1)))...),
			want: expect{Changes: []string{"update in /web/shop: 10.0.0.1:80"}},
		},
		{
			name: "a pool with priority groups: the pods go into the one that serves",
			in: input(follow(joined(50, false, ready(pod1))), vmNodes(func() *state.Pool {
				p := shop("ratio-member", with(theirs(vm1), state.Enabled, 1, 10), with(theirs(vm2), state.Enabled, 1, 5))
				p.MinActive = 1
				return p
			}())...),
			want: expect{Changes: []string{"create in /web/shop: 10.0.0.1:80 priority 10"}},
		},
		{
			name: "a pool of an application service",
			in: input(follow(joined(0, false, ready(pod1))), vmNodes(func() *state.Pool {
				p := shop("ratio-member", theirs(vm1))
				p.Managed = true
				return p
			}())...),
			want: expect{Problems: []string{"Managed: pool /web/shop on bigip/dc1 is managed by an application service there, and is never touched"}},
		},
		{
			name: "one's own",
			in:   input(follow(joined(0, false, ready(pod1))), vmNodes(by(shop("ratio-member", theirs(vm1)), webs, func(p *state.Pool) { p.Owner = webs }))...),
			want: expect{Problems: []string{"JoinsOurs: pool /web/shop on bigip/dc1 is that of shop/web of this cluster; join a pool of others"}},
		},
	})
}

func TestLeaveJoinedPool(t *testing.T) {
	t.Parallel()
	pod1, vm1 := "10.0.0.1:80", "10.9.0.1:80"
	lent := loanTo(theirs(vm1), ours, terms(state.Enabled, 1), terms(state.Offline, 1))
	gone := func() state.Want {
		w := follow()
		w.Live, w.Deleted = live("10.0.0.1"), true
		return w
	}
	check(t, []row{
		{
			name: "what was lent is given back first, and the pods go on until it is up",
			in:   input(gone(), vmNodes(shop("ratio-member", on(ready(pod1), ours), down(lent)))...),
			want: expect{Changes: []string{"update in /web/shop: 10.9.0.1:80 (given back as it was)"}, Again: "2026-07-01T12:00:10Z"},
		},
		{
			name: "then they drain",
			in:   input(gone(), vmNodes(shop("ratio-member", on(ready(pod1), ours), theirs(vm1)))...),
			want: expect{Changes: []string{"update in /web/shop: 10.0.0.1:80 offline draining, until " + soon + " (drains)"}, Again: soon},
		},
		{
			name: "and go",
			in:   input(gone(), vmNodes(shop("ratio-member", draining(pod1, pastAt, false), theirs(vm1)))...),
			want: expect{Changes: []string{"delete in /web/shop: 10.0.0.1:80 offline draining, until 2026-07-01T11:59:59Z (its drain has ended)"}},
		},
		{
			name: "a crash left only the loan",
			in:   input(gone(), vmNodes(shop("ratio-member", down(lent)))...),
			want: expect{Changes: []string{"update in /web/shop: 10.9.0.1:80 (given back as it was)"}},
		},
		{
			name: "orphaned, all stays as it is without a word of ours",
			in: func() plan.Input {
				w := gone()
				w.Orphan = true
				return input(w, vmNodes(shop("ratio-member", on(ready(pod1), ours), lent))...)
			}(),
			want: expect{Changes: []string{
				"update in /web/shop: 10.0.0.1:80 (deletion-policy: orphan)",
				"update in /web/shop: 10.9.0.1:80 offline (deletion-policy: orphan)",
			}},
		},
		{
			name: "one of two clusters leaves, and the other's members stay",
			in:   input(gone(), vmNodes(shop("ratio-member", draining(pod1, pastAt, false), on(ready("10.5.0.1:80"), theyr), theirs(vm1)))...),
			want: expect{Changes: []string{"delete in /web/shop: 10.0.0.1:80 offline draining, until 2026-07-01T11:59:59Z (its drain has ended)"}},
		},
		{
			name: "waited for two monitor intervals",
			in:   gatedFor(input(gone(), vmNodes(shop("ratio-member", on(ready(pod1), ours), down(theirs(vm1))))...), now.Add(-11*time.Second)),
			want: expect{Changes: []string{"update in /web/shop: 10.0.0.1:80 offline draining, until " + soon + " (drains)"}, Again: soon},
		},
	})
}

// shopVS is a virtual server of others as it stands, in front of shop.
func shopVS() *state.VirtualServer {
	v := virtual()
	v.Path, v.Owner, v.Pool, v.Text = "/web/shop_vs", state.Owner{}, "/web/shop", "call ops"
	return v
}

// adopts is what a Service asks for that adopts it.
func adopts(percent int, members ...state.Member) state.Want {
	p := share(wantPool(members...), percent)
	p.Path, p.Mode, p.Monitors, p.ReselectTries, p.Use, p.Share.Borrow = "/web/shop_vs", "", nil, 0, state.Adopted, true
	v := &state.VirtualServer{Backend: dc1, Path: "/web/shop_vs", Owner: ours, Use: state.Adopted}
	return follow(p, v)
}

func taken[T state.Object](o T, set func(T)) T {
	set(o)
	return o
}

func adoptedPool(mode string, minActive int, lent state.PoolTerms, members ...state.Member) *state.Pool {
	return taken(shop(mode, members...), func(p *state.Pool) {
		p.Owner, p.Use, p.MinActive, p.Lent = ours, state.Adopted, minActive, lent
	})
}

func adoptedVS() *state.VirtualServer {
	return taken(shopVS(), func(v *state.VirtualServer) { v.Owner, v.Use = ours, state.Adopted })
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	pod1, vm1 := "10.0.0.1:80", "10.9.0.1:80"
	named := adopts(0, ready(pod1))
	named.Objects[1].(*state.VirtualServer).SNAT = "none"
	named.Objects[1].(*state.VirtualServer).Named = []state.Property{state.NamedSNAT}
	check(t, []row{
		{
			name: "the tag comes first, then what is named, and nothing moves",
			in:   input(named, vmNodes(shopVS(), shop("round-robin", theirs(vm1)))...),
			want: expect{Changes: []string{
				"update pool /web/shop: adopted, owner " + ours.Tag() + " (adopted)",
				"update virtual-server /web/shop_vs: adopted, owner " + ours.Tag() + " (adopted)",
				"create in /web/shop: 10.0.0.1:80 offline",
				"update virtual-server /web/shop_vs: snat none",
			}},
		},
		{
			name: "the first share sets a mode that looks at ratios",
			in:   input(adopts(50, ready(pod1)), vmNodes(adoptedVS(), adoptedPool("round-robin", 0, state.PoolTerms{}, on(unready(pod1), ours), theirs(vm1)))...),
			want: expect{Changes: []string{
				"update pool /web/shop: lent, was round-robin, min-active 0, mode ratio-member",
				"update in /web/shop: 10.0.0.1:80",
			}},
		},
		{
			name: "at 100 their members stand by, untouched",
			in: input(adopts(100, ready(pod1)), vmNodes(adoptedVS(), adoptedPool("ratio-member", 0, state.PoolTerms{Mode: "round-robin"},
				on(ready(pod1), ours), theirs(vm1)))...),
			want: expect{Changes: []string{
				"update pool /web/shop: min-active 1",
				"update in /web/shop: 10.0.0.1:80 priority 1",
			}},
		},
		{
			name: "leaving: the mode is given back, and the pods drain",
			in: input(func() state.Want { w := follow(); w.Live = live("10.0.0.1"); return w }(), vmNodes(adoptedVS(),
				adoptedPool("ratio-member", 1, state.PoolTerms{Mode: "round-robin"}, on(with(ready(pod1), state.Enabled, 1, 1), ours), theirs(vm1)))...),
			want: expect{
				Changes: []string{
					"update pool /web/shop: mode round-robin (given back as it was)",
					"update in /web/shop: 10.0.0.1:80 offline draining, until " + soon + " priority 1 (drains)",
				},
				Again: soon,
			},
		},
		{
			name: "the tag goes last",
			in:   input(follow(), vmNodes(adoptedVS(), adoptedPool("round-robin", 0, state.PoolTerms{}, theirs(vm1)))...),
			want: expect{Changes: []string{
				"update pool /web/shop: owner  (given back)",
				"update virtual-server /web/shop_vs: owner  (given back)",
			}},
		},
		{
			name: "a mode that a person set meanwhile stays",
			in:   input(follow(), vmNodes(adoptedVS(), adoptedPool("least-connections-member", 0, state.PoolTerms{Mode: "round-robin"}, theirs(vm1)))...),
			want: expect{Changes: []string{
				"update pool /web/shop: owner  (given back)",
				"update virtual-server /web/shop_vs: owner  (given back)",
			}},
		},
		{
			name: "one that is not there",
			in:   input(adopts(0, ready(pod1))),
			want: expect{Sought: []string{"bigip/dc1 virtual-server /web/shop_vs"}, Problems: []string{"NoSuchVirtualServer: virtual server /web/shop_vs is not there on bigip/dc1; name one that stands, or leave adopt out to have one made"}},
		},
		{
			name: "one without a pool",
			in:   input(adopts(0, ready(pod1)), taken(shopVS(), func(v *state.VirtualServer) { v.Pool = "" })),
			want: expect{Sought: []string{"bigip/dc1 virtual-server /web/shop_vs"}, Problems: []string{"NoPool: virtual server /web/shop_vs on bigip/dc1 has no pool; give it one there, and its members are the VM side"}},
		},
		{
			name: "another Service's",
			in:   input(adopts(0, ready(pod1)), taken(adoptedVS(), func(v *state.VirtualServer) { v.Owner = webs }), shop("round-robin")),
			want: expect{Problems: []string{"NameTaken: virtual-server /web/shop_vs on bigip/dc1 belongs to shop/web of cluster prod and is left alone"}},
		},
		{
			name: "an application service's",
			in:   input(adopts(0, ready(pod1)), taken(shopVS(), func(v *state.VirtualServer) { v.Managed = true }), shop("round-robin")),
			want: expect{Problems: []string{"Managed: virtual-server /web/shop_vs on bigip/dc1 is managed by an application service there, and is never touched"}},
		},
	})
}
