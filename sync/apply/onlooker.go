package apply

import "landbridge.dev/sync/state"

// Onlooker wants to know at which addresses a backend shows whom. It is told
// only while changes may be made, first of all by a full read, and from the
// worker's goroutine, before anything is changed for what was read: it must not
// block.
type Onlooker interface {
	// Read tells all that a full read shows: at each address the Services of
	// this installation, or the zero Ref for somebody else. The address of an
	// adopted virtual server is somebody else's: no Service was given it.
	Read(backend string, listeners map[state.Address][]state.Ref)
	// Seen tells where one Service is shown now: addresses, sorted.
	Seen(backend string, service state.Ref, at []state.Address)
}

// Listeners are who listens at each address that a set of objects shows: the
// Services of this installation, or the zero Ref for somebody else, as who gave
// an adopted virtual server its address is.
func Listeners(set *state.Set, identity state.Identity) map[state.Address][]state.Ref {
	listeners := map[state.Address][]state.Ref{}
	for v := range set.VirtualServers() {
		var who state.Ref
		if identity.Owns(v.Owner) && v.Use != state.Adopted {
			who = v.Owner.Service
		}
		listeners[v.Destination.Address] = append(listeners[v.Destination.Address], who)
	}
	return listeners
}

func (w *Worker) showAll() {
	if w.Onlooker != nil && w.act {
		w.Onlooker.Read(w.Backend.Name(), Listeners(w.mirror, w.Identity))
	}
}

func (w *Worker) showOne(ref state.Ref, at []state.Address) {
	if w.Onlooker != nil && w.act {
		w.Onlooker.Seen(w.Backend.Name(), ref, state.SortAddresses(at))
	}
}
