package broker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strconv"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// directReplyTo is the queue that is none: answers come on the channel that the
// question went out on (RabbitMQ's direct reply-to).
const directReplyTo = "amq.rabbitmq.reply-to"

// Caller asks questions and gets the answers, over a channel of its own. It is
// safe for concurrent use.
type Caller struct {
	publisher *Publisher
	most      int    // questions that wait at a time; 0: as many as come
	late      func() // an answer came that nobody waits for

	mu      sync.Mutex
	waiting map[string]chan *Delivery // by correlation id; closed where no answer can come any more
}

// NewCaller makes a caller with at most window questions on their way to the
// broker at a time, and most that wait for their answers, or for the broker to
// confirm them: it does not while a queue has no leader. 0 is no limit. late, which
// may be nil, is told of answers that come too late.
func NewCaller(link *Link, window, most int, late func()) *Caller {
	c := &Caller{publisher: NewPublisher(link, window), most: most, late: late, waiting: map[string]chan *Delivery{}}
	c.publisher.prepare = c.listen
	return c
}

// ErrLost is a question whose channel closed before the answer came. It may
// have had its effect.
var ErrLost = errors.New("the connection was lost before the answer came")

// ErrBusy is a question too many: it was not asked.
var ErrBusy = errors.New("too many questions wait for their answers")

// Call asks a question, and waits for the answer until ctx ends. With an answer
// the outcome is Confirmed; Confirmed without one is a question that was taken,
// and not answered in time or ErrLost. Busy with ErrBusy is one that may be asked
// again when others have ended.
func (c *Caller) Call(ctx context.Context, m *Message) (*Delivery, Outcome, error) {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	m.CorrelationID, m.ReplyTo = hex.EncodeToString(id), directReplyTo
	if deadline, ok := ctx.Deadline(); ok { // a question that nobody waits for any more is not to be answered
		m.Expiration = strconv.FormatInt(max(1, time.Until(deadline).Milliseconds()), 10)
	}
	answer := make(chan *Delivery, 1)
	c.mu.Lock()
	if c.most > 0 && len(c.waiting)+int(c.publisher.owed.Load()) >= c.most {
		c.mu.Unlock()
		return nil, Busy, ErrBusy
	}
	c.waiting[m.CorrelationID] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waiting, m.CorrelationID)
	}()
	if outcome, err := c.publisher.Publish(ctx, m, true); outcome != Confirmed {
		return nil, outcome, err
	}
	select {
	case d := <-answer:
		if d == nil {
			return nil, Confirmed, ErrLost
		}
		return d, Confirmed, nil
	case <-ctx.Done():
		return nil, Confirmed, context.Cause(ctx)
	}
}

// listen takes the answers of a channel. Those who asked on one that closes
// get none: c.publisher opens the next only after it has.
func (c *Caller) listen(ch *amqp.Channel) error {
	answers, err := ch.Consume(directReplyTo, "", true, false, false, false, nil)
	if err != nil {
		return err
	}
	go func() {
		for d := range answers {
			c.mu.Lock()
			answer := c.waiting[d.CorrelationId]
			delete(c.waiting, d.CorrelationId)
			c.mu.Unlock()
			switch {
			case answer != nil:
				answer <- newDelivery(&d)
			case c.late != nil:
				c.late()
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for id, answer := range c.waiting {
			close(answer)
			delete(c.waiting, id)
		}
	}()
	return nil
}

// Close closes the channel.
func (c *Caller) Close() { c.publisher.Close() }
