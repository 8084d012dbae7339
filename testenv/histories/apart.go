package histories

import (
	"time"

	"landbridge.dev/sync/state"
)

// apart demands that no address and port is served twice: not by two virtual
// servers, and not for one Service with the pool of another.
func (p *play) apart(set *state.Set) {
	twice := map[string]bool{}
	for v := range set.VirtualServers() {
		for other := range set.Listeners(v.Frontend()) {
			if other.Path > v.Path && !v.Owner.IsZero() && !other.Owner.IsZero() {
				twice[v.Path+" and "+other.Path] = true
				p.bothServe(v, other)
			}
		}
		pool, there := set.Pool(deviceName, v.Pool)
		if there && !v.Owner.IsZero() && !pool.Owner.IsZero() && v.Owner != pool.Owner {
			p.violated("%s of %s leads to %s of %s", v.Path, v.Owner.Tag(), pool.Path, pool.Owner.Tag())
		}
	}
	for pair := range p.twice {
		if !twice[pair] {
			delete(p.twice, pair)
		}
	}
}

// bothServe judges two virtual servers of ours, on a device that takes both
// since they are apart by source address. Of one cluster that may never be. Two
// clusters do not know of each other before they read the device again; then
// both have to say it, and a person decides. Beside a foreign one ours may be:
// people keep their clients apart so.
func (p *play) bothServe(v, other *state.VirtualServer) {
	pair := v.Path + " and " + other.Path
	since, known := p.twice[pair]
	if !known {
		p.twice[pair], since = time.Now(), time.Now()
	}
	switch {
	case p.troubled() || !known:
	case v.Owner.Cluster == other.Owner.Cluster && v.Owner.UID == other.Owner.UID:
		p.violated("%s is served by %s", v.Frontend(), pair)
	case time.Since(since) > untilResync && (!p.isSaid(v.Owner) || !p.isSaid(other.Owner)):
		p.violated("%s is served by %s, and that is not said of both", v.Frontend(), pair)
	}
}

// isSaid says whether something is said to be wrong with the Service of an
// owner; of one that is gone, or with nobody to say it, nothing has to be.
func (p *play) isSaid(owner state.Owner) bool {
	for _, c := range p.clusters {
		if leader := c.leader(); c.identity.Owns(owner) && leader != nil && c.services[owner.Service] != nil {
			problems, _ := leader.problems(owner.Service)
			return len(problems) > 0
		}
	}
	return true
}
