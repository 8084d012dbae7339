package histories

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/backends/bgp"
	"landbridge.dev/config"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// voice is a replica's speaker, watched: the real one, but for its sessions.
// What routers are told of its table is played by routers.go, after the rules of
// graceful restart.
type voice struct {
	*bgp.Speaker
	play    *play
	replica *replica

	mu      sync.Mutex
	filled  bool // it was told to speak
	begun   bool // it speaks: routers follow its table
	leaves  []time.Time
	most    int       // routes that it had at most, for as long as leaves count
	allowed time.Time // until when a person lets more go
	// nowhere is when it last began to withdraw a route for leading to what did
	// not stand.
	nowhere map[state.ID]time.Time
}

// brakeOfRoutes is a brake that a world of a few Services can meet.
func brakeOfRoutes() apply.Brake { return apply.Brake{Percent: 30, Least: 2, Window: 10 * time.Minute} }

// leaving is how long a route that is to be withdrawn is announced as such:
// gracefulShutdown, as it is where nothing is written.
const leaving = time.Second

func (p *play) listen(r *replica) *voice {
	return &voice{Speaker: bgp.New(bgp.Options{Config: peerless(r.cluster.config), Log: zap.NewNop()}), play: p, replica: r, nowhere: map[state.ID]time.Time{}}
}

// peerless is the section bgp without its peers, to which there are no sockets
// here.
func peerless(c *config.Config) *config.BGP {
	section := *c.BGP
	section.Peers = nil
	return &section
}

// Start lets routers follow the table, at once if there is anything in it.
// Otherwise they keep what they were told before for as long as they do that.
func (v *voice) Start() {
	v.Speaker.Start()
	v.mu.Lock()
	v.filled = true
	v.mu.Unlock()
	v.hear()
}

// Apply judges changes, and carries them out.
func (v *voice) Apply(ctx context.Context, units []apply.Unit) []apply.Outcome {
	outcomes := make([]apply.Outcome, len(units))
	for i, u := range units {
		for _, c := range u.Changes {
			v.play.note("    %s: %s", v.replica.name, c)
		}
		v.judge(u)
		if v.speaks() && slices.ContainsFunc(u.Changes, func(c plan.Change) bool { return c.Op == plan.Delete }) {
			spend(ctx, leaving) // it is announced as about to go
		}
		want, revision, _ := v.replica.ledger.Want(state.Speaker, u.Service)
		outcomes[i] = v.Speaker.Apply(ctx, []apply.Unit{u})[0]
		for _, c := range u.Changes[:outcomes[i].Applied] {
			if c.Op == plan.Delete && revision > 0 && !want.Deleted && !wants(want, c.ID()) {
				v.brakes(c)
			}
		}
		if outcomes[i].Status != apply.Done {
			v.play.note("    %s: %s: %s: %v", v.replica.name, u.Service, outcomes[i].Status, outcomes[i].Err)
		}
		v.hear()
	}
	return outcomes
}

// hear lets the routers have the table as it is now, if it is for them.
func (v *voice) hear() {
	routes := v.routes()
	v.mu.Lock()
	if v.filled && len(routes) > 0 {
		v.begun = true
	}
	begun := v.begun
	v.mu.Unlock()
	if begun {
		v.play.box.post(func() { v.replica.cluster.routers.hear(v, routes) })
	}
}

// hush ends what it says without a word to the routers, as the end of its
// process does.
func (v *voice) hush() {
	v.Leave()
	v.mu.Lock()
	v.filled, v.begun = false, false
	v.mu.Unlock()
	v.replica.cluster.routers.miss(v)
}

// routes are the table.
func (v *voice) routes() map[state.ID]*state.Route {
	set, err := v.Read(context.Background(), apply.Scope{})
	if err != nil {
		v.play.violated("%s cannot read its routes: %v", v.replica.name, err)
		return nil
	}
	routes := map[state.ID]*state.Route{}
	for o := range set.All() {
		routes[o.ID()] = o.(*state.Route)
	}
	return routes
}

func (v *voice) speaks() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.begun
}

// judge demands of a Unit that what is wanted is not withdrawn, that what is
// announced leads somewhere, and that nothing changes in a settled world.
func (v *voice) judge(u apply.Unit) {
	want, revision, _ := v.replica.ledger.Want(state.Speaker, u.Service)
	v.play.mu.Lock()
	quiet := v.play.quiet
	v.play.mu.Unlock()
	if quiet && v.speaks() {
		v.play.violated("%s tells the routers something new in a settled world: %s", v.replica.name, u.Changes[0])
	}
	device := v.play.device.set()
	for _, c := range u.Changes {
		r, _ := c.Object().(*state.Route)
		switch {
		case c.Op != plan.Delete && len(r.Follows) > 0 && !r.Stood && !slices.ContainsFunc(r.Follows, func(id state.ID) bool { _, stands := device.Get(id); return stands }):
			if !v.play.troubled() {
				v.play.violated("%s announces what leads to nothing: %s after %v", v.replica.name, c, r.Follows)
			}
		case c.Op == plan.Delete && want.Mode >= state.Hold && v.replica.seen.sinceAsked(u.Service) > promptly:
			v.play.violated("the routes of %s are on %s, and %s plans %s", u.Service, want.Mode, v.replica.name, c)
		case c.Op == plan.Delete && !stands(device, r):
			v.mu.Lock()
			v.nowhere[c.ID()] = time.Now()
			v.mu.Unlock()
		case c.Op != plan.Delete || revision == 0:
		case wants(want, c.ID()) && v.replica.seen.sinceAsked(u.Service) > promptly && !v.play.troubled():
			v.play.violated("%s wants it, and %s plans %s", u.Service, v.replica.name, c)
		}
	}
}

// ledNowhere says whether a route was withdrawn a moment ago for leading to what
// did not stand.
func (v *voice) ledNowhere(id state.ID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return time.Since(v.nowhere[id]) < promptly
}

// stands says whether all that a route leads to does.
func stands(device *state.Set, r *state.Route) bool {
	return !slices.ContainsFunc(r.Follows, func(id state.ID) bool { _, there := device.Get(id); return !there })
}

// brakes counts a withdrawal that nobody asked for by deleting a Service.
func (v *voice) brakes(c plan.Change) {
	brake, now, has := brakeOfRoutes(), time.Now(), len(v.routes())
	v.mu.Lock()
	defer v.mu.Unlock()
	v.leaves = slices.DeleteFunc(v.leaves, func(at time.Time) bool { return now.Sub(at) >= brake.Window })
	if len(v.leaves) == 0 {
		v.most = 0
	}
	v.most = max(v.most, has)
	v.leaves = append(v.leaves, now)
	if limit := max(brake.Least, v.most*brake.Percent/100); len(v.leaves) > limit && now.After(v.allowed) {
		v.play.violated("%s withdraws %d routes within %s of Services that nobody deleted, and %d may go: %s", v.replica.name, len(v.leaves), brake.Window, limit, c)
	}
}

// allow lets what the brake holds go.
func (v *voice) allow(until time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.allowed = until
}

// leadsTo demands that no route leads to a virtual server any more that the
// replica removes now, unless the route is to lead on to another.
func (v *voice) leadsTo(name string) {
	path, is := strings.CutPrefix(name, string(state.KindVirtualServer)+" ")
	if !is || !v.speaks() {
		return
	}
	id := state.ID{Backend: deviceName, Kind: state.KindVirtualServer, Name: path}
	for _, r := range v.routes() {
		want, _, _ := v.replica.ledger.Want(state.Speaker, r.Owner.Service)
		if slices.Contains(r.Follows, id) && !wants(want, r.ID()) {
			v.play.violated("%s removes %s, and the routers still have %s", v.replica.name, name, r.ID())
		}
	}
}
