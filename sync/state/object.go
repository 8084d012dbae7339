package state

import (
	"slices"
)

// Object is anything that stands on a backend. Objects are immutable: their
// methods may be called from any goroutine.
type Object interface {
	ID() ID
	// OwnedBy is the object's owner; zero for a foreign one.
	OwnedBy() Owner
	// After names objects, also of other backends, that must stand before
	// this one is made, and that go only after this one has gone.
	After() []ID
	// Lines is the object's wanted content, one property a line, sorted:
	// the one source for equality, for the text of a plan and for its JSON.
	// What a device reports but nobody sets (a member's availability) and
	// the ID are not in it.
	Lines() []string
}

// Equal says whether two objects hold the same wanted content. It is the
// equality that a plan is made of: what Lines does not show is no difference.
func Equal(a, b Object) bool {
	return a.ID() == b.ID() && slices.Equal(a.Lines(), b.Lines())
}

// Node is an address that pool members refer to. A BIG-IP allows one for each
// address in a route domain, in whichever partition (0107176c).
type Node struct {
	Backend string
	Path    string // /partition/name
	Address Address
	Owner   Owner
}

// ID names the node by its address, which is what makes it one.
func (n *Node) ID() ID { return NodeID(n.Backend, n.Address) }

// NodeID is the ID of the node with this address.
func NodeID(backend string, a Address) ID {
	return ID{Backend: backend, Kind: KindNode, Name: a.String()}
}

// OwnedBy is who made it.
func (n *Node) OwnedBy() Owner { return n.Owner }

// After is empty: a node needs nothing before it.
func (n *Node) After() []ID { return nil }

// Lines is the wanted content.
func (n *Node) Lines() []string {
	return []string{"address " + n.Address.String(), "owner " + n.Owner.Tag(), "path " + n.Path}
}

// Same is Equal, and whatever else of a desired object a plan looks at. It
// writes no lines where it can do without.
func Same(a, b Object) bool {
	switch p := a.(type) {
	case *Pool:
		q, ok := b.(*Pool)
		return ok && p.Path == q.Path && p.Backend == q.Backend && p.DrainTimeout == q.DrainTimeout && p.Share == q.Share &&
			p.SameSettings(q) && slices.Equal(p.Named, q.Named) && slices.EqualFunc(p.Peers, q.Peers, Member.SameWanted) &&
			slices.EqualFunc(p.Members, q.Members, sameAsked) && slices.EqualFunc(p.Beside, q.Beside, sameAsked)
	case *VirtualServer:
		if q, ok := b.(*VirtualServer); !ok || !slices.Equal(p.Named, q.Named) {
			return false
		}
	}
	return Equal(a, b) && slices.Equal(a.After(), b.After()) && stood(a) == stood(b)
}

// sameAsked says whether the same is asked for of two wanted members.
func sameAsked(a, b Member) bool {
	return a.SameWanted(b) && a.Serves == b.Serves && a.Stays == b.Stays
}
