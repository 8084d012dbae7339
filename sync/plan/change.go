// Package plan turns what is wanted and what is there into an ordered list of
// changes. It is pure: it does no I/O, and what time it is it is told. The
// same input gives the same plan, byte for byte.
package plan

import (
	"fmt"
	"maps"
	"slices"

	"landbridge.dev/sync/state"
)

// Op is what a change does to its object.
type Op string

// The operations.
const (
	Create Op = "create"
	Update Op = "update"
	Delete Op = "delete"
)

// Change is one change of one object on a backend, the grain at which things
// succeed and fail outside. Members are created with their pool, and from
// then on changed one at a time.
type Change struct {
	Op Op
	// Before is the object as it was seen; nil for Create.
	Before state.Object
	// After is the object as it shall be; nil for Delete. In the update of
	// a pool the members are those of Before: only settings change.
	After state.Object
	// Why says in a few words what the change is for, where After does not.
	Why string
	// Interrupts marks a change that cannot be made without cutting off
	// clients for a moment.
	Interrupts bool
}

// Object is the object that the change is about: After, or Before where it is
// deleted.
func (c Change) Object() state.Object {
	if c.After != nil {
		return c.After
	}
	return c.Before
}

// ID names the object that the change is about.
func (c Change) ID() state.ID { return c.Object().ID() }

// String writes "create bigip/dc1 pool /web/p".
func (c Change) String() string {
	s := fmt.Sprintf("%s %s", c.Op, c.ID())
	if c.Why != "" {
		s += " (" + c.Why + ")"
	}
	return s
}

// ApplyTo makes the change in a set, as the backend made it outside.
func (c Change) ApplyTo(s *state.Set) {
	if c.Op == Delete {
		s.Delete(c.ID())
		return
	}
	s.Put(c.After)
}

// ApplyTo makes changes in a set, in their order. Members of one pool that
// follow each other are put into it together: a pool of thousands is copied
// once.
func ApplyTo(s *state.Set, changes []Change) {
	for len(changes) > 0 {
		n := 0
		for n < len(changes) && sameMembersPool(changes[0], changes[n]) {
			n++
		}
		if n < 2 {
			changes[0].ApplyTo(s)
			changes = changes[1:]
			continue
		}
		applyMembers(s, changes[:n])
		changes = changes[n:]
	}
}

// sameMembersPool says whether two changes are of members of one pool.
func sameMembersPool(a, b Change) bool {
	x, y := a.ID(), b.ID()
	return x.Kind == state.KindMember && y.Kind == state.KindMember && x.Name == y.Name && x.Backend == y.Backend
}

func applyMembers(s *state.Set, changes []Change) {
	id := changes[0].ID()
	pool, ok := s.Pool(id.Backend, id.Name)
	if !ok {
		return
	}
	members := make(map[state.Endpoint]state.Member, len(pool.Members))
	for _, m := range pool.Members {
		members[m.Endpoint] = m
	}
	for _, c := range changes {
		if after, ok := c.After.(*state.PoolMember); ok {
			members[after.Endpoint] = after.Member
		} else {
			delete(members, c.ID().Member)
		}
	}
	after := *pool
	after.Members = slices.Collect(maps.Values(members))
	state.SortMembers(after.Members)
	s.Put(&after)
}
