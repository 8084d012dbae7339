package plan

import (
	"slices"
	"strings"

	"landbridge.dev/sync/state"
)

// noteRemoving notes the virtual servers, pools and routes that are no longer
// wanted.
func (d *differ) noteRemoving() {
	for _, id := range d.Have.Owned(d.Want.Service) {
		o, _ := d.Have.Get(id)
		_, wanted := d.want[id]
		if id.Kind.Whole() && !wanted && id.Backend == d.Backend && d.ours(o.OwnedBy()) && !state.IsAdopted(o) {
			d.removing = append(d.removing, id)
		}
	}
}

// unwanted plans for what carries the Service's tag and is not wanted.
func (d *differ) unwanted() {
	var pools []*state.Pool
	var borrowed []*state.VirtualServer
	var referred []state.Object
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
			if o.Use == state.Adopted {
				borrowed = append(borrowed, o)
				continue
			}
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
		case *state.StaticRoute:
			d.take(takeStaticRoutes, o)
		default:
			referred = append(referred, o)
		}
	}
	kept := map[string]bool{} // adopted pools that are not given back yet
	for _, p := range pools {
		if p.Use == state.Adopted {
			kept[p.Path] = !d.release(p)
			continue
		}
		d.retire(p, served[p.Path])
	}
	for _, v := range borrowed {
		if !kept[v.Pool] {
			d.releaseVirtual(v)
		}
	}
	slices.SortStableFunc(referred, func(a, b state.Object) int { // an iRule before its data group
		_, x := stepsOf(a.ID().Kind)
		_, y := stepsOf(b.ID().Kind)
		return int(x - y)
	})
	for _, o := range referred {
		d.takeAttached(o)
	}
}

// withdraw takes our members out of a pool that is not ours any more: somebody
// has taken its tag off, and the members still carry theirs.
func (d *differ) withdraw(o state.Object) {
	p, ok := o.(*state.Pool)
	if !ok {
		return
	}
	coming := d.giveBack(p)
	for _, m := range p.Members {
		switch {
		case !d.ours(m.Owner):
		case coming && d.serves(m) && d.listed(m.Endpoint.Address) && d.waits(member(p, m).ID()):
			d.count = append(d.count, p.ID())
		default:
			d.leave(p, m, d.Want.Drain)
		}
	}
}

// giveBack puts the members of others back that were lent for the Service. It
// is true while some of those that are to serve are not up.
func (d *differ) giveBack(p *state.Pool) (coming bool) {
	for _, m := range p.Members {
		if !m.Owner.IsZero() {
			continue
		}
		after := m
		if m.Loan != nil && d.ours(m.Loan.To) {
			after = m.SetTerms(m.PutBack()).WithLoan(nil)
			d.terms(p, m, after)
		}
		coming = coming || after.Admin == state.Enabled && (m.Admin != state.Enabled || !m.Available)
	}
	return coming
}

// serves says whether a member takes clients as it stands.
func (d *differ) serves(m state.Member) bool { return m.Admin == state.Enabled && !m.Drain.Set() }

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
