package messages_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"landbridge.dev/testenv/broker/scene"
)

// fault is something that goes wrong, and is mended. An error is also that it
// did not go wrong.
type fault struct {
	name string
	play func(ctx context.Context, w *world) error
}

func faults() []fault {
	return []fault{
		{"connections are cut", func(ctx context.Context, w *world) error {
			before := w.connections(ctx)
			n, err := w.Node.CloseConnections(ctx, w.User)
			if err != nil || n == 0 {
				return errors.Join(err, fmt.Errorf("%d connections were cut", n))
			}
			w.lost(ctx, before)
			return nil
		}},
		{"the broker pauses", func(ctx context.Context, w *world) error { return w.hang(ctx, 1500*time.Millisecond) }},
		{"a gateway is drained, another comes", func(ctx context.Context, w *world) error {
			w.replace(ctx, (*gateway).drainNow)
			return nil
		}},
		{"the broker hangs for longer than its heartbeats may be missed", func(ctx context.Context, w *world) error {
			before := w.connections(ctx)
			if err := w.hang(ctx, silence); err != nil {
				return err
			}
			w.lost(ctx, before)
			return nil
		}},
		{"a gateway is killed, another comes", func(ctx context.Context, w *world) error {
			w.replace(ctx, (*gateway).killNow)
			return nil
		}},
		{"a gateway's process is killed, another comes", func(ctx context.Context, w *world) error {
			w.consumes(ctx, w.process.replica, true)
			gone := w.process.replica
			if err := w.process.kill(); err != nil {
				return err
			}
			w.consumes(ctx, gone, false)
			return w.startProcess()
		}},
		{queueDeleted, deleteQueue},
		{"an alarm of memory", func(ctx context.Context, w *world) error { return w.alarm(ctx, w.Node.MemoryAlarm) }},
		{"the broker is killed", func(ctx context.Context, w *world) error {
			if err := w.Node.Settle(ctx); err != nil {
				return err
			}
			return w.restart(ctx, func() error { return w.Node.Kill() })
		}},
		{"an alarm of disk space", func(ctx context.Context, w *world) error { return w.alarm(ctx, w.Node.DiskAlarm) }},
		{"the broker is stopped", func(ctx context.Context, w *world) error {
			return w.restart(ctx, func() error { return w.Node.Stop(ctx) })
		}},
	}
}

// silence is a little more than a gateway lets pass without a word of the broker:
// three heartbeats of four seconds (amqp091-go, connection.go: a connection that
// heard something last bears it longest). After less it is chance which of them
// the broker ends, and which goes on.
const silence = 14 * time.Second

// hang has the broker stand still for so long.
func (w *world) hang(ctx context.Context, long time.Duration) error {
	if err := w.Node.Pause(); err != nil {
		return err
	}
	began := time.Now()
	err := w.silent(ctx)
	pause(ctx, long-time.Since(began))
	return errors.Join(err, w.Node.Resume())
}

// silent makes sure that the broker does not answer.
func (w *world) silent(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := w.Node.API(ctx, http.MethodGet, "/api/overview", nil, nil); err == nil {
		return errors.New("the broker answers")
	}
	return nil
}

// restart ends the broker and starts it again.
func (w *world) restart(ctx context.Context, end func() error) error {
	if err := end(); err != nil {
		return err
	}
	if err := w.silent(ctx); err != nil {
		return err
	}
	return w.Node.Start(ctx)
}

// alarm has the broker take no messages, until producers were told.
func (w *world) alarm(ctx context.Context, set func(context.Context, bool) error) error {
	before := w.answers.count("blocked")
	if err := set(ctx, true); err != nil {
		return err
	}
	w.Within(time.Minute, "producers are told of an alarm", func() bool { return w.answers.count("blocked") > before })
	pause(ctx, time.Second)
	return set(ctx, false)
}

// connections are those of gateways that are open, by their names, which hold
// their ports, and when they were opened: a port may come again.
func (w *world) connections(ctx context.Context) map[string]bool {
	opened := map[string]bool{}
	w.Within(time.Minute, "the broker shows the gateways' connections", func() bool {
		var all []struct {
			Name, User, State string
			ConnectedAt       int64 `json:"connected_at"`
		}
		if err := w.Node.API(ctx, http.MethodGet, "/api/vhosts/"+w.Vhost+"/connections", nil, &all); err != nil {
			return false
		}
		clear(opened)
		for _, c := range all {
			if c.User == w.User {
				opened[fmt.Sprintf("%s of %d, %s", c.Name, c.ConnectedAt, c.State)] = true
			}
		}
		return len(opened) > 0
	})
	return opened
}

// lost waits until each of the connections from before has gone, and there are
// others. What a broker kept of one whose end it missed goes within two minutes
// (rabbit_mgmt_gc).
func (w *world) lost(ctx context.Context, before map[string]bool) {
	opened := func(c string) string { return c[:strings.LastIndex(c, ",")] } // without its state
	gone := map[string]bool{}
	for c := range before {
		gone[opened(c)] = true
	}
	var now map[string]bool
	defer func() {
		if w.TB.Failed() {
			w.TB.Logf("connections before: %v, and now: %v", before, now)
		}
	}()
	w.Within(150*time.Second, "gateways have connected anew", func() bool {
		now = w.connections(ctx)
		for c := range now {
			if gone[opened(c)] {
				return false
			}
		}
		return true
	})
}

// consumes waits until a replica consumes the queue, or no more.
func (w *world) consumes(ctx context.Context, replica string, yes bool) {
	w.Within(time.Minute, fmt.Sprintf("replica %s consumes: %t", replica, yes), func() bool {
		var all []struct {
			Tag string `json:"consumer_tag"`
		}
		if w.Node.API(ctx, http.MethodGet, "/api/consumers/"+w.Vhost, nil, &all) != nil {
			return false
		}
		found := false
		for _, c := range all {
			found = found || strings.HasPrefix(c.Tag, "landbridge."+scene.Cluster+"."+replica+".")
		}
		return found == yes
	})
}

const queueDeleted = "the queue is deleted"

// deleteQueue deletes the queue once it is empty: what is in it is lost with it,
// and nobody's fault. Meanwhile who publishes is told that there is none.
func deleteQueue(ctx context.Context, w *world) error {
	w.http.Lock()
	w.amqp.Lock()
	defer w.amqp.Unlock()
	w.settled()
	err := w.Node.RemoveQueue(ctx, w.Vhost, queue)
	w.http.Unlock()
	if err != nil {
		return err
	}
	before := w.answers.count("unroutable")
	w.Within(time.Minute, "producers are told that there is no queue", func() bool { return w.answers.count("unroutable") > before })
	return w.Node.AddQueue(ctx, w.Vhost, queue, nil)
}

// settled waits until all that was taken has had its effect, and no copy of it
// is left. What a retry queue was passing on when the other queue lost its
// leader it passes on again after three minutes, and shows to nobody meanwhile
// (dead_letter_worker_publisher_confirm_timeout).
func (w *world) settled() {
	w.Within(5*time.Minute, "all that was taken has its effect", func() bool {
		missing := len(w.ledger.Missing())
		for _, o := range w.ordered {
			missing += len(o.ledger.Missing())
		}
		return missing == 0
	})
	w.Within(2*time.Minute, "all queues are empty", func() bool {
		all, err := w.Node.Queues(w.TB.Context(), w.Vhost)
		left := 0
		for _, q := range all {
			left += q.Ready + q.Unacked
		}
		return err == nil && len(all) >= 3 && left == 0
	})
}

func (g *gateway) drainNow() { g.drain() }
func (g *gateway) killNow()  { g.kill() }

// replace ends the oldest replica, once another serves.
func (w *world) replace(ctx context.Context, end func(*gateway)) {
	old := w.gateways[0]
	w.consumes(ctx, w.start().replica, true)
	end(old)
	w.gateways = w.gateways[1:]
	w.consumes(ctx, old.replica, false)
}

// Every fault once, at two gateways and a third that is a process of its own,
// and three pods that fail, with producers by HTTP and by AMQP.
func TestNothingIsLost(t *testing.T) {
	soak := soaking(t)
	w := newWorld(t, node)
	goroutines, descriptors := runtime.NumGoroutine(), openFiles(t)
	w.start()
	w.start()
	w.Must(w.startProcess())
	t.Cleanup(func() { _ = w.process.kill() })
	for _, replica := range []string{w.gateways[0].replica, w.gateways[1].replica, w.process.replica} {
		w.consumes(t.Context(), replica, true)
	}
	w.produce("http-a", "http-b", "amqp-a", "amqp-b")
	for _, f := range faults() {
		w.play(f)
	}
	// The queue is deleted but once. Of one that was deleted and made again for the
	// third time under its name RabbitMQ 3.10.8 counted all messages as
	// unacknowledged, and no channel ever had them.
	again := slices.DeleteFunc(faults(), func(f fault) bool { return f.name == queueDeleted })
	for end := time.Now().Add(soak); time.Now().Before(end); {
		w.play(again[rand.N(len(again))])
	}
	w.account()
	for _, way := range ways() {
		if w.pods.count(way) == 0 {
			t.Errorf("no pod was seen to fail in this way: %s", way)
		}
	}
	for _, o := range w.ordered {
		if n := o.redelivered.Load(); n == 0 {
			t.Errorf("%s: no fault was seen to have a message come again", o.ordering)
		}
	}
	for _, g := range w.gateways {
		g.drain()
	}
	w.Must(w.process.kill())
	w.Within(30*time.Second, "goroutines and descriptors are back where they were", func() bool {
		runtime.GC() // connections of the tests themselves that nobody has any more
		return runtime.NumGoroutine() <= goroutines+10 && openFiles(t) <= descriptors+10
	})
}

// soaking is for how long things go on going wrong, at random, after each has
// once: LANDBRIDGE_SOAK.
func soaking(t *testing.T) time.Duration {
	text := os.Getenv("LANDBRIDGE_SOAK")
	if text == "" {
		return 0
	}
	soak, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("LANDBRIDGE_SOAK: %v", err)
	}
	const beside = 5 * time.Minute // for each fault once, and the other tests
	if deadline, ok := t.Deadline(); ok && time.Until(deadline) < soak+beside {
		t.Fatalf("LANDBRIDGE_SOAK=%s takes longer than go test waits: add -timeout %s", soak, soak+2*beside)
	}
	return soak
}

// play has one thing go wrong.
func (w *world) play(f fault) {
	w.TB.Log(f.name)
	ctx, cancel := context.WithTimeout(w.TB.Context(), 5*time.Minute)
	defer cancel()
	if err := f.play(ctx, w); err != nil {
		w.TB.Fatalf("%s: %v", f.name, err)
	}
	w.front.Store(w.gateways[len(w.gateways)-1])
	pause(ctx, time.Second)
	w.goOn()
}

// account ends the producers, and draws the balance: nothing is lost, nothing is
// there that nobody sent, and nothing is dead.
func (w *world) account() {
	w.stop()
	w.settled()
	w.TB.Log(w.ledger)
	w.TB.Log("pods: ", &w.pods, "; answers to producers: ", &w.answers)
	if unexpected := w.ledger.Unexpected(); len(unexpected) > 0 {
		w.TB.Errorf("unexpected: %v", unexpected)
	}
	if dead := w.Drain("landbridge.test.dead." + queue); len(dead) > 0 {
		w.TB.Errorf("%d dead letters, the first: %v", len(dead), dead[0].Headers)
	}
	w.accountOrdered()
}

// openFiles is how many descriptors the process has.
func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}
