package publish

import (
	"context"
	"net/http"
	"sync"
	"time"
)

const (
	// DefaultHeld is how many bytes of a namespace's requests are in hand at a
	// time; of all namespaces together a few times that.
	DefaultHeld = 32 << 20
	fewTimes    = 4
	// leastHeld is what a request counts for that has no body.
	leastHeld = 4 << 10
	// DefaultReading is how long a body, or a line of a batch, may take to come.
	DefaultReading = time.Minute
	// lingering is how long the rest of a refused request's body is waited for:
	// net/http reads on before it answers, as long as it takes without that.
	lingering = time.Second
)

// room is how many bytes may be in hand at a time.
type room struct {
	mu    sync.Mutex
	left  int64
	freed chan struct{} // closed when there is more
}

func newRoom(most int64) *room { return &room{left: most, freed: make(chan struct{})} }

// take waits for n bytes; false when ctx ends before. There have to be that many.
func (r *room) take(ctx context.Context, n int64) bool {
	for {
		r.mu.Lock()
		fits, freed := n <= r.left, r.freed
		if fits {
			r.left -= n
		}
		r.mu.Unlock()
		if fits {
			return true
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return false
		}
	}
}

func (r *room) give(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left += n
	close(r.freed)
	r.freed = make(chan struct{})
}

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
		own = newRoom(s.Held)
		s.rooms[c.Namespace] = own
	}
	s.mu.Unlock()
	if !own.take(ctx, n) {
		return 0, nil, refuse(http.StatusTooManyRequests, "busy", "requests of namespace %s with %d bytes are in hand; nothing was sent", c.Namespace, s.Held)
	}
	if !s.whole.take(ctx, n) {
		own.give(n)
		return 0, nil, refuse(http.StatusServiceUnavailable, "busy", "this gateway has as many requests in hand as it takes; nothing was sent")
	}
	return n, func() { own.give(n); s.whole.give(n) }, nil
}
