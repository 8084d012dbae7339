package registry

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/mq/broker"
	"landbridge.dev/mq/protocol"
	"landbridge.dev/sync/state"
)

const (
	// beat is how often leases are looked at.
	beat = 500 * time.Millisecond
	// probing is how often the server writes to itself: leases run only as far
	// as what is sent is read.
	probing = 500 * time.Millisecond
	// pause is how long nothing of ours came through, or this process did not
	// run, when VMs are taken for unable to renew.
	pause = 2500 * time.Millisecond
	// deaf is how long nothing of ours came through when we subscribe anew, and
	// declare what we read: somebody may have taken it away.
	deaf = 10 * time.Second
	// perBeat is how many messages of one user are read in a beat.
	perBeat = 500
	// ahead is how many messages are on their way at a time. Few, because
	// nothing bounds a message before it is here.
	ahead = 16
	// keep and waiting bound what waits for a reader: the VMs say it again.
	keep    = time.Minute
	waiting = 2 << 20
	// again is the pause after the broker refused what we need.
	again = 2 * time.Second
	// answers is how many wait to be sent; further ones are dropped.
	answers = 1024
	// answering bounds the sending of one.
	answering = 5 * time.Second
)

// Options are what a Server is made of. All but Metrics are required.
type Options struct {
	Hub     *broker.Hub
	Cluster string
	Vhost   string
	Belongs Belongs
	// Changed is told of each Service whose VMs or brake changed. It must not
	// wait.
	Changed func(state.Ref)
	Log     *zap.Logger
	Metrics *Metrics
}

// Server keeps the leases of VMs while it leads. Its methods are safe for
// concurrent use.
type Server struct {
	Options

	mu      sync.Mutex
	table   *Table
	leading bool
	read    map[string]int // messages in this beat, by user
	token   string         // of our own messages: nobody else knows it
	began   time.Time      // what they count their time from
	heard   time.Time      // when the last of them that was read was sent
	judged  time.Time      // until when leases have run

	replies chan answer
}

// answer is one that waits to be sent.
type answer struct {
	to, correlation string
	body            []byte
}

// New makes a server. It starts nothing: Lead does.
func New(o Options) *Server {
	return &Server{Options: o, table: NewTable(), read: map[string]int{}, replies: make(chan answer, answers)}
}

// Offer says which VMs may register for a Service; nil for none. It does not
// wait.
func (s *Server) Offer(ref state.Ref, offer *state.Registry) {
	s.mu.Lock()
	changed := s.table.Offer(ref, offer)
	s.mu.Unlock()
	if changed {
		s.Changed(ref)
	}
}

// Registered are the VMs of a Service; not known while another leads.
func (s *Server) Registered(ref state.Ref) (vms []state.VM, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table.VMs(ref), s.leading
}

// Braked says whether VMs of a Service are kept although their leases ran out.
func (s *Server) Braked(ref state.Ref) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table.Braked(ref)
}

// Lead takes over the VMs that stand, and reads registrations until ctx ends.
// Every Service must have been offered before.
func (s *Server) Lead(ctx context.Context, standing map[state.Ref][]state.VM) {
	s.mu.Lock()
	s.table.Clear()
	for ref, vms := range standing {
		s.table.Adopt(ref, vms, time.Now())
	}
	s.leading, s.token, s.began = true, rand.Text(), time.Now()
	token, began := s.token, s.began
	s.mu.Unlock()
	for ref := range standing {
		s.Changed(ref)
	}
	var parts sync.WaitGroup
	parts.Go(func() { s.answer(ctx) })
	parts.Go(func() { s.probe(ctx, token, began) })
	parts.Go(func() { s.look(ctx) })
	s.Hub.Link(s.Vhost, broker.RoleConsume).Each(ctx, again, s.serve, func(err error) {
		s.Log.Warn("no registrations are read, trying again", zap.Error(err))
	})
	parts.Wait()
	s.mu.Lock()
	s.leading = false
	s.mu.Unlock()
}

// serve reads registrations until the session or ctx ends. Leases run only
// here: while the broker is away nobody could renew.
func (s *Server) serve(ctx context.Context, session *broker.Session) error {
	name := protocol.RegistryExchange(s.Cluster)
	if err := session.DeclareInbox(broker.Inbox{Name: name, Keep: keep, Bytes: waiting}); err != nil {
		return err
	}
	sub, err := session.Consume(broker.Consumer{Queue: name, Tag: "registry", Prefetch: ahead})
	if err != nil {
		return err
	}
	defer sub.Close()
	s.extend()
	s.Metrics.reading(true)
	defer s.Metrics.reading(false)
	ctx, cancel := context.WithCancel(ctx)
	var pumping sync.WaitGroup
	defer pumping.Wait()
	defer cancel()
	messages := make(chan *broker.Delivery)
	pumping.Go(func() {
		defer close(messages)
		for {
			d, _ := sub.Next(ctx.Done())
			if d == nil {
				return
			}
			select {
			case messages <- d:
			case <-ctx.Done():
				return
			}
		}
	})
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		select {
		case d, open := <-messages:
			if !open {
				return sub.Err()
			}
			s.handle(d, time.Now())
			if err := d.Ack(); err != nil {
				return err
			}
		case <-tick.C:
			if now := time.Now(); s.expire(now) > deaf {
				return errDeaf
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// extend gives everybody a whole lease.
func (s *Server) extend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = time.Now()
	s.judged = s.heard
	s.table.Extend(s.heard)
}

// errDeaf is a broker that does not give us what we send to ourselves.
var errDeaf = errors.New("the broker took what was sent to the registry, if it did, and gave none of it for a while; while that lasts no lease runs out")

// expire takes in that time passed, as far as what was sent has been read: an
// alarm of the broker, a flood, another reader keep VMs from renewing although we
// are connected. After a pause everybody has a whole lease again. It says for how
// long nothing of ours came.
func (s *Server) expire(now time.Time) (silence time.Duration) {
	s.mu.Lock()
	clear(s.read)
	if s.heard.Sub(s.judged) > pause {
		s.table.Extend(now)
	}
	s.judged = s.heard
	silence = now.Sub(s.heard)
	changed := s.table.Expire(s.heard)
	s.Metrics.count(s.table)
	s.mu.Unlock()
	for _, ref := range changed {
		s.Changed(ref)
	}
	return silence
}

// handle does what a message asks, and has it answered.
func (s *Server) handle(d *broker.Delivery, now time.Time) {
	s.mu.Lock()
	if d.CorrelationID == s.token {
		if n, err := strconv.ParseInt(string(d.Body), 10, 64); err == nil && s.began.Add(time.Duration(n)).After(s.heard) {
			s.heard = s.began.Add(time.Duration(n))
		}
		s.mu.Unlock()
		return
	}
	s.read[d.UserID]++
	flood := s.read[d.UserID] > perBeat
	s.mu.Unlock()
	if flood {
		s.Metrics.outcome("flood")
		return
	}
	var m protocol.Registration
	if err := protocol.Decode(d.Body, &m); err != nil {
		s.Metrics.outcome(string(protocol.Malformed))
		s.reply(d, protocol.Answer{V: protocol.Version, Code: protocol.Malformed, Message: err.Error()})
		return
	}
	s.mu.Lock()
	verdict := s.table.Apply(&m, d.UserID, s.Belongs, now)
	s.mu.Unlock()
	if verdict.Changed {
		ref, _ := checkNames(&m)
		s.Changed(ref)
	}
	outcome := "accepted"
	if verdict.Code != "" {
		outcome = string(verdict.Code)
	}
	s.Metrics.outcome(outcome)
	s.reply(d, protocol.Answer{
		V: protocol.Version, Service: m.Service, Instance: m.Instance, Seq: m.Seq, Accepted: verdict.Code == "",
		Code: verdict.Code, Message: verdict.Message, LeaseSeconds: int(verdict.Lease / time.Second),
	})
}

// probe writes to the registry itself.
func (s *Server) probe(ctx context.Context, token string, began time.Time) {
	publisher := broker.NewPublisher(s.Hub.Link(s.Vhost, broker.RolePublish), 1)
	defer publisher.Close()
	tick := time.NewTicker(probing)
	defer tick.Stop()
	for {
		sending, cancel := context.WithTimeout(ctx, answering)
		// One that is lost makes a pause, which is what it is for.
		_, _ = publisher.Publish(sending, &broker.Message{
			Exchange: protocol.RegistryExchange(s.Cluster), Key: "v1.probe", CorrelationID: token,
			Body: strconv.AppendInt(nil, int64(time.Since(began)), 10), Transient: true,
		}, false)
		cancel()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// reply has a message answered, if it can be.
func (s *Server) reply(d *broker.Delivery, a protocol.Answer) {
	if !broker.IsDirectReply(d.ReplyTo) {
		return
	}
	body, err := json.Marshal(a)
	if err != nil {
		return // of such an answer there is none
	}
	select {
	case s.replies <- answer{d.ReplyTo, d.CorrelationID, body}:
	default: // the VM asks again
	}
}

// answer sends what waits to be answered.
func (s *Server) answer(ctx context.Context) {
	publisher := broker.NewPublisher(s.Hub.Link(s.Vhost, broker.RoleAnswer), 1)
	defer publisher.Close()
	for {
		select {
		case a := <-s.replies:
			ctx, cancel := context.WithTimeout(ctx, answering)
			// Who asked may be gone: the answer is lost then, and no matter.
			_, _ = publisher.Publish(ctx, &broker.Message{
				Key: a.to, CorrelationID: a.correlation, ContentType: "application/json", Body: a.body, Transient: true,
			}, false)
			cancel()
		case <-ctx.Done():
			return
		}
	}
}
