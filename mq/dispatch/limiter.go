package dispatch

import (
	"sync"
	"time"
)

// limiter is how many messages are with pods at a time: halved when they have
// too much, raised while they are quiet. It is safe for concurrent use.
type limiter struct {
	mu      sync.Mutex
	limit   int
	most    int
	widest  int // the largest most that there was
	inUse   int
	lastCut time.Time
	raised  time.Time
	waiting []chan struct{} // each closed when its turn has come
}

func newLimiter(most int) *limiter { return &limiter{limit: most, most: most, widest: most} }

// acquire takes a place; false if stop came first.
func (l *limiter) acquire(stop <-chan struct{}) bool {
	l.mu.Lock()
	if l.inUse < l.limit {
		l.inUse++
		l.mu.Unlock()
		return true
	}
	turn := make(chan struct{})
	l.waiting = append(l.waiting, turn)
	l.mu.Unlock()
	select {
	case <-turn:
		return true
	case <-stop:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, w := range l.waiting {
		if w == turn {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return false
		}
	}
	l.inUse-- // its turn came at the same moment
	l.admit()
	return false
}

func (l *limiter) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inUse--
	l.admit()
}

// admit lets those in for whom there is place. l.mu is held.
func (l *limiter) admit() {
	for len(l.waiting) > 0 && l.inUse < l.limit {
		l.inUse++
		close(l.waiting[0])
		l.waiting = l.waiting[1:]
	}
}

// cut halves the limit for what began at a time: those that began before the
// last cut tell nothing new.
func (l *limiter) cut(began, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if began.Before(l.lastCut) {
		return
	}
	l.lastCut = now
	l.limit = max(1, l.limit/2)
}

// calm raises the limit for each second without a cut, however often it is asked.
func (l *limiter) calm(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.lastCut) < time.Second || now.Sub(l.raised) < time.Second {
		return
	}
	l.raised = now
	l.limit = min(l.most, l.limit+max(1, l.most/16))
	l.admit()
}

// bound sets the most; a limit that was at the most before follows it up.
func (l *limiter) bound(most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limit == l.most || l.limit > most {
		l.limit = most
	}
	l.most, l.widest = most, max(l.widest, most)
	l.admit()
}

// keep keeps a place, unless there are fewer by now: then it is given up, and
// taken again when there is one. It is false if stop came first, and the place
// is lost.
func (l *limiter) keep(stop <-chan struct{}) bool {
	l.mu.Lock()
	if l.inUse <= l.limit {
		l.mu.Unlock()
		return true
	}
	l.inUse--
	l.mu.Unlock()
	return l.acquire(stop)
}

// ever is the most that was allowed at any time.
func (l *limiter) ever() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.widest
}

// now is the limit.
func (l *limiter) now() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limit
}
