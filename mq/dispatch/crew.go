package dispatch

import (
	"sync"
	"sync/atomic"

	"landbridge.dev/mq/broker"
)

// crew are the workers of one subscription, where messages have no order: each
// has a place of the limiter, takes a message, delivers it, and takes the next.
// There is one more than places, who waits for his. No message changes hands.
type crew struct {
	*server
	sub   *intake
	stop  <-chan struct{}
	free  atomic.Int32 // workers without a message
	gone  event        // the broker gives no further message
	spent event        // the share is used up, for now
}

// event happens once.
type event struct {
	once sync.Once
	is   chan struct{}
}

func (e *event) happen() { e.once.Do(func() { close(e.is) }) }

// crewed takes messages until stop; false when the broker has ended it.
func (s *server) crewed(sub *intake, stop <-chan struct{}) bool {
	c := &crew{server: s, sub: sub, stop: stop}
	c.gone.is, c.spent.is = make(chan struct{}), make(chan struct{})
	c.hire()
	select {
	case <-stop:
		return true
	case <-c.spent.is:
		return true
	case <-c.gone.is:
		return false
	}
}

// hire adds a worker.
func (c *crew) hire() {
	c.free.Add(1)
	c.sub.begun.Go(c.work)
}

func (c *crew) work() {
	if !c.limiter.acquire(c.stop) {
		return
	}
	for d := c.next(); d != nil; d = c.next() {
		if c.free.Add(-1) == 0 {
			c.hire()
		}
		(&task{server: c.server, sub: c.sub, delivery: d}).deliver()
		c.free.Add(1)
		// Before the next message and not with it: those who have a place keep
		// it, and a message that waits for one would wait for ever.
		if !c.limiter.keep(c.stop) {
			return
		}
	}
	c.limiter.release()
}

// next waits for a message, which is paid for; nil when there is nothing more to
// do.
func (c *crew) next() *broker.Delivery {
	select {
	case <-c.stop: // before what may be there as well
		return nil
	default:
	}
	if !c.pace.pay() {
		c.spent.happen()
		return nil
	}
	d, alive := c.sub.Next(c.stop)
	if d == nil {
		c.pace.refund()
	}
	if !alive {
		c.gone.happen()
	}
	return d
}
