// Package apply brings a backend to what the ledger wants. It holds the
// contract that every backend keeps, and the worker that drives one: the
// mirror of what stands outside, what is dirty, what is in flight, backoff
// and timers. The worker decides; the backend only reads and carries out.
package apply

import (
	"context"
	"fmt"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// Backend is an external system that holds objects. Its methods may be called
// concurrently, Apply never for two Units that touch one Service, pool or
// node address. backends/backendtest holds the suite that each must pass.
type Backend interface {
	// Name is the backend's name in IDs: "bigip/dc1".
	Name() string
	// Read returns what stands outside, foreign objects included: all of
	// it, or with IDs in the scope these alone (those that are not there
	// are left out). An error means that nothing is known; an empty answer
	// that could be a failure is an error.
	Read(ctx context.Context, scope Scope) (*state.Set, error)
	// Apply carries out each Unit's changes in their order, and returns
	// one Outcome for each Unit, in the order of the Units. A Unit ends at
	// its first change that is not done; a change that is refused ends no
	// other Unit, however they are carried out.
	Apply(ctx context.Context, units []Unit) []Outcome
}

// Scope says what is read; the zero Scope is everything.
type Scope struct {
	IDs []state.ID
}

// All says whether everything is read.
func (s Scope) All() bool { return len(s.IDs) == 0 }

// Unit is the pending changes of one Service on one backend, in their order:
// the grain of calls, failure, backoff and report. Of very many, it is the
// first; the others follow as they are planned then.
type Unit struct {
	Service state.Ref
	Changes []plan.Change
}

// Status says how a Unit ended.
type Status uint8

// How a Unit can end.
const (
	// Done: every change stands outside.
	Done Status = iota
	// Refused: the backend said no to a change. Asking again without a
	// change on either side is of little use: back off.
	Refused
	// Unknown: a change may or may not have happened (a time-out, a cut
	// connection, a 5xx). Read the Unit's IDs before writing them again.
	Unknown
	// Unavailable: the backend takes no calls now (refused connection, not
	// logged in, starting). Nothing of this change happened.
	Unavailable
)

// String writes "done", "refused", "unknown" or "unavailable".
func (s Status) String() string {
	switch s {
	case Done:
		return "done"
	case Refused:
		return "refused"
	case Unknown:
		return "unknown"
	case Unavailable:
		return "unavailable"
	}
	return fmt.Sprintf("status %d", s)
}

// Outcome is how one Unit ended.
type Outcome struct {
	Status Status
	// Applied is how many of the Unit's changes, from the first on, are
	// known to stand outside, whatever the Status.
	Applied int
	// Stale: the answer shows that what was read before is out of date (what
	// was to be changed is gone, what was to be made stands). The Unit's IDs
	// are read before the next try, whatever the Status.
	Stale bool
	// Reason is one CamelCase word for a condition; empty when Done.
	Reason string
	// Err says what went wrong with which object, for a person, without a
	// secret; nil when Done.
	Err error
}
