package f5_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"landbridge.dev/backends/f5"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/bigip"
)

// There are as many series of a pool with a hundred members as of one with ten:
// a label names a kind of object, and none of them.
func TestSeriesDoNotGrowWithMembers(t *testing.T) {
	t.Parallel()
	few, many := seriesWith(t, 10), seriesWith(t, 100)
	if diff := cmp.Diff(few, many); diff != "" {
		t.Errorf("series with 10 members and with 100 (-10 +100):\n%s", diff)
	}
}

// seriesWith are the series after so many members were made on a device, each
// with its node, and after one was changed and all were read.
func seriesWith(t *testing.T, members int) (series []string) {
	t.Helper()
	d := startDevice(t, bigip.Options{})
	registry := prometheus.NewRegistry()
	o := optionsFor(d)
	o.Hosts, o.RootCAs, o.Transport = []string{"http://a"}, nil, &wires{devices: map[string]*bigip.Device{"a": d}, cut: map[string]bool{}}
	o.Metrics = f5.NewMetrics(registry)
	b := open(t, o)
	pool := testPool("shop")
	var changes []plan.Change
	for i := range members {
		at := fmt.Sprintf("10.0.0.%d", 1+i)
		pool.Members = append(pool.Members, member(t, at, 8080, "/Common/"+at))
		changes = append(changes, plan.Change{Op: plan.Create, After: node(t, at, "/Common/"+at)})
	}
	steps := [][]plan.Change{append(changes, plan.Change{Op: plan.Create, After: pool})}
	before := &state.PoolMember{Backend: pool.Backend, Pool: pool.Path, Member: pool.Members[0]}
	after := *before
	after.Ratio = 7
	steps = append(steps, []plan.Change{{Op: plan.Update, Before: before, After: &after}})
	for _, step := range steps {
		if out := applyOne(t, b, step...); out.Status != apply.Done {
			t.Fatalf("outcome is %s: %v", out.Status, out.Err)
		}
	}
	if _, err := b.Read(t.Context(), apply.Scope{}); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			series = append(series, fmt.Sprint(f.GetName(), m.GetLabel()))
		}
	}
	slices.Sort(series)
	return series
}
