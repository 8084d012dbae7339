package plan

import (
	"landbridge.dev/sync/state"
)

// orphan plans for a Service whose objects stay when it goes: our tag is taken
// off all of them, nodes included, and nothing else is changed.
func (d *differ) orphan() {
	for _, id := range d.Have.Owned(d.Want.Service) {
		o, _ := d.Have.Get(id)
		if id.Backend != d.Backend {
			continue
		}
		if p, ok := o.(*state.Pool); ok {
			d.orphanMembers(p)
		}
		if n, ok := o.(*state.Node); ok && d.Have.MembersAt(n.Address) == 0 {
			continue // it leads nowhere, and goes: dropNodes
		}
		if !d.ours(o.OwnedBy()) {
			continue
		}
		if after := untagged(o); after != nil {
			d.add(makeStep(id.Kind), Change{Op: Update, Before: o, After: after, Why: "deletion-policy: orphan"})
		}
	}
}

func (d *differ) orphanMembers(p *state.Pool) {
	for _, m := range p.Members {
		if !d.ours(m.Owner) {
			continue
		}
		after := m
		after.Owner, after.Drain, after.Terminating = state.Owner{}, 0, false
		d.add(addMembers, Change{Op: Update, Before: member(p, m), After: member(p, after), Why: "deletion-policy: orphan"})
	}
}

// untagged is an object without its owner; nil for one that has to keep it.
func untagged(o state.Object) state.Object {
	switch o := o.(type) {
	case *state.VirtualServer:
		v := *o
		v.Owner = state.Owner{}
		return &v
	case *state.Pool:
		p := *o
		p.Owner = state.Owner{}
		return &p
	case *state.Node:
		n := *o
		n.Owner = state.Owner{}
		return &n
	case *state.Monitor:
		m := *o
		m.Owner = state.Owner{}
		return &m
	}
	return nil
}
