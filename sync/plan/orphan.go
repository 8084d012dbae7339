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
			d.add(makeStep(id.Kind), Change{Op: Update, Before: o, After: after, Why: "deletion-policy: orphan"})
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
