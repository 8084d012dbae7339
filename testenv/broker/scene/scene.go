// Package scene is what tests of the gateway play on: a vhost of a real broker
// with a gateway's user who has the rights that the documentation lists and no
// other, producers and consumers who speak AMQP as VMs do, and a ledger of what
// was sent and what had its effect.
package scene

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"landbridge.dev/config"
	"landbridge.dev/testenv/broker"
)

// Cluster is the cluster's name in every scene.
const Cluster = "test"

// password is that of every gateway's user.
const password = "gateway's password"

// Rights are those that the gateway needs in a vhost where it consumes the
// queues and publishes to the exchanges that match. docs/queues.md lists them.
func Rights(queues, exchanges string) broker.Rights {
	own := `landbridge\.` + Cluster + `\..*`
	return broker.Rights{
		Configure: "^" + own + "$",
		Write:     `^(` + own + `|amq\.default|` + exchanges + `)$`,
		Read:      `^(` + own + `|` + queues + `)$`,
	}
}

// Scene is a vhost of its own.
type Scene struct {
	TB    testing.TB
	Node  *broker.Node
	Vhost string
	User  string // the gateway's
	MQ    config.MQ
}

// New makes a scene whose gateway may consume orders.* and publish to shop.*.
func New(tb testing.TB, node *broker.Node) *Scene {
	tb.Helper()
	s := &Scene{TB: tb, Node: node, Vhost: fmt.Sprintf("v%d", vhosts.Add(1))}
	s.User = "gateway-" + s.Vhost
	ctx := tb.Context()
	s.MQ = config.MQ{URLs: []string{node.URL()}, CredentialsDir: s.credentials(), ManagementURLs: []string{node.ManagementURL()}}
	s.Must(node.AddVhost(ctx, s.Vhost))
	s.Must(node.AddUser(ctx, s.User, password, "monitoring"))
	s.Must(node.Grant(ctx, s.User, s.Vhost, Rights(`orders\..*`, `shop\..*|amq\.topic`)))
	tb.Cleanup(func() {
		_ = node.RemoveVhost(context.WithoutCancel(ctx), s.Vhost) // the broker may be gone
	})
	return s
}

// At makes a scene at a broker, by its URL, that takes any user and has the default
// vhost alone, as a scripted peer does.
func At(tb testing.TB, url string) *Scene {
	tb.Helper()
	s := &Scene{TB: tb, Vhost: "/", User: "anybody"}
	s.MQ = config.MQ{URLs: []string{url}, CredentialsDir: s.credentials()}
	return s
}

// credentials writes the user's, and returns their folder.
func (s *Scene) credentials() string {
	s.TB.Helper()
	dir := s.TB.TempDir()
	for name, text := range map[string]string{"username": s.User, "password": password} {
		s.Must(os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600))
	}
	return dir
}

var vhosts atomic.Int64 //nolint:gochecknoglobals // names that differ in one broker

// Must ends the test with an error.
func (s *Scene) Must(err error) {
	s.TB.Helper()
	if err != nil {
		s.TB.Fatal(err)
	}
}

// Dial connects as the administrator: as a VM service does.
func (s *Scene) Dial() *amqp.Connection {
	s.TB.Helper()
	c, err := s.dial()
	s.Must(err)
	s.TB.Cleanup(func() { _ = c.CloseDeadline(time.Now().Add(time.Second)) })
	return c
}

func (s *Scene) dial() (*amqp.Connection, error) {
	return amqp.DialConfig(s.Node.URL(), amqp.Config{
		SASL:  []amqp.Authentication{&amqp.PlainAuth{Username: broker.Username, Password: broker.Password}},
		Vhost: s.Vhost, Heartbeat: 2 * time.Second,
	})
}

// Queue makes a quorum queue, with further arguments.
func (s *Scene) Queue(name string, arguments ...string) {
	s.TB.Helper()
	all := map[string]any{"x-queue-type": "quorum"}
	for _, a := range arguments {
		key, value, _ := strings.Cut(a, "=")
		all[key] = value
	}
	s.Must(s.Node.AddQueue(s.TB.Context(), s.Vhost, name, all))
}

// Publish sends messages and waits until the broker has confirmed them.
func (s *Scene) Publish(queue string, messages ...amqp.Publishing) {
	s.TB.Helper()
	c := s.Dial()
	ch, err := c.Channel()
	s.Must(err)
	s.Must(ch.Confirm(false))
	for start := 0; start < len(messages); start += 256 {
		var confirms []*amqp.DeferredConfirmation
		for _, m := range messages[start:min(start+256, len(messages))] {
			if m.DeliveryMode == 0 {
				m.DeliveryMode = amqp.Persistent
			}
			confirm, err := ch.PublishWithDeferredConfirm("", queue, true, false, m)
			s.Must(err)
			confirms = append(confirms, confirm)
		}
		for _, confirm := range confirms {
			if ok, err := confirm.WaitContext(s.TB.Context()); !ok || err != nil {
				s.TB.Fatalf("a message was not confirmed: %v", err)
			}
		}
	}
	s.Must(c.Close())
}

// Count is how many messages a queue has, ready and unacknowledged, by the
// management API.
func (s *Scene) Count(queue string) (ready, unacked int) {
	all, err := s.Node.Queues(s.TB.Context(), s.Vhost)
	if err != nil {
		return -1, -1
	}
	for _, q := range all {
		if q.Name == queue {
			return q.Ready, q.Unacked
		}
	}
	return -1, -1
}

// Drain takes all messages of a queue.
func (s *Scene) Drain(queue string) []amqp.Delivery {
	s.TB.Helper()
	ch, err := s.Dial().Channel()
	s.Must(err)
	var all []amqp.Delivery
	for {
		d, ok, err := ch.Get(queue, true)
		s.Must(err)
		if !ok {
			return all
		}
		all = append(all, d)
	}
}

// Eventually waits until something is so, and fails the test otherwise.
func (s *Scene) Eventually(what string, is func() bool) {
	s.TB.Helper()
	s.Within(30*time.Second, what, is)
}

// Within is Eventually with a time of its own.
func (s *Scene) Within(limit time.Duration, what string, is func() bool) {
	s.TB.Helper()
	ctx, cancel := context.WithTimeout(s.TB.Context(), limit)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.TB.Fatalf("not within %s: %s", limit, what)
		}
	}
}
