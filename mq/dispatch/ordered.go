package dispatch

import (
	"context"
	"fmt"
	"time"

	"landbridge.dev/mq/broker"
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
	// mostDeserted is how long a queue that is to be served in order may have
	// consumers still: then they are VMs', which keep no order.
	mostDeserted = 5 * time.Second
)

// awaitDeserted waits until whoever served the queue before is out of it, with what
// he had: the broker says that a channel is closed before the queue knows
// (rabbit_channel.erl, ready_for_close), and would give what comes after that first.
func (s *server) awaitDeserted(ctx context.Context, session *broker.Session, c *state.QueueConsumer) error {
	if c.PodShare < 100 {
		return nil // VMs consume beside
	}
	ctx, cancel := context.WithTimeout(ctx, mostDeserted)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if is, err := session.Deserted(s.queue.Name); is || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

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
// delivered goes back to the queue together with those behind it, and with it all
// others of its subscription: before those it is to come again.
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
	if t.delivery.Count >= mostGivenBack && !t.lost() {
		v := verdict{what: retry, why: fmt.Sprintf("it came back %d times, each time behind others that took too long", t.delivery.Count)}
		t.settle(t.consumer.Load(), attemptOf(t.delivery, time.Now()), v)
		return
	}
	t.leave()
}

// leave ends the message's subscription, and leaves the message to the broker: all
// that is not settled when the channel is closed a quorum queue gives again in its
// order, before all else (rabbit_fifo.erl, return_all). It keeps no order of what is
// given back one by one: without a delivery limit that goes to the end, with one as
// its maps have it, where more than a few are on their way
// (quorum_commands_soft_limit, 32). What is on its way to a consumer that is
// cancelled it takes for given back.
func (t *task) leave() {
	t.sub.over.happen()
	t.shown.requeued()
}

// ends says that a message is not delivered any more: it is lost here, or its
// subscription is over, and those before it may have been left to the broker.
func (t *task) ends() bool {
	select {
	case <-t.sub.over.is:
		return true
	default:
		return t.lost()
	}
}

// lost says that a message cannot be delivered any more: the broker has ended its
// subscription or all of its session, nobody is left who may take it, or the time
// of grace is over.
func (t *task) lost() bool {
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
	case <-t.sub.over.is:
	case <-t.sub.gone:
	case <-t.sub.Session().Done():
	case <-t.work.Done():
	}
}
