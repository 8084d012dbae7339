package broker

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Outcome is what became of a message that was to be published.
type Outcome uint8

// The outcomes.
const (
	// Unknown may have arrived or not: the confirm did not come in time, or
	// the channel closed before.
	Unknown Outcome = iota
	// Confirmed is in every queue that it was routed to, and there is one.
	Confirmed
	// Unroutable went to no queue.
	Unroutable
	// Refused was not taken: a queue is full, for instance.
	Refused
	// Blocked was not sent: the broker takes no messages now.
	Blocked
	// Down was not sent: there is no connection.
	Down
	// Busy was not sent: as many as may be are on their way, or another with
	// its id is.
	Busy
)

// String is the outcome as metrics have it.
func (o Outcome) String() string {
	return [...]string{"unknown", "confirmed", "unroutable", "refused", "blocked", "down", "busy"}[o]
}

// Publisher publishes over a channel of its own, of a link. The channel is
// opened at the first message, and again when it was closed or is of no use any
// more. It is safe for concurrent use.
type Publisher struct {
	link    *Link
	window  chan struct{}             // one for each message in flight
	prepare func(*amqp.Channel) error // a channel that was opened; nil for nothing
	overdue time.Duration
	worn    time.Duration
	owed    atomic.Int32 // words of the broker that nobody waits for any more

	mu      sync.Mutex
	lane    *lane
	retired []*lane                  // in the order in which they were
	ids     map[string]chan struct{} // in flight: of one id, one at a time
}

// NewPublisher makes a publisher that has at most so many messages in flight.
func NewPublisher(link *Link, window int) *Publisher {
	return &Publisher{link: link, window: make(chan struct{}, window), overdue: overdue, worn: worn, ids: map[string]chan struct{}{}}
}

// Publish sends a message and waits for the broker's word, or the end of ctx.
// With mandatory, what is routed to no queue is Unroutable; without it is
// Confirmed. The error says more of an outcome that is not Confirmed.
func (p *Publisher) Publish(ctx context.Context, m *Message, mandatory bool) (Outcome, error) {
	select {
	case p.window <- struct{}{}:
		defer func() { <-p.window }()
	case <-ctx.Done():
		return Busy, context.Cause(ctx)
	}
	pending, outcome, err := p.send(ctx, m, mandatory)
	if pending == nil {
		return outcome, err
	}
	return pending.wait(ctx)
}

// Pending is a message on its way.
type pending struct {
	p       *Publisher
	lane    *lane
	id      string
	confirm *amqp.DeferredConfirmation
	turn    chan struct{}
}

// send writes a message.
func (p *Publisher) send(ctx context.Context, m *Message, mandatory bool) (*pending, Outcome, error) {
	l, outcome, err := p.open()
	if err != nil {
		return nil, outcome, err
	}
	out := m.publishing()
	id := idOf(m.ID, m.Headers)
	var turn chan struct{}
	if mandatory {
		if id == "" {
			out.MessageId = rand.Text()
			id = out.MessageId
		}
		if turn, err = p.take(ctx, id); err != nil {
			return nil, Busy, err
		}
		if l.ch.IsClosed() { // by which the id may have become free
			if l, outcome, err = p.open(); err != nil {
				p.give(id, turn)
				return nil, outcome, err
			}
		}
	}
	confirm, err := l.ch.PublishWithDeferredConfirmWithContext(ctx, m.Exchange, m.Key, mandatory, false, out)
	if err != nil {
		p.give(id, turn)
		if err == amqp.ErrClosed { //nolint:errorlint // the library's own value: nothing was written
			return nil, Down, ErrDown
		}
		return nil, Unknown, plain(err)
	}
	return &pending{p: p, lane: l, id: id, confirm: confirm, turn: turn}, 0, nil
}

// idOf is the id by which a message that comes back is known again.
func idOf(id string, headers map[string]any) string {
	if copied, ok := headers[HeaderCopy].(string); ok && copied != "" {
		return copied
	}
	return id
}

// wait waits for the broker's word.
func (d *pending) wait(ctx context.Context) (Outcome, error) {
	select {
	case <-d.confirm.Done():
	case <-ctx.Done():
		d.p.owed.Add(1)
		go d.outlive()
		return Unknown, context.Cause(ctx)
	}
	return d.settle()
}

// overdue is how long the broker may owe its word after nobody waits for it any
// more. It owes it for as long as a queue has no leader.
const overdue = 30 * time.Second

// outlive waits for the broker's word when nobody else does. The id stays taken
// until it comes: a return that comes late is not that of the next message with
// this id. Where it does not come, further messages take another channel, and
// when those that are on their way have had their time, too, this one is closed:
// then nobody knows, and the id is free. A Caller's is kept until its session
// ends: the answers to other questions come on it.
func (d *pending) outlive() {
	defer func() {
		_, _ = d.settle()
		d.p.owed.Add(-1)
	}()
	if d.p.prepare != nil {
		<-d.confirm.Done()
		return
	}
	for _, late := range []func(){func() { d.p.retire(d.lane) }, d.lane.close} {
		timer := time.NewTimer(d.p.overdue)
		select {
		case <-d.confirm.Done():
			timer.Stop()
			return
		case <-timer.C:
			late()
		}
	}
	<-d.confirm.Done() // at the latest when the session ends
}

// settle reads the broker's word, once it is there.
func (d *pending) settle() (Outcome, error) {
	defer d.p.give(d.id, d.turn)
	switch {
	case d.confirm.Acked() && d.turn != nil && d.lane.wasReturned(d.id):
		return Unroutable, &Error{Code: amqp.NoRoute, Text: "no queue is bound there"}
	case d.confirm.Acked():
		return Confirmed, nil
	case d.lane.ch.IsClosed():
		return Unknown, ErrClosed
	}
	if time.Since(d.lane.opened) > d.p.worn {
		d.p.retire(d.lane)
	}
	return Refused, &Error{Code: amqp.ResourceError, Text: "a queue did not take the message; it may be full"}
}

// take waits until no other message with this id is in flight: a return tells
// no more than the id.
func (p *Publisher) take(ctx context.Context, id string) (chan struct{}, error) {
	turn := make(chan struct{})
	for {
		p.mu.Lock()
		other := p.ids[id]
		if other == nil {
			p.ids[id] = turn
			p.mu.Unlock()
			return turn, nil
		}
		p.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (p *Publisher) give(id string, turn chan struct{}) {
	if turn == nil {
		return
	}
	p.mu.Lock()
	delete(p.ids, id)
	p.mu.Unlock()
	close(turn)
}

// Close closes the publisher's channel. What is in flight becomes Unknown.
func (p *Publisher) Close() {
	p.mu.Lock()
	all := p.retired
	if p.lane != nil {
		all = append(all, p.lane)
	}
	p.lane, p.retired = nil, nil
	p.mu.Unlock()
	for _, l := range all {
		l.close()
	}
}

// Sent is a message on its way. Wait has to be called.
type Sent struct {
	publisher *Publisher
	pending   *pending // nil: nobody knows whether it was sent
	err       error
}

// Start sends a message, mandatory. An error is one that was not sent: there is
// no place in the window, or no channel, and Publish says which.
func (p *Publisher) Start(ctx context.Context, m *Message) (*Sent, error) {
	select {
	case p.window <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	pending, outcome, err := p.send(ctx, m, true)
	if pending == nil && outcome != Unknown {
		<-p.window
		return nil, err
	}
	return &Sent{p, pending, err}, nil
}

// Done is closed when the broker's word is there; nil where there will be none.
func (s *Sent) Done() <-chan struct{} {
	if s.pending == nil {
		return nil
	}
	return s.pending.confirm.Done()
}

// Wait waits for the broker's word, until a time.
func (s *Sent) Wait(ctx context.Context, until time.Time) (Outcome, error) {
	defer func() { <-s.publisher.window }()
	if s.pending == nil {
		return Unknown, s.err
	}
	select {
	case <-s.pending.confirm.Done(): // mostly, when many are on their way
		return s.pending.settle()
	default:
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	return s.pending.wait(ctx)
}
