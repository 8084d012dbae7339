package state

import (
	"cmp"
	"strings"
)

// Ref names a Service.
type Ref struct {
	Namespace, Name string
}

// String writes "namespace/name".
func (r Ref) String() string { return r.Namespace + "/" + r.Name }

// IsZero says whether the Ref names nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// Compare orders by namespace, then by name.
func (r Ref) Compare(o Ref) int {
	return cmp.Or(strings.Compare(r.Namespace, o.Namespace), strings.Compare(r.Name, o.Name))
}

// ParseRef reads "namespace/name".
func ParseRef(s string) (Ref, bool) {
	ns, name, ok := strings.Cut(s, "/")
	if !ok || ns == "" || name == "" || strings.Contains(name, "/") {
		return Ref{}, false
	}
	return Ref{Namespace: ns, Name: name}, true
}

// Kind says what sort of object an ID names.
type Kind string

// The kinds of objects.
const (
	KindNode          Kind = "node"
	KindMonitor       Kind = "monitor"
	KindDataGroup     Kind = "data-group"
	KindIRule         Kind = "irule"
	KindPersistence   Kind = "persistence"
	KindPool          Kind = "pool"
	KindMember        Kind = "member"
	KindVirtualServer Kind = "virtual-server"
	KindRoute         Kind = "route"
	KindStaticRoute   Kind = "static-route"
)

// Whole says whether brakes count what is removed of a kind: what carries
// clients of its own.
func (k Kind) Whole() bool {
	return k == KindVirtualServer || k == KindPool || k == KindRoute || k == KindStaticRoute
}

// ID names one object on one backend. It is comparable.
type ID struct {
	// Backend is the name of the backend that holds the object: "bigip/dc1".
	Backend string
	Kind    Kind
	// Name is the object's full path ("/web/lb_prod_shop_cart_80"), a
	// node's address, or a route's prefix. A member is named by its pool.
	Name string
	// Member is set for a pool member alone.
	Member Endpoint
}

// String writes "bigip/dc1 pool /web/p", for a member
// "bigip/dc1 member /web/p 10.0.0.1:80".
func (id ID) String() string {
	s := id.Backend + " " + string(id.Kind) + " " + id.Name
	if id.Kind == KindMember {
		s += " " + id.Member.String()
	}
	return s
}

// Compare orders by backend, kind, name and member.
func (id ID) Compare(o ID) int {
	return cmp.Or(
		strings.Compare(id.Backend, o.Backend),
		strings.Compare(string(id.Kind), string(o.Kind)),
		strings.Compare(id.Name, o.Name),
		id.Member.Compare(o.Member),
	)
}
