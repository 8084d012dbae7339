package apply_test

import (
	"testing"
	"testing/synctest"
	"time"

	"landbridge.dev/backends/memory"
	"landbridge.dev/sync/state"
)

// leave is a Want in which a pod terminates, and still serves.
func leave(w state.Want, pod string) state.Want {
	pool := *w.Objects[0].(*state.Pool)
	m, _ := pool.Member(endpoint(pod))
	m.Admin, m.Terminating, m.Serves = state.Offline, true, true
	w.Objects = []state.Object{pool.With(m), w.Objects[1]}
	return w
}

func TestDrainEndsWithTheLastConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		b := start(t, device)
		defer b.end()
		want := service("cart", "203.0.113.1", "10.0.0.1", "10.0.0.2")
		b.put(want)
		b.lead()
		leaver := memberID(want, "10.0.0.2")
		device.SetConnections(leaver, 3)
		quiet := device.Counted()
		b.put(leave(want, "10.0.0.2"))
		pass(20 * time.Second)
		o, there := device.Set().Get(leaver)
		if !there || o.(*state.PoolMember).Admin != state.Offline {
			t.Fatalf("the member with 3 connections is there: %v, want it forced offline", there)
		}
		if n := device.Counted() - quiet; quiet != 0 || n < 10 || n > 25 {
			t.Errorf("counted %d times before and %d times in 20 s of draining, want 0 and about 20", quiet, n)
		}
		device.SetConnections(leaver, 0)
		pass(2 * time.Second)
		if _, there := device.Set().Get(leaver); there {
			t.Error("the member has no connection left, and is still there")
		}
		counted := device.Counted()
		pass(time.Minute)
		if device.Counted() != counted {
			t.Error("counting went on after the drain")
		}
	})
}

func TestLastServingMemberStaysUntilAnotherIsAvailable(t *testing.T) {
	t.Parallel()
	for _, comesUp := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			device := memory.New(dc1)
			b := start(t, device)
			defer b.end()
			old := service("cart", "203.0.113.1", "10.0.0.1")
			old.Objects[0].(*state.Pool).Monitors = []string{"/Common/tcp"}
			b.put(old)
			b.lead()
			device.SetConnections(memberID(old, "10.0.0.1"), 1)
			both := service("cart", "203.0.113.1", "10.0.0.1", "10.0.0.2")
			both.Objects[0].(*state.Pool).Monitors = []string{"/Common/tcp"}
			b.put(leave(both, "10.0.0.1"))
			admin := func() state.Admin {
				o, _ := device.Set().Get(memberID(old, "10.0.0.1"))
				return o.(*state.PoolMember).Admin
			}
			pass(3 * time.Second)
			if _, there := device.Set().Get(memberID(both, "10.0.0.2")); !there {
				t.Fatal("the new member waited for the old one")
			}
			if admin() != state.Enabled {
				t.Fatal("the only member that serves was taken offline")
			}
			if comesUp {
				device.SetAvailable(memberID(both, "10.0.0.2"), true)
				time.Sleep(2 * time.Second)
			} else {
				time.Sleep(8 * time.Second) // longer than the gate holds
			}
			synctest.Wait()
			if admin() != state.Offline {
				t.Errorf("another is available: %v; the leaving member is not offline", comesUp)
			}
		})
	}
}

func TestTwoThatLeaveDoNotCountOnEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		b := start(t, device)
		defer b.end()
		monitored := func(w state.Want) state.Want {
			w.Objects[0].(*state.Pool).Monitors = []string{"/Common/tcp"}
			return w
		}
		old := monitored(service("cart", "203.0.113.1", "10.0.0.1", "10.0.0.2"))
		b.put(old)
		b.lead()
		for _, pod := range []string{"10.0.0.1", "10.0.0.2"} {
			device.SetAvailable(memberID(old, pod), true)
		}
		pass(6 * time.Minute) // the resync sees them up
		next := monitored(service("cart", "203.0.113.1", "10.0.0.1", "10.0.0.2", "10.0.0.3"))
		b.put(leave(leave(next, "10.0.0.1"), "10.0.0.2"))
		serving := 0
		for _, pod := range []string{"10.0.0.1", "10.0.0.2"} {
			if o, there := device.Set().Get(memberID(old, pod)); there && o.(*state.PoolMember).Admin == state.Enabled {
				serving++
			}
		}
		if serving == 0 {
			t.Error("both were taken offline before the third was up")
		}
	})
}
