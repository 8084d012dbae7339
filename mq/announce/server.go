package announce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/mq/broker"
	"landbridge.dev/mq/protocol"
	"landbridge.dev/sync/state"
)

const (
	// settle is how long further changes are waited for: many come together.
	settle = 200 * time.Millisecond
	// look is how often it is looked what is due.
	look = time.Second
	// again is the pause after the broker did not take what it was to.
	again = 2 * time.Second
	// publishing bounds one message.
	publishing = 10 * time.Second
	// keep, waiting and ahead bound the requests that wait.
	keep    = 30 * time.Second
	waiting = 1 << 20
	ahead   = 16
	// perLook is how many snapshots are given between two looks.
	perLook = 200
	// bytesPerLook is how much they may have together, but for the last.
	bytesPerLook = 32 << 20
)

// Options are what a Server is made of. All but Metrics are required.
type Options struct {
	Hub            *broker.Hub
	Cluster, Vhost string
	Log            *zap.Logger
	Metrics        *Metrics
}

// Server announces while it leads. Its methods are safe for concurrent use.
type Server struct {
	Options

	mu    sync.Mutex
	book  *book
	woken chan struct{} // has room for one: something is due
}

// New makes a server. It starts nothing: Lead does.
func New(o Options) *Server {
	return &Server{Options: o, book: newBook(o.Cluster), woken: make(chan struct{}, 1)}
}

// Announce says what VMs are to be told of a Service; nil for nothing any more.
// With held, what was announced last stays. It does not wait.
func (s *Server) Announce(ref state.Ref, a *state.Announcement, held bool) {
	s.mu.Lock()
	due := s.book.put(ref, a, held, time.Now())
	s.mu.Unlock()
	if due {
		select {
		case s.woken <- struct{}{}:
		default:
		}
	}
}

// Lead announces in an epoch, which has to be greater than all before, until
// ctx ends. Every Service must have been announced before.
func (s *Server) Lead(ctx context.Context, epoch int64) {
	s.mu.Lock()
	s.book.lead(epoch, time.Now())
	s.mu.Unlock()
	var parts sync.WaitGroup
	failed := func(err error) { s.Log.Warn("trying again", zap.Error(err)) }
	parts.Go(func() { s.Hub.Link(s.Vhost, broker.RolePublish).Each(ctx, again, s.publish, failed) })
	parts.Go(func() { s.Hub.Link(s.Vhost, broker.RoleConsume).Each(ctx, again, s.answer, failed) })
	parts.Wait()
}

// publish announces what is due until the session or ctx ends.
func (s *Server) publish(ctx context.Context, session *broker.Session) error {
	exchange := protocol.EndpointsExchange(s.Cluster)
	if err := session.DeclareTopic(exchange); err != nil {
		return err
	}
	publisher := broker.NewPublisher(s.Hub.Link(s.Vhost, broker.RolePublish), 1)
	defer publisher.Close()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		if err := s.publishDue(ctx, publisher, exchange); err != nil {
			return err
		}
		select {
		case <-tick.C:
			continue
		case <-s.woken:
		case <-session.Done():
			return nil
		case <-ctx.Done():
			return nil
		}
		select {
		case <-time.After(settle):
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Server) publishDue(ctx context.Context, publisher *broker.Publisher, exchange string) error {
	s.mu.Lock()
	due := s.book.dueBy(time.Now())
	s.mu.Unlock()
	for _, ref := range due {
		s.mu.Lock()
		a, ok := s.book.message(ref)
		s.mu.Unlock()
		if !ok {
			continue
		}
		body, err := json.Marshal(a)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, publishing)
		outcome, err := publisher.Publish(ctx, &broker.Message{
			Exchange: exchange, Key: ref.Namespace + "." + ref.Name, ContentType: "application/json", Body: body, Transient: true,
		}, false)
		cancel()
		s.Metrics.outcome(outcome.String())
		if outcome != broker.Confirmed {
			return fmt.Errorf("announcing %s: %w", ref, err)
		}
		s.mu.Lock()
		s.book.done(ref, a.Revision, time.Now())
		s.mu.Unlock()
	}
	return nil
}

// answer answers requests for snapshots until the session or ctx ends.
func (s *Server) answer(ctx context.Context, session *broker.Session) error {
	name := protocol.SnapshotExchange(s.Cluster)
	if err := session.DeclareInbox(broker.Inbox{Name: name, Keep: keep, Bytes: waiting}); err != nil {
		return err
	}
	sub, err := session.Consume(broker.Consumer{Queue: name, Tag: "snapshots", Prefetch: ahead})
	if err != nil {
		return err
	}
	defer sub.Close()
	publisher := broker.NewPublisher(s.Hub.Link(s.Vhost, broker.RoleAnswer), 1)
	defer publisher.Close()
	since, given, bytes := time.Now(), 0, 0
	for {
		d, open := sub.Next(ctx.Done())
		if d == nil {
			if open {
				return nil // ctx has ended
			}
			return errors.Join(sub.Err(), broker.ErrClosed)
		}
		if time.Since(since) > look {
			since, given, bytes = time.Now(), 0, 0
		}
		if body := s.snapshot(d, given >= perLook || bytes >= bytesPerLook); body != nil {
			given++
			bytes += len(body)
			ctx, cancel := context.WithTimeout(ctx, publishing)
			// Who asked may be gone, or asks again.
			_, _ = publisher.Publish(ctx, &broker.Message{
				Key: d.ReplyTo, CorrelationID: d.CorrelationID, ContentType: "application/json", Body: body, Transient: true,
			}, false)
			cancel()
			s.Metrics.answered()
		}
		if err := d.Ack(); err != nil {
			return err
		}
	}
}

// snapshot is the answer to a request; nil for one that gets none.
func (s *Server) snapshot(d *broker.Delivery, enough bool) []byte {
	var r protocol.SnapshotRequest
	if enough || !broker.IsDirectReply(d.ReplyTo) || protocol.Decode(d.Body, &r) != nil || len(r.Services) == 0 || len(r.Services) > protocol.MostSnapshot {
		return nil
	}
	all := protocol.Snapshot{V: protocol.Version, Announcements: []protocol.Announcement{}}
	slices.Sort(r.Services)
	s.mu.Lock()
	for _, service := range slices.Compact(r.Services) {
		namespace, name, _ := strings.Cut(service, "/")
		if a, ok := s.book.message(state.Ref{Namespace: namespace, Name: name}); ok {
			all.Announcements = append(all.Announcements, a)
		}
	}
	s.mu.Unlock()
	body, err := json.Marshal(all)
	if err != nil {
		return nil // of such a snapshot there is none
	}
	return body
}
