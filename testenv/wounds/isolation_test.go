package wounds_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// #2759, #2391, #1937, #1392, #734, #3670: one object that the device refused
// had the whole partition's declaration answered with 422. No pool of any other
// Service followed its pods any more, until somebody found the one.
func TestWoundOneBadObjectBlocksItsPartition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, 0)
		c := d.start("prod", "0123abcd")
		defer c.end()
		good := services(10)
		bad := good[4]
		for _, s := range good {
			c.put(s)
		}
		pass(time.Minute)
		c.demand(good...)

		// It is changed to name a profile that is not there, and all pods of
		// all Services are replaced.
		bad.annotations = map[string]string{"profiles": "/Common/tcp, /web/no-such-profile"}
		c.put(bad)
		pass(time.Second)
		if settled, _ := c.settled(bad); settled {
			t.Fatal("the device took a profile that is not there")
		}
		for i := range good {
			good[i].pods = []string{"10.0.1." + good[i].pods[0][len("10.0.0."):]}
		}
		bad.pods = good[4].pods
		for _, s := range append(good[:4:4], good[5:]...) {
			c.put(s)
		}
		c.put(bad)
		pass(2 * time.Second)
		c.demand(append(good[:4:4], good[5:]...)...)
		for _, s := range good {
			if how := d.member(s.pool(), s.pods[0]); how != "enabled" {
				t.Errorf("the new pod of %s is %s", s.name, how)
			}
		}
	})
}
