package ledger

import (
	"maps"
	"slices"
	"time"

	"landbridge.dev/sync/state"
)

// place is a frontend of one backend.
type place struct {
	backend string
	state.Frontend
}

// showing is a Service on a backend.
type showing struct {
	backend string
	service state.Ref
}

// holder is who asks for a place and who has it.
type holder struct {
	claimants map[state.Ref]time.Time // and when each was made
	shown     state.Ref               // whom the backend shows there; zero for none
}

// has is the Service that a place belongs to: the one that the backend shows
// there, otherwise the oldest that asks for it.
func (h *holder) has() state.Ref {
	if !h.shown.IsZero() {
		return h.shown
	}
	var oldest state.Ref
	var since time.Time
	for ref, created := range h.claimants {
		if oldest.IsZero() || created.Before(since) || (created.Equal(since) && ref.Compare(oldest) < 0) {
			oldest, since = ref, created
		}
	}
	return oldest
}

// frontends are the places that a part of a claim asks for. One that is held
// asks for none: it has those that the backend shows it on. Nor does an adopted
// virtual server, which has its place already.
func frontends(backend string, part state.Want) []place {
	if part.Mode != state.Follow {
		return nil
	}
	var places []place
	for _, o := range part.Objects {
		if f, ok := state.FrontendOf(o); ok && !state.IsAdopted(o) {
			places = append(places, place{backend, f})
		}
	}
	return places
}

// contend enters a Service for the places that its claim asks for now, and
// takes it out of those that it asked for before.
func (l *Ledger) contend(service state.Ref, backend string, before, now state.Want, created time.Time) {
	wanted := frontends(backend, now)
	for _, p := range frontends(backend, before) {
		if !slices.Contains(wanted, p) {
			l.change(p, func(h *holder) { delete(h.claimants, service) })
		}
	}
	for _, p := range wanted {
		l.change(p, func(h *holder) { h.claimants[service] = created })
	}
}

// shown enters where a backend shows a Service.
func (l *Ledger) shown(backend string, service state.Ref, shows []state.Frontend) {
	key := showing{backend, service}
	for _, f := range l.shows[key] {
		if !slices.Contains(shows, f) {
			l.change(place{backend, f}, func(h *holder) {
				if h.shown == service {
					h.shown = state.Ref{}
				}
			})
		}
	}
	for _, f := range shows {
		l.change(place{backend, f}, func(h *holder) { h.shown = service })
	}
	if len(shows) == 0 {
		delete(l.shows, key)
		return
	}
	l.shows[key] = slices.Clone(shows)
}

// change alters a place. If that gives it to another Service, both are dirty,
// and so are those that go on waiting, who say for whom.
func (l *Ledger) change(p place, alter func(*holder)) {
	h := l.holders[p]
	if h == nil {
		h = &holder{claimants: map[state.Ref]time.Time{}}
		l.holders[p] = h
	}
	before := h.has()
	alter(h)
	after := h.has()
	if len(h.claimants) == 0 && h.shown.IsZero() {
		delete(l.holders, p)
	}
	if before == after {
		return
	}
	waiting := slices.SortedFunc(maps.Keys(h.claimants), state.Ref.Compare)
	for _, ref := range slices.Concat([]state.Ref{before, after}, waiting) {
		if !ref.IsZero() && l.claims[ref] != nil {
			l.mark(p.backend, ref)
		}
	}
}

// conflicts are the places that a Service asks for and another one has.
func (l *Ledger) conflicts(backend string, want state.Want) []state.Problem {
	var problems []state.Problem
	for _, p := range frontends(backend, want) {
		if has := l.holders[p].has(); has != want.Service {
			problems = append(problems, state.Problem{
				Service: want.Service, Reason: "AddressInUse",
				Message: p.String() + " on " + backend + " is served for " + has.String() +
					"; this Service is served there when that one lets it go, or choose another address or port",
			})
		}
	}
	return problems
}
