package messages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"landbridge.dev/testenv/broker"
)

// dial connects as the administrator, with a channel.
func dial(url string) (*amqp.Connection, *amqp.Channel, error) {
	c, err := amqp.DialConfig(url, amqp.Config{SASL: []amqp.Authentication{&amqp.PlainAuth{Username: broker.Username, Password: broker.Password}}})
	if err != nil {
		return nil, nil, fmt.Errorf("broker %s: %w", url, err)
	}
	ch, err := c.Channel()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("broker %s: %w", url, err), c.Close())
	}
	return c, ch, nil
}

// Consume consumes a queue as a service on a VM does: it writes the id of each
// message that it has worked off on a line, and then acknowledges it. When ctx
// ends it takes nothing more, and finishes what it has.
func Consume(ctx context.Context, url, queue string, out io.Writer) error {
	c, ch, err := dial(url)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := ch.Qos(8, 0, false); err != nil {
		return fmt.Errorf("queue %s: %w", queue, err)
	}
	deliveries, err := ch.Consume(queue, "vm", false, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("queue %s: %w", queue, err)
	}
	told := ctx.Done()
	for {
		select {
		case d, open := <-deliveries:
			if !open && told == nil {
				return nil // all that it had is done
			}
			if !open {
				return errors.New("the broker has ended the consumer")
			}
			fmt.Fprintln(out, d.MessageId)
			if err := d.Ack(false); err != nil {
				return fmt.Errorf("message %s: %w", d.MessageId, err)
			}
		case <-told:
			told = nil
			if err := ch.Cancel("vm", false); err != nil {
				return fmt.Errorf("queue %s: %w", queue, err)
			}
		}
	}
}

// Produce sends a message after the other to a queue until ctx ends, with a
// pause between, and waits for the broker to confirm each.
func Produce(ctx context.Context, url, queue string, pause time.Duration, l *Ledger) error {
	c, ch, err := dial(url)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := ch.Confirm(false); err != nil {
		return fmt.Errorf("queue %s: %w", queue, err)
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for i := 0; ctx.Err() == nil; i++ {
		if err := produce(ch, queue, fmt.Sprintf("order-%d", i), l); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil
}

func produce(ch *amqp.Channel, queue, id string, l *Ledger) error {
	l.Sending(id)
	confirm, err := ch.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{
		MessageId: id, DeliveryMode: amqp.Persistent, Body: []byte(Body(id)),
	})
	if err != nil {
		return fmt.Errorf("message %s: %w", id, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if ok, err := confirm.WaitContext(ctx); err != nil || !ok {
		return fmt.Errorf("message %s was not confirmed: %w", id, err)
	}
	l.Taken(id)
	return nil
}
