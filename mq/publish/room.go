package publish

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// DefaultHeld is how many bytes of a namespace's requests are in hand at a
	// time; of all namespaces together a few times that.
	DefaultHeld = 32 << 20
	fewTimes    = 4
	// leastHeld is what a request counts for that has no body.
	leastHeld = 4 << 10
	// DefaultReading is how long a body, or a line of a batch, may take to come,
	// and a part of an answer to be read.
	DefaultReading = time.Minute
	// lingering is how long the rest of a refused request's body is waited for:
	// net/http reads on before it answers, as long as it takes without that.
	lingering = time.Second
)

// hold waits for room for a request's body, of which at most so many bytes are in
// hand at a time, before any of it is read. It is given back by release.
func (s *Server) hold(r *http.Request, c Caller, most int64) (n int64, release func(), err error) {
	if r.ContentLength >= 0 {
		most = min(most, r.ContentLength)
	}
	n = max(most, leastHeld)
	ctx, cancel := context.WithTimeout(r.Context(), s.Timeout)
	defer cancel()
	s.mu.Lock()
	own := s.rooms[c.Namespace]
	if own == nil {
		own = semaphore.NewWeighted(s.Held)
		s.rooms[c.Namespace] = own
	}
	s.mu.Unlock()
	if own.Acquire(ctx, n) != nil {
		return 0, nil, refuse(http.StatusTooManyRequests, "busy", "requests of namespace %s with %d bytes are in hand; nothing was sent", c.Namespace, s.Held)
	}
	if s.whole.Acquire(ctx, n) != nil {
		own.Release(n)
		return 0, nil, refuse(http.StatusServiceUnavailable, "busy", "this gateway has as many requests in hand as it takes; nothing was sent")
	}
	return n, func() { own.Release(n); s.whole.Release(n) }, nil
}
