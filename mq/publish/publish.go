package publish

import (
	"context"
	"errors"
	"net/http"

	"landbridge.dev/mq/broker"
)

// accepted is the body of 202.
type accepted struct {
	ID        string `json:"messageId"`
	Confirmed bool   `json:"confirmed"`
}

// publish takes one message.
func (s *Server) publish(w http.ResponseWriter, r *http.Request, t target, c Caller) error {
	exchange, err := s.allowed(r.Context(), c, t.vhost, t.exchange, t.key)
	if err != nil {
		return err
	}
	_, release, err := s.hold(r, c, s.Body)
	if err != nil {
		return err
	}
	defer release()
	m, err := s.read(w, r)
	if err != nil {
		return err
	}
	m.Exchange, m.Key = exchange, t.key
	if err := s.send(r.Context(), c, t.vhost, m); err != nil {
		return err
	}
	s.Metrics.request(c.Namespace, "confirmed")
	s.answer(w, http.StatusAccepted, accepted{m.ID, true})
	return nil
}

// send publishes a message; a nil error is one that is confirmed.
func (s *Server) send(ctx context.Context, c Caller, vhost string, m *broker.Message) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	p := s.publisher(c, vhost)
	outcome, err := p.Publish(ctx, m, true)
	if outcome == broker.Down && errors.Is(err, broker.ErrDown) { // a link that was just made needs a moment
		if _, waiting := s.await(ctx, vhost, broker.RolePublish); waiting == nil {
			outcome, err = p.Publish(ctx, m, true)
		}
	}
	return outcomeError(outcome, err, m.ID)
}

// outcomeError is an outcome as an answer; nil for a message that is confirmed.
func outcomeError(o broker.Outcome, err error, id string) error {
	switch o {
	case broker.Confirmed:
		return nil
	case broker.Unroutable:
		return refuse(http.StatusUnprocessableEntity, "unroutable", "message %s went to no queue: none is bound there", id)
	case broker.Refused:
		return refuse(http.StatusTooManyRequests, "refused", "message %s was refused by a queue, which may be full; it is in none, or not in all", id)
	case broker.Blocked:
		return refuse(http.StatusServiceUnavailable, "blocked", "the broker takes no messages now, for want of memory or disk space; nothing was sent")
	case broker.Busy:
		return refuse(http.StatusTooManyRequests, "busy", "message %s had to wait too long: %d of the namespace are on their way, or another with its id, and the broker has not confirmed them; it was not sent", id, window)
	case broker.Down:
		return refuse(http.StatusServiceUnavailable, "unavailable", "there is no connection to the broker now; nothing was sent")
	case broker.Unknown:
	}
	return refuse(http.StatusGatewayTimeout, "unknown", "the broker has not confirmed message %s (%w): it may have arrived or not; send it again with the same Idempotency-Key", id, err)
}
