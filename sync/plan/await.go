package plan

import "landbridge.dev/sync/state"

// await looks at the members that Pods wait for. One that is to take clients is
// in place once the device has found it up, for which it is counted; one that
// takes nothing although its Pod is ready, for a share or a fallback, once it
// stands. Only where nothing is left to do it is told.
func (d *differ) await(settled bool) {
	for _, id := range d.Want.Awaited {
		stands := id
		if path, ok := d.adopted[id.Name]; ok {
			stands.Name = path
		}
		if domain, ok := d.domains[stands.Name]; ok && stands.Member.RouteDomain == 0 {
			stands.Member.RouteDomain = domain
		}
		pool := state.ID{Backend: id.Backend, Kind: state.KindPool, Name: stands.Name}
		o, found := d.Have.Get(stands)
		if !found || !d.takesClients(pool, stands.Member) {
			continue
		}
		switch m := o.(*state.PoolMember); {
		case m.Admin == state.Enabled && !m.Available:
			d.count = append(d.count, pool)
		case settled:
			d.inPlace = append(d.inPlace, id)
		}
	}
}

// takesClients says whether a member's endpoint takes clients, be it that a
// share gives it none.
func (d *differ) takesClients(pool state.ID, e state.Endpoint) bool {
	for _, o := range d.Want.Objects { // not as divided
		if p, ok := o.(*state.Pool); ok && o.ID() == pool {
			m, wanted := p.Member(e)
			return wanted && m.Admin == state.Enabled
		}
	}
	return false
}
