package histories

import (
	"strconv"
	"strings"
	"time"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/state"
)

// device is the far end as the world needs it: what replicas drive, what
// people change by hand, what the observer sees, and what makes it fail.
type device interface {
	// backend is a new session of a replica with the device.
	backend(r *replica) apply.Backend
	// set is what stands there.
	set() *state.Set
	// things are all objects that people or a Landbridge make, by name, with
	// their whole content.
	things() map[string]thing
	// make, alter and remove are a person's hands; false if the device says
	// no.
	make(o state.Object) bool
	alter(o state.Object) bool
	remove(o state.Object) bool
	// fault makes calls fail from now on, and calm none.
	fault(f Fault)
	calm()
	// writes is how many calls had an effect so far, by replicas alone.
	writes() int
	// reboot returns a unit to the configuration that it saved last; false if
	// the device cannot. Of two units the other one takes over.
	reboot(unit int) bool
	// failover lets the units of a pair change their roles, sync makes one's
	// configuration the other's, and makeStandby is a person's hand on the
	// unit that is not active; false if the device is not a pair, or says no.
	failover() bool
	sync(from int) bool
	makeStandby(o state.Object) bool
	// inStep says whether the units of a pair hold the same.
	inStep() bool
	// close ends what the device does by itself.
	close()
}

// theActive is in place of a unit's number: that of the active one.
const theActive = -1

// thing is an object as it stands on a device, told apart by name alone.
type thing struct {
	content string
	owner   state.Owner // zero for foreign
	within  string      // the name of the pool that it is a member of
	gone    bool        // by the change that is observed
	// at, drain and terminating are a member's.
	at          state.Endpoint
	drain       state.Deadline
	terminating bool
}

// nameOf is how a thing is called.
func nameOf(o state.Object) string {
	id := o.ID()
	switch o := o.(type) {
	case *state.PoolMember:
		return memberName(o.Pool, o.Member)
	case *state.Node:
		return "node " + o.Path
	}
	return string(id.Kind) + " " + id.Name
}

// memberName names a member by its node and port, as a BIG-IP does.
func memberName(pool string, m state.Member) string {
	sep := ":"
	if strings.Contains(m.Node, ":") {
		sep = "." // after a node that is named by an IPv6 address
	}
	return "member " + m.Node + sep + strconv.Itoa(int(m.Endpoint.Port)) + " of " + pool
}

// ownerOf is whom an object belongs to by its description and, for what has a
// name of ours, by that.
func ownerOf(description, name string, named bool) state.Owner {
	o, ok := state.ParseTag(description)
	if !ok {
		return state.Owner{}
	}
	if named && !strings.HasPrefix(name, "lb_"+o.Cluster+"_") {
		return state.Owner{}
	}
	return o
}

// Failure is how calls fail.
type Failure string

// The failures. Each is an action of the simulator's fault rules, but for Down.
const (
	Refuse       Failure = "refuse"        // a 400 without an effect
	Denied       Failure = "denied"        // a 401 without an effect
	CutBefore    Failure = "cut-before"    // the connection is cut, without an effect
	CutAfter     Failure = "cut-after"     // the connection is cut after the effect
	Broken       Failure = "500"           // an error of the device, without an effect
	Lost         Failure = "async-timeout" // the effect, and an HTML page with 500
	Busy         Failure = "busy"          // 503
	Page         Failure = "html"          // 503 with a page of the configuration utility
	Starting     Failure = "starting"      // 404, not registered
	MCPDLost     Failure = "mcpd-lost"     // 500 of a known kind
	ForgetTokens Failure = "forget-tokens" // logged out before the call
	LoseBatches  Failure = "lose-batches"  // open transactions are gone before the call
	Failover     Failure = "failover"      // of a pair, before the call; a commit is cut
	Slow         Failure = "slow"          // two seconds
	Stuck        Failure = "stuck"         // seventy seconds: longer than a call may take
	Down         Failure = "down"          // refuses connections
)

func failures() []Failure {
	return []Failure{
		Refuse, Denied, CutBefore, CutAfter, Broken, Lost, Busy, Page, Starting, MCPDLost, ForgetTokens, LoseBatches, Failover, Slow, Stuck, Down,
	}
}

// Fault is a rule: which calls fail, and how.
type Fault struct {
	Do Failure
	// Unit is which of a pair fails: 0 or 1.
	Unit int
	// Writes says that reads are spared.
	Writes bool
	// Skip calls are spared, then Count are hit; 0 for all.
	Skip, Count int
}

// String writes the rule.
func (f Fault) String() string {
	s := string(f.Do)
	if f.Unit > 0 {
		s += " of unit " + unitName(f.Unit)
	}
	if f.Writes {
		s += " writes"
	}
	if f.Skip > 0 {
		s += " skip " + plural(f.Skip, "call")
	}
	if f.Count > 0 {
		return s + " hit " + plural(f.Count, "call")
	}
	return s + " hit all"
}

// How long Slow and Stuck take. Stuck is longer than the 60 s that a call may.
const (
	slow  = 2 * time.Second
	stuck = 70 * time.Second
)
