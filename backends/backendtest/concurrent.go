package backendtest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

func testCancelled(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	start := time.Now()
	for _, s := range f.specimens(1) {
		outs := f.Backend.Apply(ctx, []apply.Unit{{Service: service(), Changes: create(s.first)}})
		out := outs[0]
		if out.Status != apply.Unavailable && out.Status != apply.Unknown || out.Applied != 0 || out.Err == nil {
			t.Errorf("creating %s with a context that has ended: outcome is %s, %d applied, error %v; want unavailable or unknown, none applied",
				s.first.ID(), out.Status, out.Applied, out.Err)
		}
		f.wantGone(t, s.first.ID())
	}
	if _, err := f.Backend.Read(ctx, apply.Scope{}); err == nil {
		t.Error("a read with a context that has ended gave no error")
	}
	if took := time.Since(start); took > patience {
		t.Errorf("it took %s", took)
	}
}

// testConcurrent applies many Units of different Services from several
// callers while others read.
func testConcurrent(t *testing.T, f Fixture) {
	const callers, unitsEach = 4, 8
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			for i, out := range f.Backend.Apply(ctx, f.manyUnits(caller*unitsEach, unitsEach)) {
				if out.Status != apply.Done {
					t.Errorf("caller %d, unit %d: outcome is %s: %v", caller, i, out.Status, out.Err)
				}
			}
		})
		wg.Go(func() {
			if _, err := f.Backend.Read(ctx, apply.Scope{}); err != nil {
				t.Errorf("reading: %v", err)
			}
		})
	}
	wg.Wait()
	for _, u := range f.manyUnits(0, callers*unitsEach) {
		for _, c := range u.Changes {
			f.wantObjectIn(t, f.read(t, c.ID()), c.After)
		}
	}
}

// manyUnits are Units that share nothing: number n makes specimens n + 1.
func (f Fixture) manyUnits(from, count int) []apply.Unit {
	units := make([]apply.Unit, 0, count)
	for n := from + 1; n <= from+count; n++ {
		var changes []plan.Change
		for _, s := range f.specimens(n) {
			changes = append(changes, create(s.needs...)...)
			changes = append(changes, create(s.first)...)
		}
		units = append(units, apply.Unit{
			Service: state.Ref{Namespace: "shop", Name: fmt.Sprintf("service-%d", n)},
			Changes: changes,
		})
	}
	return units
}

func (f Fixture) wantObjectIn(t *testing.T, set *state.Set, o state.Object) {
	t.Helper()
	got, ok := set.Get(o.ID())
	if !ok || !state.Equal(o, got) {
		t.Errorf("%s is not there as it was made", o.ID())
	}
}
