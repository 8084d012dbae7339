package manage_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	amqp "github.com/rabbitmq/amqp091-go"

	"landbridge.dev/mq/manage"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/broker/scene"
)

// gather reads what is shown of a watcher's queues, where a pod takes so many
// seconds for a message: by the metric's name after its prefix, and its label.
func gather(s *scene.Scene, w *manage.Watcher, seconds float64) func() map[string]float64 {
	registry := prometheus.NewRegistry()
	registry.MustRegister(manage.NewCollector(w, func(state.Ref) (float64, bool) { return seconds, seconds > 0 }))
	return func() map[string]float64 {
		all := map[string]float64{}
		families, err := registry.Gather()
		s.Must(err)
		for _, f := range families {
			for _, m := range f.GetMetric() {
				name := strings.TrimPrefix(f.GetName(), "landbridge_mq_queue_")
				for _, l := range m.GetLabel() {
					if l.GetName() == "state" || l.GetName() == "side" {
						name += " " + l.GetValue()
					}
				}
				all[name] = m.GetGauge().GetValue()
			}
		}
		return all
	}
}

// What is not known is absent, and never 0: neither before the broker answers,
// nor when it does no more.
func TestUnknownIsAbsent(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	s.Publish("orders.work", make([]amqp.Publishing, 5)...)
	secret := filepath.Join(s.MQ.CredentialsDir, "password")
	right, err := os.ReadFile(secret)
	s.Must(err)
	s.Must(os.WriteFile(secret, []byte("wrong"), 0o600))
	w := watch(t, s)
	shown := gather(s, w, 0.5)
	s.Eventually("it is said that nobody knows", func() bool { st := w.Standing(ref); return st.Unknown && st.Reason == "BrokerUnknown" })
	if all := shown(); len(all) > 0 {
		t.Errorf("shown before anything is known: %v", all)
	}
	if _, _, _, _, known := w.Taken(state.Queue{Vhost: s.Vhost, Name: "orders.work"}); known {
		t.Error("what others take is said to be known")
	}
	s.Must(os.WriteFile(secret, right, 0o600))
	s.Eventually("the backlog is shown", func() bool { return shown()["messages ready"] == 5 })
	all := shown()
	if v, there := all["consumers vms"]; !there || v != 0 {
		t.Errorf("consumers of VMs: %v, %t", v, there)
	}
	for _, absent := range []string{"dead_letters", "oldest_seconds", "pods_needed"} {
		if v, there := all[absent]; there {
			t.Errorf("%s is %v, and nobody can know", absent, v)
		}
	}
	s.Must(os.WriteFile(secret, []byte("wrong"), 0o600))
	s.Eventually("nothing is shown any more", func() bool { return len(shown()) == 0 })
}

// Of a queue that pods serve by HTTP each metric is there with its value: here of
// five messages that wait, where a pod takes half a minute for each.
func TestEachMetric(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Must(node.AddQueue(t.Context(), s.Vhost, "orders.work", map[string]any{"x-queue-type": "classic"}))
	s.Queue("landbridge.test.dead.orders.work")
	s.Publish("landbridge.test.dead.orders.work", make([]amqp.Publishing, 3)...)
	letters := make([]amqp.Publishing, 5)
	for i := range letters {
		letters[i].Timestamp = time.Now().Add(-time.Hour)
	}
	s.Publish("orders.work", letters...)
	w := watch(t, s, func(c *state.QueueConsumer) { c.Native, c.Concurrency = false, 1 })
	shown := gather(s, w, 30)
	want := map[string]float64{
		"messages ready": 5, "messages unacked": 0, "consumers pods": 0, "consumers vms": 0, "publish_rate": 0, "ack_rate": 0,
		"pod_rate": 0, "vm_rate": 0, "oldest_seconds": 3600, "dead_letters": 3,
		"pods_needed": 3, // five messages of half a minute, within a minute
	}
	var got map[string]float64
	defer func() {
		if t.Failed() {
			t.Logf("(-want +got):\n%s", cmp.Diff(want, got))
		}
	}()
	s.Within(time.Minute, "what came in is ten seconds ago, and all is shown", func() bool {
		got = shown()
		if age := got["oldest_seconds"]; age >= 3600 && age < 4000 {
			got["oldest_seconds"] = 3600
		}
		return cmp.Equal(want, got)
	})
	s.Must(node.API(t.Context(), http.MethodDelete, "/api/queues/"+s.Vhost+"/orders.work", nil, nil))
	s.Eventually("of a queue that is not there nothing is shown", func() bool { got = shown(); return len(got) == 0 })
}

// While nobody knows how long pods take, something that waits needs one where none
// is: none would come otherwise. Where some are, they are left as they are.
func TestPodsNeededAtFirst(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	none := watch(t, s, func(c *state.QueueConsumer) { c.Native, c.Concurrency, c.Endpoints = false, 16, nil })
	some := watch(t, s, func(c *state.QueueConsumer) { c.Native, c.Concurrency = false, 16 })
	ofNone, ofSome := gather(s, none, 0), gather(s, some, 0)
	s.Eventually("the queue is known", func() bool { _, there := ofNone()["messages ready"]; return there })
	if v, there := ofNone()["pods_needed"]; there {
		t.Errorf("nothing waits, and %v pods are needed", v)
	}
	s.Publish("orders.work", make([]amqp.Publishing, 500)...)
	s.Eventually("one is needed", func() bool { return ofNone()["pods_needed"] == 1 })
	s.Eventually("both know what waits", func() bool { return ofSome()["messages ready"] == 500 })
	if v, there := ofSome()["pods_needed"]; there {
		t.Errorf("%v pods are needed, and nobody can know", v)
	}
}
