package dispatch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/mq/broker"
	"landbridge.dev/sync/state"
)

// The pauses after a queue could not be consumed.
const (
	firstPause = 250 * time.Millisecond
	mostPause  = 15 * time.Second
	// beat is how often a server looks at its limit and its share.
	beat = 250 * time.Millisecond
	// settled is how long a subscription stands before it is made anew for
	// a few messages more.
	settled = 3 * time.Second
)

// server serves one queue of one Service.
type server struct {
	*Dispatcher
	queue     state.Queue
	name      string // of queue
	consumer  atomic.Pointer[state.QueueConsumer]
	changed   chan struct{} // of one
	cancel    context.CancelFunc
	ended     chan struct{}
	before    chan struct{} // ended of the queue's last server, which has to be first; may be nil
	limiter   *limiter
	endpoints endpoints
	pace      pace
	copies    *broker.Publisher
	log       *zap.Logger
	tag       int          // of the last subscription
	lull      lull         // of the one that is read
	busy      atomic.Int32 // messages that pods have
	shown     *series

	mu       sync.Mutex
	shut     chan struct{}     // closed while there is nobody to take messages for
	declared map[string]uint64 // by name, the epoch in which it was
	lanes    map[string][]*task
	answers  *broker.Publisher // nil before the first
	handling float64           // seconds a message, lately
}

func newServer(d *Dispatcher, c *state.QueueConsumer) *server {
	s := &server{
		Dispatcher: d, queue: c.Queue, name: c.Queue.String(), changed: make(chan struct{}, 1), ended: make(chan struct{}),
		limiter: newLimiter(1),
		copies:  broker.NewPublisher(d.Hub.Link(c.Queue.Vhost, broker.RolePublish), mostInFlight),
		log:     d.Log.With(zap.Stringer("service", c.Service), zap.Stringer("queue", c.Queue)),
		shut:    make(chan struct{}), lull: lull{first: d.firstLull}, declared: map[string]uint64{}, lanes: map[string][]*task{}, shown: d.Metrics.of(c.Service, c.Queue),
	}
	s.set(c)
	return s
}

// set takes new settings and endpoints.
func (s *server) set(c *state.QueueConsumer) {
	s.endpoints.set(c.Endpoints)
	s.consumer.Store(c)
	most := min(mostInFlight, c.Concurrency*max(1, len(c.Endpoints)))
	if c.Ordering == state.OrderQueue {
		most = 1
	}
	s.limiter.bound(most)
	s.mu.Lock()
	select {
	case <-s.shut:
		if s.open() {
			s.shut = make(chan struct{})
		}
	default:
		if !s.open() {
			close(s.shut)
		}
	}
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
	s.shown.endpoints(len(c.Endpoints))
}

// end tells the server to end; ended is closed when it has.
func (s *server) end() {
	if s.cancel == nil {
		close(s.ended) // it never ran
		return
	}
	s.cancel()
}

// run serves until ctx ends, and returns when all that was begun has ended.
func (s *server) run(ctx context.Context) {
	defer close(s.ended)
	defer s.shown.forget()
	defer s.part()
	if s.before != nil {
		<-s.before
		s.shown.endpoints(s.endpoints.count()) // it took away what set had shown
	}
	var open sync.WaitGroup // subscriptions that still have messages with pods
	defer open.Wait()
	pause := firstPause
	var said string
	for ctx.Err() == nil {
		if !s.awaitGate(ctx) {
			return
		}
		sub, prefetch, err := s.subscribe(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			if text := err.Error(); text != said { // one that lasts is told once
				s.log.Warn("queue not consumed", zap.Error(err))
				said = text
			}
			s.shown.consuming(false)
			s.sleep(ctx, rand.N(pause)+pause/4)
			pause = min(2*pause, mostPause)
			continue
		}
		pause, said = firstPause, ""
		s.shown.consuming(true)
		s.serve(ctx, &intake{Subscription: sub, over: event{is: make(chan struct{})}, gone: make(chan struct{})}, prefetch, &open)
		s.shown.consuming(false)
	}
}

// part closes the channels on which copies and answers went.
func (s *server) part() {
	s.copies.Close()
	s.mu.Lock()
	answers := s.answers
	s.mu.Unlock()
	if answers != nil {
		answers.Close()
	}
}

func (s *server) sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.changed:
		s.poke()
	case <-ctx.Done():
	}
}

// poke keeps a change for the next who looks.
func (s *server) poke() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// awaitGate waits until there is somebody to deliver to, and the share allows
// it. It is false when ctx ended.
func (s *server) awaitGate(ctx context.Context) bool {
	t := time.NewTicker(beat)
	defer t.Stop()
	for {
		s.tick(time.Now())
		if s.open() && s.pace.open() {
			return ctx.Err() == nil
		}
		select {
		case <-s.changed:
		case <-t.C:
		case <-ctx.Done():
			return false
		}
	}
}

// open says whether there is anybody to take messages for.
func (s *server) open() bool {
	c := s.consumer.Load()
	return len(c.Endpoints) > 0 && c.PodShare > 0
}

// tick is a beat: the limit grows while pods are quiet, the share gets its
// part.
func (s *server) tick(now time.Time) {
	s.limiter.calm(now)
	s.pace.earn(s.consumer.Load(), s.Rates, now)
	s.shown.limit(s.limiter.now(), int(s.busy.Load()))
}

// subscribe declares what is ours, and consumes the queue.
func (s *server) subscribe(ctx context.Context) (*broker.Subscription, int, error) {
	c := s.consumer.Load()
	if err := s.declare(ctx, c); err != nil {
		return nil, 0, err
	}
	session, err := s.Hub.Link(s.queue.Vhost, broker.RoleConsume).Await(ctx)
	if err != nil {
		return nil, 0, err
	}
	if c.Ordering != state.OrderNone {
		if err := session.Lock(s.Names, s.queue.Name); err != nil && broker.Code(err) == broker.CodeLocked {
			return nil, 0, fmt.Errorf("another gateway serves it, in order: %w", err)
		} else if err != nil {
			return nil, 0, err
		}
		if err := s.awaitDeserted(ctx, session, c); err != nil {
			_ = session.Unlock(s.Names, s.queue.Name)
			return nil, 0, err
		}
	}
	s.tag++
	prefetch := s.prefetch()
	sub, err := session.Consume(broker.Consumer{
		Queue: s.queue.Name, Prefetch: prefetch, Priority: s.pace.priority(c.Priority),
		Tag: fmt.Sprintf("%s%s.%s.%s.%d", s.Names.Prefix(), s.Replica, c.Service.Namespace, c.Service.Name, s.tag),
	})
	if err != nil && c.Ordering != state.OrderNone {
		_ = session.Unlock(s.Names, s.queue.Name) // another gateway may fare better
	}
	return sub, prefetch, err
}

// prefetch is how many messages to ask for: twice what pods take at a time,
// because one that waits for the next round trip delivers nothing. Of a queue with
// an order never fewer than before: what comes back a second time a quorum queue
// puts behind what came back before and nobody has been given since.
func (s *server) prefetch() int {
	limit := s.limiter.now()
	switch s.consumer.Load().Ordering {
	case state.OrderQueue:
		return 1
	case state.OrderKey:
		limit = s.limiter.ever()
	case state.OrderNone:
	}
	return s.pace.bound(max(2, min(2*limit, mostInFlight)))
}

// outgrown says whether another prefetch is worth a new subscription.
func (s *server) outgrown(prefetch int, age time.Duration) bool {
	if s.pace.paced() || s.consumer.Load().Ordering != state.OrderNone {
		return false // a subscription made anew gives messages back, and so their order away
	}
	now := s.prefetch()
	return now <= prefetch/2 || (age > settled && now > prefetch+prefetch/4)
}

// serve takes messages of a subscription until it ends, or another is needed.
func (s *server) serve(ctx context.Context, sub *intake, prefetch int, open *sync.WaitGroup) {
	stop := make(chan struct{})
	reading := make(chan struct{})
	settings := s.consumer.Load()
	go func() { // watches while this goroutine reads
		defer close(stop)
		s.watch(ctx, sub, settings, prefetch, reading)
	}()
	alive := s.read(sub, settings.Ordering != state.OrderNone, stop)
	if !alive {
		close(sub.gone)
	}
	close(reading)
	<-stop
	switch {
	case !alive:
	case settings.Ordering != state.OrderNone && !s.pace.paced():
		sub.over.happen() // what no pod has is left to the broker: see leave
	case sub.Cancel() == nil:
		s.giveBack(sub)
	default:
		close(sub.gone) // just now
	}
	if err := sub.Err(); err != nil && ctx.Err() == nil {
		s.log.Warn("subscription ended", zap.Error(err))
	}
	open.Go(func() { // what pods have is settled on its own channel
		sub.begun.Wait()
		sub.Close()
	})
	if settings.Ordering != state.OrderNone {
		sub.begun.Wait() // the next begins where this one has ended, and the broker knows
		sub.Close()
		_ = sub.Session().Unlock(s.Names, s.queue.Name)
	}
}

// watch returns when the subscription has to end.
func (s *server) watch(ctx context.Context, sub *intake, settings *state.QueueConsumer, prefetch int, reading <-chan struct{}) {
	t := time.NewTicker(beat)
	defer t.Stop()
	began := time.Now()
	s.lull.begin(began)
	for {
		select {
		case <-ctx.Done():
			return
		case <-sub.over.is:
			return
		case <-reading:
			return
		case <-s.changed:
		case now := <-t.C:
			s.tick(now)
			if s.forgotten(sub, now) {
				s.log.Info("messages wait and none comes: the queue is consumed anew")
				s.poke()
				return
			}
		}
		c := s.consumer.Load()
		if !s.open() || c.Priority != settings.Priority || c.Ordering != settings.Ordering || c.OrderHeader != settings.OrderHeader ||
			(c.PodShare == 100) != (settings.PodShare == 100) || s.outgrown(prefetch, time.Since(began)) {
			s.poke()
			return
		}
	}
}

// read takes messages until stop; false when the broker has ended it.
func (s *server) read(sub *intake, ordered bool, stop <-chan struct{}) bool {
	if !ordered {
		return s.crewed(sub, stop)
	}
	for s.pace.pay() {
		d, alive := sub.Next(stop)
		if d == nil {
			s.pace.refund()
			return alive
		}
		s.enqueue(&task{server: s, sub: sub, delivery: d})
	}
	return true // the share is used up, for now
}

// took takes in how long a pod had a message.
func (s *server) took(d time.Duration) {
	s.mu.Lock()
	if s.handling == 0 {
		s.handling = d.Seconds()
	}
	s.handling += (d.Seconds() - s.handling) / 32 // an average of the last few dozen
	s.mu.Unlock()
	s.shown.took(d)
}
