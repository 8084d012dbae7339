package wounds_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// #626, #903: data groups that the network team kept in the controller's
// partition were deleted; #710, #2797, #2799, #3414: so were client-SSL profiles
// and iRules that a virtual server refers to; #3406: the partition's default
// route domain was reset; #3719, #3977: routes were overwritten; #486, #391,
// #1111: what else stood in the partition.
func TestWoundDeletesWhatItDidNotMake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, 0)
		for _, foreign := range []struct {
			kind string
			body map[string]any
		}{
			{"ltm/data-group/internal", map[string]any{"name": "defaults", "partition": "web", "type": "string"}},
			{"ltm/profile/client-ssl", map[string]any{"name": "shop-tls", "partition": "web"}},
			{"ltm/rule", map[string]any{"name": "redirect", "partition": "web", "apiAnonymous": "when HTTP_REQUEST { HTTP::redirect https://[HTTP::host] }"}},
			{"ltm/profile/http", map[string]any{"name": "web-http", "partition": "web"}},
			{"ltm/monitor/http", map[string]any{"name": "theirs", "partition": "web"}},
			{"net/route", map[string]any{"name": "pods", "partition": "Common", "network": "10.99.0.0/16", "gw": "192.0.2.1"}},
			{"net/route-domain", map[string]any{"name": "7", "id": 7}},
			{"ltm/node", map[string]any{"name": "host", "partition": "web", "address": "10.0.0.1"}},
			{"ltm/pool", map[string]any{"name": "legacy", "partition": "web", "members": []any{map[string]any{"name": "/web/host:9000"}}}},
			{"ltm/virtual", map[string]any{"name": "legacy", "partition": "web", "destination": "/web/203.0.113.99:80", "ipProtocol": "tcp", "pool": "/web/legacy"}},
			{"ltm/virtual-address", map[string]any{"name": "203.0.113.77", "partition": "web", "address": "203.0.113.77"}},
		} {
			d.do("POST", foreign.kind, foreign.body)
		}
		before := d.foreign()

		// A whole life, at the addresses and with the objects of others.
		c := d.start("prod", "0123abcd")
		s := services(1)[0]
		s.annotations = map[string]string{"profiles": "/Common/tcp, /web/web-http, /web/shop-tls;client", "irules": "/web/redirect", "drain-timeout": "0s"}
		c.put(s)
		pass(time.Minute)
		c.demand(s)
		s.annotations = map[string]string{"drain-timeout": "0s"}
		c.put(s)
		pass(time.Minute)
		c.demand(s)
		c.remove(s)
		pass(time.Hour)
		c.end()
		d.start("prod", "0123abcd").end()

		if diff := cmp.Diff(before, d.foreign()); diff != "" {
			t.Errorf("what others made (-before +after):\n%s", diff)
		}
	})
}

// foreign are all objects of the kinds that the test makes, as a GET shows them.
func (d *device) foreign() map[string]string {
	objects := map[string]string{}
	for _, kind := range []string{
		"ltm/data-group/internal", "ltm/profile/client-ssl", "ltm/rule", "ltm/profile/http", "ltm/monitor/http", "net/route", "net/route-domain",
		"ltm/node", "ltm/pool", "ltm/virtual", "ltm/virtual-address", "auth/partition",
	} {
		for _, path := range d.Objects(kind, "") {
			objects[kind+" "+path] = d.object(kind, path)
		}
	}
	return objects
}

// #3957, #567, f5-ansible #1925: nodes and more stayed behind when the Services
// that they were made for had gone, and were in the way of others.
func TestWoundNodesStayBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, 0)
		c := d.start("prod", "0123abcd")
		defer c.end()
		shared := services(6)
		for i := range shared {
			shared[i].pods = []string{"10.0.0.1", "10.0.0.2"} // of all
			c.put(shared[i])
		}
		pass(time.Minute)
		c.demand(shared...)
		for i, s := range shared {
			s.pods = nil
			if i%2 == 0 {
				c.put(s)
				pass(2 * time.Minute)
			}
			c.remove(s)
		}
		pass(5 * time.Minute)
		if left := d.standing(); len(left) > 0 {
			t.Errorf("still there: %v", left)
		}
	})
}

// #705: two controllers in one partition each took what the other had made for
// its own leftovers. All of it vanished and came back every 30 seconds.
func TestWoundTwoControllersFightOverAPartition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, 0)
		first, other := d.start("prod", "0123abcd"), d.start("stage", "4567cdef")
		twin := d.start("prod", "89abcdef") // another cluster of the first one's name
		defer func() { first.end(); other.end(); twin.end() }()
		all := services(3)
		for i := range all {
			all[i].pods = append(all[i].pods, "10.0.0.100") // one node for all
		}
		first.put(all[0])
		pass(time.Minute)
		other.put(all[1])
		pass(time.Minute)
		twin.put(all[2])
		pass(time.Minute)
		first.demand(all[0])
		other.demand(all[1])
		twin.demand(all[2])

		// Each also asks for what another has: by name, or by address.
		otherToo, twinToo := all[0], all[0]
		otherToo.name = "rival"
		other.put(otherToo)
		twin.put(twinToo)
		pass(2 * resync) // by then each has seen what stands
		for _, refused := range []struct {
			by     *controller
			ask    service
			reason string
		}{{other, otherToo, "AddressInUse"}, {twin, twinToo, "ForeignUID"}} {
			if settled, reason := refused.by.settled(refused.ask); settled || len(reason) < len(refused.reason) || reason[:len(refused.reason)] != refused.reason {
				t.Errorf("%s of cluster %s: settled %t, %q, want %s", refused.ask.name, refused.by.identity.Cluster, settled, reason, refused.reason)
			}
		}
		before, settled := d.foreign(), time.Now()
		pass(time.Hour)
		first.demand(all[0])
		other.demand(all[1])
		twin.demand(all[2])
		if writes := d.since(settled, call.writes); len(writes) > 0 {
			t.Errorf("%d changes in an hour: %v", len(writes), writes)
		}
		if diff := cmp.Diff(before, d.foreign()); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}

		// One leaves, and takes nothing of the others along; one of those that
		// asked for what it had has it then, and the other waits.
		theirs := []string{"/web/lb_stage_shop_s1_80", all[2].pool()}
		for i, path := range theirs {
			theirs[i] = path + " " + d.object("ltm/virtual", path)
		}
		first.remove(all[0])
		pass(2 * resync)
		other.demand(all[1])
		twin.demand(all[2])
		for _, was := range theirs {
			path, object, _ := strings.Cut(was, " ")
			if now := d.object("ltm/virtual", path); now != object || now == "not there" {
				t.Errorf("virtual server %s was\n%s\nand is\n%s", path, object, now)
			}
		}
		rivals, _ := other.settled(otherToo)
		twins, _ := twin.settled(twinToo)
		if got := d.Objects("ltm/virtual", ""); rivals == twins || len(got) != 3 {
			t.Errorf("the address that is free is rival's: %t, twin's: %t; virtual servers: %v", rivals, twins, got)
		}
	})
}
