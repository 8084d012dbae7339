package plan

import (
	"landbridge.dev/sync/state"
)

// orphan plans for a Service whose objects stay when it goes: our tag is taken
// off all of them, and nothing else is changed. A node that others have members
// at keeps its tag, so that it goes with the last of them; so does one without
// any, which goes now.
func (d *differ) orphan() {
	own := d.ownMembers()
	for _, id := range d.Have.Owned(d.Want.Service) {
		o, _ := d.Have.Get(id)
		if id.Backend != d.Backend {
			continue
		}
		if p, ok := o.(*state.Pool); ok {
			d.orphanMembers(p)
		}
		if n, ok := o.(*state.Node); ok && (own[n.Address] == 0 || d.Have.MembersAt(n.Address) != own[n.Address]) {
			continue // others of ours may need it; without a member it goes: dropNodes
		}
		if !d.ours(o.OwnedBy()) {
			continue
		}
		if after := untagged(o); after != nil {
			making, _ := stepsOf(id.Kind)
			d.add(making, Change{Op: Update, Before: o, After: after, Why: "deletion-policy: orphan"})
		}
	}
}

// ownMembers is how many members the Service has at each address.
func (d *differ) ownMembers() map[state.Address]int {
	own := map[state.Address]int{}
	for _, id := range d.Have.Owned(d.Want.Service) {
		p, ok := d.Have.Pool(d.Backend, id.Name)
		if !ok || id.Kind != state.KindPool {
			continue
		}
		for _, m := range p.Members {
			if d.ours(m.Owner) {
				own[m.Endpoint.Address]++
			}
		}
	}
	return own
}

func (d *differ) orphanMembers(p *state.Pool) {
	for _, m := range p.Members {
		after := m
		switch {
		case d.ours(m.Owner):
			after.Owner, after.Drain, after.Terminating, after.VM = state.Owner{}, 0, false, false
		case m.Owner.IsZero() && m.Loan != nil && d.ours(m.Loan.To):
			after.Loan = nil // it stays as it was lent
		default:
			continue
		}
		d.add(addMembers, Change{Op: Update, Before: member(p, m), After: member(p, after), Why: "deletion-policy: orphan"})
	}
}

// untagged is an object without its owner; nil for one that has to keep it.
func untagged(o state.Object) state.Object {
	switch o := o.(type) {
	case *state.VirtualServer:
		v := *o
		v.Owner, v.Use = state.Owner{}, state.Own
		return &v
	case *state.Pool:
		p := *o
		p.Owner, p.Use, p.Lent = state.Owner{}, state.Own, state.PoolTerms{}
		return &p
	case *state.Node:
		n := *o
		n.Owner = state.Owner{}
		return &n
	case *state.Monitor:
		m := *o
		m.Owner = state.Owner{}
		return &m
	case *state.DataGroup:
		g := *o
		g.Owner = state.Owner{}
		return &g
	case *state.IRule:
		r := *o
		r.Owner = state.Owner{}
		return &r
	case *state.StaticRoute:
		r := *o
		r.Owner = state.Owner{}
		return &r
	case *state.Persistence:
		p := *o
		p.Owner = state.Owner{}
		return &p
	}
	return nil
}
