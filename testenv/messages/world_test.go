package messages_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"

	mqbroker "landbridge.dev/mq/broker"
	"landbridge.dev/mq/dispatch"
	"landbridge.dev/mq/publish"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/broker"
	"landbridge.dev/testenv/broker/scene"
	"landbridge.dev/testenv/messages"
)

var node *broker.Node

func TestMain(m *testing.M) {
	if spec := os.Getenv(processSpec); spec != "" {
		runProcess(spec)
		return
	}
	scene.Main(m, broker.Options{}, func(n *broker.Node) { node = n })
}

// queue is what all messages go through.
const queue = "orders.work"

// world is a scene with pods, gateways and producers.
type world struct {
	*scene.Scene
	ledger    *messages.Ledger
	endpoints []state.Endpoint
	ordered   []*ordered
	gateways  []*gateway
	process   *process
	names     atomic.Int64
	front     atomic.Pointer[gateway] // by which producers publish

	pods    tally // what they did, by the ways in which they fail
	answers tally // to producers by HTTP, by their words

	http, amqp sync.RWMutex // held by who wants producers to pause
	sending    sync.WaitGroup
	stop       context.CancelFunc // of producers
}

// newWorld makes a world with a queue and three pods, on a node.
func newWorld(t *testing.T, n *broker.Node) *world {
	w := &world{Scene: scene.New(t, n), ledger: messages.NewLedger()}
	w.Queue(queue)
	for range 3 {
		w.endpoints = append(w.endpoints, w.listen(w.serve))
	}
	w.addOrdered()
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		t.Log(w.ledger, "; pods: ", &w.pods, "; answers to producers: ", &w.answers)
		queues, err := w.Node.Queues(context.WithoutCancel(t.Context()), w.Vhost)
		t.Logf("queues: %+v, %v", queues, err)
	})
	return w
}

// produce starts producers, by HTTP or by AMQP as their names say, until stop.
func (w *world) produce(names ...string) {
	w.front.Store(w.gateways[len(w.gateways)-1])
	ctx, cancel := context.WithCancel(w.TB.Context())
	w.stop = func() {
		cancel()
		w.sending.Wait()
	}
	for _, name := range names {
		if strings.HasPrefix(name, "http") {
			w.sending.Go(func() { w.sendHTTP(ctx, name) })
		} else {
			w.sending.Go(func() { w.sendAMQP(ctx, name) })
		}
	}
	for _, o := range w.ordered {
		w.sending.Go(func() { w.sendInOrder(ctx, o) })
	}
}

// tally counts by words. It is safe for concurrent use.
type tally struct{ counts sync.Map }

func (t *tally) add(word string) {
	n, _ := t.counts.LoadOrStore(word, &atomic.Int64{})
	n.(*atomic.Int64).Add(1)
}

func (t *tally) count(word string) int64 {
	n, ok := t.counts.Load(word)
	if !ok {
		return 0
	}
	return n.(*atomic.Int64).Load()
}

// String is all of it, sorted.
func (t *tally) String() string {
	var all []string
	t.counts.Range(func(word, n any) bool {
		all = append(all, fmt.Sprintf("%s %d", word, n.(*atomic.Int64).Load()))
		return true
	})
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// gateway is a replica: all but the process of its own.
type gateway struct {
	replica    string
	dispatcher *dispatch.Dispatcher
	url        string
	drain      func() // in good order
	kill       func() // its connections first
}

// grace is how long replicas wait for pods at their end.
const grace = 3 * time.Second

// start starts a replica.
func (w *world) start() *gateway {
	spec := w.spec()
	hub := spec.newHub()
	d := spec.newDispatcher(hub)
	api := publish.New(publish.Options{
		Hub: hub, Names: mqbroker.Names{Cluster: scene.Cluster}, Timeout: 3 * time.Second, Log: zap.NewNop(),
		Authenticate: func(context.Context, string) (publish.Caller, error) { return publish.Caller{Namespace: "shop"}, nil },
		MayPublish:   func(publish.Caller, string, string, string) bool { return true },
		MayConsume:   func(publish.Caller, string, string) bool { return true },
	})
	front := httptest.NewServer(api)
	serving, stop := context.WithCancel(context.Background())
	links, unlink := context.WithCancel(context.Background())
	var running, linking sync.WaitGroup
	linking.Go(func() { _ = hub.Run(links) })
	running.Go(func() { _ = d.Run(serving) })
	g := &gateway{replica: spec.Replica, dispatcher: d, url: front.URL}
	end := func() {
		stop()
		running.Wait()
		front.Close()
		api.Close()
		unlink()
		linking.Wait()
	}
	var once sync.Once
	g.drain = func() { once.Do(end) }
	g.kill = func() {
		once.Do(func() {
			unlink()
			linking.Wait()
			end()
		})
	}
	w.gateways = append(w.gateways, g)
	return g
}

// consumers are what gateways serve.
func (w *world) consumers() []*state.QueueConsumer {
	all := []*state.QueueConsumer{{
		Service: state.Ref{Namespace: "shop", Name: "orders"}, Queue: state.Queue{Vhost: w.Vhost, Name: queue}, Path: "/",
		Concurrency: 16, Timeout: time.Second, Retry: []time.Duration{time.Second}, MaxAttempts: 100, Ordering: state.OrderNone, PodShare: 100,
		Endpoints: w.endpoints,
	}}
	for _, o := range w.ordered {
		all = append(all, o.consumer(w.Vhost))
	}
	return all
}

// The ways in which pods fail.
const (
	fails    = "500"
	overload = "429"
	resets   = "no answer"
	cuts     = "cut in the middle"
	slow     = "slow"
)

func ways() []string { return []string{fails, overload, resets, cuts, slow} }

// serve is a pod that fails in every way it can: four of five messages have their
// effect, some of those without an answer.
func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	way := [40]string{fails, fails, fails, overload, resets, cuts, slow}[rand.N(40)]
	w.pods.add(way)
	fail(rw, r, way, func() { w.ledger.Effect(r.Header.Get("Idempotency-Key"), string(body)) })
}

// fail fails in one of the ways, or in none.
func fail(rw http.ResponseWriter, r *http.Request, way string, effect func()) {
	switch way {
	case fails:
		rw.WriteHeader(http.StatusInternalServerError)
	case overload:
		rw.WriteHeader(http.StatusTooManyRequests)
	case resets:
		panic(http.ErrAbortHandler)
	case cuts: // done, and the answer cut in the middle
		effect()
		rw.Header().Set("Content-Length", "100")
		_, _ = rw.Write([]byte("half"))
		panic(http.ErrAbortHandler)
	case slow: // done, and no answer in time
		effect()
		<-r.Context().Done()
	default:
		effect()
	}
}

// listen starts a pod.
func (w *world) listen(serve http.HandlerFunc) state.Endpoint {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.Must(err)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: serve}
	go func() { _ = server.Serve(l) }()
	w.TB.Cleanup(func() { _ = server.Close() })
	a := netip.MustParseAddrPort(l.Addr().String())
	return state.Endpoint{Address: state.Address{IP: a.Addr()}, Port: a.Port()}
}

// sendHTTP publishes through a gateway until ctx ends, again where nobody knows.
func (w *world) sendHTTP(ctx context.Context, name string) {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for i := 0; ctx.Err() == nil; i++ {
		id := fmt.Sprintf("%s-%d", name, i)
		w.ledger.Sending(id)
		for ctx.Err() == nil {
			word := w.post(client, id)
			w.answers.add(word)
			if word == taken {
				w.ledger.Taken(id)
				break
			}
			pause(ctx, 20*time.Millisecond)
		}
		w.breathe(ctx)
	}
}

// breathe is a producer's pause between two messages: longer where pods, who fail
// as often as they do, do not keep up. It never stops, or nobody would see faults.
func (w *world) breathe(ctx context.Context) {
	const backlog = 500
	if w.ledger.Open() > backlog {
		pause(ctx, 200*time.Millisecond)
		return
	}
	pause(ctx, 2*time.Millisecond)
}

// taken is the word for a message that was.
const taken = "taken"

// post publishes a message through a gateway, and says by a word what became of
// it: that of the answer's error, where it has one.
func (w *world) post(client *http.Client, id string) string {
	w.http.RLock()
	defer w.http.RUnlock()
	r, err := http.NewRequest(http.MethodPost, w.front.Load().url+"/v1/vhosts/"+w.Vhost+"/exchanges/amq.default/"+queue, strings.NewReader(messages.Body(id)))
	if err != nil {
		return err.Error()
	}
	r.Header.Set("Authorization", "Bearer x")
	r.Header.Set("Idempotency-Key", id)
	resp, err := client.Do(r)
	if err != nil {
		return "gone" // a gateway that ended
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusAccepted {
		return taken
	}
	var failure struct{ Error string }
	if err := json.NewDecoder(resp.Body).Decode(&failure); err != nil {
		return "unreadable"
	}
	return failure.Error
}

// sendAMQP publishes as a VM does, with confirms.
func (w *world) sendAMQP(ctx context.Context, name string) {
	for n := 0; ctx.Err() == nil; n++ {
		w.sendSession(ctx, fmt.Sprintf("%s%d", name, n))
		pause(ctx, 200*time.Millisecond)
	}
}

func (w *world) sendSession(ctx context.Context, name string) {
	c, ch := w.channel()
	if c == nil {
		return
	}
	defer func() { _ = c.CloseDeadline(time.Now().Add(time.Second)) }()
	for i := 0; ctx.Err() == nil && !ch.IsClosed(); i++ {
		id := fmt.Sprintf("%s-%d", name, i)
		if !w.sendOne(ctx, ch, id) {
			return
		}
		w.breathe(ctx)
	}
}

// sendOne publishes a message and waits for the broker's word; false where the
// channel is of no use any more.
func (w *world) sendOne(ctx context.Context, ch *amqp.Channel, id string) bool {
	w.amqp.RLock()
	defer w.amqp.RUnlock()
	w.ledger.Sending(id)
	confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", queue, true, false,
		amqp.Publishing{MessageId: id, DeliveryMode: amqp.Persistent, Body: []byte(messages.Body(id))})
	if err != nil {
		return false
	}
	waiting, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ok, err := confirm.WaitContext(waiting)
	if ok && err == nil {
		w.ledger.Taken(id)
	}
	return err == nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
