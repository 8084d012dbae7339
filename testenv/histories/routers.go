package histories

import (
	"maps"
	"slices"
	"strings"
	"time"

	"landbridge.dev/sync/state"
)

// keeping is for how long a router keeps the routes of a speaker that has gone
// without a word: graceful restart's time.
const keeping = 2 * time.Minute

// routers are the routers of one cluster: what they have from each replica's
// address. They belong to the goroutine that plays.
type routers struct {
	play    *play
	cluster *cluster
	from    map[int]*told // by the replica's place
}

// told is what routers have from one address.
type told struct {
	by     *voice // who told it; nil once it is gone
	routes map[state.ID]*state.Route
	until  time.Time // when what is stale goes
}

func newRouters(p *play, c *cluster) *routers {
	return &routers{play: p, cluster: c, from: map[int]*told{}}
}

// hear takes in a replica's table, which replaces what came from its address
// before: it is whole.
func (r *routers) hear(v *voice, routes map[state.ID]*state.Route) {
	if !v.speaks() {
		return // it has left meanwhile
	}
	r.change(func() { r.from[v.replica.place] = &told{by: v, routes: routes} })
}

// miss takes in that a replica has gone without a word.
func (r *routers) miss(v *voice) {
	if t := r.from[v.replica.place]; t != nil && t.by == v {
		t.by, t.until = nil, time.Now().Add(keeping)
	}
}

// expire lets go of what was kept for long enough.
func (r *routers) expire() {
	r.change(func() {
		maps.DeleteFunc(r.from, func(_ int, t *told) bool { return t.by == nil && !time.Now().Before(t.until) })
	})
}

// way is a prefix at one router, for one Service.
type way struct {
	peer, prefix string
	service      state.Ref
}

// ways are what the routers have, from whomever, with what they have of it.
func (r *routers) ways() map[way]*state.Route {
	all := map[way]*state.Route{}
	for _, place := range slices.Sorted(maps.Keys(r.from)) {
		for _, route := range r.from[place].routes {
			if len(route.NextHops) == 0 {
				continue
			}
			for _, peer := range route.Peers {
				if _, configured := r.cluster.config.Peer(peer); configured {
					all[way{peer, route.Prefix.String(), route.Owner.Service}] = route
				}
			}
		}
	}
	return all
}

// change changes what the routers have, and demands that nobody loses by it
// what is wanted.
func (r *routers) change(do func()) {
	before := r.ways()
	do()
	after := r.ways()
	for w := range before {
		if _, stays := after[w]; !stays {
			r.judgeLoss(w)
		}
	}
}

// judgeLoss demands of what a router has lost that it was not wanted: it was not
// changed a moment ago, and what it leads to does not stand, or not for certain.
func (r *routers) judgeLoss(w way) {
	leader := r.cluster.leader()
	s := r.cluster.services[w.service]
	if leader == nil || s == nil || s.object.DeletionTimestamp != nil || time.Since(r.cluster.changed[w.service]) < promptly {
		return
	}
	device := r.play.device.set()
	for _, o := range leader.asks(w.service).Want.Objects {
		route, is := o.(*state.Route)
		if !is || route.Prefix.String() != w.prefix || len(route.NextHops) == 0 || !slices.Contains(route.Peers, w.peer) {
			continue
		}
		if len(route.Follows) == 0 || route.Stood && stands(device, route) && !leader.voice.ledNowhere(route.ID()) {
			r.play.violated("%s has lost %s, which %s of %s wants", w.peer, w.prefix, w.service, r.cluster.identity.Cluster)
		}
	}
}

// checkHops demands of what a leader tells that its next hops are nodes that may
// be such.
func (r *routers) checkHops(leader *replica) {
	if !slices.Contains(r.cluster.nodes[:], NodeReady) {
		return
	}
	for _, route := range leader.voice.routes() {
		want, _, _ := leader.ledger.Want(state.Speaker, route.Owner.Service)
		if want.Mode == state.Still || leader.seen.sinceAsked(route.Owner.Service) < promptly {
			continue
		}
		for _, hop := range route.NextHops {
			name, isNode := strings.CutPrefix(hop.Via, "node ")
			for i, condition := range r.cluster.nodes {
				if isNode && name == nodeName(i) && condition != NodeReady {
					r.play.violated("%s is %s, and a next hop of %s of %s", name, condition, route.ID(), r.cluster.identity.Cluster)
				}
			}
		}
	}
}

// check demands that the routers have just what a Service asks for, and that it
// leads to what stands.
func (r *routers) check(leader *replica, want state.Want, device *state.Set) {
	have := leader.voice.routes()
	wanted := map[state.ID]bool{}
	for _, o := range want.Objects {
		route, is := o.(*state.Route)
		if !is {
			continue
		}
		wanted[route.ID()] = true
		told, there := have[route.ID()]
		switch {
		case there && !stands(device, route):
			r.play.violated("%s is told, and what it leads to does not stand: %v", route.ID(), route.Follows)
		case there && slices.Equal(told.Lines(), route.Lines()):
		case there:
			r.play.violated("%s is told as\n%v\nand not as wanted:\n%v", route.ID(), told.Lines(), route.Lines())
		case len(route.NextHops) > 0:
			r.play.violated("%s is wanted by %s of %s, nothing is wrong, and it is not told", route.ID(), want.Service, r.cluster.identity.Cluster)
		}
	}
	for id, route := range have {
		if route.Owner.Service == want.Service && !wanted[id] {
			r.play.violated("%s is not wanted any more by %s of %s, and still told", id, want.Service, r.cluster.identity.Cluster)
		}
	}
}

// checkTables demands, of a world at rest, that the routers have what the leader
// tells, and from nobody else anything.
func (r *routers) checkTables(leader *replica) {
	r.expire()
	for place, t := range r.from {
		if t.by != leader.voice && len(t.routes) > 0 {
			r.play.violated("the routers of %s still have routes from replica %d, which does not lead: %v", r.cluster.identity.Cluster, place, slices.Collect(maps.Keys(t.routes)))
		}
	}
	have := map[state.ID]*state.Route{}
	if t := r.from[leader.place]; t != nil {
		have = t.routes
	}
	if tells := leader.voice.routes(); !maps.EqualFunc(have, tells, func(a, b *state.Route) bool { return slices.Equal(a.Lines(), b.Lines()) }) {
		r.play.violated("the routers of %s have %v, and are told %v", r.cluster.identity.Cluster, have, tells)
	}
}
