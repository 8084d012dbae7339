package apply_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"landbridge.dev/backends/memory"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// A process that wins the lease while its first read is under way must not
// take that read for its own: the leader before went on changing meanwhile.
func TestReadFromBeforeTheLeaseIsNotTheLeadersFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		want := service("cart", "203.0.113.1", "10.0.0.1")
		standby := start(t, lateAnswers{device}) // it has looked, and found nothing
		defer standby.end()
		standby.put(want)
		before := start(t, device)
		before.put(want)
		before.lead()
		before.end()

		standby.lead()
		asked := changes(device)
		pass(3 * time.Minute) // both reads
		if n := changes(device) - asked; n != 0 {
			t.Errorf("the new leader asked for %d changes, of what the one before had made", n)
		}
	})
}

// A process that hung for longer than its lease begins nothing when it goes on,
// and goes on with all if the lease is its own still.
func TestNothingBeginsOnALapsedLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		begun := make(chan struct{}, 16)
		device.SetHook(func(context.Context, plan.Change) *memory.Fault {
			begun <- struct{}{}
			return nil
		})
		b := start(t, device)
		defer b.end()
		b.lead()
		b.lapsed.Store(true)
		b.put(service("cart", "203.0.113.1", "10.0.0.1"))
		select {
		case <-begun:
			t.Error("a change was begun after the lease had run out")
		case <-time.After(time.Minute):
		}
		b.lapsed.Store(false)
		select {
		case <-begun:
		case <-time.After(time.Minute):
			t.Error("nothing was done although the lease was renewed")
		}
	})
}

// A Unit that is under way when the lease is lost is not carried on with for
// as long as its device is slow.
func TestUnitEndsWithTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		b := start(t, device)
		defer b.end()
		b.lead()
		device.SetHook(func(ctx context.Context, _ plan.Change) *memory.Fault {
			select {
			case <-time.After(10 * time.Second):
				return nil
			case <-ctx.Done():
				return &memory.Fault{Status: apply.Unavailable}
			}
		})
		b.put(service("cart", "203.0.113.1", "10.0.0.1")) // a node, a pool, a virtual server
		time.Sleep(15 * time.Second)
		b.workers[dc1].Act(false)
		pass(time.Minute)
		if n := device.Writes(); n != 1 {
			t.Errorf("%d changes were made, want 1: the next had not ended a second after the lease", n)
		}
	})
}

// Before a pool is removed it is looked at. If that takes longer than the lease
// lasts, or fails, the pool stays.
func TestLookThatFailsOrLastsTooLongRemovesNothing(t *testing.T) {
	t.Parallel()
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			device := memory.New(dc1)
			b := start(t, device)
			defer b.end()
			want := service("cart", "203.0.113.1")
			b.put(want)
			b.lead()
			device.SetReadHook(func(ctx context.Context, s apply.Scope) error {
				if !s.All() {
					time.Sleep(10 * time.Second) // of the bubble
					if fails {
						return errors.New("the device fails")
					}
				}
				return ctx.Err()
			})
			before := device.Writes()
			b.put(state.Want{Service: want.Service, Deleted: true})
			if !fails {
				b.workers[dc1].Act(false)
			}
			pass(10*time.Second + time.Millisecond)
			if n := device.Writes() - before; n != 0 {
				t.Errorf("fails %t: %d changes were made", fails, n)
			}
		})
	}
}

// What is asked while a pool is looked at before its removal counts: that the
// Service is paused, say, or wants the pool after all.
func TestPauseDuringTheLookHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		b := start(t, device)
		defer b.end()
		want := service("cart", "203.0.113.1")
		b.put(want)
		b.lead()
		device.SetReadHook(func(ctx context.Context, s apply.Scope) error {
			if !s.All() {
				time.Sleep(10 * time.Second) // of the bubble
			}
			return ctx.Err()
		})
		before := device.Writes()
		b.put(state.Want{Service: want.Service, Deleted: true})
		b.put(state.Want{Service: want.Service, Mode: state.Still})
		pass(time.Minute)
		if n := device.Writes() - before; n != 0 {
			t.Errorf("%d changes were made for a Service that is paused", n)
		}
	})
}
