package plan

import "landbridge.dev/sync/state"

// alsoServed finds the virtual servers of other clusters beside v on its
// frontend. The device took both because they are apart by source address or
// VLAN, made before either cluster knew of the other; the clients of one are
// not those of the other then. Of adopted ones without an address, as a list of
// addresses is to us, nothing is known to be shared.
func (d *differ) alsoServed(v *state.VirtualServer) {
	if !v.Destination.IP.IsValid() {
		return
	}
	for l := range d.Have.Listeners(v.Frontend()) {
		if !l.Owner.IsZero() && !d.Identity.Owns(l.Owner) {
			d.problem("AddressInUse", v.Frontend().String()+" on "+d.Backend+" is also served by "+l.Path+" of cluster "+l.Owner.Cluster+" (uid "+l.Owner.UID+"), "+
				"and clients go to one or the other by their source address or VLAN; choose another address or port for one of the two")
		}
	}
}

// makeWay makes way for v where others listen on its frontend. It is false if
// one of them has to stay.
func (d *differ) makeWay(v *state.VirtualServer) bool {
	for l := range d.Have.Listeners(v.Frontend()) {
		if !d.displace(v, l) {
			return false
		}
	}
	return true
}
