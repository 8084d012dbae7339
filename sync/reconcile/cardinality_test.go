package reconcile_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// There are as many series with a hundred endpoints as with ten, after all of
// them have come and most have gone.
func TestSeriesDoNotGrowWithEndpoints(t *testing.T) {
	t.Parallel()
	few, many := seriesWith(t, 10), seriesWith(t, 100)
	if len(few) < 20 {
		t.Errorf("only %d series are shown", len(few))
	}
	if diff := cmp.Diff(few, many); diff != "" {
		t.Errorf("series with 10 endpoints and with 100 (-10 +100):\n%s", diff)
	}
}

// seriesWith are the series of a Service that has had so many endpoints.
func seriesWith(t *testing.T, endpoints int) (series []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		defer b.end()
		var addresses []string
		for i := range endpoints {
			addresses = append(addresses, fmt.Sprintf("10.0.%d.%d", 1+i/100, 1+i%100))
		}
		for _, now := range [][]string{addresses, addresses[:5]} {
			b.must(b.api.DiscoveryV1().EndpointSlices("shop").Update(t.Context(), pods(now...), metav1.UpdateOptions{}))
			b.pass(5 * time.Minute)
		}
		families, err := b.metrics.Gather()
		b.must(families, err)
		for _, f := range families {
			for _, m := range f.GetMetric() {
				series = append(series, fmt.Sprint(f.GetName(), m.GetLabel()))
			}
		}
		slices.Sort(series)
		if n := b.dc1.Set().Len(); n != 5+2 {
			t.Errorf("%d objects stand, want five nodes, a pool and a virtual server", n)
		}
	})
	return series
}
