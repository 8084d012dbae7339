// Package allocate keeps the book of addresses: which Service has which, be it
// that it names the address itself or that it is given one from a pool. A given
// address is one Service's alone; a requested one may be used by several of one
// namespace or tenant. What a Service has it keeps: after a restart the book is
// filled from what the backends show and what the Services are noted to have,
// and only then gives something new.
//
// It does no I/O: what it is told decides what it says.
package allocate

import (
	"maps"
	"slices"
	"sync"

	"landbridge.dev/config"
	"landbridge.dev/sync/state"
)

// Book is who has which address. Its methods are safe for concurrent use; those
// that return Services name the ones for which the answer may have become
// another, sorted: their claims are to be made again.
type Book struct {
	mu     sync.Mutex
	open   bool
	claims map[state.Ref]*claim
	unmet  map[state.Ref]*claim // those whose answer is a problem
	// at are the Services that have to do with an address: that request it,
	// have it, or are shown there. in is the same by Service.
	at map[state.Address][]state.Ref
	in map[state.Ref][]state.Address
	// shown is where each backend that was read shows which Service, and
	// foreign where it shows somebody else.
	shown   map[string]map[state.Ref][]state.Address
	foreign map[string]map[state.Address]bool
	next    map[config.Range]state.Address // below it nothing of the range is free
}

// claim is a Service's entry, and what came of it.
type claim struct {
	Claim
	given  []state.Address
	answer Answer
}

// New makes an empty book, which is not open: it gives nothing yet.
func New() *Book {
	return &Book{
		claims:  map[state.Ref]*claim{},
		unmet:   map[state.Ref]*claim{},
		at:      map[state.Address][]state.Ref{},
		in:      map[state.Ref][]state.Address{},
		shown:   map[string]map[state.Ref][]state.Address{},
		foreign: map[string]map[state.Address]bool{},
		next:    map[config.Range]state.Address{},
	}
}

// Open lets the book give addresses for backends that are read from now on.
// Every Service has to have made its claim before, so that what is noted on
// one is not given to another.
func (b *Book) Open() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open = true
}

// Close forgets what was given and what backends showed, because another
// process may give from now on. What Services are noted to have stays known.
func (b *Book) Close() []state.Ref {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open = false
	clear(b.shown)
	clear(b.foreign)
	clear(b.next)
	clear(b.unmet)
	var again []state.Ref
	for ref, c := range b.claims {
		if len(c.given) > 0 || len(c.answer.Problems) > 0 {
			again = append(again, ref)
		}
		c.given, c.answer = nil, Answer{Pending: true}
	}
	for _, ref := range slices.Collect(maps.Keys(b.in)) {
		b.enter(ref, b.uses(ref))
	}
	return sorted(again)
}

// Given is the last answer to a Service's claim; the zero Answer without one.
func (b *Book) Given(service state.Ref) Answer {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.claims[service]; c != nil {
		return c.answer
	}
	return Answer{}
}

// Claim enters what a Service asks for in the place of what it asked before,
// and answers.
func (b *Book) Claim(claimed Claim) (Answer, []state.Ref) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.claims[claimed.Service]
	if c == nil {
		c = &claim{}
	}
	if claimed.Ask == nil {
		claimed.Ask = c.Ask // what it asked when it could be told
	}
	again := b.alter(claimed.Service, func() {
		b.claims[claimed.Service] = c
		c.Claim = claimed
		c.answer = b.settle(c)
		if delete(b.unmet, claimed.Service); len(c.answer.Problems) > 0 {
			b.unmet[claimed.Service] = c
		}
	})
	return c.answer, sorted(again)
}

// Release takes a Service out that has nothing outside any more.
func (b *Book) Release(service state.Ref) []state.Ref {
	b.mu.Lock()
	defer b.mu.Unlock()
	return sorted(b.alter(service, func() {
		delete(b.claims, service)
		delete(b.unmet, service)
		for _, shown := range b.shown {
			delete(shown, service)
		}
	}))
}

// Seen enters where a backend shows a Service now. Before the backend has been
// read it has no effect.
func (b *Book) Seen(backend string, service state.Ref, at []state.Address) []state.Ref {
	b.mu.Lock()
	defer b.mu.Unlock()
	shown := b.shown[backend]
	if shown == nil || slices.Equal(shown[service], at) {
		return nil
	}
	return sorted(b.alter(service, func() { put(shown, service, at) }))
}

// Read enters all that a backend shows: the Services that it serves at each
// address, and with the zero Ref somebody else.
func (b *Book) Read(backend string, listeners map[state.Address][]state.Ref) []state.Ref {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.shown[backend]
	now := map[state.Ref][]state.Address{}
	foreign := map[state.Address]bool{}
	for _, a := range slices.SortedFunc(maps.Keys(listeners), state.Address.Compare) {
		for _, ref := range listeners[a] {
			if ref.IsZero() {
				foreign[a] = true
			} else if !slices.Contains(now[ref], a) {
				now[ref] = append(now[ref], a)
			}
		}
	}
	var again []state.Ref
	if before == nil {
		before = map[state.Ref][]state.Address{}
		b.shown[backend] = before
		again = b.waitingFor(backend)
	}
	gone := b.foreign[backend]
	b.foreign[backend] = foreign
	for a := range gone {
		if b.free(a) {
			again = append(again, b.freed(a)...)
		}
	}
	for ref := range before {
		if now[ref] == nil {
			again = append(again, b.alter(ref, func() { delete(before, ref) })...)
		}
	}
	for ref, at := range now {
		if !slices.Equal(before[ref], at) {
			again = append(again, b.alter(ref, func() { put(before, ref, at) })...)
		}
	}
	return sorted(again)
}

func put(shown map[state.Ref][]state.Address, service state.Ref, at []state.Address) {
	if len(at) == 0 {
		delete(shown, service)
		return
	}
	shown[service] = slices.Clone(at)
}

// waitingFor are the Services whose answer waits for a backend.
func (b *Book) waitingFor(backend string) []state.Ref {
	var refs []state.Ref
	for ref, c := range b.claims {
		if c.answer.Pending && c.Ask != nil && slices.Contains(c.Ask.Backends, backend) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// alter changes what is known of a Service, and returns the others that it
// makes a difference for.
func (b *Book) alter(service state.Ref, change func()) []state.Ref {
	old := b.in[service]
	before := make([]holding, len(old))
	for i, a := range old {
		before[i] = b.holding(a)
	}
	change()
	now := b.uses(service)
	for _, a := range now {
		if !slices.Contains(old, a) {
			old, before = append(slices.Clip(old), a), append(before, b.holding(a))
		}
	}
	b.enter(service, now)
	var again []state.Ref
	for i, a := range old {
		switch {
		case b.free(a):
			again = append(again, b.freed(a)...)
		case b.holding(a) != before[i]:
			again = append(again, b.at[a]...)
			again = append(again, b.refused(a, func(c *claim) bool { // they may have it back, or lack it, too
				return slices.Contains(c.Known, a) || before[i].by.IsZero() && len(c.Ask.Give) > 1
			})...)
		}
	}
	return slices.DeleteFunc(again, func(ref state.Ref) bool { return ref == service })
}

// enter puts a Service's addresses into the indexes.
func (b *Book) enter(service state.Ref, now []state.Address) {
	for _, a := range b.in[service] {
		if slices.Contains(now, a) {
			continue
		}
		i := slices.Index(b.at[a], service)
		b.at[a] = slices.Delete(slices.Clone(b.at[a]), i, i+1)
		if len(b.at[a]) == 0 {
			delete(b.at, a)
		}
	}
	for _, a := range now {
		if !slices.Contains(b.at[a], service) {
			b.at[a] = append(b.at[a], service)
		}
	}
	if len(now) == 0 {
		delete(b.in, service)
		return
	}
	b.in[service] = now
}

// uses are the addresses that a Service has to do with, each once. What it is
// noted to have counts until its claim is settled.
func (b *Book) uses(service state.Ref) []state.Address {
	var all []state.Address
	if c := b.claims[service]; c != nil {
		all = append(all, c.given...)
		if c.Ask != nil {
			all = append(all, c.Ask.Requested...)
		}
		if c.Ask == nil || c.answer.Pending {
			all = append(all, c.Known...)
		}
	}
	for _, shown := range b.shown {
		all = append(all, shown[service]...)
	}
	return state.SortAddresses(all)
}

// freed notes that an address is free again, and returns those that wait for
// one of its pool, oldest first.
func (b *Book) freed(a state.Address) []state.Ref {
	for r, next := range b.next {
		if r.RouteDomain == a.RouteDomain && r.Contains(a.IP) && a.Compare(next) < 0 {
			b.next[r] = a
		}
	}
	return b.refused(a, func(*claim) bool { return true })
}

// refused are the Services without what they asked for, of which an address of
// a's pool is a part, and whom it concerns that a changes hands.
func (b *Book) refused(a state.Address, concerns func(*claim) bool) []state.Ref {
	var refs []state.Ref
	for ref, c := range b.unmet {
		if c.Ask != nil && concerns(c) &&
			slices.ContainsFunc(c.Ask.Give, func(g Give) bool { return g.Pool.Contains(a.IP, a.RouteDomain) }) {
			refs = append(refs, ref)
		}
	}
	return refs
}

func sorted(refs []state.Ref) []state.Ref {
	slices.SortFunc(refs, state.Ref.Compare)
	return slices.Compact(refs)
}
