package plan

import (
	"slices"

	"landbridge.dev/sync/state"
)

// hold plans for the members of the pools that stand, and changes no more.
func (d *differ) hold() {
	for _, id := range d.Have.Owned(d.Want.Service) {
		p, ok := d.Have.Pool(d.Backend, id.Name)
		if !ok || id.Kind != state.KindPool || id.Backend != d.Backend {
			continue
		}
		want, wanted := d.want[id].(*state.Pool)
		if wanted && want.Use == state.Own && !d.ours(p.Owner) {
			d.nameTaken(id, p.Owner)
			wanted = false
		}
		if wanted && d.Want.Mode == state.Hold {
			s := (&settling{differ: d, want: d.ofStanding(want, p), have: p}).asItStands()
			d.want[id] = s.Pool
			d.members(s, p)
			continue
		}
		for _, m := range p.Members {
			if d.ours(m.Owner) && !d.live(m.Endpoint.Address) && m.Admin != state.Offline && (!m.VM || !d.Want.KeepVMs) {
				d.stop(p, m, 0)
			}
		}
	}
}

// ofStanding is a wanted pool that several ports ask for, with the members of
// those of which some stand there: what one port has follows its endpoints, and
// nothing comes of another, which may serve something else. Without any they
// are those of the first.
func (d *differ) ofStanding(want, have *state.Pool) *state.Pool {
	if len(want.Beside) == 0 {
		return want
	}
	stand := map[uint16]bool{}
	for _, m := range have.Members {
		if d.ours(m.Owner) && !m.VM && !m.Drain.Set() {
			stand[m.Endpoint.Port] = true
		}
	}
	p := *want
	p.Members = slices.DeleteFunc(slices.Concat(want.Members, want.Beside), func(m state.Member) bool {
		return !m.VM && !stand[m.Endpoint.Port]
	})
	if !slices.ContainsFunc(p.Members, func(m state.Member) bool { return !m.VM }) {
		return want
	}
	state.SortMembers(p.Members)
	return &p
}
