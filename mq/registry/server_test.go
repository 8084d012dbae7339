package registry_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"landbridge.dev/mq/protocol"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/broker/scene"
)

// Who a VM is the broker says.
func TestIdentity(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.await()
	vm, mallory := o.machine("orders-vm"), o.machine("mallory")
	if a := vm.send(message(1)); !a.Accepted || a.LeaseSeconds != 30 {
		t.Fatalf("a VM: %+v", a)
	}
	if a := mallory.send(message(2)); a.Code != protocol.Forbidden {
		t.Errorf("a foreign user: %+v", a)
	}
	if a := mallory.send(message(1, op(protocol.Leave, "a", 9))); a.Code != protocol.Forbidden && a.Code != protocol.Conflict {
		t.Errorf("a foreign user lets another's VM go: %+v", a)
	}
	body, err := json.Marshal(message(1, op(protocol.Leave, "a", 99)))
	o.Must(err)
	if a, err := mallory.ask(body, ""); err != nil || a.Code != protocol.Forbidden {
		t.Errorf("without a user: %+v, %v", a, err)
	}
	if a, err := mallory.ask(body, vm.user); err == nil {
		t.Errorf("a forged user: %+v", a)
	}
	if a := vm.send(message(1)); a.Code != protocol.Stale {
		t.Errorf("a replayed registration: %+v", a)
	}
	if got := o.vms(); len(got) != 1 {
		t.Errorf("registered: %v", got)
	}
}

// What a VM's user may do on the broker is to write to the registry and to read
// announcements.
func TestRights(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.await()
	inbox := protocol.RegistryExchange(scene.Cluster)
	for name, try := range map[string]func(*amqp.Channel) error{
		"reads others' registrations": func(ch *amqp.Channel) error { _, _, err := ch.Get(inbox, true); return err },
		"empties the registry":        func(ch *amqp.Channel) error { _, err := ch.QueuePurge(inbox, false); return err },
		"deletes the registry":        func(ch *amqp.Channel) error { _, err := ch.QueueDelete(inbox, false, false, false); return err },
		"binds the registry": func(ch *amqp.Channel) error {
			q, err := ch.QueueDeclare("", false, true, true, false, nil)
			if err != nil {
				t.Error("a queue of its own is refused:", err)
			}
			return ch.QueueBind(q.Name, "#", inbox, false, nil)
		},
		"makes a queue": func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("mine", false, false, false, false, nil)
			return err
		},
		"announces itself": func(ch *amqp.Channel) error {
			return confirmed(ch, protocol.EndpointsExchange(scene.Cluster), "shop.orders")
		},
		"writes to a queue": func(ch *amqp.Channel) error { return confirmed(ch, "", inbox) },
	} {
		ch, err := o.machine("orders-vm").conn.Channel()
		o.Must(err)
		if try(ch) == nil {
			t.Errorf("a VM %s", name)
		}
	}
}

// confirmed publishes, and waits for the broker's word.
func confirmed(ch *amqp.Channel, exchange, key string) error {
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	if err := ch.Confirm(false); err != nil {
		return err
	}
	c, err := ch.PublishWithDeferredConfirm(exchange, key, false, false, amqp.Publishing{Body: []byte("x")})
	if err != nil {
		return err
	}
	if c.Wait() {
		return nil
	}
	return <-closed
}

// Whatever is sent, nobody else is kept from his lease.
func TestHostileMessages(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.Queue("orders.work")
	o.await()
	vm, mallory := o.machine("orders-vm"), o.machine("mallory")
	if a := vm.send(message(1)); !a.Accepted {
		t.Fatalf("a VM: %+v", a)
	}
	deep := bytes.Repeat([]byte("["), 15000)
	for name, body := range map[string][]byte{
		"nothing": {}, "no JSON": []byte("\x00\xff{"), "a list": []byte("[]"), "another version": []byte(`{"v":2}`), "deep": deep,
		"half": []byte(`{"v":1,"op":"regis`), "a number too large": []byte(`{"v":1,"seq":1e400}`), "a megabyte": bytes.Repeat([]byte("x"), 1<<20),
	} {
		if a, err := mallory.ask(body, mallory.user); err != nil || a.Code != protocol.Malformed {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	// What is larger than all that may wait takes the rest with it: it is sent
	// again.
	o.Must(mallory.publish(protocol.RegistryExchange(scene.Cluster), mallory.user, bytes.Repeat([]byte("x"), 3<<20)))
	if a := vm.send(message(1, op(protocol.Heartbeat, "a", 20))); !a.Accepted {
		t.Errorf("after a message that is larger than the queue: %+v", a)
	}
	// A flood of one user; another goes on.
	body, err := json.Marshal(message(7))
	o.Must(err)
	for range 5000 {
		o.Must(mallory.publish(protocol.RegistryExchange(scene.Cluster), mallory.user, body))
	}
	if a := vm.send(message(1, op(protocol.Heartbeat, "a", 50))); !a.Accepted {
		t.Errorf("beside a flood: %+v", a)
	}
	// Nothing is written where a reply-to leads but to its sender.
	o.Must(mallory.ch.PublishWithContext(t.Context(), protocol.RegistryExchange(scene.Cluster), "v1", false, false, amqp.Publishing{
		UserId: mallory.user, ReplyTo: "orders.work", Body: body,
	}))
	if a := vm.send(message(1, op(protocol.Heartbeat, "a", 100))); !a.Accepted {
		t.Errorf("after it: %+v", a)
	}
	if n := len(o.Drain("orders.work")); n != 0 {
		t.Errorf("%d answers went to a queue", n)
	}
}

// A new leader knows the VMs that stand, and a heartbeat goes on where it was;
// one that it does not know is told to register.
func TestAnotherLeader(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.await()
	vm := o.machine("orders-vm")
	for n := range 2 {
		if a := vm.send(message(n)); !a.Accepted {
			t.Fatalf("a VM: %+v", a)
		}
	}
	vms, known := o.registry.Registered(shop)
	if !known {
		t.Fatal("a leader does not know its VMs")
	}
	o.resign()
	if _, known := o.registry.Registered(shop); known {
		t.Error("who does not lead knows the VMs")
	}
	o.lead(map[state.Ref][]state.VM{shop: vms[:1]})
	o.await()
	before := o.changed()
	if a := vm.send(message(0, op(protocol.Heartbeat, "a", 5))); !a.Accepted {
		t.Errorf("one that was taken over: %+v", a)
	}
	if o.changed() != before {
		t.Error("a heartbeat changed something")
	}
	if a := vm.send(message(1, op(protocol.Heartbeat, "a", 5))); a.Code != protocol.Unknown {
		t.Errorf("one that was not: %+v", a)
	}
}

// While the broker is away no lease runs out, nor in the first one after.
func TestBrokerAway(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.await()
	vm := o.machine("orders-vm")
	if a := vm.send(message(1, func(m *protocol.Registration) { m.LeaseSeconds = 3 })); !a.Accepted {
		t.Fatalf("a VM: %+v", a)
	}
	began := time.Now()
	for time.Since(began) < 5*time.Second { // longer than its lease
		if _, err := node.CloseConnections(t.Context(), o.User); err != nil {
			t.Fatal(err)
		}
		if c, there := o.vms()["vm-1"]; !there || c != state.VMReady {
			t.Fatalf("it is %v %d while the broker is away", there, c)
		}
	}
	o.Eventually("it falls silent when nothing is heard of it", func() bool { return o.vms()["vm-1"] == state.VMSilent })
	o.Eventually("it goes", func() bool { _, there := o.vms()["vm-1"]; return !there })
}

// A broker that takes messages and gives none takes no VM out, though we are
// connected; what we read is declared anew, and then time goes on.
func TestBrokerSwallowsMessages(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.await()
	vm := o.machine("orders-vm")
	if a := vm.send(message(1, func(m *protocol.Registration) { m.LeaseSeconds = 4 })); !a.Accepted {
		t.Fatalf("a VM: %+v", a)
	}
	name := protocol.RegistryExchange(scene.Cluster)
	binding := "/api/bindings/" + o.Vhost + "/e/" + name + "/q/" + name
	o.Must(node.API(t.Context(), http.MethodDelete, binding+"/%23", nil, nil))
	began := time.Now()
	o.Within(time.Minute, "the registry reads again", func() bool {
		if c, there := o.vms()["vm-1"]; !there || c != state.VMReady {
			t.Fatalf("it is %v %d, %s after the broker began to swallow messages", there, c, time.Since(began))
		}
		var bound []struct{}
		return node.API(t.Context(), http.MethodGet, binding, nil, &bound) == nil && len(bound) > 0
	})
	if time.Since(began) < 8*time.Second {
		t.Error("that took less than two leases, so that nothing was shown")
	}
	o.Eventually("it falls silent when nothing is heard of it", func() bool { return o.vms()["vm-1"] == state.VMSilent })
	if a := vm.send(message(1, op(protocol.Heartbeat, "a", 5))); !a.Accepted {
		t.Errorf("a heartbeat of one that is silent: %+v", a)
	}
	o.Eventually("it takes clients again", func() bool { return o.vms()["vm-1"] == state.VMReady })
}

// A VM whose clock is wrong by days has the same lease as another.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.await()
	early, late := o.machine("orders-vm"), o.machine("orders-vm")
	early.clock, late.clock = -48*time.Hour, 48*time.Hour
	for n, vm := range []*machine{early, late} {
		if a := vm.send(message(n, func(m *protocol.Registration) { m.LeaseSeconds = 5 })); !a.Accepted || a.LeaseSeconds != 5 {
			t.Errorf("its clock is off by %s: %+v", vm.clock, a)
		}
	}
	for _, want := range []state.VMCondition{state.VMReady, state.VMSilent} {
		o.Eventually("both are as they would be with any clock", func() bool { return o.vms()["vm-0"] == want && o.vms()["vm-1"] == want })
	}
	o.Eventually("both are gone", func() bool { return len(o.vms()) == 0 })
}
