package plan

import (
	"slices"

	"landbridge.dev/sync/state"
)

// virtualServer plans for a wanted virtual server, once its pool is planned.
func (d *differ) virtualServer(v *state.VirtualServer) {
	if d.blocked(v) {
		return
	}
	have, found := d.Have.Get(v.ID())
	if stands, ok := have.(*state.VirtualServer); ok && v.Use == state.Adopted {
		have = d.tagVirtual(stands)
	}
	if found && !d.ours(have.OwnedBy()) {
		d.nameTaken(v.ID(), have.OwnedBy())
		return
	}
	listening := listens(have, v.Frontend())
	if listening {
		d.alsoServed(v)
	}
	if found && state.Equal(have, withGiven(v, have)) {
		return
	}
	if !found && !d.mayCome(v) {
		return
	}
	if found && !d.mayMove(have, v) {
		return
	}
	if !listening && !d.makeWay(v) {
		return
	}
	if found {
		d.add(makeVirtualServers, Change{Op: Update, Before: have, After: v})
		return
	}
	d.add(makeVirtualServers, Change{Op: Create, After: v})
}

// mayMove says whether a virtual server that stands may become the wanted one:
// it leaves an address only when no route leads there any more; until then it
// waits.
func (d *differ) mayMove(have state.Object, v *state.VirtualServer) bool {
	from, ok := have.(*state.VirtualServer)
	if !ok || from.Destination.IP == v.Destination.IP || d.Routed == nil || !d.Routed(v.ID(), from.Destination.IP) {
		return true
	}
	d.waiting = append(d.waiting, v.ID())
	return false
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
	d.addressInUse(v, l)
	return false
}

// withGiven is a wanted virtual server with the protocol's profile, where the
// device has given it that: it does so where none of those that are named is
// one of a protocol, which their names do not tell.
func withGiven(v *state.VirtualServer, have state.Object) *state.VirtualServer {
	given := state.Profile{Path: "/Common/" + string(v.Protocol), Context: "all"}
	stands, ok := have.(*state.VirtualServer)
	if !ok || len(stands.Profiles) != len(v.Profiles)+1 || slices.Contains(v.Profiles, given) || !slices.Contains(stands.Profiles, given) {
		return v
	}
	w := *v
	w.Profiles = append(slices.Clone(v.Profiles), given)
	return &w
}

// addressInUse is the problem of a frontend on which somebody else listens.
func (d *differ) addressInUse(v, l *state.VirtualServer) {
	served := v.Frontend().String() + " on " + d.Backend + " is served by " + l.Path
	switch {
	case l.Owner.IsZero():
		d.problem("AddressInUse", served+", which is not ours; choose another address or port, or remove that virtual server")
	case l.Owner.UID == d.Identity.UID && l.Owner.Cluster != d.Identity.Cluster:
		d.problem("AddressInUse", served+" of cluster "+l.Owner.Cluster+", which has our uid; if that was this cluster's name, add it to formerClusters, "+
			"else choose another address or port")
	default:
		d.problem("AddressInUse", served+" of cluster "+l.Owner.Cluster+" (uid "+l.Owner.UID+"); this Service is served there when that one lets it go, "+
			"or choose another address or port")
	}
}
