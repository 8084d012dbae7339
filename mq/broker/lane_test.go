package broker_test

import (
	"fmt"
	"testing"
	"time"

	"landbridge.dev/mq/broker"
	"landbridge.dev/testenv/peer"
)

// A letter without an id that goes back, and comes back: it is not taken for one
// that arrived, whatever its headers say of an id.
func TestReturnOfAMessageWithoutId(t *testing.T) {
	t.Parallel()
	peer := peer.New(t)
	p := broker.NewPublisher(connect(t, peer), 1)
	t.Cleanup(p.Close)
	for _, headers := range []map[string]any{nil, {broker.HeaderCopy: ""}, {broker.HeaderCopy: "c"}} {
		c := make(publishing, 1)
		go func() {
			outcome, _ := p.Publish(t.Context(), &broker.Message{Key: "q", Headers: headers}, true)
			c <- outcome
		}()
		m := peer.Published()
		m.Return()
		m.Ack(false)
		c.is(t, fmt.Sprintf("returned, with %v", headers), broker.Unroutable)
	}
}

// A confirm that never comes, as of a queue without a leader: it costs its own
// message alone. Those behind it go by another channel, and its id is free when
// that of its own was closed.
func TestConfirmThatNeverComes(t *testing.T) {
	t.Parallel()
	peer := peer.New(t)
	p := broker.NewPublisher(connect(t, peer), 16)
	p.SetOverdue(100 * time.Millisecond)
	t.Cleanup(p.Close)
	c := publish(t, p, "stuck", 50*time.Millisecond)
	stuck := peer.Published()
	c.is(t, "without a confirm", broker.Unknown)
	again := publish(t, p, "stuck", time.Minute)
	other := publish(t, p, "other", time.Minute)
	for range 2 {
		m := peer.Published()
		if m.Key == "stuck" && m.Channel() == stuck.Channel() {
			t.Error("the id was free before its channel was closed")
		}
		m.Ack(false)
	}
	again.is(t, "the same again", broker.Confirmed)
	other.is(t, "another", broker.Confirmed)
}

// A message that waits for a place, or for another with its id, until its time is
// over was not sent: the broker has nothing to do with it.
func TestBusy(t *testing.T) {
	t.Parallel()
	peer := peer.New(t)
	link := connect(t, peer)
	for what, test := range map[string]struct {
		window int
		id     string
	}{"no place": {1, "other"}, "an id": {2, "stuck"}} {
		p := broker.NewPublisher(link, test.window)
		t.Cleanup(p.Close)
		stuck := publish(t, p, "stuck", time.Minute)
		m := peer.Published()
		publish(t, p, test.id, 50*time.Millisecond).is(t, what, broker.Busy)
		m.Ack(false)
		stuck.is(t, "the one before", broker.Confirmed)
	}
}

// A channel that refuses is given up for another, with nothing lost of what is
// still on its way there; the ones before are closed when there are many.
func TestChannelThatRefuses(t *testing.T) {
	t.Parallel()
	peer := peer.New(t)
	p := broker.NewPublisher(connect(t, peer), 16)
	t.Cleanup(p.Close)
	refuse := func() interface{ Channel() uint16 } {
		c := publish(t, p, "refused", time.Minute)
		m := peer.Published()
		m.Nack()
		c.is(t, "a nack", broker.Refused)
		return m
	}
	if first, second := refuse(), refuse(); first.Channel() != second.Channel() {
		t.Error("a channel was given up at once")
	}
	p.SetWorn(0)
	c := publish(t, p, "on its way", time.Minute)
	before := peer.Published()
	for range 30 {
		refuse()
	}
	after := publish(t, p, "after", time.Minute)
	m := peer.Published()
	if m.Channel() == before.Channel() {
		t.Error("a channel that refuses was not given up")
	}
	m.Ack(false)
	after.is(t, "after them", broker.Confirmed)
	c.is(t, "whose channel was closed long after", broker.Unknown)
}
