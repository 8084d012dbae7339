package apply_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landbridge.dev/backends/memory"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

func TestRefusedServiceBacksOffAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		tries := 0
		device.SetHook(func(_ context.Context, c plan.Change) *memory.Fault {
			if v, ok := c.After.(*state.VirtualServer); ok && v.Owner.Service.Name == "bad" {
				tries++
				return &memory.Fault{Status: apply.Refused, Reason: "DeviceRefused", Err: errors.New("no such profile")}
			}
			return nil
		})
		b := start(t, device)
		defer b.end()
		bad, good := service("bad", "203.0.113.1", "10.0.0.1"), service("good", "203.0.113.2", "10.0.0.2")
		b.put(bad)
		b.put(good)
		b.lead()
		if got := b.reason(bad.Service); got != "DeviceRefused" {
			t.Errorf("reason %q, want DeviceRefused", got)
		}
		if !b.report(good.Service).Settled {
			t.Error("the other Service was held up")
		}
		pass(10 * time.Second)
		if tries != 4 { // at 0, 1, 3 and 7 s
			t.Errorf("tried %d times within 10 s, want 4", tries)
		}
		device.SetHook(nil)
		b.put(service("bad", "203.0.113.1", "10.0.0.1", "10.0.0.9"))
		if !b.report(bad.Service).Settled {
			t.Error("a change by a person did not end the backoff at once")
		}
	})
}

func TestUnknownOutcomeIsReadBeforeItIsWrittenAgain(t *testing.T) {
	t.Parallel()
	for _, effect := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			device := memory.New(dc1)
			var once sync.Once
			device.SetHook(func(_ context.Context, c plan.Change) (f *memory.Fault) {
				if c.ID().Kind == state.KindPool {
					once.Do(func() {
						f = &memory.Fault{Status: apply.Unknown, Effect: effect, Err: errors.New("the connection was cut")}
					})
				}
				return f
			})
			b := start(t, device)
			defer b.end()
			want := service("cart", "203.0.113.1", "10.0.0.1")
			b.put(want)
			b.lead()
			pass(2 * time.Second)
			if !b.report(want.Service).Settled {
				t.Fatalf("effect %v: not settled", effect)
			}
			read := slices.ContainsFunc(device.Calls(), func(c memory.Call) bool { return c.Read && !c.Scope.All() })
			if !read {
				t.Errorf("effect %v: written again without a read of the Unit's objects", effect)
			}
			pools := 0
			for _, c := range device.Calls() {
				if !c.Read && c.Change.Op == plan.Create && c.Change.ID().Kind == state.KindPool {
					pools++
				}
			}
			if want := map[bool]int{true: 1, false: 2}[effect]; pools != want {
				t.Errorf("effect %v: the pool was made %d times, want %d", effect, pools, want)
			}
		})
	}
}

// TestStaleRefusalIsReadBeforeTheNextTry has somebody delete the pool to which
// the next change belongs: what is refused until the resync otherwise is right
// again after one backoff.
func TestStaleRefusalIsReadBeforeTheNextTry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		b := start(t, device)
		defer b.end()
		b.put(service("cart", "203.0.113.1", "10.0.0.1"))
		b.lead()
		before := fullReads(device)
		device.Remove(service("cart", "203.0.113.1").Objects[0].ID())
		want := service("cart", "203.0.113.1", "10.0.0.1", "10.0.0.2")
		b.put(want)
		if got := b.reason(want.Service); got != "NotFound" {
			t.Errorf("reason %q, want NotFound", got)
		}
		pass(2 * time.Second)
		r := b.report(want.Service)
		if !r.Settled || r.Members != 2 {
			t.Errorf("report %+v after the backoff, want settled with 2 members", r)
		}
		if n := fullReads(device); n != before {
			t.Errorf("all was read %d times for one stale object", n-before)
		}
	})
}

// TestStaleFault has a backend say so itself.
func TestStaleFault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		stands := service("cart", "203.0.113.1", "10.0.0.1").Objects[0]
		device.SetHook(func(_ context.Context, c plan.Change) *memory.Fault {
			if c.ID() == stands.ID() && c.Op == plan.Create {
				return &memory.Fault{Status: apply.Refused, Stale: true, Effect: true, Reason: "AlreadyExists", Err: errors.New("it stands")}
			}
			return nil
		})
		b := start(t, device)
		defer b.end()
		want := service("cart", "203.0.113.1", "10.0.0.1")
		b.put(want)
		b.lead()
		if got := b.reason(want.Service); got != "AlreadyExists" {
			t.Errorf("reason %q, want AlreadyExists", got)
		}
		pass(2 * time.Second)
		if !b.report(want.Service).Settled {
			t.Errorf("not settled after the backoff: %+v", b.report(want.Service))
		}
	})
}

func TestUnavailableBackendIsProbedAndComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		device.SetReadHook(func(context.Context, apply.Scope) error { return errors.New("connection refused") })
		b := start(t, device)
		defer b.end()
		want := service("cart", "203.0.113.1", "10.0.0.1")
		b.put(want)
		b.lead()
		if got := b.reason(want.Service); got != "BackendUnavailable" {
			t.Errorf("reason %q, want BackendUnavailable", got)
		}
		pass(5 * time.Minute)
		if n := len(device.Calls()); n > 20 {
			t.Errorf("%d probes in 5 minutes, want few", n)
		}
		device.SetReadHook(nil)
		pass(30 * time.Second)
		if !b.report(want.Service).Settled {
			t.Error("not settled within 30 s of the return")
		}
	})
}

func TestDriftIsRepairedAtTheResync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		b := start(t, device)
		defer b.end()
		want := service("cart", "203.0.113.1", "10.0.0.1")
		b.put(want)
		b.lead()
		device.Remove(want.Objects[1].ID())
		pass(6 * time.Minute)
		if _, there := device.Set().Get(want.Objects[1].ID()); !there {
			t.Error("the virtual server that somebody deleted is not back")
		}
	})
}

// lateAnswers answers full reads a minute after it looked.
type lateAnswers struct{ *memory.Backend }

func (l lateAnswers) Read(ctx context.Context, s apply.Scope) (*state.Set, error) {
	set, err := l.Backend.Read(ctx, s)
	if s.All() {
		select {
		case <-time.After(time.Minute):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return set, err
}

func TestChangeDuringAFullReadIsNotLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		b := start(t, lateAnswers{device})
		defer b.end()
		b.put(service("cart", "203.0.113.1", "10.0.0.1"))
		b.lead()
		pass(2 * time.Minute) // the first read, and the one that the new leader makes
		if b.report(state.Ref{Namespace: "shop", Name: "cart"}).Members != 1 {
			t.Fatal("not settled after the first read")
		}
		time.Sleep(5*time.Minute + 30*time.Second) // the resync is under way
		want := service("cart", "203.0.113.1", "10.0.0.1", "10.0.0.2")
		b.put(want)
		if _, there := device.Set().Get(memberID(want, "10.0.0.2")); !there {
			t.Error("the change waited for the resync")
		}
		asked := changes(device)
		pass(2 * time.Minute) // its answer, older than the change, has come
		if !b.report(want.Service).Settled || changes(device) != asked {
			t.Errorf("settled %v, %d changes more: the late answer was believed", b.report(want.Service).Settled, changes(device)-asked)
		}
	})
}

// changes is how many changes a backend was asked for, with or without effect.
func changes(b *memory.Backend) int {
	return len(slices.DeleteFunc(b.Calls(), func(c memory.Call) bool { return c.Read }))
}

func TestResyncDoesNotDelayAChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device, wants := crowd(t, 60)
		b := start(t, device)
		defer b.end()
		for _, w := range wants {
			b.put(w)
		}
		b.lead()
		for _, w := range wants[:50] {
			device.Remove(w.Objects[1].ID()) // all to be repaired
		}
		device.SetHook(func(context.Context, plan.Change) *memory.Fault {
			time.Sleep(time.Second)
			return nil
		})
		time.Sleep(5*time.Minute + 1500*time.Millisecond) // the resync has found them
		want := service("s59", "203.0.113.60", "10.0.0.60", "10.0.1.1")
		b.ledger.Put(want, time.Time{})
		pass(4 * time.Second)
		if _, there := device.Set().Get(memberID(want, "10.0.1.1")); !there {
			t.Error("a change waited behind the repairs of a resync")
		}
	})
}
