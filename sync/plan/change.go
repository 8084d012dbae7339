// Package plan turns what is wanted and what is there into an ordered list of
// changes. It is pure: it does no I/O, and what time it is it is told. The
// same input gives the same plan, byte for byte.
package plan

import (
	"fmt"

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
