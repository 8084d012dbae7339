package dispatch

import (
	"net/netip"
	"sync"
	"time"

	"landbridge.dev/sync/state"
)

// restAfterRefusal is how long an endpoint that refused a connection is not
// asked, while there is another.
const restAfterRefusal = time.Second

// endpoints are the ready ones of a Service, and how much each has to do.
type endpoints struct {
	mu   sync.Mutex
	all  []*endpoint
	next int
}

type endpoint struct {
	address state.Endpoint
	host    string // "10.244.1.2:8080"
	busy    int
	rests   time.Time // until
}

// set takes the endpoints in the place of those before. Those that stay keep
// their counts.
func (e *endpoints) set(now []state.Endpoint) {
	e.mu.Lock()
	defer e.mu.Unlock()
	known := map[state.Endpoint]*endpoint{}
	for _, p := range e.all {
		known[p.address] = p
	}
	e.all = nil
	for _, a := range now {
		p := known[a]
		if p == nil {
			p = &endpoint{address: a, host: netip.AddrPortFrom(a.IP, a.Port).String()}
		}
		e.all = append(e.all, p)
	}
}

// pick takes the endpoint with the least to do, of those that are not tried
// yet; nil if there is none. Give it back with done.
func (e *endpoints) pick(now time.Time, tried []*endpoint) *endpoint {
	e.mu.Lock()
	defer e.mu.Unlock()
	var best *endpoint
	for i := range e.all {
		p := e.all[(e.next+i)%len(e.all)]
		if contains(tried, p) {
			continue
		}
		rests, bestRests := now.Before(p.rests), best != nil && now.Before(best.rests)
		if best == nil || (bestRests && !rests) || (bestRests == rests && p.busy < best.busy) {
			best = p
		}
	}
	e.next++
	if best != nil {
		best.busy++
	}
	return best
}

func contains(tried []*endpoint, p *endpoint) bool {
	for _, t := range tried {
		if t == p {
			return true
		}
	}
	return false
}

// done gives an endpoint back; refused says that it took no connection.
func (e *endpoints) done(p *endpoint, refused bool, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p.busy--
	if refused {
		p.rests = now.Add(restAfterRefusal)
	}
}

func (e *endpoints) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.all)
}
