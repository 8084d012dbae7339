package wounds_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// #418: the controller began by writing 0 virtual servers; #810, #1240, #1911,
// #2884: a restart deleted all and made it anew; #2077: ARP entries went with
// each restart; #2747: virtual servers came back with other addresses.
func TestWoundRestartMakesAllAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, 0)
		all := services(20)
		c := d.start("prod", "0123abcd")
		for _, s := range all {
			c.put(s)
		}
		pass(time.Minute)
		c.demand(all...)
		before := d.foreign() // generations of all objects included
		for range 3 {
			c.end()
			began := time.Now()
			c = d.start("prod", "0123abcd")
			for _, s := range all {
				c.put(s)
			}
			pass(10 * time.Minute)
			c.demand(all...)
			if writes := d.since(began, call.writes); len(writes) > 0 {
				t.Errorf("the restart made %d changes: %v", len(writes), writes[0])
			}
		}
		c.end()
		if diff := cmp.Diff(before, d.foreign()); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}
	})
}

// #3967: pods turned unready and ready again faster than the controller posted.
// Their members were not added again: a total outage, until somebody restarted
// it.
func TestWoundMembersAreNotAddedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, 700*time.Millisecond)
		c := d.start("prod", "0123abcd")
		defer c.end()
		s := services(1)[0]
		s.pods = []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}
		c.put(s)
		pass(time.Minute)
		c.demand(s)
		down := s
		for flap := range 40 {
			down.pods = []string{"10.0.0.1 unready", "10.0.0.2 unready", "10.0.0.3 unready"}
			if flap%2 == 1 {
				down.pods = nil // out of the slices altogether
			}
			c.put(down)
			pass(time.Duration(flap*37) * time.Millisecond)
			c.put(s)
			pass(time.Duration(flap*53) * time.Millisecond)
		}
		pass(10 * time.Second)
		c.demand(s)
		if n := d.enabled(s.pool()); n != 3 {
			t.Errorf("%d members take clients, want 3", n)
		}
	})
}
