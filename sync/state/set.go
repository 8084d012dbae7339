package state

import (
	"iter"
	"maps"
	"slices"
)

// Set is a collection of objects, each ID once, with the look-ups that a plan
// needs. Members are held inside their pools. A Set is not safe for
// concurrent use; the objects in it are.
//
// Of nodes there are as many as of pods, 250,000 in a large cluster, so they
// are kept by their addresses: an ID takes more than the node itself.
type Set struct {
	objects   map[ID]Object // all but nodes
	nodes     map[nodeKey]*Node
	owned     map[Ref][]Object             // in no order
	frontends map[Frontend][]ID            // sorted; mostly one
	leading   map[poolKey][]*VirtualServer // to a pool, in no order; mostly one
	members   map[Address]int              // members at an address, over all pools
}

type nodeKey struct {
	backend string
	address Address
}

type poolKey struct{ backend, path string }

// NewSet holds the given objects; of two with one ID the later.
func NewSet(objects ...Object) *Set {
	s := &Set{
		objects:   map[ID]Object{},
		nodes:     map[nodeKey]*Node{},
		owned:     map[Ref][]Object{},
		frontends: map[Frontend][]ID{},
		leading:   map[poolKey][]*VirtualServer{},
		members:   map[Address]int{},
	}
	for _, o := range objects {
		s.Put(o)
	}
	return s
}

// Put adds an object, in the place of the one with its ID. A member is put
// into its pool; where the pool is missing nothing happens.
func (s *Set) Put(o Object) {
	if m, ok := o.(*PoolMember); ok {
		if p, ok := s.Pool(m.Backend, m.Pool); ok {
			s.Put(p.With(m.Member))
		}
		return
	}
	if old, ok := s.same(o); ok {
		s.remove(old)
	}
	if n, ok := o.(*Node); ok {
		s.nodes[nodeKey{n.Backend, n.Address}] = n
	} else {
		s.objects[o.ID()] = o
	}
	s.index(o, 1)
}

// same is what stands in an object's place.
func (s *Set) same(o Object) (Object, bool) {
	if n, ok := o.(*Node); ok {
		old, ok := s.nodes[nodeKey{n.Backend, n.Address}]
		return old, ok
	}
	old, ok := s.objects[o.ID()]
	return old, ok
}

// Delete removes the object, or from its pool the member, with this ID, if it
// is there.
func (s *Set) Delete(id ID) {
	if id.Kind == KindMember {
		if p, ok := s.Pool(id.Backend, id.Name); ok {
			s.Put(p.Without(id.Member))
		}
		return
	}
	if o, ok := s.Get(id); ok {
		s.remove(o)
	}
}

func (s *Set) remove(o Object) {
	s.index(o, -1)
	if n, ok := o.(*Node); ok {
		delete(s.nodes, nodeKey{n.Backend, n.Address})
	} else {
		delete(s.objects, o.ID())
	}
}

// index adds what o brings to the look-ups (by = 1), or takes it out (by = -1).
func (s *Set) index(o Object, by int) {
	owners := []Ref{o.OwnedBy().Service}
	switch o := o.(type) {
	case *VirtualServer:
		s.indexFrontend(o.Frontend(), o.ID(), by)
		s.indexLeading(o, by)
	case *Pool:
		for _, m := range o.Members {
			s.members[m.Endpoint.Address] += by
			if s.members[m.Endpoint.Address] == 0 {
				delete(s.members, m.Endpoint.Address)
			}
			if !slices.Contains(owners, m.Owner.Service) {
				owners = append(owners, m.Owner.Service)
			}
			if m.Loan != nil && !slices.Contains(owners, m.Loan.To.Service) {
				owners = append(owners, m.Loan.To.Service)
			}
		}
	}
	for _, r := range owners {
		s.indexOwner(r, o, by)
	}
}

func (s *Set) indexFrontend(f Frontend, id ID, by int) {
	ids := s.frontends[f]
	i, found := slices.BinarySearchFunc(ids, id, ID.Compare)
	switch {
	case by > 0 && !found:
		s.frontends[f] = slices.Insert(ids, i, id)
	case by < 0 && found && len(ids) == 1:
		delete(s.frontends, f)
	case by < 0 && found:
		s.frontends[f] = slices.Delete(ids, i, i+1)
	}
}

func (s *Set) indexLeading(v *VirtualServer, by int) {
	if v.Pool == "" {
		return
	}
	to := poolKey{v.Backend, v.Pool}
	if by > 0 {
		s.leading[to] = append(s.leading[to], v)
		return
	}
	s.leading[to] = slices.DeleteFunc(s.leading[to], func(o *VirtualServer) bool { return o == v })
	if len(s.leading[to]) == 0 {
		delete(s.leading, to)
	}
}

func (s *Set) indexOwner(r Ref, o Object, by int) {
	if r.IsZero() {
		return
	}
	all := s.owned[r]
	if by > 0 {
		s.owned[r] = append(all, o)
		return
	}
	last := len(all) - 1
	if last <= 0 {
		delete(s.owned, r)
		return
	}
	all[slices.Index(all, o)] = all[last]
	all[last] = nil
	s.owned[r] = all[:last]
}

// Get finds an object, or a pool's member, by its ID.
func (s *Set) Get(id ID) (Object, bool) {
	if id.Kind == KindMember {
		p, ok := s.Pool(id.Backend, id.Name)
		if !ok {
			return nil, false
		}
		m, ok := p.Member(id.Member)
		if !ok {
			return nil, false
		}
		return &PoolMember{Backend: id.Backend, Pool: id.Name, Member: m}, true
	}
	if id.Kind == KindNode {
		a, err := ParseAddress(id.Name)
		if err != nil {
			return nil, false
		}
		if n, ok := s.Node(id.Backend, a); ok {
			return n, true
		}
		return nil, false // and no nil of a type
	}
	o, ok := s.objects[id]
	return o, ok
}

// Pool finds a pool by its full path.
func (s *Set) Pool(backend, path string) (*Pool, bool) {
	p, ok := s.objects[ID{Backend: backend, Kind: KindPool, Name: path}].(*Pool)
	return p, ok
}

// Node finds the node with this address, whichever its name and partition.
func (s *Set) Node(backend string, a Address) (*Node, bool) {
	n, ok := s.nodes[nodeKey{backend, a}]
	return n, ok
}

// Listener finds the virtual server that listens on a frontend. A device may
// hold several there, apart by source address or VLAN: then it is the first by
// its ID.
func (s *Set) Listener(f Frontend) (*VirtualServer, bool) {
	for v := range s.Listeners(f) {
		return v, true
	}
	return nil, false
}

// Listeners goes through the virtual servers that listen on a frontend, by
// their IDs.
func (s *Set) Listeners(f Frontend) iter.Seq[*VirtualServer] {
	return func(yield func(*VirtualServer) bool) {
		for _, id := range s.frontends[f] {
			if v, ok := s.objects[id].(*VirtualServer); ok && !yield(v) {
				return
			}
		}
	}
}

// ListensAt is the address of the virtual server with this ID. It is false where
// there is none, or one without an address, as a list of addresses is to us.
func (s *Set) ListensAt(id ID) (Address, bool) {
	o, _ := s.Get(id)
	v, ok := o.(*VirtualServer)
	if !ok || !v.Destination.IP.IsValid() {
		return Address{}, false
	}
	return v.Destination.Address, true
}

// LeadingTo goes through the virtual servers in front of a pool, in no order.
func (s *Set) LeadingTo(backend, pool string) iter.Seq[*VirtualServer] {
	return slices.Values(s.leading[poolKey{backend, pool}])
}

// VirtualServers goes through all virtual servers, in no order.
func (s *Set) VirtualServers() iter.Seq[*VirtualServer] {
	return func(yield func(*VirtualServer) bool) {
		for _, ids := range s.frontends {
			for _, id := range ids {
				if v, ok := s.objects[id].(*VirtualServer); ok && !yield(v) {
					return
				}
			}
		}
	}
}

// StaticRoutes goes through all static routes, in no order.
func (s *Set) StaticRoutes() iter.Seq[*StaticRoute] {
	return func(yield func(*StaticRoute) bool) {
		for _, o := range s.objects {
			if r, ok := o.(*StaticRoute); ok && !yield(r) {
				return
			}
		}
	}
}

// MembersAt is how many pool members of all pools have this address.
func (s *Set) MembersAt(a Address) int { return s.members[a] }

// Owned are the IDs of what carries this Service's tag, of whichever cluster,
// sorted. A pool is also named where only a member of it is the Service's, or
// lent to it.
func (s *Set) Owned(r Ref) []ID {
	ids := slices.Grow([]ID(nil), len(s.owned[r]))
	for _, o := range s.owned[r] {
		ids = append(ids, o.ID())
	}
	slices.SortFunc(ids, ID.Compare)
	return ids
}

// Owners are the Services that own something, sorted.
func (s *Set) Owners() []Ref { return slices.SortedFunc(maps.Keys(s.owned), Ref.Compare) }

// Len is the number of objects; members count with their pool.
func (s *Set) Len() int { return len(s.objects) + len(s.nodes) }

// All goes through the objects in the order of their IDs.
func (s *Set) All() iter.Seq[Object] {
	return func(yield func(Object) bool) {
		type named struct {
			id ID
			o  Object
		}
		all := make([]named, 0, s.Len())
		for o := range s.each() {
			all = append(all, named{o.ID(), o})
		}
		slices.SortFunc(all, func(a, b named) int { return a.id.Compare(b.id) })
		for _, n := range all {
			if !yield(n.o) {
				return
			}
		}
	}
}

// each goes through the objects in no order.
func (s *Set) each() iter.Seq[Object] {
	return func(yield func(Object) bool) {
		for _, o := range s.objects {
			if !yield(o) {
				return
			}
		}
		for _, n := range s.nodes {
			if !yield(n) {
				return
			}
		}
	}
}

// Clone is a Set with the same objects, which can be changed apart.
func (s *Set) Clone() *Set {
	return &Set{
		objects: maps.Clone(s.objects), nodes: maps.Clone(s.nodes), members: maps.Clone(s.members),
		owned: cloned(s.owned), frontends: cloned(s.frontends), leading: cloned(s.leading),
	}
}

// cloned clones an index with its lists, which are changed in place.
func cloned[K comparable, V any](index map[K][]V) map[K][]V {
	c := make(map[K][]V, len(index))
	for k, list := range index {
		c[k] = slices.Clone(list)
	}
	return c
}
