package broker

import (
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// held is how long an acknowledgement may wait for those before it.
const held = 5 * time.Millisecond

// acker acknowledges what comes on one channel: many at once, where all before
// them are settled too, because each acknowledgement is work for the broker.
// One that a slow message holds up goes alone, soon.
//
// To acknowledge everything up to a tag that is settled already closes the
// channel, and up to one that somebody still works on loses messages: so what is
// settled is kept, as runs of tags. There are no more of them than messages that
// the broker may have given, whatever the slowest takes.
type acker struct {
	ch    *amqp.Channel
	most  int           // that are held up
	wake  chan struct{} // of one
	stop  chan struct{}
	ended chan struct{}

	mu      sync.Mutex
	pending []uint64 // settled, and the broker not told
	settled uint64   // how many are
	through uint64   // all tags up to this one are settled
	ends    map[uint64]uint64
	starts  map[uint64]uint64
}

// newAcker makes an acker for a channel with this prefetch; run acknowledges.
func newAcker(ch *amqp.Channel, prefetch int) *acker {
	return &acker{
		ch: ch, most: prefetch / 4, wake: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}),
		ends: map[uint64]uint64{}, starts: map[uint64]uint64{},
	}
}

// ack has a delivery acknowledged soon.
func (a *acker) ack(tag uint64) error {
	if a.ch.IsClosed() {
		return ErrClosed
	}
	a.mu.Lock()
	a.settle(tag)
	a.pending = append(a.pending, tag)
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
	return nil
}

// requeue gives a delivery back. Only then does it count as settled.
func (a *acker) requeue(tag uint64) error {
	if err := a.ch.Nack(tag, false, true); err != nil {
		return plain(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settle(tag)
	return nil
}

// count is how many deliveries are settled.
func (a *acker) count() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.settled
}

// settle joins a tag to the runs beside it. a.mu is held.
func (a *acker) settle(tag uint64) {
	a.settled++
	start, end := tag, tag
	if before, ok := a.ends[tag-1]; ok {
		start = before
		delete(a.ends, tag-1)
		delete(a.starts, start)
	}
	if after, ok := a.starts[tag+1]; ok {
		end = after
		delete(a.starts, tag+1)
		delete(a.ends, end)
	}
	if start == a.through+1 {
		a.through = end
		return
	}
	a.starts[start], a.ends[end] = end, start
}

// take takes what can be acknowledged now: all up to a tag, unless that is 0,
// and single ones. With all, nothing is held up any longer; else held says
// whether anything is.
func (a *acker) take(all bool) (upTo uint64, single []uint64, held bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	waiting := a.pending[:0]
	for _, tag := range a.pending {
		if tag <= a.through {
			upTo = max(upTo, tag)
		} else {
			waiting = append(waiting, tag)
		}
	}
	a.pending = waiting
	if all || len(waiting) > a.most {
		single, a.pending = waiting, nil
	}
	return upTo, single, len(a.pending) > 0
}

// run acknowledges until close. An error is the channel's end: the broker gives
// again what it was not told of.
func (a *acker) run() {
	defer close(a.ended)
	timer := time.NewTimer(held)
	defer timer.Stop()
	all, ending := false, false
	for {
		upTo, single, holds := a.take(all || ending)
		if upTo > 0 {
			_ = a.ch.Ack(upTo, true)
		}
		for _, tag := range single {
			_ = a.ch.Ack(tag, false)
		}
		if ending {
			return
		}
		var late <-chan time.Time
		if holds {
			timer.Reset(held)
			late = timer.C
		}
		all = false
		select {
		case <-a.wake:
		case <-late:
			all = true
		case <-a.stop:
			ending = true
		}
	}
}

// close acknowledges what is left, and returns when that is written. Call it
// once.
func (a *acker) close() {
	close(a.stop)
	<-a.ended
}
