package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"
)

// The pauses between two tries to connect: they double, with full jitter, and
// begin anew after a connection that has lasted a few times as long.
const (
	firstPause = 100 * time.Millisecond
	mostPause  = 10 * time.Second
	// parting bounds the good manners at the end of a connection.
	parting = 2 * time.Second
)

// ErrDown is that there is no connection now.
var ErrDown = errors.New("no connection to the broker")

// Link is one connection to one vhost that is made anew whenever it is lost.
// Its methods are safe for concurrent use.
type Link struct {
	dialer      *Dialer
	tenant      string // whose alone it is; empty for everybody's
	vhost, role string
	log         *zap.Logger
	metrics     *Metrics

	mu      sync.Mutex
	session *Session
	changed chan struct{} // closed when session is another
	why     error         // there is none
}

// NewLink makes a link; Run connects it. role says what for, in the broker's
// list of connections and in metrics, which may be nil.
func NewLink(d *Dialer, vhost, role string, log *zap.Logger, metrics *Metrics) *Link {
	return newLink(d, "", vhost, role, log, metrics)
}

func newLink(d *Dialer, tenant, vhost, role string, log *zap.Logger, metrics *Metrics) *Link {
	log = log.With(zap.String("vhost", vhost), zap.String("role", role))
	if tenant != "" {
		log = log.With(zap.String("tenant", tenant))
	}
	return &Link{
		dialer: d, tenant: tenant, vhost: vhost, role: role, log: log, metrics: metrics, changed: make(chan struct{}), why: ErrDown,
	}
}

// name is what the broker's operators see of it, behind the process's.
func (l *Link) name() string {
	if l.tenant == "" {
		return l.role
	}
	return l.role + " (" + l.tenant + ")"
}

// Run keeps the link up until ctx ends, and returns when its last connection
// has closed.
func (l *Link) Run(ctx context.Context) {
	pause := firstPause
	for epoch := uint64(1); ctx.Err() == nil; epoch++ {
		conn, err := l.dialer.dial(ctx, l.vhost, l.name())
		if err == nil {
			began := time.Now()
			s := newSession(conn, epoch)
			l.set(s, nil)
			l.log.Info("connected to the broker", zap.Uint64("epoch", epoch))
			select {
			case <-s.done:
				err = s.why()
			case <-ctx.Done():
			}
			l.set(nil, fmt.Errorf("%w: %w", ErrDown, errOr(err, ErrClosed)))
			s.close()
			if time.Since(began) > 4*pause {
				pause = firstPause
			}
		} else {
			l.set(nil, fmt.Errorf("%w: %w", ErrDown, err))
		}
		if ctx.Err() != nil {
			break
		}
		l.log.Warn("no connection to the broker, trying again", zap.Error(err))
		select {
		case <-time.After(rand.N(pause) + pause/4):
		case <-ctx.Done():
		}
		pause = min(2*pause, mostPause)
	}
}

func errOr(err, instead error) error {
	if err != nil {
		return err
	}
	return instead
}

func (l *Link) set(s *Session, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session, l.why = s, why
	close(l.changed)
	l.changed = make(chan struct{})
	l.metrics.up(l, s != nil)
}

// Session is the one that is up; an error, ErrDown among others, if none is.
func (l *Link) Session() (*Session, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session == nil {
		return nil, l.why
	}
	return l.session, nil
}

// Await waits for a session.
func (l *Link) Await(ctx context.Context) (*Session, error) {
	for {
		l.mu.Lock()
		s, changed, why := l.session, l.changed, l.why
		l.mu.Unlock()
		if s != nil {
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", why, context.Cause(ctx))
		}
	}
}

// Each works on each session, one after the other, until ctx ends. After work
// that failed it says so, and pauses.
func (l *Link) Each(ctx context.Context, pause time.Duration, work func(context.Context, *Session) error, failed func(error)) {
	for ctx.Err() == nil {
		s, err := l.Await(ctx)
		if err != nil {
			return
		}
		if err := work(ctx, s); err != nil && ctx.Err() == nil {
			failed(err)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}
}

// Session is one connection, from its opening to its end.
type Session struct {
	// Epoch numbers the sessions of a link.
	Epoch   uint64
	conn    *amqp.Connection
	blocked atomic.Bool
	done    chan struct{} // closed at its end
	err     error         // why; to be read after done
	watch   sync.WaitGroup
}

func newSession(conn *amqp.Connection, epoch uint64) *Session {
	s := &Session{Epoch: epoch, conn: conn, done: make(chan struct{})}
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 8))
	s.watch.Go(func() {
		for b := range blocked { // closed with the connection
			s.blocked.Store(b.Active)
		}
	})
	s.watch.Go(func() {
		if e, ok := <-closed; ok && e != nil {
			s.err = plain(e)
		}
		close(s.done)
	})
	return s
}

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

func (s *Session) why() error { return s.err }

// Blocked says whether the broker takes no messages now: an alarm of memory or
// of disk space.
func (s *Session) Blocked() bool { return s.blocked.Load() }

func (s *Session) close() {
	_ = s.conn.CloseDeadline(time.Now().Add(parting)) // it may be gone
	s.watch.Wait()
}

// channel opens a channel.
func (s *Session) channel() (*amqp.Channel, error) {
	ch, err := s.conn.Channel()
	if err != nil {
		return nil, plain(err)
	}
	return ch, nil
}

// scratch lends a channel to do, for what may fail: a failure closes it, and
// nothing else is on it.
func (s *Session) scratch(do func(*amqp.Channel) error) error {
	ch, err := s.channel()
	if err != nil {
		return err
	}
	if err := do(ch); err != nil {
		err = plain(err)
		if !ch.IsClosed() {
			_ = ch.Close()
		}
		return err
	}
	return plain(ch.Close())
}
