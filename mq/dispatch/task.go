package dispatch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/mq/broker"
	"landbridge.dev/sync/state"
)

const (
	// copyTimeout is how long the broker may take to confirm a copy, or an
	// answer, before it is published once more.
	copyTimeout = 10 * time.Second
	// mostGivenBack is how often a message may come back unsettled before
	// that counts as an attempt: what ends a gateway each time must end
	// itself, while rolling restarts must not kill innocent messages.
	mostGivenBack = 10
	// directReplyTo is what addresses of direct reply-to begin with.
	directReplyTo = "amq.rabbitmq.reply-to."
)

// task is one message, from its delivery until it is settled.
type task struct {
	*server
	sub      *intake
	delivery *broker.Delivery
	came     time.Time // of a message in a lane
}

// deliver makes one attempt, and settles the message.
func (t *task) deliver() {
	c := t.consumer.Load()
	a := attemptOf(t.delivery, time.Now())
	if t.delivery.Count >= mostGivenBack {
		t.settle(c, a, verdict{what: retry, counts: true, why: fmt.Sprintf("it came back %d times without an answer", t.delivery.Count)})
		return
	}
	v := t.attempt(t.work, c, a)
	for began := time.Now(); v.what == retry && !v.counts && t.uncopied() != "" && time.Since(began) < mostHold; {
		t.rest(min(delayOf(c, a, v), time.Minute)) // here, and not in a retry queue
		if t.ends() {
			break
		}
		c = t.consumer.Load()
		v = t.attempt(t.work, c, a)
	}
	t.settle(c, a, v)
}

// uncopied says why there can be no copy of a message for another attempt; empty
// where there can.
func (t *task) uncopied() string {
	switch {
	case broker.HeadersSize(t.delivery.Headers) > mostCopied:
		return "its headers leave no room for those of another attempt"
	case text(t.delivery, broker.HeaderGone) != "":
		return "its headers could not be read, and another attempt would be without them"
	}
	return ""
}

// attempt gives the message to a pod.
func (t *task) attempt(ctx context.Context, c *state.QueueConsumer, a attempt) verdict {
	began := time.Now()
	t.busy.Add(1)
	v := t.try(ctx, c, t.delivery, a)
	t.busy.Add(-1)
	if v.overloaded || (!v.counts && v.what == retry) {
		t.limiter.cut(began, time.Now())
	}
	t.shown.attempted(t.delivery, v)
	return v
}

// settle does what the verdict says, and then acknowledges. Where it cannot be
// done the message stays with the broker.
func (t *task) settle(c *state.QueueConsumer, a attempt, v verdict) {
	switch uncopied := t.uncopied(); {
	case v.what != retry:
	case v.counts && a.number >= c.MaxAttempts:
		v.what, v.why = dead, fmt.Sprintf("after %d attempts: %s", a.number, v.why)
	case uncopied == "":
	case !v.counts && t.delivery.Count < mostGivenBack:
		t.requeue() // no pod has had it
		return
	default:
		v.what, v.why = dead, uncopied+": "+v.why
	}
	if t.work.Err() != nil && v.what != ack {
		return // told to end: what the pod had is not known, and the broker gives it again
	}
	var err error
	switch v.what {
	case ack:
		err = t.reply(c, v)
	case retry:
		err = t.retry(c, a, v)
	case dead:
		err = t.bury(c, a, v)
	}
	if err == nil {
		err = t.delivery.Ack()
	}
	switch {
	case err == nil:
		t.shown.outcome(v)
	case errors.Is(err, broker.ErrClosed):
		t.log.Debug("message left to the broker", zap.Error(err))
	default:
		t.log.Warn("message left to the broker", zap.Error(err))
	}
}

// retry puts a copy into the retry queue of its delay.
func (t *task) retry(c *state.QueueConsumer, a attempt, v verdict) error {
	delay := delayOf(c, a, v)
	name := t.Names.Retry(delay)
	m := retryCopy(t.delivery, a, v, name, t.queue)
	return t.copy(m, name, func(s *broker.Session) error { return s.DeclareRetry(t.Names, delay) })
}

// bury puts a copy into the dead-letter queue, and tells who waits for an
// answer that there will be none.
func (t *task) bury(c *state.QueueConsumer, a attempt, v verdict) error {
	name := t.Names.Dead(t.queue.Name)
	m := deadCopy(t.delivery, a, v, name, c, time.Now())
	if err := t.copy(m, name, func(s *broker.Session) error { return s.DeclareDead(t.Names, t.queue.Name) }); err != nil {
		return err
	}
	t.log.Info("dead letter", zap.String("id", a.id), zap.Int("attempts", a.number), zap.String("reason", bounded(v.why)))
	v.answer = &answer{contentType: "text/plain; charset=utf-8", body: []byte(bounded(v.why) + "\n")}
	if v.status < 300 || v.status > 599 {
		v.status = http.StatusBadGateway // none came, or one that says of a dead message that it had its effect
	}
	return t.reply(c, v)
}

// copy publishes a copy until the broker has confirmed it. It gives up with the
// subscription or the session that the message came by: from then on it is the
// broker's again.
func (t *task) copy(m *broker.Message, queue string, declare func(*broker.Session) error) error {
	pause := 50 * time.Millisecond
	for {
		ctx, cancel := context.WithTimeout(t.work, t.confirm)
		outcome, err := t.copies.Publish(ctx, m, true)
		cancel()
		if outcome == broker.Confirmed {
			return nil
		}
		if outcome == broker.Unroutable || broker.Code(err) == broker.CodeNotFound || outcome == broker.Unknown {
			t.forgetDeclared(queue)
			if again := t.declareOnce(t.work, queue, declare); again != nil {
				err = errors.Join(err, again)
			}
		}
		t.shown.copyFailed(outcome)
		select {
		case <-t.sub.gone:
			return broker.ErrClosed
		case <-t.sub.Session().Done():
			return broker.ErrClosed
		case <-t.work.Done():
			return fmt.Errorf("copy to %s: %s: %w", queue, outcome, err)
		case <-time.After(pause):
		}
		pause = min(2*pause, 5*time.Second)
	}
}

// reply answers a request with what the pod answered. The address of a direct
// reply-to takes messages that are not mandatory alone: the broker returns
// others although it delivers them.
func (t *task) reply(c *state.QueueConsumer, v verdict) error {
	to := t.delivery.ReplyTo
	if to == "" || v.answer == nil {
		return nil
	}
	direct := strings.HasPrefix(to, directReplyTo)
	if direct && !broker.IsDirectReply(to) || !direct && (t.MayReply == nil || !t.MayReply(c.Service, state.Queue{Vhost: t.queue.Vhost, Name: to})) {
		t.shown.replied("refused")
		return nil // the effect stands; where the answer may go is the tenants' list's to say
	}
	m := &broker.Message{
		Key: to, Body: v.answer.body, ContentType: v.answer.contentType, CorrelationID: t.delivery.CorrelationID,
		Type: "response", Transient: true, Headers: map[string]any{broker.HeaderStatus: strconv.Itoa(v.status)},
	}
	if err := m.Check(); err != nil {
		t.shown.replied("refused")
		return nil //nolint:nilerr // as above
	}
	for range 2 {
		ctx, cancel := context.WithTimeout(t.work, t.confirm)
		outcome := t.answer(ctx, m)
		cancel()
		t.shown.replied(outcome.String())
		if outcome == broker.Confirmed {
			return nil
		}
	}
	return nil // at most once: who waits has a time-out, and the effect stands
}

// answer sends an answer, by a connection on which nothing is but answers of the
// namespace: whoever made an address up closes it (see broker.RoleAnswer).
func (s *server) answer(ctx context.Context, m *broker.Message) broker.Outcome {
	link := s.Hub.LinkOf(s.consumer.Load().Service.Namespace, s.queue.Vhost, broker.RoleAnswer)
	s.mu.Lock()
	if s.answers == nil { // few queues have questions
		s.answers = broker.NewPublisher(link, mostInFlight)
	}
	answers := s.answers
	s.mu.Unlock()
	if _, err := link.Await(ctx); err != nil {
		return broker.Down
	}
	outcome, _ := answers.Publish(ctx, m, false)
	return outcome
}

// declare declares what the Service's messages may need.
func (s *server) declare(ctx context.Context, c *state.QueueConsumer) error {
	err := s.declareOnce(ctx, s.Names.Dead(s.queue.Name), func(b *broker.Session) error { return b.DeclareDead(s.Names, s.queue.Name) })
	if err != nil {
		return err
	}
	for _, delay := range c.Retry {
		if err := s.declareOnce(ctx, s.Names.Retry(delay), func(b *broker.Session) error { return b.DeclareRetry(s.Names, delay) }); err != nil {
			return err
		}
	}
	return nil
}

// declareOnce declares once in each session.
func (s *server) declareOnce(ctx context.Context, name string, declare func(*broker.Session) error) error {
	session, err := s.Hub.Link(s.queue.Vhost, broker.RoleControl).Await(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	done := s.declared[name] == session.Epoch
	s.mu.Unlock()
	if done {
		return nil
	}
	if err := declare(session); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.declared[name] = session.Epoch
	return nil
}

func (s *server) forgetDeclared(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.declared, name)
}
