package f5_test

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/state"
)

// TestCountReadsWhatDevicesAnswer has the shapes of captured answers: a member
// that is up, one without a monitor, one that was not probed yet, one in a
// route domain, and one for any port, which is left out.
func TestCountReadsWhatDevicesAnswer(t *testing.T) {
	t.Parallel()
	entry := func(addr string, port, connections int, monitor, availability string) map[string]any {
		return map[string]any{"nestedStats": map[string]any{"entries": map[string]any{
			"addr": map[string]any{"description": addr}, "port": map[string]any{"value": port},
			"serverside.curConns":      map[string]any{"value": connections},
			"serverside.totConns":      map[string]any{"value": 100 + connections},
			"monitorStatus":            map[string]any{"description": monitor},
			"status.availabilityState": map[string]any{"description": availability},
		}}}
	}
	answer, err := json.Marshal(map[string]any{"kind": "tm:ltm:pool:members:memberscollectionstats", "entries": map[string]any{
		"a": entry("10.0.0.1", 80, 3, "up", "available"),
		"b": entry("10.0.0.2", 80, 0, "unchecked", "unknown"),
		"c": entry("10.0.0.3", 80, 0, "checking", "unknown"),
		"d": entry("10.0.0.4%2", 80, 1, "down", "offline"),
		"e": entry("10.0.0.5", 0, 1, "up", "available"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	far := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	})
	counts, err := far.open(t, nil).Count(t.Context(), state.ID{Backend: "bigip/dc1", Kind: state.KindPool, Name: "/web/p"})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(counts, func(a, b apply.Count) int { return cmp.Compare(a.Endpoint.String(), b.Endpoint.String()) })
	want := []apply.Count{
		{Endpoint: endpointOf(t, "10.0.0.1"), Connections: 3, Total: 103, Available: true},
		{Endpoint: endpointOf(t, "10.0.0.2"), Total: 100, Available: true},
		{Endpoint: endpointOf(t, "10.0.0.3"), Total: 100},
		{Endpoint: endpointOf(t, "10.0.0.4%2"), Connections: 1, Total: 101},
	}
	if diff := gocmp.Diff(want, counts, gocmp.Comparer(func(a, b state.Endpoint) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func endpointOf(t *testing.T, s string) state.Endpoint {
	t.Helper()
	return state.Endpoint{Address: address(t, s), Port: 80}
}
