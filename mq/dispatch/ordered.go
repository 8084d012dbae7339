package dispatch

import (
	"sync"
	"time"

	"landbridge.dev/sync/state"
)

// mostHold is how long a message may hold up those behind it. The broker takes
// one back that is not settled after 30 minutes.
const mostHold = 10 * time.Minute

// enqueue gives a message its place in its lane: messages of one lane are
// delivered one after the other, each settled before the next, also where that
// takes several attempts.
func (s *server) enqueue(t *task, begun *sync.WaitGroup) {
	lane := ""
	if c := s.consumer.Load(); c.Ordering == state.OrderKey {
		lane, _ = scalar(t.delivery.Headers[c.OrderHeader])
	}
	begun.Add(1)
	t.done = begun.Done
	s.mu.Lock()
	defer s.mu.Unlock()
	queue, running := s.lanes[lane]
	s.lanes[lane] = append(queue, t)
	if !running {
		go s.runLane(lane)
	}
}

// runLane delivers a lane's messages until it has none.
func (s *server) runLane(lane string) {
	for {
		s.mu.Lock()
		queue := s.lanes[lane]
		if len(queue) == 0 {
			delete(s.lanes, lane)
			s.mu.Unlock()
			return
		}
		t := queue[0]
		s.lanes[lane] = queue[1:]
		s.mu.Unlock()
		t.deliverInOrder()
		t.done()
	}
}

// deliverInOrder delivers a message that others wait for: its further attempts
// are made here and not from a retry queue, which would let others overtake.
func (t *task) deliverInOrder() {
	began := time.Now()
	a := attemptOf(t.delivery, began)
	for {
		if t.ends() {
			_ = t.delivery.Requeue() // it may have gone back by itself
			return
		}
		if !t.limiter.acquire(t.work.Done()) {
			continue
		}
		c := t.consumer.Load()
		v := t.attempt(t.work, c, a)
		t.limiter.release()
		if v.what != retry || (v.counts && a.number >= c.MaxAttempts) || time.Since(began) > mostHold {
			t.settle(c, a, v)
			return
		}
		t.shown.outcome(v)
		if v.counts {
			a.number++
		}
		t.rest(min(delayOf(c, a, v), time.Minute))
	}
}

// ends says that a message cannot be delivered any more: its session has ended,
// nobody is left to take it, or the time of grace is over.
func (t *task) ends() bool {
	select {
	case <-t.sub.Session().Done():
		return true
	default:
		return t.work.Err() != nil || t.endpoints.count() == 0
	}
}

// rest waits, no longer than its session lasts.
func (t *task) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.sub.Session().Done():
	case <-t.work.Done():
	}
}
