package dispatch

import (
	"context"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/mq/broker"
	"landbridge.dev/sync/state"
)

// mostInFlight bounds what one gateway has with the pods of a Service.
const mostInFlight = 1000

// DefaultGrace is how long a dispatcher that stops waits for what pods have.
const DefaultGrace = 25 * time.Second

// Rates tells what is taken of a queue.
type Rates interface {
	// Taken is how many messages a second are acknowledged by consumers that
	// are no gateway's, and how many by the gateways, lately and in the same
	// time; how many of these consumers there are, and how many gateways. It
	// is not known where nobody has looked lately.
	Taken(state.Queue) (theirs, ours float64, consumers, gateways int, known bool)
	// Waits says whether messages of the queue are known to wait: ready, or
	// with consumers where nobody but gateways is one.
	Waits(state.Queue) bool
}

// Options are what a Dispatcher is made of.
type Options struct {
	Hub   *broker.Hub
	Names broker.Names
	// Replica tells this gateway's consumers from others'.
	Replica string
	// MayReply says whether a Service may answer to a queue that is not a
	// direct reply-to.
	MayReply func(service state.Ref, queue state.Queue) bool
	// Rates may be nil: then a share between 0 and 100 takes nothing, and a
	// consumer that the broker has forgotten stays so.
	Rates Rates
	// Grace is how long Run waits, when it has to end, for what pods have;
	// DefaultGrace if it is 0.
	Grace   time.Duration
	Log     *zap.Logger
	Metrics *Metrics // may be nil
}

// Dispatcher serves queues. It is safe for concurrent use.
type Dispatcher struct {
	Options
	transport *http.Transport
	mostWait  time.Duration
	firstLull time.Duration
	confirm   time.Duration   // how long the broker may take to confirm
	work      context.Context //nolint:containedctx // of requests: it outlives that of Run by the grace
	cut       context.CancelFunc

	mu      sync.Mutex
	ctx     context.Context //nolint:containedctx // that of Run, for queues that come later
	servers map[state.Ref]*server
	ends    map[state.Queue]chan struct{} // of the last server of each: closed when it has ended, and those before it
	running sync.WaitGroup
}

// New makes a dispatcher; it serves while it runs.
func New(o Options) *Dispatcher {
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	d := &Dispatcher{
		Options: o, transport: newTransport(), mostWait: mostWait, firstLull: firstLull, confirm: copyTimeout,
		servers: map[state.Ref]*server{}, ends: map[state.Queue]chan struct{}{},
	}
	d.work, d.cut = context.WithCancel(context.Background())
	return d
}

// Set makes a Service's queue be served like this from now on; nil, or a native
// consumer, is not at all. Of two Services with one queue the later waits until the
// other is not served any more, which may be told after it.
func (d *Dispatcher) Set(service state.Ref, c *state.QueueConsumer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c != nil && c.Native {
		c = nil
	}
	s := d.servers[service]
	if s != nil && (c == nil || c.Queue != s.queue) {
		s.end()
		delete(d.servers, service)
		s = nil
	}
	switch {
	case c == nil:
	case s == nil:
		s = newServer(d, c)
		d.servers[service] = s
		d.start(s)
	default:
		s.set(c)
	}
}

// start runs a server, if the dispatcher does. d.mu is held.
func (d *Dispatcher) start(s *server) {
	if d.ctx == nil || d.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(d.ctx)
	s.cancel = cancel
	s.before, d.ends[s.queue] = d.ends[s.queue], s.ended
	d.running.Go(func() {
		defer cancel()
		s.run(ctx)
	})
}

// Run serves until ctx ends. Then it takes nothing more, gives back what was
// not begun, and waits for what pods have, no longer than the grace.
func (d *Dispatcher) Run(ctx context.Context) error {
	d.mu.Lock()
	d.ctx = ctx
	for _, s := range d.servers {
		d.start(s)
	}
	d.mu.Unlock()
	<-ctx.Done()
	grace := time.AfterFunc(d.Grace, d.cut)
	d.running.Wait()
	grace.Stop()
	d.cut()
	d.transport.CloseIdleConnections()
	return nil
}

// Handling is how long pods of a Service take for a message lately, in seconds;
// not known before the first.
func (d *Dispatcher) Handling(service state.Ref) (seconds float64, known bool) {
	d.mu.Lock()
	s := d.servers[service]
	d.mu.Unlock()
	if s == nil {
		return 0, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handling, s.handling > 0
}
