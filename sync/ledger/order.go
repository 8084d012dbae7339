package ledger

import (
	"maps"
	"net/netip"
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
	wants := map[state.ID]bool{}
	for _, object := range part.Objects {
		wants[object.ID()] = true
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
	for e, wanted := range edges { // what is still wanted comes after that no longer: it does not wait to go
		if !wanted && wants[e.later] {
			o.drop(service, e)
		}
	}
	o.prune(service)
}

// drop drops an edge.
func (o *order) drop(service state.Ref, e edge) {
	delete(o.edges[service], e)
	delete(o.leaning[e.earlier], e.later)
	if len(o.leaning[e.earlier]) == 0 {
		delete(o.leaning, e.earlier)
		delete(o.present, e.earlier)
	}
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
		o.drop(service, e)
		delete(o.present, e.later)
	}
	if len(edges) == 0 {
		delete(o.edges, service)
	}
}

// routed says whether a route to the virtual server id at an address stands, or
// may.
func (o *order) routed(id state.ID, at netip.Addr) bool {
	for later := range o.leaning[id] {
		if later.LeadsTo(at) && o.present[later] != absent {
			return true
		}
	}
	return false
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
