package registry_test

import (
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"landbridge.dev/mq/protocol"
	"landbridge.dev/mq/registry"
	"landbridge.dev/sync/state"
)

// seen is what a history knows of one VM by itself.
type seen struct {
	boot   string
	seq    uint64
	beat   time.Time // of the last message that was accepted
	former map[string]bool
}

// Whatever VMs send and however time passes: who renews in time is there and
// takes clients; who is not heard of for two leases is gone, unless a third is
// missing with him; and nothing old ever takes effect.
func TestHistories(t *testing.T) {
	t.Parallel()
	const lease = 30 * time.Second
	rapid.Check(t, func(t *rapid.T) {
		tab, now, vms := table(), epoch, map[int]*seen{}
		silence := func(v *seen) time.Duration { return now.Sub(v.beat) }
		t.Repeat(map[string]func(*rapid.T){
			"register": func(t *rapid.T) {
				n, boot := rapid.IntRange(1, 6).Draw(t, "vm"), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "boot")
				v := vms[n]
				got := tab.Apply(message(n, op(protocol.Register, boot, 1)), "orders-vm", belongs, now)
				stale := v != nil && (v.former[boot] || v.boot == boot && v.seq >= 1)
				if (got.Code == protocol.Stale) != stale {
					t.Fatalf("vm-%d, boot %s: %+v, stale %v", n, boot, got, stale)
				}
				if stale {
					return
				}
				if v == nil {
					v = &seen{former: map[string]bool{}}
					vms[n] = v
				} else if v.boot != boot {
					v.former[v.boot] = true
				}
				v.boot, v.seq, v.beat = boot, 1, now
			},
			"heartbeat": func(t *rapid.T) {
				n := rapid.IntRange(1, 6).Draw(t, "vm")
				v := vms[n]
				if v == nil {
					return
				}
				seq := v.seq + uint64(rapid.IntRange(0, 2).Draw(t, "ahead"))
				got := tab.Apply(message(n, op(protocol.Heartbeat, v.boot, seq)), "orders-vm", belongs, now)
				if (got.Code == protocol.Stale) != (seq == v.seq) {
					t.Fatalf("vm-%d, message %d after %d: %+v", n, seq, v.seq, got)
				}
				if got.Code == "" {
					v.seq, v.beat = seq, now
				}
			},
			"time": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 20).Draw(t, "seconds")) * time.Second)
				tab.Expire(now)
				there := conditions(tab)
				maps.DeleteFunc(vms, func(n int, _ *seen) bool { _, is := there[message(n).Instance]; return !is })
			},
			"leader": func(*rapid.T) {
				next := registry.NewTable()
				next.Offer(shop, offer())
				next.Adopt(shop, tab.VMs(shop), now)
				tab = next
				for _, v := range vms { // what it cannot know
					v.former, v.seq, v.beat = map[string]bool{}, 0, now
				}
			},
			"": func(t *rapid.T) {
				late, there := 0, conditions(tab)
				for _, v := range vms {
					if silence(v) >= lease/2 {
						late++
					}
				}
				together := late >= 3 && 3*late > len(vms)
				for n, v := range vms {
					c, is := there[message(n).Instance]
					switch {
					case silence(v) < lease && (!is || c != state.VMReady && c != state.VMSilent):
						t.Fatalf("vm-%d renewed %s ago, and is %v %d", n, silence(v), is, c)
					case silence(v) >= 2*lease && is && !together && !tab.Braked(shop):
						t.Fatalf("vm-%d was not heard of for %s, and is there", n, silence(v))
					}
				}
			},
		})
	})
}
