package plan_test

import (
	"net/netip"
	"testing"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

func TestDiffMakesAndSettles(t *testing.T) {
	t.Parallel()
	six := wantPool(ready("[2001:db8::1]:5353"))
	six.Path, six.Monitors = "/web/dns_udp_v6", nil
	dns := virtual()
	dns.Path, dns.Pool, dns.Protocol, dns.Destination = six.Path, six.Path, state.UDP, at("[2001:db8:1::5]:53")
	monitor := &state.Monitor{Backend: dc1, Path: "/web/cart_m1", Owner: ours, Type: "tcp", Interval: 5, Timeout: 16}
	faster := *monitor
	faster.Interval = 2
	other := wantPool(ready("10.0.0.1:8080"))
	other.Backend = "bigip/dc2"
	tuned := havePool(ready("10.0.0.1:8080"))
	tuned.Mode = "least-connections-member"
	muted := virtual()
	muted.Disabled = true
	check(t, []row{
		{
			name: "on an empty device all is made from the ground up, members with their pool",
			in:   input(follow(virtual(), wantPool(ready("10.0.0.1:8080"), unready("10.0.0.2:8080")))),
			want: expect{Changes: []string{
				"create node /Common/10.0.0.1", "create node /Common/10.0.0.2", "create pool /web/cart", "create virtual-server /web/cart",
			}},
		},
		{
			name: "UDP over IPv6",
			in:   input(follow(six, dns)),
			want: expect{Changes: []string{
				"create node /Common/2001:db8::1", "create pool /web/dns_udp_v6", "create virtual-server /web/dns_udp_v6",
			}},
		},
		{
			name: "what stands as it is wanted is left alone",
			in:   input(follow(wantPool(ready("10.0.0.1:8080")), virtual()), havePool(ready("10.0.0.1:8080")), virtual(), node("10.0.0.1", ours)),
		},
		{
			name: "what is wanted of another backend is not of this plan",
			in:   input(follow(other), havePool(), virtual()),
			want: expect{Changes: []string{"delete virtual-server /web/cart", "delete pool /web/cart"}},
		},
		{
			name: "a monitor comes before the pool, and is changed in place",
			in:   input(follow(wantPool(), &faster), havePool(), monitor),
			want: expect{Changes: []string{"update monitor /web/cart_m1: interval 2"}},
		},
		{
			name: "a monitor that is no longer wanted goes after the pools",
			in:   input(follow(), havePool(), monitor),
			want: expect{Changes: []string{"delete pool /web/cart", "delete monitor /web/cart_m1"}},
		},
		{
			name: "settings that a person has changed are put right, and the members stay as they are",
			in:   input(follow(wantPool(ready("10.0.0.1:8080")), virtual()), tuned, muted, node("10.0.0.1", ours)),
			want: expect{Changes: []string{
				"update pool /web/cart: mode round-robin",
				"update virtual-server /web/cart: ",
			}},
		},
		{
			name: "in node partition same, a node is made beside its pool",
			in: func() plan.Input {
				in := input(follow(wantPool(ready("10.0.0.1:8080"))))
				in.NodePartition = "same"
				return in
			}(),
			want: expect{Changes: []string{"create node /web/10.0.0.1", "create pool /web/cart"}},
		},
		{
			name: "a pool that would begin with leaving members begins without them",
			in:   input(follow(wantPool(terminating("10.0.0.1:8080"), lastServing("10.0.0.2:8080")))),
			want: expect{Changes: []string{"create node /Common/10.0.0.2", "create pool /web/cart"}},
		},
	})
}

func TestDiffLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	foreignListener := virtualBy(state.Owner{})
	foreignListener.Path = "/web/shop_vs"
	aside := *foreignListener // beside ours on its frontend, apart by source
	aside.Path = "/web/a"
	oldPool, old := havePool(ready("10.0.0.1:8080")), virtual()
	oldPool.Path, old.Path, old.Pool = "/old/cart", "/old/cart", "/old/cart"
	stale := virtual()
	stale.SNAT = "none"
	const untagged = " stands on bigip/dc1 without our tag and is left alone; rename or delete it there"
	const twins = " on bigip/dc1 is tagged by another cluster named prod (uid 77777777) and is left alone; " +
		"if that was this cluster before it was built anew, add the uid to formerUIDs, else give one of the clusters another name"
	check(t, []row{
		{
			name: "a pool of our name without our tag, and so no virtual server either",
			in:   input(follow(wantPool(ready("10.0.0.1:8080")), virtual()), poolBy(state.Owner{})),
			want: expect{Problems: []string{"NameTaken: pool /web/cart" + untagged}},
		},
		{
			name: "a virtual server of our name without our tag",
			in:   input(follow(wantPool(), virtual()), havePool(), virtualBy(state.Owner{})),
			want: expect{Problems: []string{"NameTaken: virtual-server /web/cart" + untagged}},
		},
		{
			name: "a pool by another cluster of our name",
			in:   input(follow(wantPool()), poolBy(twin)),
			want: expect{Problems: []string{"ForeignUID: pool /web/cart" + twins}},
		},
		{
			name: "a pool by another cluster",
			in:   input(follow(wantPool()), poolBy(theyr)),
			want: expect{Problems: []string{"NameTaken: pool /web/cart on bigip/dc1 belongs to shop/cart of cluster test and is left alone"}},
		},
		{
			name: "a pool by another of our Services",
			in:   input(follow(wantPool()), poolBy(webs)),
			want: expect{Problems: []string{"NameTaken: pool /web/cart on bigip/dc1 belongs to shop/web of cluster prod and is left alone"}},
		},
		{
			name: "what this cluster made before it was built anew is taken over",
			in: input(follow(wantPool(ready("10.0.0.1:8080")), virtual()),
				poolBy(once, on(ready("10.0.0.1:8080"), once)), virtualBy(once), node("10.0.0.1", once)),
			want: expect{Changes: []string{
				"update pool /web/cart: owner " + ours.Tag(),
				"update in /web/cart: 10.0.0.1:8080 (is tagged anew)",
				"update virtual-server /web/cart: owner " + ours.Tag(),
			}},
		},
		{
			name: "a foreign virtual server on the address and port",
			in:   input(follow(wantPool(), virtual()), havePool(), foreignListener),
			want: expect{Problems: []string{
				"AddressInUse: 203.0.113.10:80/tcp on bigip/dc1 is served by /web/shop_vs, which is not ours; choose another address or port, or remove that virtual server",
			}},
		},
		{
			name: "a virtual server of another cluster on the address and port",
			in:   input(follow(wantPool(), virtual()), havePool(), elsewhere(theyr)),
			want: expect{Problems: []string{
				"AddressInUse: 203.0.113.10:80/tcp on bigip/dc1 is served by /web/lb_cart of cluster test (uid 99999999); " +
					"this Service is served there when that one lets it go, or choose another address or port",
			}},
		},
		{
			name: "a virtual server of this cluster under another name, which is not said to be its former one",
			in:   input(follow(wantPool(), virtual()), havePool(), elsewhere(state.Owner{Cluster: "stage", UID: us.UID, Service: cart})),
			want: expect{Problems: []string{
				"AddressInUse: 203.0.113.10:80/tcp on bigip/dc1 is served by /web/lb_cart of cluster stage, which has our uid; " +
					"if that was this cluster's name, add it to formerClusters, else choose another address or port",
			}},
		},
		{
			name: "where the new name is taken, what stands under the old one goes on serving",
			in:   input(follow(wantPool(ready("10.0.0.1:8080")), virtual()), poolBy(state.Owner{}), oldPool, old),
			want: expect{Problems: []string{"NameTaken: pool /web/cart" + untagged}},
		},
		{
			name: "a foreign virtual server beside ours does not keep ours from being put right",
			in:   input(follow(wantPool(), virtual()), havePool(), stale, &aside),
			want: expect{Changes: []string{"update virtual-server /web/cart: snat automap"}},
		},
		{
			name: "a virtual server of another cluster beside ours, apart by source: both stay, and it is said",
			in:   input(follow(wantPool(), virtual()), havePool(), stale, elsewhere(theyr)),
			want: expect{Changes: []string{"update virtual-server /web/cart: snat automap"}, Problems: []string{
				"AddressInUse: 203.0.113.10:80/tcp on bigip/dc1 is also served by /web/lb_cart of cluster test (uid 99999999), " +
					"and clients go to one or the other by their source address or VLAN; choose another address or port for one of the two",
			}},
		},
		{
			name: "foreign members of our pool, at our endpoint and elsewhere",
			in: input(follow(wantPool(ready("10.0.0.1:8080")), virtual()), virtual(),
				havePool(on(unready("10.0.0.1:8080"), state.Owner{}), on(ready("10.9.0.1:8080"), state.Owner{}), on(ready("10.9.0.2:8080"), theyr))),
			want: expect{Problems: []string{
				"ForeignMember: member 10.0.0.1:8080 of pool /web/cart on bigip/dc1 is not ours, is offline, and stands where a ready endpoint is; enable it there, or remove it",
				"MembersOfOthers: pool /web/cart on bigip/dc1 holds members that are not ours, or lost our tag: 10.9.0.1:8080; they stay as they are, and take their part of the connections; remove them there if that is not meant",
			}},
		},
		{
			name: "a pool with foreign members is not deleted, and says so",
			in:   input(follow(), virtual(), havePool(draining("10.0.0.1:8080", pastAt, false), on(ready("10.9.0.1:8080"), state.Owner{}))),
			want: expect{
				Changes: []string{"delete in /web/cart: 10.0.0.1:8080 offline draining, until 2026-07-01T11:59:59Z (its drain has ended)", "delete virtual-server /web/cart"},
				Problems: []string{
					"ForeignMembers: pool /web/cart on bigip/dc1 is kept, because it holds members that are not ours: 10.9.0.1:8080; move them, then delete the pool or remove them",
				},
			},
		},
		{
			name: "the same Service of another cluster",
			in:   input(follow(), poolBy(theyr, on(ready("10.0.0.1:8080"), theyr)), virtualBy(theyr), node("10.0.0.1", theyr)),
		},
	})
}

// elsewhere is somebody's virtual server on our address and port, under
// another name than ours.
func elsewhere(owner state.Owner) *state.VirtualServer {
	v := virtualBy(owner)
	v.Path, v.Pool = "/web/lb_cart", ""
	return v
}

func TestDiffMovesVirtualServers(t *testing.T) {
	t.Parallel()
	oldPool, old := havePool(ready("10.0.0.1:8080")), virtual()
	oldPool.Path, old.Path, old.Pool = "/old/cart", "/old/cart", "/old/cart"
	webVirtual := virtualBy(webs)
	webVirtual.Path = "/web/web"
	moved := virtual()
	moved.Destination = at("203.0.113.11:80")
	after := virtual()
	after.Follows = []state.ID{{Backend: "bigip/dc2", Kind: state.KindPool, Name: "/web/first"}}
	waits := func(in plan.Input, standing, leaned bool) plan.Input {
		in.Standing = func(state.ID) bool { return standing }
		in.Leaned = func(id state.ID) bool { return leaned && id.Kind == state.KindVirtualServer }
		return in
	}
	check(t, []row{
		{
			name: "into another partition: the old one makes way at once, its pool drains",
			in:   input(follow(wantPool(ready("10.0.0.1:8080")), virtual()), oldPool, old, node("10.0.0.1", ours)),
			want: expect{
				Changes: []string{
					"create pool /web/cart",
					"delete virtual-server /old/cart (makes way for /web/cart, which listens on the same address and port) INTERRUPTS",
					"create virtual-server /web/cart",
					"update in /old/cart: 10.0.0.1:8080 offline draining, until " + soon + " (drains)",
				},
				Again: soon,
			},
		},
		{
			name: "under the cluster's new name: the same",
			in: func() plan.Input {
				p, v, n := poolBy(renamed, on(ready("10.0.0.1:8080"), renamed)), virtualBy(renamed), node("10.0.0.1", renamed)
				p.Path, v.Path, v.Pool = "/web/lb_old_cart", "/web/lb_old_cart", "/web/lb_old_cart"
				return input(follow(wantPool(ready("10.0.0.1:8080")), virtual()), p, v, n)
			}(),
			want: expect{
				Changes: []string{
					"create pool /web/cart",
					"delete virtual-server /web/lb_old_cart (makes way for /web/cart, which listens on the same address and port) INTERRUPTS",
					"create virtual-server /web/cart",
					"update in /web/lb_old_cart: 10.0.0.1:8080 offline draining, until " + soon + " (drains)",
				},
				Again: soon,
			},
		},
		{
			name: "to another address: not while a route leads to the old one",
			in: func() plan.Input {
				in := input(follow(wantPool(), moved), havePool(), virtual())
				in.Routed = func(_ state.ID, to netip.Addr) bool { return to == netip.MustParseAddr("203.0.113.10") }
				return in
			}(),
			want: expect{Waiting: []string{"bigip/dc1 virtual-server /web/cart"}},
		},
		{
			name: "to another address: routes elsewhere do not matter",
			in: func() plan.Input {
				in := input(follow(wantPool(), moved), havePool(), virtual())
				in.Routed = func(_ state.ID, to netip.Addr) bool { return to == netip.MustParseAddr("203.0.113.11") }
				return in
			}(),
			want: expect{Changes: []string{"update virtual-server /web/cart: destination 203.0.113.11:80/tcp"}},
		},
		{
			name: "to another address, in place",
			in:   input(follow(wantPool(), moved), havePool(), virtual()),
			want: expect{Changes: []string{"update virtual-server /web/cart: destination 203.0.113.11:80/tcp"}},
		},
		{
			name: "not onto the address of another of our Services: the ledger says who has it",
			in:   input(follow(wantPool(), virtual()), havePool(), webVirtual),
			want: expect{Waiting: []string{"bigip/dc1 virtual-server /web/cart"}},
		},
		{
			name: "waiting for what it comes after",
			in:   waits(input(follow(wantPool(), after)), false, false),
			want: expect{Changes: []string{"create pool /web/cart"}, Waiting: []string{"bigip/dc1 virtual-server /web/cart"}},
		},
		{
			name: "made once that stands",
			in:   waits(input(follow(wantPool(), after)), true, false),
			want: expect{Changes: []string{"create pool /web/cart", "create virtual-server /web/cart"}},
		},
		{
			name: "while it waits, the old one goes on serving",
			in:   waits(input(follow(wantPool(), after), havePool(), oldPool, old), false, false),
			want: expect{Waiting: []string{"bigip/dc1 virtual-server /web/cart"}},
		},
		{
			name: "it stays, with its pool, while something elsewhere leads to it",
			in:   waits(input(follow(), havePool(ready("10.0.0.1:8080")), virtual()), true, true),
			want: expect{Waiting: []string{"bigip/dc1 virtual-server /web/cart"}},
		},
		{
			name: "the old one makes no way while something elsewhere leads to it",
			in:   waits(input(follow(wantPool(), virtual()), havePool(), old), true, true),
			want: expect{Waiting: []string{"bigip/dc1 virtual-server /old/cart"}},
		},
	})
}

func TestDiffCleansUpAfterAService(t *testing.T) {
	t.Parallel()
	stopped := virtual()
	stopped.Disabled = true
	at0 := follow()
	at0.Drain = 0
	gone := follow()
	gone.Live = live("10.0.0.1")
	check(t, []row{
		{
			name: "first nothing new is taken: the virtual server stops before its members do",
			in:   input(gone, havePool(ready("10.0.0.1:8080")), virtual(), node("10.0.0.1", ours)),
			want: expect{
				Changes: []string{
					"update virtual-server /web/cart: disabled (takes nothing new while the pool drains)",
					"update in /web/cart: 10.0.0.1:8080 offline draining, until " + soon + " (drains)",
				},
				Again: soon,
			},
		},
		{
			name: "while it drains, nothing",
			in:   input(gone, havePool(draining("10.0.0.1:8080", soonAt, false)), stopped, node("10.0.0.1", ours)),
			want: expect{Again: soon},
		},
		{
			name: "then all of it goes, from the top down, the members with their pool",
			in:   input(gone, havePool(draining("10.0.0.1:8080", pastAt, false)), stopped, node("10.0.0.1", ours)),
			want: expect{Changes: []string{"delete virtual-server /web/cart", "delete pool /web/cart", "delete node /Common/10.0.0.1 (no pool has a member at it)"}},
		},
		{
			name: "with drain 0s all at once",
			in:   input(at0, havePool(ready("10.0.0.1:8080")), virtual(), node("10.0.0.1", ours)),
			want: expect{Changes: []string{"delete virtual-server /web/cart", "delete pool /web/cart", "delete node /Common/10.0.0.1 (no pool has a member at it)"}},
		},
		{
			name: "a pod that was ending and is gone is not waited for",
			in:   input(follow(), havePool(draining("10.0.0.1:8080", soonAt, true)), stopped, node("10.0.0.1", ours)),
			want: expect{Changes: []string{"delete virtual-server /web/cart", "delete pool /web/cart", "delete node /Common/10.0.0.1 (no pool has a member at it)"}},
		},
		{
			name: "a pod that is ending and not gone is",
			in:   input(gone, havePool(draining("10.0.0.1:8080", soonAt, true)), stopped, node("10.0.0.1", ours)),
			want: expect{Again: soon},
		},
		{
			name: "a drain without limit gets one once a limit is asked for",
			in:   input(gone, havePool(draining("10.0.0.1:8080", state.NoDeadline, false)), stopped, node("10.0.0.1", ours)),
			want: expect{
				Changes: []string{"update in /web/cart: 10.0.0.1:8080 offline draining, until " + soon + " (drains)"},
				Again:   soon,
			},
		},
		{
			name: "a node that another Service has a member at is kept",
			in: func() plan.Input {
				other := poolBy(webs, on(ready("10.0.0.1:9090"), webs))
				other.Path = "/web/web"
				return input(at0, havePool(ready("10.0.0.1:8080")), other, node("10.0.0.1", ours))
			}(),
			want: expect{Changes: []string{"delete pool /web/cart"}},
		},
		{
			name: "a node that another of our Services made goes with the last member",
			in:   input(at0, havePool(ready("10.0.0.1:8080")), node("10.0.0.1", webs)),
			want: expect{Changes: []string{"delete pool /web/cart", "delete node /Common/10.0.0.1 (no pool has a member at it)"}},
		},
		{
			name: "an orphaned node of ours goes, a foreign one never",
			in:   input(at0, havePool(ready("10.0.0.2:8080")), node("10.0.0.1", ours), node("10.0.0.2", state.Owner{}), node("10.0.0.3", theyr)),
			want: expect{Changes: []string{"delete pool /web/cart", "delete node /Common/10.0.0.1 (no pool has a member at it)"}},
		},
	})
}
