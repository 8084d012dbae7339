package histories

import (
	"strings"

	"landbridge.dev/sync/state"
)

// isAttached says whether an object is one that pools and virtual servers, or
// what these run, refer to by its path.
func isAttached(o state.Object) bool {
	switch o.(type) {
	case *state.Monitor, *state.IRule, *state.DataGroup, *state.Persistence:
		return true
	}
	return false
}

// alteredAttached is such an object with another setting; nil for any other.
func alteredAttached(o state.Object) state.Object {
	switch o := o.(type) {
	case *state.Monitor:
		m := *o
		m.Interval, m.Timeout = 9, 90
		return &m
	case *state.IRule:
		r := *o
		r.Text += "\n# a person was here"
		return &r
	case *state.DataGroup:
		g := *o
		g.Prefixes = g.Prefixes[:1]
		return &g
	case *state.Persistence:
		p := *o
		p.Timeout++
		return &p
	}
	return nil
}

// untaggedAttached is such an object without its tag; nil for any other.
func untaggedAttached(o state.Object) state.Object {
	switch o := o.(type) {
	case *state.Monitor:
		m := *o
		m.Owner = state.Owner{}
		return &m
	case *state.IRule:
		r := *o
		r.Owner = state.Owner{}
		return &r
	case *state.DataGroup:
		g := *o
		g.Owner = state.Owner{}
		return &g
	case *state.Persistence:
		p := *o
		p.Owner = state.Owner{}
		return &p
	}
	return nil
}

// refersTo says whether an object refers to one of those with these IDs.
func refersTo(o state.Object, ids map[state.ID]bool) bool {
	has := func(kind state.Kind, paths ...string) bool {
		for _, path := range paths {
			if ids[state.ID{Backend: deviceName, Kind: kind, Name: path}] {
				return true
			}
		}
		return false
	}
	switch o := o.(type) {
	case *state.VirtualServer:
		return has(state.KindPool, o.Pool) || has(state.KindIRule, o.IRules...) || has(state.KindPersistence, o.Persistence)
	case *state.Pool:
		return has(state.KindMonitor, o.Monitors...)
	case *state.IRule:
		return has(state.KindDataGroup, o.Path)
	}
	return false
}

// inTheWay are the IDs of what is foreign and keeps ours from being as asked:
// virtual servers at our addresses, what has a name of ours; and of what
// refers to such, which could not go before.
func inTheWay(set *state.Set) map[state.ID]bool {
	ids := map[state.ID]bool{}
	for o := range set.All() {
		_, listens := o.(*state.VirtualServer)
		if o.OwnedBy().IsZero() && (listens || strings.Contains(o.ID().Name, "/lb_")) {
			ids[o.ID()] = true
		}
	}
	for more := true; more; {
		more = false
		for o := range set.All() {
			if !ids[o.ID()] && refersTo(o, ids) {
				ids[o.ID()], more = true, true
			}
		}
	}
	return ids
}
