package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"landbridge.dev/mq/announce"
	mqbroker "landbridge.dev/mq/broker"
	"landbridge.dev/mq/protocol"
	"landbridge.dev/mq/registry"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/broker"
	"landbridge.dev/testenv/broker/scene"
)

// node is the broker of all tests here; each has a vhost of its own.
var node *broker.Node

func TestMain(m *testing.M) {
	scene.Main(m, broker.Options{}, func(n *broker.Node) { node = n }, "python3-pika")
}

// password is that of every VM's user.
const password = "a VM's password"

// office is a registry and announcements on a broker, with a leader.
type office struct {
	*scene.Scene
	registry *registry.Server
	announce *announce.Server
	hub      *mqbroker.Hub
	term     int64

	mu      sync.Mutex
	changes int // of VMs that the registry told of
	resign  func()
}

// open opens an office that takes VMs of shop/orders, with the users orders-vm,
// till-vm and mallory on the broker.
func open(t testing.TB) *office {
	t.Helper()
	s := scene.New(t, node)
	log := zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel))
	hub := mqbroker.NewHub(mqbroker.NewDialer(s.MQ, "landbridge test"), log, nil)
	o := &office{Scene: s, hub: hub}
	o.registry = registry.New(registry.Options{
		Hub: hub, Cluster: scene.Cluster, Vhost: s.Vhost, Belongs: belongs, Log: log,
		Changed: func(state.Ref) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.changes++
		},
	})
	o.announce = announce.New(announce.Options{Hub: hub, Cluster: scene.Cluster, Vhost: s.Vhost, Log: log})
	for _, user := range []string{"orders-vm", "till-vm", "mallory"} {
		name := user + "-" + s.Vhost
		s.Must(node.AddUser(t.Context(), name, password, ""))
		s.Must(node.Grant(t.Context(), name, s.Vhost, broker.VMRights(scene.Cluster)))
	}
	o.registry.Offer(shop, o.offer())
	links, unlink := context.WithCancel(context.WithoutCancel(t.Context()))
	var linking sync.WaitGroup
	linking.Go(func() { _ = hub.Run(links) })
	o.lead(nil)
	t.Cleanup(func() {
		o.resign()
		unlink()
		linking.Wait()
	})
	return o
}

// offer is that of the tables, with the users of this vhost.
func (o *office) offer() *state.Registry {
	r := offer()
	for i, g := range r.Grants {
		r.Grants[i].Users = []string{g.Users[0] + "-" + o.Vhost}
	}
	return r
}

// lead begins a term, with the VMs that stand.
func (o *office) lead(standing map[state.Ref][]state.VM) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(o.TB.Context()))
	o.term++
	term := o.term
	var working sync.WaitGroup
	working.Go(func() { o.registry.Lead(ctx, standing) })
	working.Go(func() { o.announce.Lead(ctx, term) })
	o.resign = func() {
		cancel()
		working.Wait()
	}
}

// vms are the registered ones by how they stand.
func (o *office) vms() map[string]state.VMCondition {
	found := map[string]state.VMCondition{}
	vms, _ := o.registry.Registered(shop)
	for _, vm := range vms {
		found[vm.Instance] = vm.Condition
	}
	return found
}

// changed is how often the registry told of a change.
func (o *office) changed() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.changes
}

// machine is a VM's connection.
type machine struct {
	o       *office
	user    string
	conn    *amqp.Connection
	ch      *amqp.Channel
	answers <-chan amqp.Delivery
	clock   time.Duration // by which it is off
}

// machine connects a VM as a user.
func (o *office) machine(user string) *machine {
	o.TB.Helper()
	m := &machine{o: o, user: user + "-" + o.Vhost}
	c, err := amqp.DialConfig(node.URL(), amqp.Config{
		SASL: []amqp.Authentication{&amqp.PlainAuth{Username: m.user, Password: password}}, Vhost: o.Vhost, Heartbeat: 2 * time.Second,
	})
	o.Must(err)
	o.TB.Cleanup(func() { _ = c.CloseDeadline(time.Now().Add(time.Second)) }) // it may be gone
	m.conn = c
	m.ch, err = c.Channel()
	o.Must(err)
	m.answers, err = m.ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
	o.Must(err)
	return m
}

// publish sends a body to an exchange of ours as a user.
func (m *machine) publish(exchange, user string, body []byte) error {
	return m.ch.PublishWithContext(m.o.TB.Context(), exchange, "v1", false, false, amqp.Publishing{
		UserId: user, ReplyTo: "amq.rabbitmq.reply-to", Body: body, Timestamp: time.Now().Add(m.clock),
	})
}

var errSilence = errors.New("no answer")

// ask sends a body to the registry as this user until it is answered.
func (m *machine) ask(body []byte, user string) (protocol.Answer, error) {
	var a protocol.Answer
	var asked struct{ Seq uint64 }
	_ = json.Unmarshal(body, &asked) // what is malformed asks nothing
	taken := fmt.Sprintf("message %d of this boot came after message %d", asked.Seq, asked.Seq)
	deadline := time.After(time.Minute)
	for again := false; ; again = true {
		if err := m.publish(protocol.RegistryExchange(scene.Cluster), user, body); err != nil {
			return a, err
		}
		select {
		case d, open := <-m.answers:
			if !open {
				return a, amqp.ErrClosed
			}
			err := json.Unmarshal(d.Body, &a)
			if again && a.Code == protocol.Stale && a.Message == taken {
				return protocol.Answer{V: a.V, Service: a.Service, Instance: a.Instance, Seq: a.Seq, Accepted: true}, nil // the answer to the first was lost
			}
			if err != nil || asked.Seq == 0 || a.Seq == asked.Seq {
				return a, err
			}
			a = protocol.Answer{} // to what was said twice
		case <-time.After(2 * time.Second): // there may be no leader yet
		case <-deadline:
			return a, errSilence
		}
	}
}

// send sends a registration and wants an answer.
func (m *machine) send(r *protocol.Registration) protocol.Answer {
	m.o.TB.Helper()
	body, err := json.Marshal(r)
	m.o.Must(err)
	a, err := m.ask(body, m.user)
	m.o.Must(err)
	return a
}

// await waits for the registry's inbox.
func (o *office) await() {
	o.TB.Helper()
	o.Eventually("the registry listens", func() bool {
		var q struct{ Consumers int }
		return node.API(o.TB.Context(), "GET", fmt.Sprintf("/api/queues/%s/%s", o.Vhost, protocol.RegistryExchange(scene.Cluster)), nil, &q) == nil && q.Consumers > 0
	})
}
