package wounds_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"landbridge.dev/testenv/bigip/fault"
)

// #3766, #2192, #1137, PR #1175: a device that answers 503, because it is busy,
// got the next declaration at once or every 30 seconds, which kept it busy.
func TestWoundBusyDeviceIsFlooded(t *testing.T) {
	t.Parallel()
	for _, busy := range []fault.Rule{
		{Do: fault.Busy, Path: "/mgmt/tm"},
		{Do: fault.HTML, Status: http.StatusServiceUnavailable, Path: "/mgmt/tm"},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDevice(t, 0)
			c := d.start("prod", "0123abcd")
			defer c.end()
			stands, comes := services(40)[:20], services(40)[20:]
			for _, s := range stands {
				c.put(s)
			}
			pass(time.Minute)
			c.demand(stands...)

			mend := d.fail(busy)
			began := time.Now()
			for _, s := range comes { // much is to be done
				c.put(s)
			}
			pass(10 * time.Minute)
			if probes, most := bursts(d.since(began.Add(5*time.Minute), all)); probes > 11 || most > 20 {
				t.Errorf("%s: probed %d times within 5 minutes, with up to %d calls, want every 30 s with a few", busy.Do, probes, most)
			}
			if n := len(d.since(began.Add(time.Minute), call.writes)); n > 0 {
				t.Errorf("%s: %d changes were sent to a device that had been busy for a minute", busy.Do, n)
			}
			mend()
			pass(time.Minute)
			c.demand(stands...)
			c.demand(comes...)
		})
	}
}

// bursts is how many times there were calls, two seconds or more apart, and how
// many together at most.
func bursts(calls []call) (n, most int) {
	var last time.Time
	together := 0
	for _, c := range calls {
		if c.at.Sub(last) >= 2*time.Second {
			n, together = n+1, 0
		}
		together++
		last, most = c.at, max(most, together)
	}
	return n, most
}

// #2850, #3500, #2051: the same configuration was posted every 30 seconds,
// though nothing had changed, and took the device's CPU.
func TestWoundSameConfigurationIsWrittenAgainAndAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, 0)
		c := d.start("prod", "0123abcd")
		defer c.end()
		for _, s := range services(20) {
			c.put(s)
		}
		pass(time.Minute)
		c.demand(services(20)...)
		settled := time.Now()
		for range 60 {
			for _, s := range services(20) {
				c.put(s) // events that change nothing
			}
			pass(time.Minute)
		}
		if writes := d.since(settled, call.writes); len(writes) > 0 {
			t.Errorf("%d changes in an hour of a world that is settled: %v", len(writes), writes[0])
		}
		if n := len(d.since(settled, all)); n > 12*12 {
			t.Errorf("%d calls in an hour, want those of 12 full reads, and one that keeps the token", n)
		}
	})
}

// #3414, #1137: what the device refused was sent again without end.
func TestWoundRefusedObjectIsSentWithoutEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, 0)
		c := d.start("prod", "0123abcd")
		defer c.end()
		bad := services(1)[0]
		bad.annotations = map[string]string{"profiles": "/Common/tcp, /web/no-such-profile"}
		began := time.Now()
		c.put(bad)
		pass(time.Hour)
		commits := len(d.since(began, func(c call) bool { return c.method == http.MethodPatch }))
		if commits < 5 || commits > 40 {
			t.Errorf("tried %d times within an hour, want after 1, 2, 4 … 256 s, then every 5 minutes, and with each full read", commits)
		}
		if settled, reason := c.settled(bad); settled || reason == "" {
			t.Error("the Service does not say why it is not served")
		}
		c.put(services(1)[0]) // corrected: no backoff holds that up
		pass(time.Second)
		c.demand(services(1)[0])
	})
}
