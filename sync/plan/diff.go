package plan

import (
	"net/netip"
	"slices"
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
	// Unseen says whether it is not known of an object whether it stands. nil:
	// it is of all.
	Unseen func(state.ID) bool
	// Leaned says whether an object of another backend still stands that
	// comes After this one, so that it must not go yet. nil: none does.
	Leaned func(state.ID) bool
	// Routed says whether a route to a virtual server at an address still
	// stands, so that it must not leave that yet. nil: none does.
	Routed func(state.ID, netip.Addr) bool
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
	// Removing are the Service's virtual servers, pools and routes that are no
	// longer wanted and still stand, also while they drain, and also with
	// Keep; sorted.
	Removing []state.ID
	// Count are the pools whose members' connections and availability have
	// to be looked at for the plan to go on: with members that drain, are
	// gated or awaited; sorted.
	Count []state.ID
	// Sought are objects of others that are missing in what was read: they may
	// have been made since; sorted.
	Sought []state.ID
	// Gated are the members that are kept in service for now.
	Gated []state.ID
	// Pools are the wanted pools that stand, by the names that they have
	// there; sorted.
	Pools []state.ID
	// InPlace are the awaited members that stand as wanted: up, or where they
	// are to take nothing, there; sorted. With Changes to make there are none.
	InPlace []state.ID
	// Unapproved are the changes that would be made in place of Changes, and wait
	// for the approval that one of Problems asks for; nil where nothing waits.
	Unapproved []Change
	// Problems are what cannot be done here, and why.
	Problems []state.Problem
}

// Diff reckons what has to change. What is wanted and is not there is made,
// what is ours and is no longer wanted goes after its members have drained,
// and what is foreign stays as it is. Applying the changes to Have and asking
// again at the same time gives no changes.
//
// Where an approval is pending, members follow endpoints and nothing else
// changes. What stands as it is asked for needs none.
func Diff(in Input) Result {
	asked := in
	asked.Want.Approval = nil
	result := diff(asked)
	if in.Want.Approval == nil || in.Want.Mode != state.Follow {
		return result
	}
	held := in
	held.Want = in.Want.Unapproved()
	without := diff(held)
	if covers(without.Changes, result.Changes) {
		return result
	}
	without.Unapproved = result.Changes
	without.Problems = slices.Concat(result.Problems, []state.Problem{in.Want.Approval.Problem(in.Want.Service)})
	return without
}

// covers says whether all of some changes are among others.
func covers(all, some []Change) bool {
	among := make(map[state.ID]Change, len(all))
	for _, c := range all {
		among[c.ID()] = c
	}
	return !slices.ContainsFunc(some, func(c Change) bool {
		same, ok := among[c.ID()]
		return !ok || same.Op != c.Op || (c.After != nil && !state.Equal(c.After, same.After))
	})
}

// diff is Diff for what needs no approval.
func diff(in Input) Result {
	d := &differ{
		Input:   in,
		planned: map[state.Address]*state.Node{},
		gone:    map[state.Address]int{},
		added:   map[state.Address]bool{},
		refused: map[state.ID]bool{},
		adopted: map[string]string{},
		domains: map[string]uint16{},
	}
	d.resolve()
	d.enterDomains()
	d.index()
	switch in.Want.Mode {
	case state.Follow:
		d.follow()
	case state.Hold, state.Freeze:
		d.problems = nil // what could not be adopted is not what holds it
		d.hold()
		d.keepRoutes()
	case state.Still:
		d.keepRoutes()
	}
	if in.Want.Mode != state.Still {
		d.dropNodes()
	}
	changes := slices.Concat(d.steps[:]...)
	d.await(len(changes) == 0)
	return Result{
		Changes:  changes,
		Again:    d.again,
		Waiting:  d.waiting,
		Removing: d.removing,
		Count:    slices.Compact(slices.SortedFunc(slices.Values(d.count), state.ID.Compare)),
		Sought:   slices.Compact(slices.SortedFunc(slices.Values(d.sought), state.ID.Compare)),
		Gated:    d.gated,
		Pools:    d.pools(),
		InPlace:  d.inPlace,
		Problems: d.problems,
	}
}

// step is a place in the order of a Unit. Things are made from the ground up
// and taken away from the top down; members come before others leave, and a
// virtual server stops before its members do.
type step int

const (
	tagAdopted step = iota
	makeNodes
	makeStaticRoutes
	makeMonitors
	makeDataGroups
	makeIRules
	makePersistence
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
	takeIRules
	takeDataGroups
	takePersistence
	takeStaticRoutes
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
	sought   []state.ID
	gated    []state.ID
	inPlace  []state.ID
	adopted  map[string]string                   // where an adopted pool stands, by how it is called in the Want
	networks map[netip.Prefix]*state.StaticRoute // that stand beside the wanted ones; nil until asked for
	domains  map[string]uint16                   // of pools whose members are put into another than 0, by path
	problems []state.Problem
	planned  map[state.Address]*state.Node // nodes made by this plan
	gone     map[state.Address]int         // members taken away by this plan
	added    map[state.Address]bool        // addresses that this plan gives members
	refused  map[state.ID]bool             // wanted, but stands as somebody else's
	alive    map[state.Address]bool        // of wanted members; nil until asked for
}

// index finds what is wanted on this backend by its ID.
func (d *differ) index() {
	d.want = map[state.ID]state.Object{}
	for _, o := range d.Want.Objects {
		if o.ID().Backend == d.Backend {
			d.want[o.ID()] = o
		}
	}
}

// pools are the wanted pools that stand.
func (d *differ) pools() []state.ID {
	var ids []state.ID
	for _, o := range d.Want.Objects {
		if _, found := d.Have.Get(o.ID()); found && o.ID().Kind == state.KindPool && o.ID().Backend == d.Backend {
			ids = append(ids, o.ID())
		}
	}
	slices.SortFunc(ids, state.ID.Compare)
	return ids
}

func (d *differ) add(s step, c Change) { d.steps[s] = append(d.steps[s], c) }

func (d *differ) problem(reason, message string) {
	d.problems = append(d.problems, state.Problem{Service: d.Want.Service, Reason: reason, Message: message})
}

// notice is a problem that leaves the outside as it was asked for.
func (d *differ) notice(reason, message string) {
	d.problems = append(d.problems, state.Problem{Service: d.Want.Service, Reason: reason, Message: message, Notice: true})
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

// follow plans for all that is wanted, and against all that is not. What
// others refer to comes first, whatever its place in the set.
func (d *differ) follow() {
	d.settleMonitors()
	var pools []*state.Pool
	var virtuals []*state.VirtualServer
	for _, o := range d.Want.Objects {
		if o.ID().Backend != d.Backend {
			continue
		}
		switch o := o.(type) {
		case *state.Pool:
			pools = append(pools, o)
		case *state.VirtualServer:
			virtuals = append(virtuals, o)
		case *state.Route:
			d.route(o)
		case *state.StaticRoute:
			d.staticRoute(o)
		default:
			d.plain(o)
		}
	}
	for _, p := range pools {
		d.pool(p)
	}
	for _, v := range virtuals {
		d.virtualServer(v)
	}
	if d.Want.Orphan {
		d.orphan()
		return
	}
	d.noteRemoving()
	if state.AsAsked(d.problems) && len(d.waiting) == 0 && !d.Keep {
		d.unwanted()
	} // else what stands goes on serving until what comes in its place can
}

// plain plans for an object that only its own content says how to change.
func (d *differ) plain(o state.Object) {
	have, found := d.Have.Get(o.ID())
	making, _ := stepsOf(o.ID().Kind)
	switch {
	case !found:
		if d.mayCome(o) {
			d.add(making, Change{Op: Create, After: o})
		}
	case !d.ours(have.OwnedBy()):
		d.nameTaken(o.ID(), have.OwnedBy())
	case !state.Equal(have, o):
		d.add(making, Change{Op: Update, Before: have, After: o})
	}
}

// mayCome says whether all that an object comes After stands; if not, the
// object waits. A route that was announced before also comes while that is not
// known: a device that cannot be read after a restart must not cost its routes.
func (d *differ) mayCome(o state.Object) bool {
	r, isRoute := o.(*state.Route)
	for _, id := range o.After() {
		if !d.stands(id) && (!isRoute || !r.Stood || !d.unseen(id)) {
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
