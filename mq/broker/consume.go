package broker

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"
)

// MostPrefetch is the most that is asked for: the library makes 0, which is no
// limit, of 65536.
const MostPrefetch = 65535

// errWindow is a prefetch that would be no limit at all.
var errWindow = fmt.Errorf("a prefetch must be 1 to %d", MostPrefetch)

// Consumer says how a queue is consumed.
type Consumer struct {
	Queue string
	// Tag names the consumer, in the connection uniquely, at most
	// ShortString bytes.
	Tag string
	// Prefetch is how many messages the broker gives before any of them is
	// settled.
	Prefetch int
	// Priority is the consumer's: those with a higher one are served first.
	Priority int
}

// Subscription is a consumer on a channel of its own.
type Subscription struct {
	session   *Session
	ch        *amqp.Channel
	tag       string
	messages  <-chan amqp.Delivery
	acker     *acker
	parted    sync.Once
	closed    chan *amqp.Error
	cancelled chan string
	given     atomic.Uint64
}

// Consume subscribes to a queue. A queue that is missing or forbidden is an
// Error with its code, and costs nothing but the new channel.
func (s *Session) Consume(c Consumer) (*Subscription, error) {
	if c.Prefetch < 1 || c.Prefetch > MostPrefetch {
		return nil, errWindow
	}
	sub, err := s.subscription(c.Tag, c.Prefetch)
	if err != nil {
		return nil, err
	}
	var arguments amqp.Table
	if c.Priority != 0 {
		arguments = amqp.Table{"x-priority": int32(c.Priority)}
	}
	err = sub.ch.Qos(c.Prefetch, 0, false)
	if err == nil {
		sub.messages, err = sub.ch.Consume(c.Queue, c.Tag, false, false, false, false, arguments)
	}
	if err != nil {
		sub.Close()
		return nil, plain(err)
	}
	return sub, nil
}

// subscription is one without messages yet, on a new channel.
func (s *Session) subscription(tag string, prefetch int) (*Subscription, error) {
	ch, err := s.channel()
	if err != nil {
		return nil, err
	}
	sub := &Subscription{session: s, ch: ch, tag: tag, acker: newAcker(ch, prefetch)}
	go sub.acker.run() // until Close
	sub.closed = ch.NotifyClose(make(chan *amqp.Error, 1))
	sub.cancelled = ch.NotifyCancel(make(chan string, 1))
	return sub, nil
}

// Next waits for a message, or for stop. It is nil and true when stop came, nil
// and false when there will be no further message: Err says why.
func (s *Subscription) Next(stop <-chan struct{}) (d *Delivery, ok bool) {
	select {
	case m, open := <-s.messages:
		if !open {
			return nil, false
		}
		d = newDelivery(&m)
		d.acker = s.acker
		s.given.Add(1)
		return d, true
	case <-stop:
		return nil, true
	}
}

// Counts says how many messages the subscription has given, and how many of them
// are settled.
func (s *Subscription) Counts() (given, settled uint64) {
	settled = s.acker.count() // first: it is never the larger
	return s.given.Load(), settled
}

// ErrCancelled is a queue that was deleted, or moved away from its consumers.
var ErrCancelled = errors.New("the broker has cancelled the consumer: the queue was deleted or has moved")

// Err is why there are no further messages; nil after Cancel.
func (s *Subscription) Err() error {
	select {
	case e, ok := <-s.closed:
		if ok && e != nil {
			return plain(e)
		}
		return ErrClosed
	case <-s.cancelled:
		return ErrCancelled
	default:
		return nil
	}
}

// Cancel asks for no further messages. Those that are here already come from
// Next still; what was delivered may be settled until Close.
func (s *Subscription) Cancel() error {
	if s.ch.IsClosed() {
		return ErrClosed // a cancel on it would cost the connection
	}
	return plain(s.ch.Cancel(s.tag, false))
}

// Session is the one that the subscription is of.
func (s *Subscription) Session() *Session { return s.session }

// Close closes the channel: the broker gives what was not settled to others.
func (s *Subscription) Close() { s.parted.Do(s.close) }

func (s *Subscription) close() {
	s.acker.close()
	part(s.ch)
}
