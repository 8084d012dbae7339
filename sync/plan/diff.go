package plan

import (
	"slices"
	"strings"
	"time"

	"landbridge.dev/sync/state"
)

// Input is all that a plan for one Service on one backend is made from.
type Input struct {
	Backend  string
	Want     state.Want
	Have     *state.Set // what stands on the backend; not changed
	Identity state.Identity
	Now      time.Time
	// NodePartition is where nodes are made: a partition's name, or "same"
	// for that of the pool whose member needs the node.
	NodePartition string
	// Keep leaves standing what is no longer wanted: the brake.
	Keep bool
	// Gated says since when a member has been kept in service because it is
	// its pool's only one; the zero Time for not. nil: none is.
	Gated func(state.ID) time.Time
	// Standing says whether an object that another is to come After stands
	// on its backend. nil: nothing is waited for.
	Standing func(state.ID) bool
	// Leaned says whether an object of another backend still stands that
	// comes After this one, so that it must not go yet. nil: none does.
	Leaned func(state.ID) bool
}

// Result is the plan for one Service on one backend.
type Result struct {
	// Changes are in the order in which they have to be made.
	Changes []Change
	// Again is when the clock alone will make for other changes: a drain
	// that ends. The zero Time: never.
	Again time.Time
	// Waiting are the objects whose change waits for another backend.
	Waiting []state.ID
	// Removing are the Service's virtual servers and pools that are no
	// longer wanted and still stand, also while they drain, and also with
	// Keep; sorted.
	Removing []state.ID
	// Count are the pools whose members' connections and availability have
	// to be looked at for the plan to go on: those that drain or are gated;
	// sorted.
	Count []state.ID
	// Gated are the members that are kept in service for now.
	Gated []state.ID
	// Problems are what cannot be done here, and why.
	Problems []state.Problem
}

// Diff reckons what has to change. What is wanted and is not there is made,
// what is ours and is no longer wanted goes after its members have drained,
// and what is foreign stays as it is. Applying the changes to Have and asking
// again at the same time gives no changes.
func Diff(in Input) Result {
	if in.Want.Mode == state.Still {
		return Result{}
	}
	d := &differ{
		Input:   in,
		want:    map[state.ID]state.Object{},
		planned: map[state.Address]*state.Node{},
		gone:    map[state.Address]int{},
		added:   map[state.Address]bool{},
		refused: map[state.ID]bool{},
	}
	for _, o := range in.Want.Objects {
		if o.ID().Backend == in.Backend {
			d.want[o.ID()] = o
		}
	}
	switch in.Want.Mode {
	case state.Follow:
		d.follow()
	case state.Hold, state.Freeze:
		d.hold()
	case state.Still:
	}
	d.dropNodes()
	return Result{
		Changes:  slices.Concat(d.steps[:]...),
		Again:    d.again,
		Waiting:  d.waiting,
		Removing: d.removing,
		Count:    slices.Compact(slices.SortedFunc(slices.Values(d.count), state.ID.Compare)),
		Gated:    d.gated,
		Problems: d.problems,
	}
}

// step is a place in the order of a Unit. Things are made from the ground up
// and taken away from the top down; members come before others leave, and a
// virtual server stops before its members do.
type step int

const (
	makeNodes step = iota
	makeMonitors
	makePools
	addMembers
	makeVirtualServers
	makeRoutes
	takeRoutes
	stopVirtualServers
	stopMembers
	takeMembers
	takeVirtualServers
	takePools
	takeMonitors
	takeNodes
	steps
)

// differ gathers the changes of one Diff, by step.
type differ struct {
	Input
	want     map[state.ID]state.Object
	steps    [steps][]Change
	again    time.Time
	waiting  []state.ID
	removing []state.ID
	count    []state.ID
	gated    []state.ID
	problems []state.Problem
	planned  map[state.Address]*state.Node // nodes made by this plan
	gone     map[state.Address]int         // members taken away by this plan
	added    map[state.Address]bool        // addresses that this plan gives members
	refused  map[state.ID]bool             // wanted, but stands as somebody else's
	alive    map[state.Address]bool        // of wanted members; nil until asked for
}

func (d *differ) add(s step, c Change) { d.steps[s] = append(d.steps[s], c) }

func (d *differ) problem(reason, message string) {
	d.problems = append(d.problems, state.Problem{Service: d.Want.Service, Reason: reason, Message: message})
}

// ours says whether an owner is this Service of this cluster.
func (d *differ) ours(o state.Owner) bool {
	return d.Identity.Owns(o) && o.Service == d.Want.Service
}

// lookAgain remembers the earliest time at which the plan will differ.
func (d *differ) lookAgain(t time.Time) {
	if !t.IsZero() && (d.again.IsZero() || t.Before(d.again)) {
		d.again = t
	}
}

// follow plans for all that is wanted, and against all that is not.
func (d *differ) follow() {
	for _, o := range d.Want.Objects {
		id := o.ID()
		if id.Backend != d.Backend {
			continue
		}
		switch o := o.(type) {
		case *state.Pool:
			d.pool(o)
		case *state.VirtualServer:
			// After its pool, whichever comes first in the set.
		default:
			d.plain(o)
		}
	}
	for _, o := range d.Want.Objects {
		if v, ok := o.(*state.VirtualServer); ok && v.Backend == d.Backend {
			d.virtualServer(v)
		}
	}
	if d.Want.Orphan {
		d.orphan()
		return
	}
	d.noteRemoving()
	if len(d.problems) == 0 && len(d.waiting) == 0 && !d.Keep {
		d.unwanted()
	} // else what stands goes on serving until what comes in its place can
}

// plain plans for an object that only its own content says how to change.
func (d *differ) plain(o state.Object) {
	have, found := d.Have.Get(o.ID())
	switch {
	case !found:
		if d.mayCome(o) {
			d.add(makeStep(o.ID().Kind), Change{Op: Create, After: o})
		}
	case !d.ours(have.OwnedBy()):
		d.nameTaken(o.ID(), have.OwnedBy())
	case !state.Equal(have, o):
		d.add(makeStep(o.ID().Kind), Change{Op: Update, Before: have, After: o})
	}
}

func makeStep(k state.Kind) step {
	switch k {
	case state.KindRoute:
		return makeRoutes
	case state.KindMonitor:
		return makeMonitors
	}
	return makePools
}

// mayCome says whether all that an object comes After stands; if not, the
// object waits.
func (d *differ) mayCome(o state.Object) bool {
	for _, id := range o.After() {
		if d.Standing != nil && !d.Standing(id) {
			d.waiting = append(d.waiting, o.ID())
			return false
		}
	}
	return true
}

// mayGo says whether nothing that comes After an object stands any more; if
// something does, the object waits.
func (d *differ) mayGo(id state.ID) bool {
	if d.Leaned != nil && d.Leaned(id) {
		d.waiting = append(d.waiting, id)
		return false
	}
	return true
}

func (d *differ) nameTaken(id state.ID, by state.Owner) {
	d.refused[id] = true
	what := string(id.Kind) + " " + id.Name
	switch {
	case by.IsZero():
		d.problem("NameTaken", what+" stands on "+d.Backend+" without our tag and is left alone; rename or delete it there")
	case by.Cluster == d.Identity.Cluster && !d.Identity.Owns(by):
		d.problem("ForeignUID", what+" on "+d.Backend+" is tagged by another cluster named "+by.Cluster+" (uid "+by.UID+") and is left alone; "+
			"if that was this cluster before it was built anew, add the uid to formerUIDs, else give one of the clusters another name")
	default:
		d.problem("NameTaken", what+" on "+d.Backend+" belongs to "+by.Service.String()+" of cluster "+by.Cluster+" and is left alone")
	}
}

// virtualServer plans for a wanted virtual server, once its pool is planned.
func (d *differ) virtualServer(v *state.VirtualServer) {
	if v.Pool != "" && d.refused[state.ID{Backend: d.Backend, Kind: state.KindPool, Name: v.Pool}] {
		return
	}
	have, found := d.Have.Get(v.ID())
	if found && !d.ours(have.OwnedBy()) {
		d.nameTaken(v.ID(), have.OwnedBy())
		return
	}
	if found && state.Equal(have, v) {
		return
	}
	if !found && !d.mayCome(v) {
		return
	}
	if !listens(have, v.Frontend()) {
		if l, taken := d.Have.Listener(v.Frontend()); taken && !d.displace(v, l) {
			return
		}
	}
	if found {
		d.add(makeVirtualServers, Change{Op: Update, Before: have, After: v})
		return
	}
	d.add(makeVirtualServers, Change{Op: Create, After: v})
}

// listens says whether o is a virtual server on this frontend. Then another
// beside it there is none of our business: a device allows several, apart by
// source address or VLAN.
func listens(o state.Object, f state.Frontend) bool {
	v, ok := o.(*state.VirtualServer)
	return ok && v.Frontend() == f
}

// displace makes way for v where the virtual server l listens on its
// frontend. It is false if l has to stay.
func (d *differ) displace(v, l *state.VirtualServer) bool {
	_, wanted := d.want[l.ID()]
	switch {
	case d.ours(l.Owner) && !wanted:
		if d.Keep || !d.mayGo(l.ID()) {
			return false
		}
		d.refused[l.ID()] = true // planned here, and not once more as unwanted
		d.add(makeVirtualServers, Change{
			Op: Delete, Before: l, Interrupts: true,
			Why: "makes way for " + v.Path + ", which listens on the same address and port",
		})
		return true
	case d.Identity.Owns(l.Owner):
		// The ledger's holder: the other Service lets go first, or keeps it.
		d.waiting = append(d.waiting, v.ID())
		return false
	}
	d.problem("AddressInUse", v.Frontend().String()+" on "+d.Backend+" is served by "+l.Path+", which is not ours; choose another address or port, or remove that virtual server")
	return false
}

// noteRemoving notes the virtual servers and pools that are no longer wanted.
func (d *differ) noteRemoving() {
	for _, id := range d.Have.Owned(d.Want.Service) {
		o, _ := d.Have.Get(id)
		_, wanted := d.want[id]
		whole := id.Kind == state.KindVirtualServer || id.Kind == state.KindPool
		if whole && !wanted && id.Backend == d.Backend && d.ours(o.OwnedBy()) {
			d.removing = append(d.removing, id)
		}
	}
}

// unwanted plans for what carries the Service's tag and is not wanted.
func (d *differ) unwanted() {
	var pools []*state.Pool
	served := map[string]*state.VirtualServer{} // by the pool's path
	for _, id := range d.Have.Owned(d.Want.Service) {
		o, _ := d.Have.Get(id)
		if _, wanted := d.want[id]; wanted || id.Backend != d.Backend || d.refused[id] {
			continue
		}
		if !d.ours(o.OwnedBy()) {
			d.withdraw(o)
			continue
		}
		switch o := o.(type) {
		case *state.VirtualServer:
			served[o.Pool] = o
			if _, wanted := d.want[state.ID{Backend: d.Backend, Kind: state.KindPool, Name: o.Pool}]; wanted || !d.retiring(o.Pool) {
				d.take(takeVirtualServers, o)
			}
		case *state.Pool:
			pools = append(pools, o)
		case *state.Node:
			// Goes with the last member at its address: dropNodes.
		case *state.Route:
			d.take(takeRoutes, o)
		default:
			d.take(takeMonitors, o)
		}
	}
	for _, p := range pools {
		d.retire(p, served[p.Path])
	}
}

// withdraw takes our members out of a pool that is not ours any more: somebody
// has taken its tag off, and the members still carry theirs.
func (d *differ) withdraw(o state.Object) {
	p, ok := o.(*state.Pool)
	if !ok {
		return
	}
	for _, m := range p.Members {
		if d.ours(m.Owner) {
			d.leave(p, m, d.Want.Drain)
		}
	}
}

func (d *differ) take(s step, o state.Object) {
	if d.mayGo(o.ID()) {
		d.add(s, Change{Op: Delete, Before: o})
	}
}

// retiring says whether the pool with this path is ours and so is taken away
// by retire, together with the virtual server that it has.
func (d *differ) retiring(path string) bool {
	p, ok := d.Have.Pool(d.Backend, path)
	return ok && d.ours(p.Owner)
}

// retire takes a pool away that is no longer wanted, with the virtual server
// v that sends clients to it (nil for none): both take nothing new, the
// members drain, then all of it goes.
func (d *differ) retire(p *state.Pool, v *state.VirtualServer) {
	if v != nil && !d.mayGo(v.ID()) {
		return
	}
	var foreign []string
	var ours []state.Member
	for _, m := range p.Members {
		if d.ours(m.Owner) {
			ours = append(ours, m)
		} else {
			foreign = append(foreign, m.Endpoint.String())
		}
	}
	draining := false
	for _, m := range ours {
		if d.leave(p, m, d.Want.Drain) {
			draining = true
		}
	}
	if draining {
		if v != nil && !v.Disabled {
			stopped := *v
			stopped.Disabled = true
			d.add(stopVirtualServers, Change{Op: Update, Before: v, After: &stopped, Why: "takes nothing new while the pool drains"})
		}
		return
	}
	if v != nil {
		d.add(takeVirtualServers, Change{Op: Delete, Before: v})
	}
	if len(foreign) > 0 {
		d.problem("ForeignMembers", "pool "+p.Path+" on "+d.Backend+" is kept, because it holds members that are not ours: "+
			strings.Join(foreign, ", ")+"; move them, then delete the pool or remove them")
		return
	}
	// One call removes the pool with its members: take back single removals.
	d.steps[takeMembers] = slices.DeleteFunc(d.steps[takeMembers], func(c Change) bool { return c.ID().Name == p.Path })
	d.add(takePools, Change{Op: Delete, Before: p})
}

// hold plans for the members of the pools that stand, and changes no more.
func (d *differ) hold() {
	for _, id := range d.Have.Owned(d.Want.Service) {
		p, ok := d.Have.Pool(d.Backend, id.Name)
		if !ok || id.Kind != state.KindPool || id.Backend != d.Backend {
			continue
		}
		want, wanted := d.want[id].(*state.Pool)
		if wanted && !d.ours(p.Owner) {
			d.nameTaken(id, p.Owner)
			wanted = false
		}
		if wanted && d.Want.Mode == state.Hold {
			d.members(want, p)
			continue
		}
		for _, m := range p.Members {
			if d.ours(m.Owner) && !d.live(m.Endpoint.Address) && m.Admin != state.Offline {
				d.stop(p, m, 0)
			}
		}
	}
}
