package world

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"landbridge.dev/testenv/broker"
)

// BrokerUser is the gateways' user on the broker; name and password are in
// $DIR/mq.
const (
	BrokerUser     = "landbridge"
	brokerPassword = "battery staple"
)

// StartBroker starts the world's broker, with a user for gateways who has the
// rights that the documentation lists: to consume orders.* and bills, and to
// publish to the exchanges shop.*.
func (w *World) StartBroker(ctx context.Context) (*broker.Node, error) {
	if w.broker != nil {
		return w.broker, nil
	}
	if err := errors.Join(os.MkdirAll(w.path("broker"), 0o700), os.MkdirAll(w.path("mq"), 0o755)); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{"mq/username": BrokerUser, "mq/password": brokerPassword} {
		if err := os.WriteFile(w.path(name), []byte(text+"\n"), 0o644); err != nil {
			return nil, err
		}
	}
	n, err := broker.Start(ctx, broker.Options{Dir: w.path("broker"), Address: w.Addresses.Broker().String(), Port: 5672, ManagementPort: 15672})
	if err != nil {
		return nil, err
	}
	w.broker = n
	own := `landbridge\.` + w.cluster + `\..*`
	return n, errors.Join(
		n.AddUser(ctx, BrokerUser, brokerPassword, "monitoring"),
		n.Grant(ctx, BrokerUser, "/", broker.Rights{
			Configure: "^" + own + "$", Write: `^(` + own + `|amq\.default|shop\..*)$`, Read: `^(` + own + `|orders\..*|bills)$`,
		}),
	)
}

// Broker is the world's broker, once it was started.
func (w *World) Broker() (*broker.Node, error) {
	if w.broker == nil {
		return nil, errors.New("the broker was not started")
	}
	return w.broker, nil
}

// DialBroker connects as a VM does.
func (w *World) DialBroker() (*amqp.Connection, error) {
	n, err := w.Broker()
	if err != nil {
		return nil, err
	}
	return amqp.DialConfig(n.URL(), amqp.Config{
		SASL:      []amqp.Authentication{&amqp.PlainAuth{Username: broker.Username, Password: broker.Password}},
		Heartbeat: 5 * time.Second,
	})
}

// ahead is how many messages a consumer of the world has at a time.
const ahead = 5

// HoldQueue consumes a queue of the broker from an address of the world, and
// acknowledges nothing: what it has shows as unacknowledged. LeaveQueue ends it.
func (w *World) HoldQueue(queue, address string) error {
	n, err := w.Broker()
	if err != nil {
		return err
	}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 10 * time.Second}
	c, err := amqp.DialConfig(n.URL(), amqp.Config{
		SASL: []amqp.Authentication{&amqp.PlainAuth{Username: broker.Username, Password: broker.Password}}, Heartbeat: 5 * time.Second,
		Dial: dialer.Dial,
	})
	if err != nil {
		return err
	}
	ch, err := c.Channel()
	if err == nil {
		err = ch.Qos(ahead, 0, false)
	}
	if err == nil {
		_, err = ch.Consume(queue, "", false, false, false, false, nil)
	}
	if err != nil {
		return errors.Join(err, c.Close())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.consumers[address] = c
	return nil
}

// LeaveQueue ends what HoldQueue began: what it had goes back.
func (w *World) LeaveQueue(address string) error {
	w.mu.Lock()
	c := w.consumers[address]
	delete(w.consumers, address)
	w.mu.Unlock()
	if c == nil {
		return fmt.Errorf("nobody consumes from %s", address)
	}
	return c.Close()
}

// SendMessages publishes n messages to a queue, with the ids PREFIX-0 and up,
// and waits until the broker has confirmed each.
func (w *World) SendMessages(ctx context.Context, queue, prefix string, n int) error {
	c, err := w.DialBroker()
	if err != nil {
		return err
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	var confirms []*amqp.DeferredConfirmation
	for i := range n {
		confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", queue, true, false, amqp.Publishing{
			MessageId: fmt.Sprintf("%s-%d", prefix, i), DeliveryMode: amqp.Persistent, Timestamp: time.Now(), Body: []byte(prefix),
		})
		if err != nil {
			return err
		}
		confirms = append(confirms, confirm)
	}
	for _, confirm := range confirms {
		if ok, err := confirm.WaitContext(ctx); !ok || err != nil {
			return fmt.Errorf("a message was not confirmed: %w", err)
		}
	}
	return nil
}

// VMPassword is that of the VMs' users on the world's broker.
const VMPassword = "correct horse"

// AddVMUser makes a user of the broker for VMs, with the rights that docs/vms.md
// lists and no other, and its credentials in $DIR/NAME.
func (w *World) AddVMUser(ctx context.Context, name string) error {
	n, err := w.Broker()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(w.path(name), 0o755); err != nil {
		return err
	}
	for file, text := range map[string]string{"username": name, "password": VMPassword} {
		if err := os.WriteFile(filepath.Join(w.path(name), file), []byte(text+"\n"), 0o644); err != nil {
			return err
		}
	}
	return errors.Join(n.AddUser(ctx, name, VMPassword, ""), n.Grant(ctx, name, "/", broker.VMRights(w.cluster)))
}

// StartAgent starts a landbridge agent in the background, with a configuration
// file of the world's folder.
func (w *World) StartAgent(name, file string) (*Controller, error) {
	return w.launch(name, "", []string{"agent", "--config", w.path(file)})
}

// StartGateway starts a landbridge gateway in the background, like a
// controller.
func (w *World) StartGateway(name string, flags ...string) (*Controller, error) {
	return w.launch(name, w.gatewaycfg, append([]string{"gateway"}, flags...))
}
