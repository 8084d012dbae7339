// Package ledger holds what is wanted outside: the whole claim of each
// Service, which Service holds an address and port that several ask for, what
// has to wait for what across backends, and for each backend which Services
// are dirty. It is the one place where the two stages of Landbridge meet.
//
// It does no I/O. All methods are safe for concurrent use.
package ledger

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"landbridge.dev/sync/state"
)

// Revision numbers the states of what Services ask for on backends: a later
// one has a higher number, and none comes again, also where a Service is made
// anew under its old name. 0 is a Service without a claim. What is reported of
// another one than the newest is out of date.
type Revision uint64

// Ledger is desired state. The zero value is not usable: New.
type Ledger struct {
	mu       sync.Mutex
	claims   map[state.Ref]*claim
	holders  map[place]*holder
	shows    map[showing][]state.Frontend // what each backend showed last
	joiners  map[joined]map[state.Ref]joiner
	backends map[string]*backend
	order    order
	revision Revision // the newest of all
}

// claim is what one Service asks for.
type claim struct {
	parts   map[string]part // by backend
	created time.Time
}

// part is what it asks for on one backend.
type part struct {
	want     state.Want
	revision Revision
}

// backend is what a worker picks up.
type backend struct {
	dirty []state.Ref
	known map[state.Ref]bool // in dirty
	wake  chan struct{}
}

// New makes a ledger for the backends with these names.
func New(backends ...string) *Ledger {
	l := &Ledger{
		claims:   map[state.Ref]*claim{},
		holders:  map[place]*holder{},
		shows:    map[showing][]state.Frontend{},
		joiners:  map[joined]map[state.Ref]joiner{},
		backends: map[string]*backend{},
		order:    newOrder(),
	}
	for _, name := range backends {
		l.backends[name] = &backend{known: map[state.Ref]bool{}, wake: make(chan struct{}, 1)}
	}
	return l
}

// Put takes a Service's whole claim in the place of the one before. Only the
// backends on which it differs become dirty. created is when the Service was
// made: of two Services that ask for one address and port the older gets it.
func (l *Ledger) Put(want state.Want, created time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.claims[want.Service]
	if c == nil {
		c = &claim{parts: map[string]part{}}
		l.claims[want.Service] = c
	}
	c.created = created
	for name := range l.backends {
		now := want.On(name)
		before, had := c.parts[name]
		if had && before.want.Same(now) {
			continue
		}
		l.revision++
		c.parts[name] = part{want: now, revision: l.revision}
		l.order.put(want.Service, name, now)
		l.contend(want.Service, name, before.want, now, created)
		l.mark(name, want.Service)
		l.join(want.Service, name, before.want, now, created)
	}
}

// Forget drops a Service for which nothing is wanted and nothing stands.
func (l *Ledger) Forget(service state.Ref) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.claims[service]
	if c == nil {
		return
	}
	for name, p := range c.parts {
		empty := state.Want{Service: service}
		l.order.put(service, name, empty)
		l.contend(service, name, p.want, empty, c.created)
		l.join(service, name, p.want, empty, c.created)
		l.mark(name, service) // so that the worker forgets it as well
	}
	delete(l.claims, service)
}

// Services are those that have a claim, sorted.
func (l *Ledger) Services() []state.Ref {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.SortedFunc(maps.Keys(l.claims), state.Ref.Compare)
}

// Want is what a Service asks for on a backend, and its revision. Where
// another Service holds an address and port that it asks for, or carries the
// share of a pool that both join, it is held, and the problems say so. A
// Service without a claim wants nothing.
func (l *Ledger) Want(backend string, service state.Ref) (state.Want, Revision, []state.Problem) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.claims[service]
	if c == nil {
		return state.Want{Service: service}, 0, nil
	}
	want := c.parts[backend].want
	want.Service = service
	want, problems := l.together(backend, want)
	problems = append(problems, l.conflicts(backend, want)...)
	if len(problems) > 0 && want.Mode == state.Follow {
		want.Mode = state.Hold
	}
	return want, c.parts[backend].revision, problems
}

// Revisions are the newest of a Service, by backend; nil without a claim.
func (l *Ledger) Revisions(service state.Ref) map[string]Revision {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.claims[service]
	if c == nil {
		return nil
	}
	revisions := make(map[string]Revision, len(c.parts))
	for name, p := range c.parts {
		revisions[name] = p.revision
	}
	return revisions
}

// Wake receives when a backend has dirty Services. Its one reader is the
// backend's worker.
func (l *Ledger) Wake(backend string) <-chan struct{} { return l.backends[backend].wake }

// Take hands over the dirty Services of a backend in the order in which they
// became dirty. From then on they are the caller's to settle.
func (l *Ledger) Take(backend string) []state.Ref {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.backends[backend]
	taken := b.dirty
	b.dirty = nil
	clear(b.known)
	return taken
}

// mark makes a Service dirty on a backend.
func (l *Ledger) mark(name string, service state.Ref) {
	b := l.backends[name]
	if b == nil || b.known[service] {
		return
	}
	b.known[service] = true
	b.dirty = append(b.dirty, service)
	select {
	case b.wake <- struct{}{}:
	default: // a wake that waits covers this one
	}
}

// Seen is what a worker tells after it has read or written: for one Service,
// which objects stand on its backend, and on which frontends that backend
// shows it. Who waits for that becomes dirty.
func (l *Ledger) Seen(backend string, service state.Ref, has func(state.ID) bool, shows []state.Frontend) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shown(backend, service, shows)
	for _, other := range l.order.seen(service, backend, has) {
		l.mark(other, service)
	}
}

// Standing says whether an object that others come After is known to stand.
func (l *Ledger) Standing(id state.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.order.present[id] == stands
}

// Unseen says whether nothing is known yet of an object that others come After.
func (l *Ledger) Unseen(id state.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.order.present[id] == unknown
}

// Leaned says whether an object that comes After this one may still stand.
func (l *Ledger) Leaned(id state.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.order.leaned(id)
}

// Routed says whether a route to a virtual server at an address may still stand.
func (l *Ledger) Routed(id state.ID, at netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.order.routed(id, at)
}
