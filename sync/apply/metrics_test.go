package apply_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"

	"landbridge.dev/backends/memory"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/plan"
)

// shown is the value of a metric's series with these labels; 0 where there is
// none.
func (b *bench) shown(name string, labels map[string]string) float64 {
	b.t.Helper()
	families, err := b.metrics.Gather()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			have := map[string]string{}
			for _, l := range m.GetLabel() {
				have[l.GetName()] = l.GetValue()
			}
			if maps.Equal(have, labels) {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetHistogram().GetSampleSum()
			}
		}
	}
	return 0
}

// on is the value of a metric for a backend.
func (b *bench) on(backend, name string) float64 {
	b.t.Helper()
	return b.shown(name, map[string]string{"backend": backend})
}

// expect checks what metrics show for dc1.
func (b *bench) expect(when string, want map[string]float64) {
	b.t.Helper()
	for name, value := range want {
		if got := b.on(dc1, name); got != value {
			b.t.Errorf("%s: %s is %v, want %v", when, name, got, value)
		}
	}
}

func TestMetricsOfChangesThatWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		b := start(t, device)
		defer b.end()
		b.put(service("early", "203.0.113.9", "10.0.0.9"))
		pass(time.Minute)
		b.expect("a standby asks for nothing", map[string]float64{"landbridge_oldest_change_seconds": 0})
		b.lead()
		b.expect("settled", map[string]float64{"landbridge_oldest_change_seconds": 0, "landbridge_dirty_services": 0})

		// A slow call: the change has waited for as long as it takes.
		device.SetHook(func(ctx context.Context, _ plan.Change) *memory.Fault {
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Second):
			}
			return nil
		})
		b.put(service("early", "203.0.113.9"))
		pass(10 * time.Second)
		b.expect("in flight", map[string]float64{"landbridge_oldest_change_seconds": 10})
		time.Sleep(2 * time.Minute)
		device.SetHook(nil)
		pass(2 * time.Minute)
		b.expect("done", map[string]float64{"landbridge_oldest_change_seconds": 0})
		if took := b.shown("landbridge_change_seconds", map[string]string{"backend": dc1}); took < 20 {
			t.Errorf("the change is said to have taken %v s, and the call alone took 20", took)
		}

		// What is refused waits for a person, not for the backend.
		device.SetHook(func(context.Context, plan.Change) *memory.Fault {
			return &memory.Fault{Status: apply.Refused, Reason: "AccessDenied", Err: errors.New("no")}
		})
		b.put(service("cart", "203.0.113.1", "10.0.0.1"))
		pass(500 * time.Millisecond)
		b.expect("refused", map[string]float64{"landbridge_oldest_change_seconds": 0, "landbridge_backing_off_services": 1})
		refused := map[string]string{"backend": dc1, "status": "refused", "reason": "AccessDenied"}
		if n := b.shown("landbridge_units_total", refused); n != 1 {
			t.Errorf("%v Units were refused, want 1", n)
		}
		device.SetHook(nil)
		pass(time.Minute)
		b.expect("taken", map[string]float64{"landbridge_backing_off_services": 0, "landbridge_drift_repaired_total": 0})

		// A backend that is away.
		device.SetHook(func(context.Context, plan.Change) *memory.Fault {
			return &memory.Fault{Status: apply.Unavailable, Reason: "Unreachable", Err: errors.New("away")}
		})
		device.SetReadHook(func(context.Context, apply.Scope) error { return errors.New("away") })
		b.put(service("cart", "203.0.113.1", "10.0.0.1", "10.0.0.2"))
		pass(time.Minute)
		b.expect("away", map[string]float64{"landbridge_oldest_change_seconds": 60, "landbridge_backend_up": 0})
		device.SetHook(nil)
		device.SetReadHook(nil)
		pass(time.Minute)
		b.expect("back", map[string]float64{
			"landbridge_oldest_change_seconds": 0, "landbridge_backend_up": 1, "landbridge_drift_repaired_total": 0,
		})

		// Another leader has it now.
		device.SetHook(func(ctx context.Context, _ plan.Change) *memory.Fault { <-ctx.Done(); return nil })
		b.put(service("cart", "203.0.113.1"))
		b.workers[dc1].Act(false)
		pass(time.Minute)
		b.expect("not leading", map[string]float64{"landbridge_oldest_change_seconds": 0})
	})
}

func TestMetricsOfDrift(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		b := start(t, device)
		defer b.end()
		want := service("cart", "203.0.113.1", "10.0.0.1", "10.0.0.2")
		b.put(want)
		b.lead()
		began := b.on(dc1, "landbridge_last_full_read_timestamp_seconds")
		pass(6 * time.Minute)
		b.expect("nobody changed anything", map[string]float64{"landbridge_drift_repaired_total": 0, "landbridge_resync_interval_seconds": 300})
		if later := b.on(dc1, "landbridge_last_full_read_timestamp_seconds"); later != began+300 {
			t.Errorf("the last full read is shown %v s after the first, want 300", later-began)
		}
		device.Remove(want.Objects[1].ID())
		pass(6 * time.Minute)
		b.expect("a virtual server was removed by hand", map[string]float64{"landbridge_drift_repaired_total": 1})
		if diff := cmp.Diff([]string{"shop/cart on bigip/dc1: create virtual-server"}, b.repaired); diff != "" {
			t.Errorf("told as put back (-want +got):\n%s", diff)
		}

		// What is asked for, or found by a new leader, is no drift.
		b.put(service("cart", "203.0.113.1", "10.0.0.1"))
		b.workers[dc1].Act(false)
		synctest.Wait()
		device.Remove(want.Objects[1].ID())
		b.lead()
		pass(6 * time.Minute)
		b.expect("later", map[string]float64{"landbridge_drift_repaired_total": 1})
		if _, stands := device.Set().Get(want.Objects[1].ID()); !stands {
			t.Error("the new leader did not make it anew")
		}
	})
}

func TestMetricsOfDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		b := start(t, device)
		defer b.end()
		cart := service("cart", "203.0.113.1", "10.0.0.1", "10.0.0.2", "10.0.0.3")
		shop := service("shop", "203.0.113.2", "10.0.1.1", "10.0.1.2")
		b.put(cart)
		b.put(shop)
		b.lead()
		device.SetConnections(memberID(cart, "10.0.0.1"), 5)
		device.SetConnections(memberID(cart, "10.0.0.2"), 5)
		device.SetConnections(memberID(shop, "10.0.1.1"), 5)
		b.expect("all serve", map[string]float64{"landbridge_draining_members": 0})
		b.put(service("cart", "203.0.113.1", "10.0.0.3"))
		b.put(service("shop", "203.0.113.2", "10.0.1.2"))
		pass(10 * time.Second)
		b.expect("three leave", map[string]float64{"landbridge_draining_members": 3})
		pass(2 * time.Minute)
		b.expect("after the deadline", map[string]float64{"landbridge_draining_members": 0})
	})
}

// Of a backend that is never read anew no interval is shown: 0 would be one.
func TestMetricsWithoutResync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		ctx, stop := context.WithCancel(t.Context())
		w := apply.NewWorker(apply.Options{
			Backend: memory.New(dc1), Ledger: ledger.New(dc1), Identity: us, NodePartition: "Common", Concurrency: 1,
			Report: func(apply.Report) {}, Log: zap.NewNop(), Metrics: apply.NewMetrics(registry),
		})
		var running sync.WaitGroup
		running.Go(func() { _ = w.Run(ctx) })
		synctest.Wait()
		if n := testutil.CollectAndCount(registry, "landbridge_resync_interval_seconds"); n != 0 {
			t.Errorf("%d intervals are shown", n)
		}
		if n := testutil.CollectAndCount(registry, "landbridge_full_read_errors_total"); n != 1 {
			t.Errorf("%d counters of failed reads are shown before the first, want one", n)
		}
		stop()
		running.Wait()
	})
}
