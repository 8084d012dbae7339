package registry_test

import (
	"net/netip"
	"testing"
	"time"

	"landbridge.dev/mq/protocol"
	"landbridge.dev/mq/registry"
	"landbridge.dev/sync/state"
)

// probed offers registrations of VMs that are probed.
func probed() *state.Registry {
	o := offer()
	o.Probe = true
	return o
}

// A VM that is probed takes clients once it answers, and while it does.
func TestProbes(t *testing.T) {
	t.Parallel()
	tab, now := registry.NewTable(), epoch
	tab.Offer(shop, probed())
	for n := range 3 {
		tab.Apply(message(n), "orders-vm", belongs, now)
	}
	want := func(what string, conditions ...state.VMCondition) {
		t.Helper()
		for n, vm := range tab.VMs(shop) {
			if vm.Condition != conditions[n] {
				t.Errorf("%s: %s is %d, want %d", what, vm.Instance, vm.Condition, conditions[n])
			}
		}
	}
	// round asks all, of whom these do not answer.
	round := func(silent ...int) (changed int) {
		t.Helper()
		now = now.Add(5 * time.Second)
		due := tab.Probes(now)
		if len(due) != 3 || len(tab.Probes(now)) != 0 {
			t.Fatalf("%d are due", len(due))
		}
		for n, p := range due {
			answers := true
			for _, s := range silent {
				answers = answers && s != n
			}
			if tab.Probed(p, answers) {
				changed++
			}
		}
		return changed
	}
	const up, out = state.VMReady, state.VMUnready
	want("before they were asked", out, out, out)
	if at := tab.Probes(epoch)[1].At; len(at) != 1 || at[0] != netip.MustParseAddrPort("10.20.0.2:8080") {
		t.Errorf("it is asked at %v", at)
	}
	if round(2) != 2 {
		t.Error("two that answer do not count as two changes")
	}
	want("one does not answer from the first", up, up, out)
	round()
	want("all answer", up, up, up)
	round(1)
	round(1)
	want("one failed twice", up, up, up)
	if round(1) != 1 {
		t.Error("the third failure changes nothing")
	}
	want("one failed three times", up, out, up)
	if v := tab.Apply(message(1, op(protocol.Heartbeat, "a", 2)), "orders-vm", belongs, now); v.Code != "" || v.Changed {
		t.Errorf("a heartbeat of one that does not answer: %+v", v)
	}
	want("and it renews", up, out, up)

	next := registry.NewTable()
	next.Offer(shop, probed())
	next.Adopt(shop, tab.VMs(shop), now)
	tab = next
	want("by another leader", up, out, up)
	tab.Apply(message(1, op(protocol.Heartbeat, "a", 2)), "orders-vm", belongs, now)
	want("by another leader, before it asked", up, out, up)
	round()
	want("it answers again", up, up, up)

	for range 4 {
		round(0, 1, 2)
	}
	want("nobody is reached", up, up, up)
	round()

	tab.Apply(message(0, op(protocol.Register, "b", 1)), "orders-vm", belongs, now)
	want("a new boot at its address", up, up, up)
	tab.Apply(message(0, op(protocol.Register, "b", 2), at("10.20.7.7")), "orders-vm", belongs, now)
	want("at another address", out, up, up)
	if !tab.Offer(shop, offer()) {
		t.Error("to probe no more changes nothing")
	}
	want("nobody is probed any more", up, up, up)
}
