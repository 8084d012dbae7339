package dispatch

import (
	"fmt"
	"time"

	"landbridge.dev/sync/state"
)

const (
	// mostHold is how long a message may hold up those behind it.
	mostHold = 10 * time.Minute
	// mostWait is how long one may wait for those before it.
	mostWait = 10 * time.Minute
	// mostKept is how long one may be here until its last attempt has to have
	// ended. After 30 minutes the broker ends the channel of one that is not
	// settled, and gives all others of it again as well.
	mostKept = 25 * time.Minute
)

// enqueue gives a message its place in its lane: messages of one lane are
// delivered one after the other, each settled before the next, also where that
// takes several attempts.
func (s *server) enqueue(t *task) {
	lane := ""
	if c := s.consumer.Load(); c.Ordering == state.OrderKey {
		lane, _ = scalar(t.delivery.Headers[c.OrderHeader])
	}
	t.sub.begun.Add(1)
	t.came = time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	queue, running := s.lanes[lane]
	s.lanes[lane] = append(queue, t)
	if !running {
		go s.runLane(lane)
	}
}

// runLane delivers a lane's messages until it has none. One that cannot be
// delivered goes back to the queue together with those behind it, before which it
// is to come again.
func (s *server) runLane(lane string) {
	for {
		s.mu.Lock()
		queue := s.lanes[lane]
		if len(queue) == 0 {
			delete(s.lanes, lane)
			s.mu.Unlock()
			return
		}
		s.lanes[lane] = queue[1:]
		s.mu.Unlock()
		if queue[0].deliverInOrder() {
			queue[0].sub.begun.Done()
			continue
		}
		s.mu.Lock()
		queue = append(queue[:1:1], s.lanes[lane]...)
		s.lanes[lane] = nil
		s.mu.Unlock()
		for _, t := range queue {
			t.back()
			t.sub.begun.Done()
		}
	}
}

// deliverInOrder delivers a message that others wait for: its further attempts
// are made here and not from a retry queue, which would let others overtake. It
// is false where the message has to go back.
func (t *task) deliverInOrder() bool {
	began := time.Now()
	if began.Sub(t.came) > t.mostWait {
		return false
	}
	a := attemptOf(t.delivery, began)
	for !t.ends() {
		if !t.limiter.acquire(t.work.Done()) {
			continue
		}
		c := t.consumer.Load()
		v := t.attempt(t.work, c, a)
		t.limiter.release()
		pause := min(delayOf(c, a, v), time.Minute)
		held := time.Since(began) > mostHold || time.Since(t.came)+pause+c.Timeout > mostKept
		if v.what != retry || (v.counts && a.number >= c.MaxAttempts) || held {
			t.settle(c, a, v)
			return true
		}
		t.shown.outcome(v)
		if v.counts {
			a.number++
		}
		t.rest(pause)
	}
	return false
}

// back gives a message back to the queue. One that came back often goes by a retry
// queue: the broker drops what exceeds the queue's delivery limit.
func (t *task) back() {
	if t.delivery.Count >= mostGivenBack && !t.ends() {
		v := verdict{what: retry, why: fmt.Sprintf("it came back %d times, each time behind others that took too long", t.delivery.Count)}
		t.settle(t.consumer.Load(), attemptOf(t.delivery, time.Now()), v)
		return
	}
	t.requeue()
}

// ends says that a message cannot be delivered any more: its subscription has
// ended or all of its session, nobody is left who may take it, or the time of grace
// is over.
func (t *task) ends() bool {
	select {
	case <-t.sub.gone:
		return true
	case <-t.sub.Session().Done():
		return true
	default:
		return t.work.Err() != nil || !t.open()
	}
}

// rest waits, no longer than its subscription lasts.
func (t *task) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.sub.gone:
	case <-t.sub.Session().Done():
	case <-t.work.Done():
	}
}
