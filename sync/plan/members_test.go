package plan_test

import (
	"testing"
	"time"

	"landbridge.dev/sync/state"
)

// staying is a member of which nobody knows how its endpoint is.
func staying(e string) state.Member {
	m := unready(e)
	m.Stays = true
	return m
}

func TestDiffFollowsEndpoints(t *testing.T) {
	t.Parallel()
	limitless, none := wantPool(ready("10.0.0.1:8080")), wantPool(ready("10.0.0.1:8080"))
	limitless.DrainTimeout = -1
	none.DrainTimeout = 0
	endsWithout := wantPool(terminating("10.0.0.2:8080"))
	endsWithout.DrainTimeout = -1
	odd := wantPool(ready("10.0.0.1:8080"))
	odd.DrainTimeout = 1500 * time.Millisecond
	back := draining("10.0.0.2:8080", soonAt, false)
	back.Admin = state.Enabled
	const (
		one, two = "10.0.0.1:8080", "10.0.0.2:8080"
		offline  = "update in /web/cart: 10.0.0.2:8080 offline draining, until " + soon
	)
	check(t, []row{
		{
			name: "a new endpoint on a known node is one change",
			in:   input(follow(wantPool(ready(one), ready(two))), havePool(ready(one)), node("10.0.0.2", webs)),
			want: expect{Changes: []string{"create in /web/cart: 10.0.0.2:8080"}},
		},
		{
			name: "at a new address two: its node first",
			in:   input(follow(wantPool(ready(one), ready(two))), havePool(ready(one))),
			want: expect{Changes: []string{"create node /Common/10.0.0.2", "create in /web/cart: 10.0.0.2:8080"}},
		},
		{
			name: "at the address of somebody's node one, for a device has one node for an address",
			in:   input(follow(wantPool(ready(one), ready(two))), havePool(ready(one)), node("10.0.0.2", state.Owner{})),
			want: expect{Changes: []string{"create in /web/cart: 10.0.0.2:8080"}},
		},
		{
			name: "two ports of one new address share the node",
			in:   input(follow(wantPool(ready(two), ready("10.0.0.2:8081"))), havePool()),
			want: expect{Changes: []string{
				"create node /Common/10.0.0.2", "create in /web/cart: 10.0.0.2:8080", "create in /web/cart: 10.0.0.2:8081",
			}},
		},
		{
			name: "an endpoint that is not ready yet comes offline",
			in:   input(follow(wantPool(unready(one))), havePool(), node("10.0.0.1", ours)),
			want: expect{Changes: []string{"create in /web/cart: 10.0.0.1:8080 offline"}},
		},
		{
			name: "becoming ready",
			in:   input(follow(wantPool(ready(one))), havePool(unready(one))),
			want: expect{Changes: []string{"update in /web/cart: 10.0.0.1:8080"}},
		},
		{
			name: "becoming unready has no deadline: the pod is alive and may come back",
			in:   input(follow(wantPool(unready(one))), havePool(ready(one))),
			want: expect{Changes: []string{"update in /web/cart: 10.0.0.1:8080 offline"}},
		},
		{
			name: "staying unready is no change, and ends never",
			in:   input(follow(wantPool(unready(one))), havePool(unready(one))),
		},
		{
			name: "nobody knows how it is: one that takes clients goes on",
			in:   input(follow(wantPool(staying("10.0.0.1:8080"))), havePool(ready("10.0.0.1:8080"))),
		},
		{
			name: "nobody knows how it is: one that does not comes offline, or stays so",
			in:   input(follow(wantPool(staying("10.0.0.1:8080"), staying("10.0.0.2:8080"))), havePool(unready("10.0.0.1:8080")), node("10.0.0.2", ours)),
			want: expect{Changes: []string{"create in /web/cart: 10.0.0.2:8080 offline"}},
		},
		{
			name: "terminating: offline until the deadline, with the mark",
			in:   input(follow(wantPool(ready(one), terminating(two))), havePool(ready(one), ready(two))),
			want: expect{Changes: []string{offline + " terminating (drains)"}, Again: soon},
		},
		{
			name: "terminating after it was unready drains as well",
			in:   input(follow(wantPool(ready(one), terminating(two))), havePool(ready(one), unready(two))),
			want: expect{Changes: []string{offline + " terminating (drains)"}, Again: soon},
		},
		{
			name: "terminating with no other to serve goes on, marked",
			in:   input(follow(wantPool(lastServing(two))), havePool(ready(two))),
			want: expect{Changes: []string{"update in /web/cart: 10.0.0.2:8080 terminating"}},
		},
		{
			name: "that one drains when another is ready",
			in:   input(follow(wantPool(ready(one), terminating(two))), havePool(ready(one), lastServing(two))),
			want: expect{Changes: []string{offline + " terminating (drains)"}, Again: soon},
		},
		{
			name: "one comes and one goes: the new one first",
			in:   input(follow(wantPool(ready("10.0.0.3:8080"), terminating(two))), havePool(ready(two)), node("10.0.0.3", ours)),
			want: expect{Changes: []string{"create in /web/cart: 10.0.0.3:8080", offline + " terminating (drains)"}, Again: soon},
		},
		{
			name: "a drain goes on",
			in:   input(follow(wantPool(ready(one), terminating(two))), havePool(ready(one), draining(two, soonAt, true))),
			want: expect{Again: soon},
		},
		{
			name: "a drain that began before the endpoint was terminating is not written again",
			in:   input(follow(wantPool(ready(one), terminating(two))), havePool(ready(one), draining(two, soonAt, false))),
			want: expect{Again: soon},
		},
		{
			name: "the deadline has passed: removed, with its node",
			in:   input(follow(wantPool(ready(one), terminating(two))), havePool(ready(one), draining(two, pastAt, true)), node("10.0.0.2", ours)),
			want: expect{Changes: []string{
				"delete in /web/cart: 10.0.0.2:8080 offline draining, until 2026-07-01T11:59:59Z terminating (its drain has ended)",
				"delete node /Common/10.0.0.2 (no pool has a member at it)",
			}},
		},
		{
			name: "it does not come back while its endpoint is still terminating",
			in:   input(follow(wantPool(ready(one), terminating(two))), havePool(ready(one))),
		},
		{
			name: "the pod is gone: removed before the deadline",
			in:   input(follow(wantPool(ready(one))), havePool(ready(one), draining(two, soonAt, true)), node("10.0.0.2", state.Owner{})),
			want: expect{Changes: []string{"delete in /web/cart: 10.0.0.2:8080 offline draining, until " + soon + " terminating (its pod is gone)"}},
		},
		{
			name: "the pod that served to the last is gone",
			in:   input(follow(wantPool()), havePool(lastServing(two))),
			want: expect{Changes: []string{"delete in /web/cart: 10.0.0.2:8080 terminating (its pod is gone)"}},
		},
		{
			name: "an endpoint that left without terminating drains: its pod may go on (a changed selector)",
			in:   input(follow(wantPool(ready(one))), havePool(ready(one), ready(two))),
			want: expect{Changes: []string{offline + " (drains)"}, Again: soon},
		},
		{
			name: "back again while it drains",
			in:   input(follow(wantPool(ready(one), ready(two))), havePool(ready(one), draining(two, soonAt, false))),
			want: expect{Changes: []string{"update in /web/cart: 10.0.0.2:8080"}},
		},
		{
			name: "back, and not ready, while it drains: stays offline without a deadline",
			in:   input(follow(wantPool(ready(one), unready(two))), havePool(ready(one), draining(two, soonAt, false))),
			want: expect{Changes: []string{"update in /web/cart: 10.0.0.2:8080 offline"}},
		},
		{
			name: "a person enabled a draining member: offline again, to the same deadline",
			in:   input(follow(wantPool(ready(one))), havePool(ready(one), back)),
			want: expect{Changes: []string{offline + " (drains)"}, Again: soon},
		},
		{
			name: "a person enabled an unready member",
			in:   input(follow(wantPool(ready(one), unready(two))), havePool(ready(one), ready(two))),
			want: expect{Changes: []string{"update in /web/cart: 10.0.0.2:8080 offline"}},
		},
		{
			name: "drain 0s: removed at once",
			in:   input(follow(none), havePool(ready(one), ready(two))),
			want: expect{Changes: []string{"delete in /web/cart: 10.0.0.2:8080"}},
		},
		{
			name: "drain 0s ends a drain that is under way",
			in:   input(follow(none), havePool(ready(one), draining(two, soonAt, false))),
			want: expect{Changes: []string{"delete in /web/cart: 10.0.0.2:8080 offline draining, until " + soon}},
		},
		{
			name: "drain none: offline without an end, and nothing to look at again",
			in:   input(follow(limitless), havePool(ready(one), ready(two))),
			want: expect{Changes: []string{"update in /web/cart: 10.0.0.2:8080 offline draining, until none (drains)"}},
		},
		{
			name: "drain none still ends with the pod",
			in:   input(follow(limitless), havePool(ready(one), draining(two, state.NoDeadline, true))),
			want: expect{Changes: []string{"delete in /web/cart: 10.0.0.2:8080 offline draining, until none terminating (its pod is gone)"}},
		},
		{
			name: "drain none while the pod ends: it stays",
			in:   input(follow(endsWithout), havePool(draining(two, state.NoDeadline, true))),
		},
		{
			name: "a limit where there was none counts from now",
			in:   input(follow(wantPool(ready(one))), havePool(ready(one), draining(two, state.NoDeadline, false))),
			want: expect{Changes: []string{offline + " (drains)"}, Again: soon},
		},
		{
			name: "a deadline is rounded up to the second in which it can be written",
			in:   input(follow(odd), havePool(ready(one), ready(two))),
			want: expect{
				Changes: []string{"update in /web/cart: 10.0.0.2:8080 offline draining, until 2026-07-01T12:00:02Z (drains)"},
				Again:   "2026-07-01T12:00:02Z",
			},
		},
		{
			name: "of several drains the first to end says when to look again",
			in: input(follow(wantPool(ready(one))), havePool(ready(one),
				draining("10.0.0.3:8080", soonAt, false), draining("10.0.0.4:8080", soonAt-20, false), draining("10.0.0.5:8080", state.NoDeadline, false))),
			want: expect{
				Changes: []string{"update in /web/cart: 10.0.0.5:8080 offline draining, until " + soon + " (drains)"},
				Again:   "2026-07-01T12:00:40Z",
			},
		},
	})
}

func TestDiffHoldsAndFreezes(t *testing.T) {
	t.Parallel()
	const one, two = "10.0.0.1:8080", "10.0.0.2:8080"
	hold := func(w state.Want) state.Want { w.Mode = state.Hold; return w }
	freeze := func(addresses ...string) state.Want {
		return state.Want{Service: cart, Mode: state.Freeze, Drain: time.Minute, Live: live(addresses...)}
	}
	changed := wantPool(ready(one), ready(two))
	changed.Mode = "ratio-member"
	elsewhere := virtual()
	elsewhere.SNAT = "none"
	old := havePool(ready(one))
	old.Path = "/old/cart"
	oldEnding := havePool(lastServing(one))
	oldEnding.Path = "/old/cart"
	withLive := hold(follow())
	withLive.Live = live("10.0.0.1")
	check(t, []row{
		{
			name: "held: members follow, settings and virtual servers stay",
			in:   input(hold(follow(changed, elsewhere)), havePool(ready(one)), virtual(), node("10.0.0.2", ours)),
			want: expect{Changes: []string{"create in /web/cart: 10.0.0.2:8080"}},
		},
		{
			name: "held: what does not stand is not made",
			in:   input(hold(follow(wantPool(ready(one)), virtual()))),
		},
		{
			name: "held: leaving members drain and go",
			in:   input(hold(follow(wantPool())), havePool(ready(one), draining(two, pastAt, false))),
			want: expect{
				Changes: []string{
					"update in /web/cart: 10.0.0.1:8080 offline draining, until " + soon + " (drains)",
					"delete in /web/cart: 10.0.0.2:8080 offline draining, until 2026-07-01T11:59:59Z (its drain has ended)",
				},
				Again: soon,
			},
		},
		{
			name: "held: a pool that is not wanted keeps the members that are alive",
			in:   input(withLive, havePool(ready(one), ready(two)), virtual()),
			want: expect{Changes: []string{"update in /web/cart: 10.0.0.2:8080 offline (its endpoint is gone)"}},
		},
		{
			name: "held for another Service's sake, with a pool elsewhere: its members are those of the wanted pool",
			in:   input(hold(follow(wantPool(ready(one)), virtual())), old),
		},
		{
			name: "held: a pool of our name that is not ours gets no member of ours",
			in:   input(hold(follow(wantPool(ready(one), ready(two)))), poolBy(twin, on(ready(one), ours)), node("10.0.0.2", ours)),
			want: expect{
				Changes: []string{"delete node /Common/10.0.0.2 (no pool has a member at it)"},
				Problems: []string{"ForeignUID: pool /web/cart on bigip/dc1 is tagged by another cluster named prod (uid 77777777) and is left alone; " +
					"if that was this cluster before it was built anew, add the uid to formerUIDs, else give one of the clusters another name"},
			},
		},
		{
			name: "moved elsewhere: a pod that is ending, and not gone, keeps its connections through the old pool",
			in:   input(follow(wantPool(terminating(one))), havePool(), oldEnding),
			want: expect{
				Changes: []string{"update in /old/cart: 10.0.0.1:8080 offline draining, until " + soon + " terminating (drains)"},
				Again:   soon,
			},
		},
		{
			name: "frozen: no member is added, none removed",
			in:   input(freeze("10.0.0.1", "10.0.0.3"), havePool(ready(one), unready("10.0.0.3:8080")), virtual()),
		},
		{
			name: "frozen: one whose endpoint is gone is forced offline",
			in:   input(freeze("10.0.0.1"), havePool(ready(one), ready(two)), virtual()),
			want: expect{Changes: []string{"update in /web/cart: 10.0.0.2:8080 offline (its endpoint is gone)"}},
		},
		{
			name: "frozen: foreign members stay as they are",
			in:   input(freeze(), havePool(on(ready(one), state.Owner{}), on(ready(two), theyr)), virtual()),
		},
		{
			name: "frozen: a drain that has ended waits",
			in:   input(freeze(), havePool(draining(two, pastAt, false))),
		},
	})
}
