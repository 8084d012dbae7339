package messages_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/broker"
	"landbridge.dev/testenv/messages"
)

// ordered is a Service whose messages have an order, with a producer of its own,
// who sends one after the other, again under its id where he does not know. Its
// queue has no delivery limit: the order is not to need one.
type ordered struct {
	ordering    state.Ordering
	queue       string
	ledger      *messages.Ledger
	order       *messages.Order
	endpoints   []state.Endpoint
	redelivered atomic.Int64
	failed      tally
}

// orderHeader is the header of state.OrderKey.
const orderHeader = "customer"

// addOrdered adds the Services whose messages have an order to a world.
func (w *world) addOrdered() {
	for _, ordering := range []state.Ordering{state.OrderQueue, state.OrderKey} {
		o := &ordered{ordering: ordering, queue: "orders.by-" + string(ordering), ledger: messages.NewLedger(), order: messages.NewOrder()}
		w.Queue(o.queue)
		for range 2 {
			o.endpoints = append(o.endpoints, w.listen(o.serve))
		}
		w.ordered = append(w.ordered, o)
	}
}

func (o *ordered) consumer(vhost string) *state.QueueConsumer {
	return &state.QueueConsumer{
		Service: state.Ref{Namespace: "shop", Name: "by-" + string(o.ordering)}, Queue: state.Queue{Vhost: vhost, Name: o.queue}, Path: "/",
		Concurrency: 16, Timeout: time.Second, Retry: []time.Duration{time.Second}, MaxAttempts: 100, PodShare: 100,
		Ordering: o.ordering, OrderHeader: orderHeader, Endpoints: o.endpoints,
	}
}

// serve fails as other pods do, only less often: all that is behind waits.
func (o *ordered) serve(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if r.Header.Get("Landbridge-Redelivered") != "" {
		o.redelivered.Add(1)
	}
	way := [80]string{fails, overload, resets, cuts, slow}[rand.N(80)]
	o.failed.add(way)
	fail(rw, r, way, func() {
		id := r.Header.Get("Idempotency-Key")
		o.order.Effect(id)
		o.ledger.Effect(id, string(body))
	})
}

// sendInOrder publishes until ctx ends.
func (w *world) sendInOrder(ctx context.Context, o *ordered) {
	var c *amqp.Connection
	var ch *amqp.Channel
	hangUp := func() {
		if c != nil {
			_ = c.CloseDeadline(time.Now().Add(time.Second)) // it may have ended
		}
		c, ch = nil, nil
	}
	defer hangUp()
	for n := 0; ctx.Err() == nil; n++ {
		const lanes, backlog = 4, 12
		lane, id := "", fmt.Sprintf("%s-%d", o.ordering, n)
		headers := amqp.Table{orderHeader: fmt.Sprint(n % lanes)}
		if o.ordering == state.OrderKey {
			lane = fmt.Sprint(n % lanes)
		}
		o.ledger.Sending(id)
		o.order.Sending(lane, id)
		for ctx.Err() == nil {
			if ch == nil {
				c, ch = w.channel()
			}
			if ch != nil && w.sendThis(ctx, ch, o.queue, amqp.Publishing{MessageId: id, Headers: headers}) {
				o.ledger.Taken(id)
				break
			}
			hangUp()
			pause(ctx, 100*time.Millisecond)
		}
		for pause(ctx, 10*time.Millisecond); o.ledger.Open() > backlog && ctx.Err() == nil; {
			pause(ctx, 10*time.Millisecond)
		}
	}
}

// channel connects as a VM does; nil where that fails.
func (w *world) channel() (*amqp.Connection, *amqp.Channel) {
	c, err := amqp.DialConfig(w.MQ.URLs[rand.N(len(w.MQ.URLs))], amqp.Config{
		SASL:  []amqp.Authentication{&amqp.PlainAuth{Username: broker.Username, Password: broker.Password}},
		Vhost: w.Vhost, Heartbeat: 2 * time.Second, Dial: amqp.DefaultDial(2 * time.Second),
	})
	if err != nil {
		return nil, nil
	}
	ch, err := c.Channel()
	if err != nil || ch.Confirm(false) != nil {
		_ = c.CloseDeadline(time.Now().Add(time.Second)) // it failed already
		return nil, nil
	}
	return c, ch
}

// sendThis says whether the broker has confirmed a message.
func (w *world) sendThis(ctx context.Context, ch *amqp.Channel, queue string, m amqp.Publishing) bool {
	w.amqp.RLock()
	defer w.amqp.RUnlock()
	m.DeliveryMode, m.Body = amqp.Persistent, []byte(messages.Body(m.MessageId))
	confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", queue, true, false, m)
	if err != nil {
		return false
	}
	waiting, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ok, err := confirm.WaitContext(waiting)
	return ok && err == nil
}

// goOn waits until messages with an order have their effect anew, so that the next
// fault meets some.
func (w *world) goOn() {
	for _, o := range w.ordered {
		before := o.ledger.Effects()
		w.Within(2*time.Minute, "messages have their effect in order: "+string(o.ordering), func() bool { return o.ledger.Effects() > before })
	}
}

// accountOrdered draws the balance of what has an order.
func (w *world) accountOrdered() {
	for _, o := range w.ordered {
		w.TB.Log(o.ordering, ": ", o.ledger, "; redelivered ", o.redelivered.Load(), "; pods: ", &o.failed)
		if unexpected := o.ledger.Unexpected(); len(unexpected) > 0 {
			w.TB.Errorf("%s: unexpected: %v", o.ordering, unexpected)
		}
		if broken := o.order.Broken(); len(broken) > 0 {
			w.TB.Errorf("%s: first effects out of order, %d: %s", o.ordering, len(broken), strings.Join(broken[:min(len(broken), 20)], ", "))
		}
		if dead := w.Drain("landbridge.test.dead." + o.queue); len(dead) > 0 {
			w.TB.Errorf("%s: %d dead letters, the first: %v", o.ordering, len(dead), dead[0].Headers)
		}
	}
}
