package dispatch_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/broker/scene"
)

// connections are those of a scene's gateway that consume, publish and answer for
// the namespace till, by their names, which hold the port that each came from.
func connections(s *scene.Scene) []string {
	s.TB.Helper()
	var names []string
	s.Eventually("the broker shows the gateway's connections", func() bool {
		var all []struct {
			Name   string
			User   string
			Client struct {
				Name string `json:"connection_name"`
			} `json:"client_properties"`
		}
		if node.API(s.TB.Context(), http.MethodGet, "/api/vhosts/"+s.Vhost+"/connections", nil, &all) != nil {
			return false
		}
		names = nil
		for _, c := range all {
			for _, role := range []string{" consume", " publish", " answer (till)"} {
				if c.User == s.User && strings.HasSuffix(c.Client.Name, role) {
					names = append(names, c.Client.Name+" "+c.Name)
				}
			}
		}
		slices.Sort(names)
		return len(names) == 3
	})
	return names
}

// Messages that were made to do harm when they are copied or answered: each is a
// dead letter or has its effect, and the gateway's connections, which others use
// as well, live.
func TestHostileMessages(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	p := newPod(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if key := r.Header.Get("Idempotency-Key"); key == "headers" || key == "nested" || key == "ids" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	g := start(s)
	g.Set(ref, consumer(s, p))
	// Another tenant's pod has answered a question, and has a message all the
	// while.
	s.Queue("orders.other")
	begun, answer := make(chan struct{}), make(chan struct{})
	others := newPod(t, func(_ http.ResponseWriter, r *http.Request, _ int) {
		if r.Header.Get("Idempotency-Key") == "other" {
			close(begun) // a second time it fails
			<-answer
		}
	})
	other := consumer(s, others)
	other.Service, other.Queue.Name, other.Timeout = state.Ref{Namespace: "till", Name: "till"}, "orders.other", time.Minute
	g.Set(other.Service, other)
	asks, err := s.Dial().Channel()
	s.Must(err)
	answers, err := asks.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
	s.Must(err)
	s.Must(asks.Publish("", "orders.other", true, false, amqp.Publishing{MessageId: "question", ReplyTo: "amq.rabbitmq.reply-to"}))
	<-answers
	s.Publish("orders.other", amqp.Publishing{MessageId: "other"})
	<-begun
	s.Publish("orders.work", amqp.Publishing{MessageId: "first"})
	s.Eventually("the gateway serves", func() bool { return p.keys()["first"] == 1 })
	before := connections(s)
	long := strings.Repeat("x", 64<<10)
	ids, deep := make([]any, 9000), []any{}
	for i := range ids {
		ids[i] = int32(i)
	}
	for range 40 {
		deep = []any{deep}
	}
	s.Publish("orders.work",
		// As large as a frame allows; with what a copy says of its attempts it were larger.
		amqp.Publishing{MessageId: "headers", Headers: amqp.Table{"a": long, "b": long[:65000], "region": "eu"}},
		amqp.Publishing{MessageId: "nested", Headers: amqp.Table{"a": amqp.Table{"b": []any{long}, "c": long[:65000]}}},
		// More in a list, or deeper, than our library reads: it closes the connection.
		amqp.Publishing{MessageId: "ids", Headers: amqp.Table{"ids": ids, "region": "eu"}},
		amqp.Publishing{MessageId: "deep", Headers: amqp.Table{"deep": deep, "region": "eu"}},
		// An address that the broker cannot read, of which its channel dies.
		amqp.Publishing{MessageId: "reply", ReplyTo: "amq.rabbitmq.reply-to.g1h" + strings.Repeat("A", 33) + "." + strings.Repeat("A", 24) + "=="},
		amqp.Publishing{MessageId: "last"},
	)
	s.Eventually("all have come", func() bool { return len(p.keys()) == 7 })
	close(answer)
	empty(s)
	var dead []string
	s.Eventually("what leaves no room for a copy is a dead letter", func() bool {
		for _, d := range s.Drain(deadQueue) {
			reason, _ := d.Headers["landbridge-reason"].(string)
			gone, _ := d.Headers["landbridge-headers-gone"].(string)
			dead = append(dead, d.MessageId+": "+reason+"; without "+gone)
		}
		return len(dead) >= 3
	})
	slices.Sort(dead)
	if diff := cmp.Diff([]string{
		"headers: its headers leave no room for those of another attempt: the pod answered 500 Internal Server Error; without a",
		"ids: its headers could not be read, and another attempt would be without them: the pod answered 500 Internal Server Error; without ids",
		"nested: its headers leave no room for those of another attempt: the pod answered 500 Internal Server Error; without a",
	}, dead); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if keys := p.keys(); keys["deep"] != 1 || others.keys()["other"] != 1 {
		t.Errorf("%d times a message came that has its effect, and %d times another tenant's", keys["deep"], others.keys()["other"])
	}
	if diff := cmp.Diff(before, connections(s)); diff != "" {
		t.Errorf("the connections did not live (-before +after):\n%s", diff)
	}
}

// What cannot be copied waits while no pod takes a connection, and goes back when
// there is none any more: nothing has had it, so that it is no dead letter.
func TestHeadersThatCannotBeReadAndNoPod(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	ids := make([]any, 9000)
	for i := range ids {
		ids[i] = int32(i)
	}
	s.Publish("orders.work", amqp.Publishing{MessageId: "ids", Headers: amqp.Table{"ids": ids}})
	gone := newPod(t, nil)
	s.Must(gone.server.Close())
	g := start(s)
	g.Set(ref, consumer(s, gone))
	s.Eventually("the gateway has it", func() bool { _, unacked := s.Count("orders.work"); return unacked == 1 })
	g.Set(ref, consumer(s)) // scaled to nothing
	s.Eventually("it is back", func() bool { ready, unacked := s.Count("orders.work"); return ready == 1 && unacked == 0 })
	p := newPod(t, nil)
	g.Set(ref, consumer(s, p))
	s.Eventually("it is delivered", func() bool { return p.keys()["ids"] == 1 })
	empty(s)
	if ready, _ := s.Count(deadQueue); ready != 0 {
		t.Errorf("%d dead letters", ready)
	}
}

// Somebody deletes what is ours, just before it is needed: it is declared again,
// and no message is lost.
func TestOwnQueuesDeleted(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	remove := func(kind, name string) {
		if err := node.API(context.WithoutCancel(t.Context()), http.MethodDelete, "/api/"+kind+"/"+s.Vhost+"/"+name, nil, nil); err != nil {
			t.Error(err)
		}
	}
	p := newPod(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		attempt := r.Header.Get("Landbridge-Attempt")
		switch key := r.Header.Get("Idempotency-Key"); {
		case key == "queue" && attempt == "1":
			remove("queues", retryQueue)
			w.WriteHeader(http.StatusInternalServerError)
		case key == "exchange" && attempt == "1":
			remove("exchanges", retryQueue)
			w.WriteHeader(http.StatusInternalServerError)
		case key == "dead":
			remove("queues", deadQueue)
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	start(s).Set(ref, consumer(s, p))
	for _, id := range []string{"queue", "exchange"} {
		s.Publish("orders.work", amqp.Publishing{MessageId: id})
		s.Eventually("it has its effect at the second attempt: "+id, func() bool { return p.keys()[id] == 2 })
	}
	s.Publish("orders.work", amqp.Publishing{MessageId: "dead"})
	s.Eventually("the dead letter is there", func() bool { ready, _ := s.Count(deadQueue); return ready == 1 })
	empty(s)
}
