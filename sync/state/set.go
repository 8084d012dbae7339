package state

import (
	"iter"
	"maps"
	"slices"
)

// Set is a collection of objects, each ID once, with the look-ups that a plan
// needs. Members are held inside their pools. A Set is not safe for
// concurrent use; the objects in it are.
type Set struct {
	objects   map[ID]Object
	owned     map[Ref]map[ID]struct{}
	frontends map[Frontend][]ID // sorted; mostly one
	members   map[Address]int   // members at an address, over all pools
}

// NewSet holds the given objects; of two with one ID the later.
func NewSet(objects ...Object) *Set {
	s := &Set{
		objects:   map[ID]Object{},
		owned:     map[Ref]map[ID]struct{}{},
		frontends: map[Frontend][]ID{},
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
	id := o.ID()
	s.Delete(id)
	s.objects[id] = o
	s.index(o, 1)
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
	o, ok := s.objects[id]
	if !ok {
		return
	}
	s.index(o, -1)
	delete(s.objects, id)
}

// index adds what o brings to the look-ups (by = 1), or takes it out (by = -1).
func (s *Set) index(o Object, by int) {
	id := o.ID()
	s.indexOwner(o.OwnedBy().Service, id, by)
	switch o := o.(type) {
	case *VirtualServer:
		s.indexFrontend(o.Frontend(), id, by)
	case *Pool:
		for _, m := range o.Members {
			s.members[m.Endpoint.Address] += by
			if s.members[m.Endpoint.Address] == 0 {
				delete(s.members, m.Endpoint.Address)
			}
			if m.Owner.Service != o.Owner.Service {
				s.indexOwner(m.Owner.Service, id, by)
			}
		}
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

func (s *Set) indexOwner(r Ref, id ID, by int) {
	if r.IsZero() {
		return
	}
	if by > 0 {
		if s.owned[r] == nil {
			s.owned[r] = map[ID]struct{}{}
		}
		s.owned[r][id] = struct{}{}
		return
	}
	delete(s.owned[r], id)
	if len(s.owned[r]) == 0 {
		delete(s.owned, r)
	}
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
	n, ok := s.objects[NodeID(backend, a)].(*Node)
	return n, ok
}

// Listener finds the virtual server that listens on a frontend. A device may
// hold several there, apart by source address or VLAN: then it is the first by
// its ID.
func (s *Set) Listener(f Frontend) (*VirtualServer, bool) {
	ids := s.frontends[f]
	if len(ids) == 0 {
		return nil, false
	}
	v, ok := s.objects[ids[0]].(*VirtualServer)
	return v, ok
}

// MembersAt is how many pool members of all pools have this address.
func (s *Set) MembersAt(a Address) int { return s.members[a] }

// Owned are the IDs of what carries this Service's tag, of whichever cluster,
// sorted. A pool is also named where only a member of it is the Service's.
func (s *Set) Owned(r Ref) []ID {
	return slices.SortedFunc(maps.Keys(s.owned[r]), ID.Compare)
}

// Owners are the Services that own something, sorted.
func (s *Set) Owners() []Ref { return slices.SortedFunc(maps.Keys(s.owned), Ref.Compare) }

// Len is the number of objects; members count with their pool.
func (s *Set) Len() int { return len(s.objects) }

// All goes through the objects in the order of their IDs.
func (s *Set) All() iter.Seq[Object] {
	return func(yield func(Object) bool) {
		for _, id := range slices.SortedFunc(maps.Keys(s.objects), ID.Compare) {
			if !yield(s.objects[id]) {
				return
			}
		}
	}
}

// Clone is a Set with the same objects, which can be changed apart.
func (s *Set) Clone() *Set {
	c := NewSet()
	for _, o := range s.objects {
		c.Put(o)
	}
	return c
}
