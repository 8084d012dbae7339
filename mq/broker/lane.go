package broker

import (
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// lane is one open channel in confirm mode.
type lane struct {
	session *Session
	ch      *amqp.Channel
	returns chan amqp.Return
	opened  time.Time
	closing sync.Once

	mu       sync.Mutex
	returned map[string]bool
}

// worn is after how long a channel on which a message was refused is given up
// for another. A channel of RabbitMQ 3.10 that first has a message for a quorum
// queue just when the node is lost that leads it refuses all for that queue until
// the node is back, though another leads by then (rabbit_fifo_client.erl); a new
// one does not. Where the queue is full, it costs a channel now and then.
const worn = 5 * time.Second

// retire has further messages take another channel; but for a Caller's, whose
// answers come on one at a time.
func (p *Publisher) retire(l *lane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lane == l && p.prepare == nil {
		p.lane, p.retired = nil, append(p.retired, l)
	}
}

// parted takes out the channels that were retired so long ago that whoever had a
// message on them has had his word, or waits no longer. p.mu is held.
func (p *Publisher) parted() []*lane {
	const kept = 8 // are enough for overdue, at one for each worn
	n := max(0, len(p.retired)-kept)
	old := p.retired[:n:n]
	p.retired = p.retired[n:]
	return old
}

// open is the open channel; the outcome and the error say why there is none.
func (p *Publisher) open() (*lane, Outcome, error) {
	p.mu.Lock()
	l, outcome, err := p.reopen()
	old := p.parted()
	p.mu.Unlock()
	for _, l := range old {
		l.close()
	}
	return l, outcome, err
}

// reopen is the open channel, or another. p.mu is held.
func (p *Publisher) reopen() (*lane, Outcome, error) {
	if l := p.lane; l != nil && !l.ch.IsClosed() {
		if l.session.Blocked() {
			return nil, Blocked, errBlocked
		}
		return l, 0, nil
	}
	p.lane = nil
	s, err := p.link.Session()
	if err != nil {
		return nil, Down, err
	}
	if s.Blocked() {
		return nil, Blocked, errBlocked
	}
	ch, err := s.channel()
	if err != nil {
		return nil, Down, err
	}
	l := &lane{session: s, ch: ch, opened: time.Now(), returned: map[string]bool{}}
	// A return is in this channel before its confirm is done: the library has
	// one reader, and the broker sends it first. It is never full.
	l.returns = ch.NotifyReturn(make(chan amqp.Return, 2*cap(p.window)+1))
	err = ch.Confirm(false)
	if err == nil && p.prepare != nil {
		err = p.prepare(ch)
	}
	if err != nil {
		if !ch.IsClosed() {
			_ = ch.Close()
		}
		return nil, Down, plain(err)
	}
	p.lane = l
	return l, 0, nil
}

var errBlocked = &Error{Code: amqp.ResourceError, Text: "the broker takes no messages now, for want of memory or disk space"}

// wasReturned says whether a message came back, and forgets it.
func (l *lane) wasReturned(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		select {
		case r, ok := <-l.returns:
			if !ok {
				return l.forget(id)
			}
			l.returned[idOf(r.MessageId, r.Headers)] = true
		default:
			return l.forget(id)
		}
	}
}

func (l *lane) forget(id string) bool {
	was := l.returned[id]
	delete(l.returned, id)
	return was
}

// close closes the channel: what is in flight on it becomes Unknown.
func (l *lane) close() { l.closing.Do(func() { part(l.ch) }) }

// part closes a channel. It waits no longer than parting for a silent broker.
func part(ch *amqp.Channel) {
	if ch.IsClosed() {
		return
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = ch.Close() // it may close by itself meanwhile
	}()
	select {
	case <-closed:
	case <-time.After(parting): // the session's end ends it
	}
}
