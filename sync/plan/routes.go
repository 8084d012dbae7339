package plan

import (
	"net/netip"
	"slices"

	"landbridge.dev/sync/state"
)

// route plans for a wanted route. One that leads to what is known not to stand
// any more is withdrawn, and comes again with it.
func (d *differ) route(r *state.Route) {
	have, found := d.Have.Get(r.ID())
	if found && d.ours(have.OwnedBy()) && d.leadsNowhere(r) {
		d.add(takeRoutes, Change{Op: Delete, Before: have, Why: "what it leads to does not stand"})
		d.waiting = append(d.waiting, r.ID())
		return
	}
	d.plain(r)
}

// leadsNowhere says whether something that a route comes after is known not to
// stand.
func (d *differ) leadsNowhere(r *state.Route) bool {
	return slices.ContainsFunc(r.Follows, func(id state.ID) bool { return !d.stands(id) && !d.unseen(id) })
}

func (d *differ) stands(id state.ID) bool { return d.Standing == nil || d.Standing(id) }

func (d *differ) unseen(id state.ID) bool { return d.Unseen != nil && d.Unseen(id) }

// keepRoutes plans for a Service whose routes are held: what was announced
// before, as the Service remembers it, is announced, and nothing is withdrawn.
// With Hold next hops follow, with Freeze they only leave, and with Still they
// stay: but a speaker that has just started knows of no route, and one that was
// announced is no change for anybody outside.
func (d *differ) keepRoutes() {
	for _, o := range d.Want.Objects {
		want, ok := o.(*state.Route)
		if !ok || want.Backend != d.Backend {
			continue
		}
		o, found := d.Have.Get(want.ID())
		have, _ := o.(*state.Route)
		switch {
		case !found:
			if len(want.NextHops) > 0 && d.mayCome(want) {
				d.add(makeRoutes, Change{Op: Create, After: want, Why: "as it was announced before"})
			}
		case d.Want.Mode == state.Still || !d.ours(have.Owner):
		default:
			d.followHops(want, have)
		}
	}
}

// followHops lets the next hops of a route that is held follow.
func (d *differ) followHops(want, have *state.Route) {
	after := *have
	after.NextHops = want.NextHops
	if d.Want.Mode == state.Freeze {
		after.NextHops = slices.DeleteFunc(slices.Clone(have.NextHops), func(h state.NextHop) bool { return !slices.Contains(want.NextHops, h) })
	}
	if !state.Equal(have, &after) {
		d.add(makeRoutes, Change{Op: Update, Before: have, After: &after})
	}
}

// staticRoute plans for a wanted static route. A device takes one route to a
// network: where the network team has made one, theirs holds.
func (d *differ) staticRoute(r *state.StaticRoute) {
	if d.networks == nil {
		d.networks = map[netip.Prefix]*state.StaticRoute{}
		for other := range d.Have.StaticRoutes() {
			if have := d.networks[other.Network]; other.Backend == d.Backend && d.want[other.ID()] == nil && (have == nil || other.Path < have.Path) {
				d.networks[other.Network] = other
			}
		}
	}
	other := d.networks[r.Network]
	switch {
	case other == nil:
		d.plain(r)
	case !d.ours(other.Owner):
		d.refused[r.ID()] = true
		d.notice("NetworkTaken", "a route to "+r.Network.String()+" stands on "+d.Backend+" as "+other.Path+" and is left alone; delete it there, or take it for good")
	case !d.Keep: // under a name of before; unwanted would delete it after all else
		d.refused[other.ID()] = true
		d.add(makeStaticRoutes, Change{Op: Delete, Before: other, Interrupts: true, Why: "makes way for " + r.Path + ", which leads to the same network"})
		d.plain(r)
	}
}
