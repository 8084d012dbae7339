package broker

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Right is what a user may do with a thing of the broker.
type Right uint8

// What there is to know.
const (
	// Denied is that he may not.
	Denied Right = iota
	// Allowed is that he may, and that the thing is there.
	Allowed
	// AllowedMissing is that he may, and that there is no such thing.
	AllowedMissing
)

// The rights are tried with calls that cannot succeed: a broker looks at the
// user's rights first, then for the thing, and only then at what is wrong with
// the call (rabbit_channel.erl of 3.10). So nothing is changed, taken or sent.

// Open opens a single session, which lasts until close. For what has to last,
// there is Link.
func (d *Dialer) Open(ctx context.Context, vhost, role string) (s *Session, closes func(), err error) {
	conn, err := d.dial(ctx, vhost, role)
	if err != nil {
		return nil, nil, err
	}
	s = newSession(conn, 1)
	return s, s.close, nil
}

// Version is the broker's, as it says itself.
func (s *Session) Version() string {
	product, _ := s.conn.Properties["product"].(string)
	version, _ := s.conn.Properties["version"].(string)
	return product + " " + version
}

// MayConsume tries the right to read a queue.
func (s *Session) MayConsume(queue string) (Right, error) {
	return right(s.scratch(func(ch *amqp.Channel) error {
		_, err := ch.Consume(queue, "", false, false, false, false, amqp.Table{"x-priority": "not a number"})
		return err
	}))
}

// MayDeclare tries the right to configure a queue.
func (s *Session) MayDeclare(queue string) (Right, error) {
	return right(s.scratch(func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-max-length": "not a number"})
		return err
	}))
}

// MayPublish tries the right to write to an exchange; "" is the default one.
func (s *Session) MayPublish(exchange string) (Right, error) {
	return right(s.scratch(func(ch *amqp.Channel) error {
		closed := ch.NotifyClose(make(chan *amqp.Error, 1))
		err := ch.PublishWithContext(context.Background(), exchange, "landbridge check", false, false, amqp.Publishing{
			Expiration: "not a number", Headers: amqp.Table{"CC": "not a list"},
		})
		if err != nil {
			return err
		}
		select {
		case e := <-closed:
			if e != nil {
				return e
			}
		case <-time.After(handshake):
		}
		return ErrClosed
	}))
}

// right reads a refusal.
func right(err error) (Right, error) {
	switch Code(err) {
	case CodeRefused:
		return Denied, nil
	case CodeNotFound:
		return AllowedMissing, nil
	case amqp.PreconditionFailed:
		return Allowed, nil
	}
	if err == nil {
		return Denied, errors.New("a call that cannot succeed has")
	}
	return Denied, err
}
