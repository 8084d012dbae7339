package testenv_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"landbridge.dev/mq/protocol"
	"landbridge.dev/testenv/world"
)

// What BenchmarkVMs is of: 1,000 VMs of 10 Services, each of which is heard of
// every 10 seconds, over 20 connections.
const (
	benchServices = 10
	benchVMs      = 1000
	benchLinks    = 20
	benchBeat     = 10 * time.Second
	benchWatch    = 30 * time.Second
)

const benchVMsConfig = `apiVersion: landbridge.dev/v1
kind: Config
cluster: test
bigip: [{name: dc1, hosts: [$BIGIP], credentialsDir: $DIR/credentials, caFile: $DIR/ca.crt}]
addressPools: [{name: many, ranges: [198.18.0.0/16]}]
mq: {urls: [$MQ], credentialsDir: $DIR/mq, managementURLs: [$MQ_MANAGEMENT]}
tenants: [{namespaces: [shop], partitions: [web], addressPools: [many], vmUsers: [many-vm], vmCIDRs: [10.20.0.0/16]}]
`

// BenchmarkVMs has 1,000 VMs register with a controller over a real RabbitMQ,
// and then renew their leases for half a minute: what that takes of the
// controller, how often it writes to the API server, and how soon VMs have their
// answers.
func BenchmarkVMs(b *testing.B) {
	ctx, f := b.Context(), newFleet(b)
	began := time.Now()
	for _, l := range f.links {
		f.sending.Go(func() { l.register(ctx) })
	}
	f.sending.Wait()
	f.until("all VMs are in EndpointSlices and members on the device", func() bool {
		return f.controller(`landbridge_vms{state="ready"}`) == benchVMs && f.members() == benchVMs
	})
	registered, registering := time.Since(began), f.writes("endpointslices")

	beating, stop := context.WithCancel(ctx)
	for i, l := range f.links {
		f.sending.Go(func() { l.beat(beating, time.Duration(i)*benchBeat/benchLinks/(benchVMs/benchLinks)) })
	}
	defer f.sending.Wait()
	defer stop() // also of a benchmark that failed
	last, since := -1.0, time.Now()
	f.until("nothing is written any more", func() bool {
		if n := f.allWrites(); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > 3*time.Second
	})
	var writes, messages, cpu float64
	var passed time.Duration
	for b.Loop() {
		w, m, c, at := f.allWrites(), f.accepted(), f.controller("process_cpu_seconds_total"), time.Now()
		select {
		case <-time.After(benchWatch):
		case <-ctx.Done():
			b.Fatal(ctx.Err())
		}
		passed += time.Since(at)
		writes += f.allWrites() - w
		messages += f.accepted() - m
		cpu += f.controller("process_cpu_seconds_total") - c
	}
	b.ReportMetric(registered.Seconds(), "register-s")
	b.ReportMetric(registering, "register-writes")
	b.ReportMetric(writes, "steady-writes")
	b.ReportMetric(messages/passed.Seconds(), "heartbeats/s")
	b.ReportMetric(100*cpu/passed.Seconds(), "cpu-%")
	if n := f.controller(`landbridge_vms{state="ready"}`); n != benchVMs {
		b.Errorf("%.0f VMs are ready in the end", n)
	}
	b.ReportMetric(f.controller("process_resident_memory_bytes")/(1<<20), "MB")
	stop()
	f.sending.Wait()
	took := f.answers()
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "answer-p50-ms")
	b.ReportMetric(float64(took[(len(took)-1)*99/100].Microseconds())/1000, "answer-p99-ms")
	if writes > 0 {
		b.Errorf("%.0f writes to the API server while nothing changed", writes)
	}
}

// fleet is the VMs, and what they register with.
type fleet struct {
	b       *testing.B
	world   *world.World
	at      *world.Controller
	links   []*fleetLink
	sending sync.WaitGroup
}

// fleetLink is a connection that some of them share.
type fleetLink struct {
	f       *fleet
	ch      *amqp.Channel
	answers <-chan amqp.Delivery
	vms     []int
	seq     uint64
	took    []time.Duration // of answers to heartbeats
}

func newFleet(b *testing.B) *fleet {
	ctx := b.Context()
	w, err := world.Start(ctx, world.Options{Dir: b.TempDir(), NoTraffic: true})
	if err != nil {
		b.Fatal(err)
	}
	f := &fleet{b: b, world: w}
	b.Cleanup(func() { f.must(w.Stop()) })
	broker, err := w.StartBroker(ctx)
	f.must(err)
	f.must(w.AddVMUser(ctx, "many-vm"))
	f.must(os.WriteFile(w.Config(), []byte(w.Expand(benchVMsConfig)), 0o600))
	f.must(furnish(ctx, w))
	for n := range benchServices {
		f.must(w.Kube.Apply(ctx, fmt.Appendf(nil, `{apiVersion: v1, kind: Service, metadata: {name: s-%d, namespace: shop, annotations: {landbridge.dev/partition: web,
			landbridge.dev/virtual-address: 198.18.0.%d, landbridge.dev/vm-registry: many-vm}}, spec: {ports: [{port: 80}]}}`, n, n+1)))
	}
	f.at, err = w.StartController("bench")
	f.must(err)
	f.must(f.at.AwaitLeading(ctx))
	f.until("the registry is read", func() bool { return f.controller("landbridge_vm_registry_listening") == 1 })
	for range benchLinks {
		c, err := amqp.DialConfig(broker.URL(), amqp.Config{
			SASL: []amqp.Authentication{&amqp.PlainAuth{Username: "many-vm", Password: world.VMPassword}}, Heartbeat: 10 * time.Second,
		})
		f.must(err)
		b.Cleanup(func() { _ = c.CloseDeadline(time.Now().Add(time.Second)) }) // before the broker, which may be gone
		l := &fleetLink{f: f}
		l.ch, err = c.Channel()
		f.must(err)
		l.answers, err = l.ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
		f.must(err)
		f.links = append(f.links, l)
	}
	for n := range benchVMs {
		l := f.links[n%benchLinks]
		l.vms = append(l.vms, n)
	}
	return f
}

func (f *fleet) must(err error) {
	f.b.Helper()
	if err != nil {
		f.b.Fatal(err)
	}
}

func (f *fleet) until(what string, is func() bool) {
	f.b.Helper()
	ctx, cancel := context.WithTimeout(f.b.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(between)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.b.Fatalf("waiting until %s", what)
		}
	}
}

// again is when a VM that has no answer says it again: the registry passes over
// what a user sends beyond a thousand messages a second.
const again = 2 * time.Second

// ask sends a message of a VM until it is answered, and says how long that took;
// 0 if ctx ended before, or the benchmark has failed.
func (l *fleetLink) ask(ctx context.Context, vm int, op protocol.Op) time.Duration {
	m := protocol.Registration{V: protocol.Version, Op: op, Service: fmt.Sprintf("shop/s-%d", vm%benchServices), Instance: fmt.Sprintf("vm-%d", vm), Boot: "a"}
	if op == protocol.Register {
		m.Addresses, m.Ports, m.LeaseSeconds = []string{fmt.Sprintf("10.20.%d.%d", vm/250, vm%250+1)}, []protocol.Port{{Port: 8080}}, 30
	}
	began := time.Now()
	for {
		l.seq++
		m.Seq = l.seq
		a, err := l.once(ctx, m)
		switch {
		case ctx.Err() != nil:
			return 0
		case err != nil || a.Code != "":
			l.f.b.Errorf("VM %d: %v, %+v", vm, err, a)
			return 0
		case a.Accepted:
			return time.Since(began)
		}
	}
}

// once sends a message, and waits for its answer; without one that is empty.
func (l *fleetLink) once(ctx context.Context, m protocol.Registration) (a protocol.Answer, err error) {
	body, err := json.Marshal(m)
	if err != nil {
		return a, err
	}
	if err := l.ch.PublishWithContext(ctx, protocol.RegistryExchange("test"), "v1", false, false, amqp.Publishing{
		UserId: "many-vm", ReplyTo: "amq.rabbitmq.reply-to", Body: body,
	}); err != nil {
		return a, err
	}
	late := time.NewTimer(again)
	defer late.Stop()
	for {
		select {
		case d, open := <-l.answers:
			if !open {
				return a, amqp.ErrClosed
			}
			if err := json.Unmarshal(d.Body, &a); err != nil || a.Seq == m.Seq {
				return a, err
			}
			a = protocol.Answer{} // to what was said before
		case <-late.C:
			return a, nil
		case <-ctx.Done():
			return a, ctx.Err()
		}
	}
}

func (l *fleetLink) register(ctx context.Context) {
	for _, vm := range l.vms {
		l.ask(ctx, vm, protocol.Register)
	}
}

// beat renews the leases of a link's VMs until ctx ends, each every benchBeat.
func (l *fleetLink) beat(ctx context.Context, after time.Duration) {
	due := time.NewTimer(after)
	defer due.Stop()
	each := time.NewTicker(benchBeat / time.Duration(len(l.vms)))
	defer each.Stop()
	select {
	case <-due.C:
	case <-ctx.Done():
		return
	}
	for n := 0; ; n++ {
		if took := l.ask(ctx, l.vms[n%len(l.vms)], protocol.Heartbeat); took > 0 {
			l.took = append(l.took, took)
		}
		select {
		case <-each.C:
		case <-ctx.Done():
			return
		}
	}
}

// answers are how long those to heartbeats took, sorted. Nobody may beat.
func (f *fleet) answers() []time.Duration {
	var all []time.Duration
	for _, l := range f.links {
		all = append(all, l.took...)
	}
	slices.Sort(all)
	return all
}

// controller is a metric of the controller's.
func (f *fleet) controller(series string) float64 {
	text, err := f.at.Metrics(f.b.Context())
	f.must(err)
	return sumOf(text, series)
}

func (f *fleet) accepted() float64 {
	return f.controller(`landbridge_vm_messages_total{outcome="accepted"}`)
}

// allWrites are all that the registry could be a reason of.
func (f *fleet) allWrites() float64 { return f.writes("endpointslices", "services", "events") }

// writes are how many the API server has had to these resources.
func (f *fleet) writes(resources ...string) (n float64) {
	text, err := f.world.Kube.Client().CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(f.b.Context())
	f.must(err)
	for _, resource := range resources {
		for _, verb := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			n += sumOf(string(text), "apiserver_request_total{", `resource="`+resource+`"`, `verb="`+verb+`"`)
		}
	}
	return n
}

// members are how many there are on the device.
func (f *fleet) members() (n int) {
	for s := range benchServices {
		n += len(f.world.Device.Objects("ltm/pool/members", fmt.Sprintf("/web/lb_test_shop_s-%d_80", s)))
	}
	return n
}

// sumOf adds up the series of a text of metrics that begin so and have these
// words.
func sumOf(text, begin string, words ...string) (sum float64) {
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if !strings.HasPrefix(line, begin) || slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			continue
		}
		if v, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64); err == nil {
			sum += v
		}
	}
	return sum
}
