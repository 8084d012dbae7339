package load

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Window counts what happens to the connections that are begun while it is
// open. Windows may overlap.
type Window struct {
	l     *Load
	open  sync.WaitGroup // of connections that count here
	mu    sync.Mutex
	count Count
	news  chan struct{} // has one while there is a new answer
}

// Count is what a window saw.
type Count struct {
	Began, Ended time.Time

	// New are connections of new clients, Returned those of clients that had
	// been there before, by who answered. Strayed are those of Returned that
	// another answered than the time before.
	New, Returned map[string]int
	Strayed       int

	// Latest is when the latest connection was begun that somebody answered, by
	// who it was.
	Latest map[string]time.Time

	// Failed are connections that got no answer. Broken are kept ones that ended
	// or were answered by another; they are counted when that is seen.
	Failed, Broken []Failure
}

// Failure is one connection that failed.
type Failure struct {
	Begun, At time.Time
	Connected time.Time // zero if it was not let in
	Who       string    // who had answered before, of a kept one
	Kind      string    // "refused", "reset by peer", "EOF", "timeout" and the like
}

func newCount() Count {
	return Count{Began: time.Now(), New: map[string]int{}, Returned: map[string]int{}, Latest: map[string]time.Time{}}
}

// Open opens a window: what is begun from now on counts in it.
func (l *Load) Open() *Window {
	w := &Window{l: l, count: newCount(), news: make(chan struct{}, 1)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.windows[w] = struct{}{}
	return w
}

// Close closes the window, waits for the connections that were begun in it, and
// says what it saw.
func (w *Window) Close() Count {
	w.l.mu.Lock()
	delete(w.l.windows, w)
	w.l.mu.Unlock()
	w.open.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count.Ended = time.Now()
	return w.count
}

// Await waits until so many new clients were answered.
func (w *Window) Await(ctx context.Context, n int) error {
	for {
		w.mu.Lock()
		got := total(w.count.New)
		w.mu.Unlock()
		if got >= n {
			return nil
		}
		select {
		case <-w.news:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %d new clients to be answered, %d were: %w", n, got, ctx.Err())
		}
	}
}

func (w *Window) add(r result, returns bool, before string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := &w.count
	switch {
	case r.err != nil:
		c.Failed = append(c.Failed, Failure{Begun: r.begun, At: time.Now(), Connected: r.connected, Kind: kind(r.err)})
		return
	case returns:
		c.Returned[r.who]++
		if before != "" && before != r.who {
			c.Strayed++
		}
	default:
		c.New[r.who]++
	}
	if r.begun.After(c.Latest[r.who]) {
		c.Latest[r.who] = r.begun
	}
	select {
	case w.news <- struct{}{}:
	default:
	}
}

func (w *Window) broke(f Failure) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count.Broken = append(w.count.Broken, f)
}

func total(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

// Requests is how many connections were begun, answered or not; those of kept
// ones are not among them.
func (c *Count) Requests() int { return c.Answered() + len(c.Failed) }

// Answered is how many connections were answered.
func (c *Count) Answered() int { return total(c.New) + total(c.Returned) }

// Rate is how many connections were begun a second.
func (c *Count) Rate() float64 { return float64(c.Requests()) / c.Ended.Sub(c.Began).Seconds() }

// Share is what per cent of the new clients, and of all, were answered by those
// that of says yes to; 0 where nobody was.
func (c *Count) Share(of func(who string) bool) (ofNew, ofAll float64) {
	part := func(counts ...map[string]int) float64 {
		some, all := 0, 0
		for _, count := range counts {
			all += total(count)
			for who, n := range count {
				if of(who) {
					some += n
				}
			}
		}
		return 100 * float64(some) / float64(max(all, 1))
	}
	return part(c.New), part(c.New, c.Returned)
}

// LatestOf is when the latest connection was begun that one of those answered
// that of says yes to; zero for none.
func (c *Count) LatestOf(of func(who string) bool) (latest time.Time) {
	for who, at := range c.Latest {
		if of(who) && at.After(latest) {
			latest = at
		}
	}
	return latest
}

// String says who answered how often, and what failed:
//
//	vm-1 950, vm-2 950, cart-1 100; failed: 2 reset by peer
func (c *Count) String() string {
	all := maps.Clone(c.New)
	for who, n := range c.Returned {
		all[who] += n
	}
	text := counted(all)
	failed := map[string]int{}
	for _, f := range c.Failed {
		failed[f.Kind]++
	}
	if len(failed) > 0 {
		text += "; failed: " + counted(failed)
	}
	return text
}

func counted(counts map[string]int) string {
	var words []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, fmt.Sprintf("%s %d", what, counts[what]))
	}
	return strings.Join(words, ", ")
}
