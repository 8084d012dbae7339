package f5

import (
	"math"
	"net/http"
	"strings"
	"sync"
	"time"
)

// pace is how long the calls of a device take, as its latest answers show: a
// change by itself, a change that is queued in a transaction, and a commit. A
// device makes one change at a time and needs long for it, while queueing one
// costs it next to nothing. Its methods may be called concurrently.
type pace struct {
	mu                     sync.Mutex
	single, queued, commit time.Duration // 0 for not known yet
}

const (
	// worthwhile is what a transaction has to save: its changes take effect
	// only at its end.
	worthwhile = 100 * time.Millisecond
	// longestFill bounds the time in which a transaction is filled: what comes
	// meanwhile waits for it where all calls are taken.
	longestFill = time.Second
)

// took takes in how long a call took that was answered with success.
func (p *pace) took(method, path string, inTransaction bool, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	path, ok := strings.CutPrefix(path, "/mgmt/tm/")
	switch {
	case !ok || method == http.MethodGet:
	case inTransaction || path == transactionsPath:
		p.queued = drift(p.queued, d)
	case method == http.MethodPatch && strings.HasPrefix(path, transactionsPath+"/"):
		p.commit = drift(p.commit, d)
	case strings.HasPrefix(path, "ltm/"):
		p.single = drift(p.single, d)
	}
}

// drift follows what is seen, without a jump for each call that is an
// exception.
func drift(before, seen time.Duration) time.Duration {
	if before == 0 {
		return max(seen, 1)
	}
	return max(before+(seen-before)/4, 1)
}

// pays says whether so many changes are done sooner in a transaction than with
// one call for each.
func (p *pace) pays(changes int) bool {
	single, queued, commit := p.figures()
	return time.Duration(changes)*single-time.Duration(changes+2)*queued-commit > worthwhile
}

// figures are the times to reckon with. What was not seen yet is guessed from
// what was: a change by itself takes what a commit takes; and queueing one is
// taken for a quarter of making it, which is low, so that it is tried.
func (p *pace) figures() (single, queued, commit time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	single, queued, commit = p.single, p.queued, p.commit
	if commit == 0 {
		commit = single
	}
	if queued == 0 {
		queued = single / 4
	}
	if single == 0 {
		single = commit
	}
	return single, queued, commit
}

// together is how many of so many waiting changes go into one transaction; 1
// for none. Transactions are filled side by side and committed one after
// another: n changes in k of them take n/k·queued + k·commit, which is least
// for k = √(n·queued/commit).
func (p *pace) together(waiting int) int {
	_, queued, commit := p.figures()
	if waiting < 2 || queued == 0 || commit == 0 {
		return 1
	}
	k := max(math.Round(math.Sqrt(float64(waiting)*float64(queued)/float64(commit))), 1)
	n := min(int(math.Ceil(float64(waiting)/k)), mostTogether, max(int(longestFill/queued), 1))
	if !p.pays(n) {
		return 1
	}
	return n
}
