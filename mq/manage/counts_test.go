package manage

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"landbridge.dev/mq/broker"
	"landbridge.dev/sync/state"
)

// A queue whose leader is away has no counts in the API's answer, and its rates
// are of nothing: only what is known otherwise is shown.
func TestNoCounts(t *testing.T) {
	t.Parallel()
	ref := state.Ref{Namespace: "shop", Name: "orders"}
	w := NewWatcher(nil, broker.Names{Cluster: "test"}, time.Minute, nil)
	w.Watch(ref, &state.QueueConsumer{Service: ref, Queue: state.Queue{Vhost: "/", Name: "orders.work"}, Concurrency: 1})
	shown := func() []string {
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(NewCollector(w, func(state.Ref) (float64, bool) { return 1, true }))
		all, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range all {
			names = append(names, strings.TrimPrefix(f.GetName(), "landbridge_mq_queue_"))
		}
		slices.Sort(names)
		return names
	}
	n := 0
	w.take("/", &vhostAnswer{queues: []queueAnswer{{Name: "orders.work", Ready: &n}}}, nil)
	if diff := cmp.Diff([]string{"consumers"}, shown()); diff != "" {
		t.Errorf("without counts (-want +got):\n%s", diff)
	}
	w.take("/", &vhostAnswer{queues: []queueAnswer{{Name: "orders.work", Ready: &n, Unacked: &n}}}, nil)
	if diff := cmp.Diff([]string{"ack_rate", "consumers", "messages", "pod_rate", "pods_needed", "publish_rate", "vm_rate"}, shown()); diff != "" {
		t.Errorf("with counts (-want +got):\n%s", diff)
	}
}
