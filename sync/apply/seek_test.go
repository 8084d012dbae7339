package apply_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"landbridge.dev/backends/memory"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/state"
)

// TestWhatOthersMakeIsFound: a pool that was not there is looked for now and
// then, and not only at the next full read.
func TestWhatOthersMakeIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		var looks atomic.Int32
		device.SetReadHook(func(_ context.Context, scope apply.Scope) error {
			if !scope.All() {
				looks.Add(1)
			}
			return nil
		})
		b := start(t, device)
		defer b.end()
		want := service("cart", "203.0.113.1", "10.0.0.1")
		pool := *want.Objects[0].(*state.Pool)
		pool.Path, pool.Use, pool.Owner = "/web/shop", state.Joined, state.Owner{}
		want.Objects = []state.Object{&pool}
		b.put(want)
		b.lead()
		pass(2 * time.Minute)
		if got := b.reason(want.Service); got != "NoSuchPool" || looks.Load() < 4 || looks.Load() > 9 {
			t.Fatalf("reason %q after %d looks in two minutes, want NoSuchPool and about 6", got, looks.Load())
		}
		theirs := pool
		theirs.Use, theirs.Members = state.Own, nil
		device.Put(&theirs)
		pass(time.Minute)
		r := b.report(want.Service)
		if !r.Settled || r.Members != 1 {
			t.Errorf("the pool stands, and a minute later the Service: %+v", r)
		}
		before := looks.Load()
		pass(time.Minute)
		if n := looks.Load() - before; n > 0 {
			t.Errorf("looked %d times more for what is there", n)
		}

		// Nobody looks for what nobody wants any more.
		other := pool
		other.Path = "/web/other"
		want.Objects = []state.Object{&other}
		b.put(want)
		b.put(state.Want{Service: want.Service, Deleted: true, Drain: time.Minute})
		pass(2 * time.Minute)
		if n := looks.Load() - before; n > 1 {
			t.Errorf("looked %d times more for what nobody wants", n)
		}
	})
}
