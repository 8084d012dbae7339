package broker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"landbridge.dev/testenv/broker"
	"landbridge.dev/testenv/debian"
	"landbridge.dev/testenv/netns"
)

func TestMain(m *testing.M) {
	netns.Main(m, netns.Options{Prepare: func(ctx context.Context) error {
		return debian.Install(ctx, os.Stderr, broker.Package)
	}})
}

// dial logs in as the administrator.
func dial(t *testing.T, n *broker.Node) *amqp.Connection {
	t.Helper()
	c, err := amqp.DialConfig(n.URL(), amqp.Config{SASL: []amqp.Authentication{&amqp.PlainAuth{Username: broker.Username, Password: broker.Password}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseDeadline(time.Now().Add(time.Second)) }) // the broker may be gone
	return c
}

// get waits for a message of a queue. A queue whose leader is not up yet closes
// the channel that asks, or the connection: each try has its own.
func get(t *testing.T, n *broker.Node, queue string) error {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		err := getOnce(t, n, queue)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w; the last try: %w", ctx.Err(), err)
		}
	}
}

func getOnce(t *testing.T, n *broker.Node, queue string) error {
	c := dial(t, n)
	defer func() { _ = c.CloseDeadline(time.Now().Add(time.Second)) }() // the broker may have ended it
	ch, err := c.Channel()
	if err != nil {
		return err
	}
	_, ok, err := ch.Get(queue, true)
	if err == nil && !ok {
		err = errors.New("the queue is empty")
	}
	return err
}

// One node through all that can be done to it: messages outlive its end.
func TestNode(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	n, err := broker.Start(ctx, broker.Options{Dir: t.TempDir(), TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Kill() })
	// A classic queue: of a quorum queue on one node a Get after SIGKILL waits for
	// minutes, also where Settle came before. Consumers do not (testenv/messages).
	if err := n.AddQueue(ctx, "/", "orders", map[string]any{"x-queue-type": "classic"}); err != nil {
		t.Fatal(err)
	}
	if err := n.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	ch, err := dial(t, n).Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	confirm, err := ch.PublishWithDeferredConfirm("", "orders", true, false, amqp.Publishing{DeliveryMode: amqp.Persistent})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := confirm.WaitContext(ctx); !ok || err != nil {
		t.Fatalf("confirmed %t, %v", ok, err)
	}
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := n.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := get(t, n, "orders"); err != nil {
		t.Errorf("after the broker was killed the message is not there: %v", err)
	}
	if closed, err := n.CloseConnections(ctx, "nobody"); closed != 0 || err != nil {
		t.Errorf("closed %d connections of nobody, %v", closed, err)
	}
	if err := n.Stop(ctx); err != nil {
		t.Error(err)
	}
}
