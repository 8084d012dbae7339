package broker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Names are what one cluster calls the things that it declares. All of them
// begin with "landbridge.<cluster>.": the gateway's user needs no right to
// configure anything else.
type Names struct{ Cluster string }

// Prefix is what all names begin with.
func (n Names) Prefix() string { return "landbridge." + n.Cluster + "." }

// Retry is the exchange and the queue of a delay.
func (n Names) Retry(delay time.Duration) string {
	return n.Prefix() + "retry." + strconv.FormatInt(delay.Milliseconds(), 10)
}

// Dead is the queue of the dead letters of a queue.
func (n Names) Dead(queue string) string { return n.bounded("dead." + queue) }

// Lock is the queue whose owner alone may consume a queue in order.
func (n Names) Lock(queue string) string { return n.bounded("lock." + queue) }

// bounded is a name with our prefix that is not longer than a name may be: the
// end of a longer one is a hash.
func (n Names) bounded(name string) string {
	name = n.Prefix() + name
	if len(name) <= ShortString {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	hash := hex.EncodeToString(sum[:8])
	return name[:ShortString-len(hash)-1] + "." + hash
}

// DeclareRetry declares the delay of a retry: a quorum queue whose messages go
// back, when their time is up, to the queue that their routing key names; and
// the fanout exchange that feeds it whatever the key. One delay is one queue:
// of different delays in one queue the longest would hold up the others.
func (s *Session) DeclareRetry(n Names, delay time.Duration) error {
	name := n.Retry(delay)
	err := s.scratch(func(ch *amqp.Channel) error {
		if err := ch.ExchangeDeclare(name, amqp.ExchangeFanout, true, false, false, false, nil); err != nil {
			return err
		}
		_, err := ch.QueueDeclare(name, true, false, false, false, amqp.Table{
			"x-queue-type": "quorum", "x-message-ttl": delay.Milliseconds(),
			"x-dead-letter-exchange": "", "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
		})
		if err != nil {
			return err
		}
		return ch.QueueBind(name, "", name, false, nil)
	})
	if err != nil {
		return fmt.Errorf("retry queue %s: %w", name, err)
	}
	return nil
}

// DeclareDead declares the queue of a queue's dead letters.
func (s *Session) DeclareDead(n Names, queue string) error {
	name := n.Dead(queue)
	err := s.scratch(func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(name, true, false, false, false, amqp.Table{"x-queue-type": "quorum", "x-overflow": "reject-publish"})
		return err
	})
	if err != nil {
		return fmt.Errorf("dead-letter queue %s: %w", name, err)
	}
	return nil
}

// Lock takes the lock of a queue: one connection at a time can have it, and has
// it until it ends. Code of the error is CodeLocked where another has it.
func (s *Session) Lock(n Names, queue string) error {
	return s.scratch(func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(n.Lock(queue), false, false, true, false, nil)
		return err
	})
}

// Unlock gives the lock of a queue back.
func (s *Session) Unlock(n Names, queue string) error {
	return s.scratch(func(ch *amqp.Channel) error {
		_, err := ch.QueueDelete(n.Lock(queue), false, false, false)
		return err
	})
}

// Queue looks a queue up, without declaring it. ready is how many messages it
// had; a quorum queue whose leader is slow says 0 (rabbit_quorum_queue.erl), so
// that 0 proves nothing.
func (s *Session) Queue(queue string) (ready int, err error) {
	err = s.scratch(func(ch *amqp.Channel) error {
		q, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
		ready = q.Messages
		return err
	})
	return ready, err
}

// slowStat is how long the leader of a quorum queue may take for its counts: the
// broker says 0 and 0 instead after 250 ms (rabbit_quorum_queue.erl).
const slowStat = 200 * time.Millisecond

// Deserted says that a queue has no consumer, not even one that has gone and that
// the queue has not noticed yet: that of a quorum queue counts until what it was
// given is the queue's again. False may also be that it is not known.
func (s *Session) Deserted(queue string) (is bool, err error) {
	err = s.scratch(func(ch *amqp.Channel) error {
		began := time.Now()
		q, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
		is = q.Consumers == 0 && (q.Messages > 0 || time.Since(began) < slowStat)
		return err
	})
	return is && err == nil, err
}

// Exchange looks an exchange up, without declaring it.
func (s *Session) Exchange(exchange string) error {
	return s.scratch(func(ch *amqp.Channel) error {
		return ch.ExchangeDeclarePassive(exchange, amqp.ExchangeDirect, false, false, false, false, nil)
	})
}

// Getter takes single messages of a queue, over a channel of its own. It is
// for one caller at a time.
type Getter struct{ ch *amqp.Channel }

// Getter opens one.
func (s *Session) Getter() (*Getter, error) {
	ch, err := s.channel()
	if err != nil {
		return nil, err
	}
	return &Getter{ch}, nil
}

// Get takes a message; nil where there is none.
func (g *Getter) Get(ctx context.Context, queue string) (*Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d, ok, err := g.ch.Get(queue, false)
	if err != nil || !ok {
		return nil, plain(err)
	}
	return newDelivery(&d), nil
}

// Close closes the channel: what was not settled goes back to the queue.
func (g *Getter) Close() {
	if !g.ch.IsClosed() {
		_ = g.ch.Close() // it may close by itself meanwhile
	}
}
