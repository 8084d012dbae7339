package broker_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/mq/broker"
	"landbridge.dev/testenv/broker/scene"
	"landbridge.dev/testenv/peer"
)

// connect links to a peer for as long as the test runs.
func connect(t *testing.T, p *peer.Peer) *broker.Link {
	t.Helper()
	link := broker.NewLink(broker.NewDialer(scene.At(t, p.URL()).MQ, "test"), "/", broker.RolePublish, zap.NewNop(), nil)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { link.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	await(t, link)
	return link
}

func await(t *testing.T, link *broker.Link) *broker.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := link.Await(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// publishing is a publish that is under way.
type publishing chan broker.Outcome

func publish(t *testing.T, p *broker.Publisher, id string, patience time.Duration) publishing {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	t.Cleanup(cancel)
	return publishUntil(ctx, p, id)
}

func publishUntil(ctx context.Context, p *broker.Publisher, id string) publishing {
	c := make(publishing, 1)
	go func() {
		outcome, _ := p.Publish(ctx, &broker.Message{Exchange: "x", Key: id, ID: id, Body: []byte(id)}, true)
		c <- outcome
	}()
	return c
}

// is waits for the end of a publish.
func (c publishing) is(t *testing.T, what string, want broker.Outcome) {
	t.Helper()
	select {
	case got := <-c:
		if got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	case <-time.After(time.Minute):
		t.Fatalf("%s: it has no end", what)
	}
}

// What the broker says, in the order in which it says it.
func TestWordsOfTheBroker(t *testing.T) {
	t.Parallel()
	peer := peer.New(t)
	p := broker.NewPublisher(connect(t, peer), 16)
	t.Cleanup(p.Close)
	ok := func(what string) {
		t.Helper()
		c := publish(t, p, "ok", time.Minute)
		peer.Published().Ack(false)
		c.is(t, "after "+what, broker.Confirmed)
	}

	c := publish(t, p, "a", time.Minute)
	peer.Published().Nack()
	c.is(t, "a nack", broker.Refused)
	ok("a nack")

	c = publish(t, p, "a", time.Minute)
	m := peer.Published()
	m.Return()
	m.Ack(false)
	c.is(t, "a return and then an ack", broker.Unroutable)
	ok("a return")

	// One ack for three, and what was returned of them.
	var three []publishing
	var all func(bool)
	for i := range 3 {
		three = append(three, publish(t, p, fmt.Sprint(i), time.Minute))
		m := peer.Published()
		if i == 1 {
			m.Return()
		}
		all = m.Ack
	}
	all(true)
	three[0].is(t, "the first of three", broker.Confirmed)
	three[1].is(t, "the returned of three", broker.Unroutable)
	three[2].is(t, "the last of three", broker.Confirmed)

	// A confirm that comes too late: nobody knew. The next message of that id
	// waits for it, because a return tells no more than the id.
	c = publish(t, p, "same", 50*time.Millisecond)
	late := peer.Published()
	c.is(t, "a late confirm", broker.Unknown)
	c = publish(t, p, "same", time.Minute)
	ok("a late confirm")
	late.Return()
	late.Ack(false)
	peer.Published().Ack(false)
	c.is(t, "the next of the same id", broker.Confirmed)

	// Its channel closes under all that is in flight, and costs nothing else.
	var ten []publishing
	for i := range 10 {
		ten = append(ten, publish(t, p, fmt.Sprint(i), time.Minute))
		m = peer.Published()
	}
	m.CloseChannel(404, "NOT_FOUND - no exchange 'x'")
	for _, c := range ten {
		c.is(t, "in flight on a channel that closed", broker.Unknown)
	}
	ok("a channel that closed")
}

// Alarms: nothing is sent, and what was sent before is waited for.
func TestBlocked(t *testing.T) {
	t.Parallel()
	peer := peer.New(t)
	link := connect(t, peer)
	p := broker.NewPublisher(link, 16)
	t.Cleanup(p.Close)
	before := publish(t, p, "before", time.Minute)
	m := peer.Published()
	m.Conn.Block()
	session := await(t, link)
	until(t, "the alarm is known", session.Blocked)
	publish(t, p, "meanwhile", time.Minute).is(t, "while it is blocked", broker.Blocked)
	m.Conn.Unblock()
	until(t, "the alarm is over", func() bool { return !session.Blocked() })
	m.Ack(false)
	before.is(t, "sent before the alarm", broker.Confirmed)
	after := publish(t, p, "after", time.Minute)
	if m := peer.Published(); m.Key != "after" {
		t.Errorf("%s was sent while the broker was blocked", m.Key)
	} else {
		m.Ack(false)
	}
	after.is(t, "after the alarm", broker.Confirmed)
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// A connection that is cut, or falls silent, between a publish and its confirm:
// nobody knows, and the next session takes messages.
func TestEndBetweenPublishAndConfirm(t *testing.T) {
	t.Parallel()
	for what, end := range map[string]func(*peer.Conn){"cut": (*peer.Conn).Cut, "silent": (*peer.Conn).Silence} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			peer := peer.New(t)
			link := connect(t, peer)
			p := broker.NewPublisher(link, 16)
			t.Cleanup(p.Close)
			first := await(t, link)
			c := publish(t, p, "a", time.Minute)
			end(peer.Published().Conn)
			c.is(t, what, broker.Unknown)
			<-first.Done()
			until(t, "there is another session", func() bool { s, err := link.Session(); return err == nil && s != first })
			if second := await(t, link); second.Epoch <= first.Epoch {
				t.Errorf("session %d follows %d", second.Epoch, first.Epoch)
			}
			c = publish(t, p, "a", time.Minute)
			peer.Published().Ack(false)
			c.is(t, "in the next session", broker.Confirmed)
		})
	}
}

// A connection that is lost again and again right after it came up is made anew
// less and less often.
func TestConnectionsThatDoNotLast(t *testing.T) {
	t.Parallel()
	peer := peer.New(t)
	link := connect(t, peer)
	began := time.Now()
	for range 5 {
		s := await(t, link)
		if _, err := s.Consume(broker.Consumer{Queue: "q", Tag: "t", Prefetch: 1}); err != nil {
			t.Fatal(err)
		}
		peer.Consumed().Conn.Cut()
		<-s.Done()
		until(t, "another session", func() bool { next, err := link.Session(); return err == nil && next != s })
	}
	// A quarter of 100 ms, 200 ms … 1.6 s at least; were they always the first, 625 ms at most.
	if took := time.Since(began); took < 775*time.Millisecond {
		t.Errorf("five were made anew within %s", took)
	}
}

// Whatever becomes of others, each message has its own end: 300 of them, each
// with another fate than the one before.
func TestEachMessageHasItsOwnEnd(t *testing.T) {
	t.Parallel()
	const n = 300
	peer := peer.New(t)
	p := broker.NewPublisher(connect(t, peer), n)
	t.Cleanup(p.Close)
	fates := []broker.Outcome{broker.Confirmed, broker.Unroutable, broker.Refused, broker.Unknown}
	want, ends, leave := map[string]broker.Outcome{}, map[string]publishing{}, map[string]func(){}
	for i := range n {
		id := fmt.Sprint(i)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		want[id], leave[id], ends[id] = fates[i%len(fates)], cancel, publishUntil(ctx, p, id)
	}
	var late []func(bool)
	for range n {
		m := peer.Published()
		switch want[m.Key] {
		case broker.Confirmed:
			m.Ack(false)
		case broker.Unroutable:
			m.Return()
			m.Ack(false)
		case broker.Refused:
			m.Nack()
		default:
			leave[m.Key]()
			late = append(late, m.Ack)
		}
	}
	for id, c := range ends {
		c.is(t, id, want[id])
	}
	for _, ack := range late {
		ack(false)
	}
}

// What was delivered in one session is settled in no other: the tags begin anew.
func TestNoTagOfAnEarlierSession(t *testing.T) {
	t.Parallel()
	peer := peer.New(t)
	link := connect(t, peer)
	consume := func(s *broker.Session) (*broker.Subscription, *broker.Delivery) {
		t.Helper()
		sub, err := s.Consume(broker.Consumer{Queue: "q", Tag: "t", Prefetch: 10})
		if err != nil {
			t.Fatal(err)
		}
		peer.Consumed().Deliver("a")
		d, _ := sub.Next(t.Context().Done())
		if d == nil || string(d.Body) != "a" {
			t.Fatalf("delivered %+v", d)
		}
		return sub, d
	}
	first := await(t, link)
	earlier, had := consume(first)
	c := publish(t, broker.NewPublisher(link, 1), "x", time.Minute)
	peer.Published().Conn.Cut()
	c.is(t, "cut", broker.Unknown)
	<-first.Done()
	until(t, "there is another session", func() bool { s, err := link.Session(); return err == nil && s != first })
	now, has := consume(await(t, link))
	if err := had.Ack(); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("the earlier one: %v", err)
	}
	earlier.Close()
	if err := now.Cancel(); err != nil { // answered after whatever was written before
		t.Fatal(err)
	}
	peer.Unsettled()
	if err := has.Ack(); err != nil {
		t.Error(err)
	}
	now.Close()
	if s := peer.Settled(); !s.Ack || s.Tag != 1 {
		t.Errorf("settled %+v", s)
	}
	peer.Unsettled()
}

// A delivery that crosses a cancel on its way is nobody's: the broker has it
// again when the channel closes.
func TestDeliveryAfterCancel(t *testing.T) {
	t.Parallel()
	peer := peer.New(t)
	sub, err := await(t, connect(t, peer)).Consume(broker.Consumer{Queue: "q", Tag: "t", Prefetch: 10})
	if err != nil {
		t.Fatal(err)
	}
	consumer := peer.Consumed()
	consumer.Deliver("in time")
	if err := sub.Cancel(); err != nil {
		t.Fatal(err)
	}
	consumer.Deliver("late")
	d, _ := sub.Next(t.Context().Done())
	if d == nil || string(d.Body) != "in time" {
		t.Fatalf("delivered %+v", d)
	}
	if err := d.Ack(); err != nil {
		t.Error(err)
	}
	if d, alive := sub.Next(t.Context().Done()); d != nil || alive {
		t.Errorf("delivered after a cancel: %+v, alive %t", d, alive)
	}
	sub.Close()
	if s := peer.Settled(); s.Tag != 1 || !s.Ack {
		t.Errorf("settled %+v", s)
	}
	peer.Unsettled()
}
