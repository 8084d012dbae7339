package ledger

import (
	"maps"
	"slices"

	"landbridge.dev/sync/state"
)

// presence is what is known of an object that an After names, or that has one.
type presence uint8

const (
	unknown presence = iota
	stands
	absent
)

// edge says that one object comes after another and goes before it.
type edge struct {
	later, earlier state.ID
}

// order keeps the edges between objects of different backends. An edge lives
// until its later object is neither wanted nor there.
type order struct {
	edges   map[state.Ref]map[edge]bool // by Service; true while it is wanted
	leaning map[state.ID]map[state.ID]struct{}
	present map[state.ID]presence
}

func newOrder() order {
	return order{
		edges:   map[state.Ref]map[edge]bool{},
		leaning: map[state.ID]map[state.ID]struct{}{},
		present: map[state.ID]presence{},
	}
}

// put enters the edges of a Service's part on one backend, which replace those
// of its part before.
func (o *order) put(service state.Ref, backend string, part state.Want) {
	edges := o.edges[service]
	for e := range edges {
		if e.later.Backend == backend {
			edges[e] = false
		}
	}
	for _, object := range part.Objects {
		for _, earlier := range object.After() {
			e := edge{later: object.ID(), earlier: earlier}
			if edges == nil {
				edges = map[edge]bool{}
				o.edges[service] = edges
			}
			edges[e] = true
			if o.leaning[earlier] == nil {
				o.leaning[earlier] = map[state.ID]struct{}{}
			}
			o.leaning[earlier][e.later] = struct{}{}
		}
	}
	o.prune(service)
}

// seen enters which objects stand on a backend, and returns the backends on
// which the Service has to be looked at again for it, sorted.
func (o *order) seen(service state.Ref, backend string, has func(state.ID) bool) []string {
	wake := map[string]struct{}{}
	for e := range o.edges[service] {
		if e.earlier.Backend == backend && o.set(e.earlier, has(e.earlier)) {
			wake[e.later.Backend] = struct{}{}
		}
		if e.later.Backend == backend && o.set(e.later, has(e.later)) {
			wake[e.earlier.Backend] = struct{}{}
		}
	}
	o.prune(service)
	return slices.Sorted(maps.Keys(wake))
}

// set enters whether an object stands, and says whether that is news.
func (o *order) set(id state.ID, there bool) bool {
	is := absent
	if there {
		is = stands
	}
	news := o.present[id] != is
	o.present[id] = is
	return news
}

// prune drops the edges whose later object is neither wanted nor there.
func (o *order) prune(service state.Ref) {
	edges := o.edges[service]
	var over []edge
	for e, wanted := range edges {
		if !wanted && o.present[e.later] == absent {
			over = append(over, e)
		}
	}
	for _, e := range over {
		delete(edges, e)
		delete(o.leaning[e.earlier], e.later)
		if len(o.leaning[e.earlier]) == 0 {
			delete(o.leaning, e.earlier)
			delete(o.present, e.earlier)
		}
		delete(o.present, e.later)
	}
	if len(edges) == 0 {
		delete(o.edges, service)
	}
}

// leaned says whether something that comes after id stands, or may: until its
// backend has been seen, it counts as there.
func (o *order) leaned(id state.ID) bool {
	for later := range o.leaning[id] {
		if o.present[later] != absent {
			return true
		}
	}
	return false
}
