package broker

import (
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Inbox is a queue of ours that others may write to: what is in it may be
// dropped, the oldest first, because its senders say it again.
type Inbox struct {
	// Name is that of a topic exchange and of the queue that is bound to it.
	Name string
	// Keep is how long a message waits for a reader.
	Keep time.Duration
	// Bytes is how much may wait.
	Bytes int64
}

// DeclareInbox declares the exchange and the queue. One reader at a time gets
// its messages, the others wait for it to go.
func (s *Session) DeclareInbox(i Inbox) error {
	err := s.scratch(func(ch *amqp.Channel) error {
		if err := ch.ExchangeDeclare(i.Name, amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
			return err
		}
		_, err := ch.QueueDeclare(i.Name, true, false, false, false, amqp.Table{
			"x-queue-type": "quorum", "x-single-active-consumer": true, "x-message-ttl": i.Keep.Milliseconds(),
			"x-max-length-bytes": i.Bytes, "x-overflow": "drop-head",
		})
		if err != nil {
			return err
		}
		return ch.QueueBind(i.Name, "#", i.Name, false, nil)
	})
	if err != nil {
		return fmt.Errorf("exchange and queue %s: %w", i.Name, err)
	}
	return nil
}

// DeclareTopic declares a topic exchange.
func (s *Session) DeclareTopic(name string) error {
	err := s.scratch(func(ch *amqp.Channel) error {
		return ch.ExchangeDeclare(name, amqp.ExchangeTopic, true, false, false, false, nil)
	})
	if err != nil {
		return fmt.Errorf("exchange %s: %w", name, err)
	}
	return nil
}

// mostUnread is how much waits in a Listen's queue, in bytes.
const mostUnread = 16 << 20

// Listen subscribes to what is published to an exchange with these keys from
// now on, by a queue of its own that goes with it. Its deliveries are to be
// acknowledged as others are: at most listenAhead are on their way without.
func (s *Session) Listen(exchange, tag string, keys ...string) (*Subscription, error) {
	sub, err := s.subscription(tag, listenAhead)
	if err != nil {
		return nil, err
	}
	ch := sub.ch
	q, err := ch.QueueDeclare("", false, true, true, false, amqp.Table{"x-max-length-bytes": int64(mostUnread)})
	for _, key := range keys {
		if err == nil {
			err = ch.QueueBind(q.Name, key, exchange, false, nil)
		}
	}
	if err == nil {
		err = ch.Qos(listenAhead, 0, false)
	}
	if err == nil {
		sub.messages, err = ch.Consume(q.Name, tag, false, true, false, false, nil)
	}
	if err != nil {
		sub.Close()
		return nil, fmt.Errorf("listening to exchange %s: %w", exchange, plain(err))
	}
	return sub, nil
}

// listenAhead is how many messages of a Listen are on their way at a time.
const listenAhead = 64
