package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"landbridge.dev/mq/broker"
)

const (
	defaultQuestion = 10 * time.Second // how long an answer may take
	mostQuestion    = 2 * time.Minute
	mostWaiting     = 1000 // questions of a namespace
)

// rpc asks a question and answers with its answer.
func (s *Server) rpc(w http.ResponseWriter, r *http.Request, t target, c Caller) error {
	timeout := defaultQuestion
	if text := r.URL.Query().Get("timeout"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d < time.Millisecond || d > mostQuestion {
			return refuse(http.StatusBadRequest, "invalid", "timeout=%q must be a duration of at most %s", text, mostQuestion)
		}
		timeout = d
	}
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
	if m.CorrelationID != "" || m.Expiration != "" {
		return refuse(http.StatusBadRequest, "invalid", "Mq-Correlation-Id and Mq-Expiration of a question are the gateway's to set")
	}
	m.Exchange, m.Key, m.Transient = exchange, t.key, true
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	d, err := s.ask(ctx, c, t.vhost, m)
	if err != nil {
		return err
	}
	if int64(len(d.Body)) > s.Body {
		return refuse(http.StatusBadGateway, "bad-answer", "the answer to question %s has %d bytes: it may have %d, as a message", m.ID, len(d.Body), s.Body)
	}
	status := http.StatusOK
	if said, ok := d.Headers[broker.HeaderStatus]; ok {
		if status, err = strconv.Atoi(fmt.Sprint(said)); err != nil || status < 200 || status > 599 {
			return refuse(http.StatusBadGateway, "bad-answer", "the answer to question %s has %s %.40q, which is no status from 200 to 599", m.ID, broker.HeaderStatus, fmt.Sprint(said))
		}
	}
	s.Metrics.request(c.Namespace, "answered")
	if d.ContentType != "" {
		w.Header().Set("Content-Type", d.ContentType)
	}
	w.WriteHeader(status)
	_, _ = s.listener(w).Write(d.Body)
	return nil
}

// ask asks a question; it is asked once, and never again by itself.
func (s *Server) ask(ctx context.Context, c Caller, vhost string, m *broker.Message) (*broker.Delivery, error) {
	if _, err := s.await(ctx, vhost, broker.RolePublish); err != nil {
		return nil, err
	}
	caller := s.asker(c, vhost)
	d, outcome, err := caller.Call(ctx, m)
	switch {
	case err == nil:
		return d, nil
	case errors.Is(err, broker.ErrBusy):
		return nil, refuse(http.StatusTooManyRequests, "busy", "%d questions of namespace %s wait for their answers, or for the broker to confirm them; it was not asked", mostWaiting, c.Namespace)
	case outcome == broker.Confirmed && errors.Is(err, broker.ErrLost), outcome == broker.Unknown && ctx.Err() == nil:
		return nil, refuse(http.StatusBadGateway, "unknown", "the connection to the broker was lost: whether question %s had its effect is not known", m.ID)
	case outcome == broker.Confirmed, outcome == broker.Unknown:
		return nil, refuse(http.StatusGatewayTimeout, "timeout", "no answer to question %s came in time", m.ID)
	case outcome == broker.Unroutable:
		return nil, refuse(http.StatusBadGateway, "unroutable", "question %s went to no queue: none is bound there", m.ID)
	}
	return nil, outcomeError(outcome, err, m.ID)
}

// asker is the caller of a namespace in a vhost.
func (s *Server) asker(c Caller, vhost string) *broker.Caller {
	at := place{namespace: c.Namespace, vhost: vhost}
	s.mu.Lock()
	defer s.mu.Unlock()
	caller := s.callers[at]
	if caller == nil {
		caller = broker.NewCaller(s.Hub.Link(vhost, broker.RolePublish), window, mostWaiting, func() { s.Metrics.request(c.Namespace, "late-answer") })
		s.callers[at] = caller
	}
	return caller
}
