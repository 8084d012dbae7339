package dispatch

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"landbridge.dev/sync/state"
)

// What becomes of a queue's messages is shown before the first one, so that the
// first dead letter is an increase; a queue that is served anew counts on.
func TestMessagesBeginAtZero(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	of := func() *series {
		return m.of(state.Ref{Namespace: "shop", Name: "orders"}, state.Queue{Vhost: "/", Name: "orders.work"})
	}
	expect := func(dead string) {
		t.Helper()
		want := `# HELP landbridge_mq_messages_total Messages settled, by what was done: ack, retry, dead.
# TYPE landbridge_mq_messages_total counter
landbridge_mq_messages_total{outcome="ack",queue="orders.work",service="shop/orders"} 0
landbridge_mq_messages_total{outcome="dead",queue="orders.work",service="shop/orders"} ` + dead + `
landbridge_mq_messages_total{outcome="retry",queue="orders.work",service="shop/orders"} 0
# HELP landbridge_mq_returned_total Messages given back to their queue before a pod had them.
# TYPE landbridge_mq_returned_total counter
landbridge_mq_returned_total{queue="orders.work",service="shop/orders"} 0
`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "landbridge_mq_messages_total", "landbridge_mq_returned_total"); err != nil {
			t.Error(err)
		}
	}
	s := of()
	expect("0")
	s.outcome(verdict{what: dead})
	s.forget()
	of()
	expect("1")
}
