package publish

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"landbridge.dev/config"
	"landbridge.dev/mq/broker"
	"landbridge.dev/mq/dead"
)

const (
	usualLetters = 100
	mostLetters  = 1000
	replayTime   = time.Minute
)

// listDead shows the dead letters of a queue that the caller may consume.
func (s *Server) listDead(w http.ResponseWriter, r *http.Request, t target, c Caller) error {
	session, limit, err := s.letters(r, t, c)
	if err != nil {
		return err
	}
	all, err := dead.List(r.Context(), session, s.Names, t.queue, limit)
	if err != nil {
		return lettersError(err)
	}
	s.answer(w, http.StatusOK, map[string]any{"letters": all})
	return nil
}

// replayDead sends them back.
func (s *Server) replayDead(w http.ResponseWriter, r *http.Request, t target, c Caller) error {
	session, limit, err := s.letters(r, t, c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), replayTime)
	defer cancel()
	vhost, queue := t.vhost, t.queue
	if _, err := s.await(ctx, vhost, broker.RolePublish); err != nil {
		return err
	}
	n, err := dead.Replay(ctx, session, s.publisher(c, vhost), s.Names, queue, r.URL.Query().Get("id"), limit)
	if err != nil {
		return lettersError(err)
	}
	s.answer(w, http.StatusOK, map[string]any{"replayed": n})
	return nil
}

// letters checks the rights, and reads the limit.
func (s *Server) letters(r *http.Request, t target, c Caller) (*broker.Session, int, error) {
	vhost, queue := t.vhost, t.queue
	if config.ReservedName(queue) || !s.MayConsume(c, vhost, queue) {
		return nil, 0, refuse(http.StatusForbidden, "forbidden", "namespace %s may not consume queue %q of vhost %s: the tenants' list of the configuration does not grant it", c.Namespace, queue, vhost)
	}
	limit := usualLetters
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostLetters {
			return nil, 0, refuse(http.StatusBadRequest, "invalid", "limit=%q must be a number from 1 to %d", text, mostLetters)
		}
		limit = n
	}
	session, err := s.await(r.Context(), vhost, broker.RoleControl)
	return session, limit, err
}

func lettersError(err error) error {
	if errors.Is(err, dead.ErrNone) {
		return refuse(http.StatusNotFound, "none", "%w", err)
	}
	return refuse(http.StatusServiceUnavailable, "unavailable", "%w", err)
}
