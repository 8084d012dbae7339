package state_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"landbridge.dev/sync/state"
)

// model is a Set without indexes: every look-up goes through all of it.
type model map[state.ID]state.Object

func (m model) put(o state.Object) {
	if pm, ok := o.(*state.PoolMember); ok {
		id := state.ID{Backend: pm.Backend, Kind: state.KindPool, Name: pm.Pool}
		if p, ok := m[id].(*state.Pool); ok {
			m[id] = p.With(pm.Member)
		}
		return
	}
	m[o.ID()] = o
}

func (m model) delete(id state.ID) {
	if id.Kind == state.KindMember {
		pool := state.ID{Backend: id.Backend, Kind: state.KindPool, Name: id.Name}
		if p, ok := m[pool].(*state.Pool); ok {
			m[pool] = p.Without(id.Member)
		}
		return
	}
	delete(m, id)
}

func (m model) sorted() []state.Object {
	var objects []state.Object
	for _, id := range slices.SortedFunc(maps.Keys(m), state.ID.Compare) {
		objects = append(objects, m[id])
	}
	return objects
}

func (m model) owned(r state.Ref) []state.ID {
	var ids []state.ID
	for _, o := range m.sorted() {
		mine := o.OwnedBy().Service == r
		if p, ok := o.(*state.Pool); ok {
			mine = mine || slices.ContainsFunc(p.Members, func(x state.Member) bool { return x.Owner.Service == r })
		}
		if mine {
			ids = append(ids, o.ID())
		}
	}
	return ids
}

// listener is the first by ID: a device may hold several on one frontend, apart
// by source or VLAN.
func (m model) listener(f state.Frontend) *state.VirtualServer {
	for _, o := range m.sorted() {
		if v, ok := o.(*state.VirtualServer); ok && v.Frontend() == f {
			return v
		}
	}
	return nil
}

func (m model) leadingTo(pool string) []*state.VirtualServer {
	var all []*state.VirtualServer
	for _, o := range m.sorted() {
		if v, ok := o.(*state.VirtualServer); ok && v.Pool == pool {
			all = append(all, v)
		}
	}
	return all
}

func (m model) membersAt(a state.Address) int {
	n := 0
	for _, o := range m {
		if p, ok := o.(*state.Pool); ok {
			for _, x := range p.Members {
				if x.Endpoint.Address == a {
					n++
				}
			}
		}
	}
	return n
}

// objects are few names and addresses, so that things meet.
func objects() *rapid.Generator[state.Object] {
	return rapid.Custom(func(t *rapid.T) state.Object {
		path := rapid.SampledFrom([]string{"/web/a", "/web/b", "/web/c"}).Draw(t, "path")
		owner := owners().Draw(t, "owner")
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			return &state.VirtualServer{
				Backend: "bigip/dc1", Path: path, Owner: owner, Protocol: state.TCP,
				Destination: members().Draw(t, "destination").Endpoint,
				Pool:        rapid.SampledFrom([]string{"", "/web/a", "/web/b"}).Draw(t, "pool"),
			}
		case 1:
			list := rapid.SliceOfNDistinct(members(), 0, 4, func(m state.Member) state.Endpoint { return m.Endpoint }).Draw(t, "members")
			state.SortMembers(list)
			return &state.Pool{Backend: "bigip/dc1", Path: path, Owner: owner, Members: list}
		case 2:
			return &state.PoolMember{Backend: "bigip/dc1", Pool: path, Member: members().Draw(t, "member")}
		case 3:
			a := members().Draw(t, "node").Endpoint.Address
			return &state.Node{Backend: "bigip/dc1", Path: path, Address: a, Owner: owner}
		default:
			return &state.Monitor{Backend: "bigip/dc1", Path: path, Owner: owner}
		}
	})
}

// Whatever is put in and taken out: every look-up of a Set finds what going
// through all of it would find.
func TestSetAgainstModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set, model := state.NewSet(), model{}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				o := objects().Draw(t, "object")
				set.Put(o)
				model.put(o)
			},
			"delete": func(t *rapid.T) {
				id := objects().Draw(t, "object").ID()
				set.Delete(id)
				model.delete(id)
			},
			"clone": func(t *rapid.T) {
				kept, other := set, set.Clone()
				if rapid.Bool().Draw(t, "the clone is kept") {
					kept, other = other, kept
				}
				set = kept
				for range rapid.IntRange(1, 4).Draw(t, "changes of the other") { // none must show
					other.Put(objects().Draw(t, "in the other"))
					other.Delete(objects().Draw(t, "from the other").ID())
				}
			},
			"": func(t *rapid.T) { sameAsModel(t, set, model) },
		})
	})
}

func sameAsModel(t *rapid.T, set *state.Set, m model) {
	if diff := cmp.Diff(m.sorted(), slices.Collect(set.All()), equateComparable); diff != "" {
		t.Fatalf("All (-want +got):\n%s", diff)
	}
	if set.Len() != len(m) {
		t.Fatalf("Len is %d, want %d", set.Len(), len(m))
	}
	for _, pool := range []string{"/web/a", "/web/b"} {
		got := slices.SortedFunc(set.LeadingTo("bigip/dc1", pool), func(a, b *state.VirtualServer) int { return a.ID().Compare(b.ID()) })
		if want := m.leadingTo(pool); !slices.Equal(got, want) {
			t.Fatalf("LeadingTo %s is %v, want %v", pool, got, want)
		}
	}
	var wantOwners []state.Ref
	for _, r := range []state.Ref{{Namespace: "shop", Name: "cart"}, {Namespace: "shop", Name: "web"}} {
		if diff := cmp.Diff(m.owned(r), set.Owned(r), equateComparable); diff != "" {
			t.Fatalf("Owned %s (-want +got):\n%s", r, diff)
		}
		if len(m.owned(r)) > 0 {
			wantOwners = append(wantOwners, r)
		}
	}
	if diff := cmp.Diff(wantOwners, set.Owners()); diff != "" {
		t.Fatalf("Owners (-want +got):\n%s", diff)
	}
	for _, s := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.1%1", "2001:db8::1", "10.9.9.9"} {
		a, _ := state.ParseAddress(s)
		if got, want := set.MembersAt(a), m.membersAt(a); got != want {
			t.Fatalf("MembersAt %s is %d, want %d", a, got, want)
		}
		node, ok := set.Node("bigip/dc1", a)
		if want, there := m[state.NodeID("bigip/dc1", a)].(*state.Node); ok != there || node != want {
			t.Fatalf("Node %s is %v, %t, want %v", a, node, ok, want)
		}
		if got, ok := set.Get(state.NodeID("bigip/dc1", a)); got != m[state.NodeID("bigip/dc1", a)] || ok == (got == nil) {
			t.Fatalf("Get of node %s is %v, %t", a, got, ok)
		}
		for _, port := range []uint16{80, 81} {
			f := state.Frontend{Endpoint: state.Endpoint{Address: a, Port: port}, Protocol: state.TCP}
			got, _ := set.Listener(f)
			if want := m.listener(f); got != want {
				t.Fatalf("Listener %s is %v, want %v", f, got, want)
			}
		}
	}
}

func TestSetFindsMembersByTheirIDs(t *testing.T) {
	t.Parallel()
	m := state.Member{Endpoint: endpoint(t, "10.0.0.1:80"), Owner: cartOwner, Ratio: 1}
	set := state.NewSet(&state.Pool{Backend: "bigip/dc1", Path: "/web/p", Members: []state.Member{m}})
	want := &state.PoolMember{Backend: "bigip/dc1", Pool: "/web/p", Member: m}
	got, ok := set.Get(want.ID())
	if diff := cmp.Diff(state.Object(want), got, equateComparable); !ok || diff != "" {
		t.Errorf("found %t (-want +got):\n%s", ok, diff)
	}
	for _, id := range []state.ID{
		{Backend: "bigip/dc1", Kind: state.KindMember, Name: "/web/q", Member: m.Endpoint},
		{Backend: "bigip/dc2", Kind: state.KindMember, Name: "/web/p", Member: m.Endpoint},
		{Backend: "bigip/dc1", Kind: state.KindMember, Name: "/web/p", Member: endpoint(t, "10.0.0.1:81")},
	} {
		if o, ok := set.Get(id); ok {
			t.Errorf("%s is %v", id, o)
		}
	}
}
