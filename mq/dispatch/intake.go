package dispatch

import (
	"sync"

	"landbridge.dev/mq/broker"
	"landbridge.dev/sync/state"
)

// intake is a subscription, and what was taken of it.
type intake struct {
	*broker.Subscription
	begun sync.WaitGroup // messages
	over  event          // what has an order is not delivered any more, and comes again
	gone  chan struct{}  // closed when the broker has ended it: it gives again what was not settled
}

// giveBack returns what was delivered and not begun to the queue, until the
// subscription has nothing more.
func (s *server) giveBack(sub *intake) {
	never := make(chan struct{})
	for {
		d, _ := sub.Next(never)
		if d == nil {
			return
		}
		s.putBack(&task{server: s, sub: sub, delivery: d})
	}
}

// putBack returns a message to the queue. What a share has paid for is delivered,
// when there is a place; so is what has an order, which a quorum queue would not
// keep.
func (s *server) putBack(t *task) {
	switch keeps := s.work.Err() == nil && s.open(); {
	case keeps && s.consumer.Load().Ordering != state.OrderNone:
		s.enqueue(t)
	case keeps && s.pace.paced():
		s.pace.owe()
		t.sub.begun.Go(t.deliverLate)
	default:
		t.requeue()
	}
}

// deliverLate delivers a message when there is a place, unless nobody may take it
// before that.
func (t *task) deliverLate() {
	t.mu.Lock()
	shut := t.shut
	t.mu.Unlock()
	if !t.limiter.acquire(shut) {
		t.requeue()
		return
	}
	defer t.limiter.release()
	if t.ends() { // meanwhile: the broker gives it again
		t.requeue()
		return
	}
	t.deliver()
}

func (t *task) requeue() {
	if t.delivery.Requeue() == nil { // it may have gone back by itself
		t.shown.requeued()
	}
}
