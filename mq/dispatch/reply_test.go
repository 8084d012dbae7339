package dispatch_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	amqp "github.com/rabbitmq/amqp091-go"

	"landbridge.dev/mq/dispatch"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/broker/scene"
)

// replier answers as the correlation id of a question says.
func replier(w http.ResponseWriter, r *http.Request, _ int) {
	w.Header().Set("Content-Type", "text/plain")
	switch r.Header.Get("Landbridge-Correlation-Id") {
	case "bad":
		w.WriteHeader(http.StatusBadRequest)
	case "reset":
		panic(http.ErrAbortHandler)
	case "disposed":
		w.Header().Set(dispatch.HeaderDisposition, "dead")
	case "large":
		_, _ = w.Write(make([]byte, 1<<20+1))
	case "long type":
		w.Header().Set("Content-Type", "text/plain; x="+strings.Repeat("x", 255))
	default:
		_, _ = w.Write([]byte("pong"))
	}
}

// A request gets its answer, and of a message that dies its reason, never with
// the status of one that had its effect.
func TestReplyTo(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	c := consumer(s, newPod(t, replier))
	c.MaxAttempts = 1
	start(s).Set(ref, c)
	ch, err := s.Dial().Channel()
	s.Must(err)
	answers, err := ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
	s.Must(err)
	for _, test := range []struct{ question, status, body string }{
		{"ping", "200", "pong"},
		{"bad", "400", "the pod answered 400 Bad Request\n"},
		{"reset", "502", "after 1 attempts: endpoint "},
		{"disposed", "502", "the pod answered 200 OK\n"},
		{"large", "502", "the pod's answer has more than 1048576 bytes\n"},
	} {
		s.Must(ch.Publish("", "orders.work", false, false, amqp.Publishing{ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: test.question}))
		select {
		case d := <-answers:
			if d.CorrelationId != test.question || d.Headers["landbridge-status"] != test.status || !strings.HasPrefix(string(d.Body), test.body) || !strings.HasPrefix(d.ContentType, "text/plain") {
				t.Errorf("%s: answered %s: %v, %s, %.100s", test.question, d.CorrelationId, d.Headers, d.ContentType, d.Body)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s: no answer", test.question)
		}
	}
	empty(s)
}

// A queue that the Service may publish to gets answers, another does not; nor
// does anybody get one that AMQP cannot carry. The messages have had their effect
// all the same.
func TestReplyToQueue(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	for _, queue := range []string{"orders.work", "answers", "others"} {
		s.Queue(queue)
	}
	registry := prometheus.NewRegistry()
	p := newPod(t, replier)
	start(s, func(o *dispatch.Options) {
		o.Metrics = dispatch.NewMetrics(registry)
		o.MayReply = func(service state.Ref, queue state.Queue) bool {
			return service == ref && queue == state.Queue{Vhost: s.Vhost, Name: "answers"}
		}
	}).Set(ref, consumer(s, p))
	replies := func() map[string]float64 {
		all := map[string]float64{}
		families, err := registry.Gather()
		s.Must(err)
		for _, f := range families {
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					if f.GetName() == "landbridge_mq_replies_total" && l.GetName() == "outcome" {
						all[l.GetValue()] = m.GetCounter().GetValue()
					}
				}
			}
		}
		return all
	}
	s.Publish("orders.work",
		amqp.Publishing{ReplyTo: "answers", CorrelationId: "ping"},
		amqp.Publishing{ReplyTo: "answers", CorrelationId: "long type"},
		amqp.Publishing{ReplyTo: "others", CorrelationId: "ping"},
	)
	s.Eventually("one is answered, and two are refused", func() bool { all := replies(); return all["confirmed"] == 1 && all["refused"] == 2 })
	empty(s)
	if got := s.Drain("answers"); len(got) != 1 || string(got[0].Body) != "pong" || got[0].CorrelationId != "ping" || got[0].Headers["landbridge-status"] != "200" {
		t.Errorf("answers: %+v", got)
	}
	if got := s.Drain("others"); len(got) != 0 {
		t.Errorf("a queue of others got %+v", got)
	}
	if n := len(p.requests()); n != 3 {
		t.Errorf("the pod had %d messages, want 3", n)
	}
}
