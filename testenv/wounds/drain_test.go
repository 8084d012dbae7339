package wounds_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// f5-appsvcs-extension #758: adding one member set the status of all members to
// unknown, for which no client was sent to any of them.
func TestWoundAddingAMemberResetsAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, 0)
		c := d.start("prod", "0123abcd")
		defer c.end()
		s := services(1)[0]
		s.pods = []string{"10.0.0.1", "10.0.0.2"}
		c.put(s)
		pass(time.Minute)
		one := d.object("ltm/pool/members", s.pool()+" /Common/10.0.0.1:8080")
		began := time.Now()
		s.pods = append(s.pods, "10.0.0.3")
		c.put(s)
		pass(time.Minute)
		c.demand(s)
		if writes := d.since(began, call.writes); len(writes) != 2 {
			t.Errorf("a new member took the changes %v, want its node and itself", writes)
		}
		if now := d.object("ltm/pool/members", s.pool()+" /Common/10.0.0.1:8080"); now != one {
			t.Errorf("another member was\n%s\nand is\n%s", one, now)
		}
	})
}

// f5-appsvcs-extension #800, #875: a change of adminState failed, because what a
// device shows of an enabled member that has a monitor is not what is written.
func TestWoundAdminStateDoesNotChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, 0)
		c := d.start("prod", "0123abcd")
		defer c.end()
		s := services(1)[0]
		began := time.Now()
		for range 5 {
			s.pods = []string{"10.0.0.1", "10.0.0.2"}
			c.put(s)
			pass(time.Second)
			if how := d.member(s.pool(), "10.0.0.1"); how != "enabled" {
				t.Errorf("a ready pod's member is %s", how)
			}
			s.pods = []string{"10.0.0.1 unready", "10.0.0.2"}
			c.put(s)
			pass(time.Second)
			if how := d.member(s.pool(), "10.0.0.1"); how != "offline" {
				t.Errorf("an unready pod's member is %s", how)
			}
		}
		c.demand(s)
		changed := d.since(began, call.writes)
		pass(time.Hour)
		if again := d.since(began, call.writes); len(again) != len(changed) {
			t.Errorf("written again after it had been done: %v", again[len(changed):])
		}
	})
}

// f5-ansible #1789: replacing all members of a pool emptied it first, and took
// 20 minutes for 180 of them.
func TestWoundReplacingAllMembersEmptiesThePool(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const many = 180
		d := newDevice(t, 30*time.Millisecond)
		c := d.start("prod", "0123abcd")
		defer c.end()
		s := services(1)[0]
		pods := func(network string) (pods []string) {
			for i := range many {
				pods = append(pods, fmt.Sprintf("10.%s.0.%d", network, i+1))
			}
			return pods
		}
		s.pods = pods("1")
		c.put(s)
		pass(time.Minute)
		c.demand(s)
		pool := s.pool()
		if n := d.enabled(pool); n != many {
			t.Fatalf("%d members stand, want %d", n, many)
		}
		began := time.Now()
		s.pods = pods("2")
		c.put(s)
		least := many
		for d.member(pool, "10.2.0.180") != "enabled" || d.enabled(pool) > many {
			time.Sleep(time.Second) // of the bubble
			least = min(least, d.enabled(pool))
			if time.Since(began) > 5*time.Minute {
				t.Fatalf("after 5 minutes %d members take clients, and the last new one is %s", d.enabled(pool), d.member(pool, "10.2.0.180"))
			}
		}
		if least < many {
			t.Errorf("in between only %d of %d members took clients", least, many)
		}
		t.Logf("%d members were replaced within %s, at 30 ms a call", many, time.Since(began).Round(time.Second))
		pass(5 * time.Minute)
		c.demand(s)
		if n := len(d.Objects("ltm/node", "")); n != many {
			t.Errorf("%d nodes stand in the end, want %d", n, many)
		}
	})
}
