package plan

import (
	"slices"

	"landbridge.dev/sync/state"
)

// resolve makes whole objects of what is wanted of adopted ones, of which a
// Service names some properties alone: what stands, with what is named in its
// place. The pool of an adopted virtual server is the one that it has; until
// here it goes by the virtual server's path.
func (d *differ) resolve() {
	objects := slices.Clone(d.Want.Objects)
	pools := map[string]*state.Pool{} // by the path of the virtual server
	for i, o := range objects {
		v, ok := o.(*state.VirtualServer)
		if !ok || v.Use != state.Adopted || v.Backend != d.Backend {
			continue
		}
		have, pool := d.adoptable(v)
		pools[v.Path] = pool
		if pool == nil {
			objects[i] = nil
			continue
		}
		objects[i] = overlay(have, v)
	}
	if len(pools) == 0 {
		return
	}
	d.resolvePools(objects, pools)
	d.Want.Objects = slices.DeleteFunc(objects, func(o state.Object) bool { return o == nil })
}

// resolvePools does the same for the pools of adopted virtual servers, by whose
// paths they are found in pools. Virtual servers that have one pool between them
// are adopted together where all is asked for in the same way; where it is not,
// nothing is done to that pool.
func (d *differ) resolvePools(objects []state.Object, pools map[string]*state.Pool) {
	asked := map[string]*state.Pool{} // by where it stands
	for _, o := range objects {
		if p, ok := o.(*state.Pool); ok && p.Use == state.Joined && p.Backend == d.Backend {
			asked[p.Path] = p
		}
	}
	apart := map[string]bool{} // pools that are asked for in several ways
	for i, o := range objects {
		p, ok := o.(*state.Pool)
		if !ok || p.Use != state.Adopted || p.Backend != d.Backend {
			continue
		}
		objects[i] = nil
		have := pools[p.Path]
		if have == nil {
			continue
		}
		d.adopted[p.Path] = have.Path
		switch first := asked[have.Path]; {
		case first == nil:
			asked[have.Path] = p
			objects[i] = overlayPool(have, p)
		case !alike(first, p):
			apart[have.Path] = true
			d.onePool(first, p, have)
		}
	}
	if len(apart) == 0 {
		return
	}
	for i, o := range objects {
		switch o := o.(type) {
		case *state.Pool:
			if o.Use != state.Own && o.Backend == d.Backend && apart[o.Path] {
				objects[i] = nil
			}
		case *state.VirtualServer:
			if o.Use == state.Adopted && o.Backend == d.Backend && apart[o.Pool] {
				objects[i] = nil
			}
		}
	}
}

// alike says whether the same is asked for of the pool of two adopted virtual
// servers.
func alike(a, b *state.Pool) bool {
	c := *b
	c.Path = a.Path
	return a.Use == b.Use && state.Same(a, &c)
}

// onePool is the problem of a pool that is asked for in two ways.
func (d *differ) onePool(a, b, have *state.Pool) {
	d.refused[have.ID()] = true
	if a.Use == state.Joined {
		d.problem("OnePool", "pool "+have.Path+" on "+d.Backend+", which this Service joins, is that of virtual server "+b.Path+", which it adopts; leave join-pool or adopt out")
		return
	}
	d.problem("OnePool", "virtual servers "+a.Path+" and "+b.Path+" on "+d.Backend+" have pool "+have.Path+" between them, and it is asked for in two ways; "+
		"give the ports of both one target port and the same settings, a monitor by its path there, or each virtual server a pool of its own")
}

// adoptable is the virtual server that is to be adopted as it stands, and its
// pool. The pool is nil where that cannot be, with a problem.
func (d *differ) adoptable(v *state.VirtualServer) (*state.VirtualServer, *state.Pool) {
	o, found := d.Have.Get(v.ID())
	have, _ := o.(*state.VirtualServer)
	if !found || have == nil {
		d.sought = append(d.sought, v.ID())
		d.problem("NoSuchVirtualServer", "virtual server "+v.Path+" is not there on "+d.Backend+"; name one that stands, or leave adopt out to have one made")
		return nil, nil
	}
	pool, found := d.Have.Pool(d.Backend, have.Pool)
	switch {
	case !d.free(have.Owner):
		d.nameTaken(v.ID(), have.Owner)
	case have.Managed:
		d.managed(v.ID())
	case !found:
		if d.sought = append(d.sought, v.ID()); have.Pool != "" {
			d.sought = append(d.sought, state.ID{Backend: d.Backend, Kind: state.KindPool, Name: have.Pool})
		}
		d.problem("NoPool", "virtual server "+v.Path+" on "+d.Backend+" has no pool; give it one there, and its members are the VM side")
	case !d.free(pool.Owner):
		d.nameTaken(pool.ID(), pool.Owner)
	case pool.Managed:
		d.managed(pool.ID())
	default:
		return have, pool
	}
	return nil, nil
}

// free says whether what has this owner may be adopted, or is.
func (d *differ) free(o state.Owner) bool { return o.IsZero() || d.ours(o) }

func (d *differ) managed(id state.ID) {
	d.refused[id] = true
	d.problem("Managed", string(id.Kind)+" "+id.Name+" on "+d.Backend+" is managed by an application service there, and is never touched")
}

// overlay is a standing virtual server as it is to be when it is adopted.
func overlay(have, want *state.VirtualServer) *state.VirtualServer {
	v := *have
	v.Owner, v.Use, v.Follows = want.Owner, state.Adopted, want.Follows
	for _, property := range want.Named {
		switch property {
		case state.NamedProfiles:
			v.Profiles = want.Profiles
		case state.NamedIRules:
			v.IRules = want.IRules
		case state.NamedPolicies:
			v.Policies = want.Policies
		case state.NamedPersistence:
			v.Persistence = want.Persistence
		case state.NamedSNAT:
			v.SNAT = want.SNAT
		case state.NamedSource:
			v.Source = want.Source
		case state.NamedVLANs:
			v.VLANs = want.VLANs
		case state.NamedConnectionLimit:
			v.ConnectionLimit = want.ConnectionLimit
		}
	}
	return &v
}

// overlayPool is a standing pool as it is to be when it is adopted, with the
// wanted members. Its mode is empty where none is named.
func overlayPool(have, want *state.Pool) *state.Pool {
	p := *want
	p.Path, p.Text = have.Path, have.Text
	p.ReselectTries, p.SlowRamp = have.ReselectTries, have.SlowRamp
	if !slices.Contains(want.Named, state.NamedMonitors) {
		p.Monitors = have.Monitors
	}
	if !slices.Contains(want.Named, state.NamedMode) {
		p.Mode = ""
	}
	return &p
}

// tag writes our tag on what is adopted, before anything else of it is
// changed, and returns it so.
func tag[T state.Object](d *differ, have T, tagged T) T {
	if !have.OwnedBy().IsZero() {
		return have
	}
	d.add(tagAdopted, Change{Op: Update, Before: have, After: tagged, Why: "adopted"})
	return tagged
}

func (d *differ) tagPool(p *state.Pool) *state.Pool {
	tagged := *p
	tagged.Owner, tagged.Use = d.Identity.Owner(d.Want.Service), state.Adopted
	return tag(d, p, &tagged)
}

func (d *differ) tagVirtual(v *state.VirtualServer) *state.VirtualServer {
	tagged := *v
	tagged.Owner, tagged.Use = d.Identity.Owner(d.Want.Service), state.Adopted
	return tag(d, v, &tagged)
}

// release gives an adopted pool back: first what was lent, then our members
// drain, then the tag goes. It is true when it has gone.
func (d *differ) release(p *state.Pool) bool {
	d.withdraw(p)
	back := asItWas(p)
	if slices.ContainsFunc(p.Members, func(m state.Member) bool { return d.ours(m.Owner) }) {
		if !back.SameSettings(p) {
			d.add(makePools, Change{Op: Update, Before: p, After: back, Why: "given back as it was"})
		}
		return false
	}
	back.Owner, back.Use = state.Owner{}, state.Own
	d.add(takePools, Change{Op: Update, Before: p, After: back, Why: "given back"})
	return true
}

// asItWas is an adopted pool with the settings that it was lent with.
func asItWas(p *state.Pool) *state.Pool {
	back := *p
	back.Lent = state.PoolTerms{}
	if !p.Lent.IsZero() { // what a person has changed since is theirs
		if slices.Contains(ratioModes(), p.Mode) {
			back.Mode = p.Lent.Mode
		}
		if p.MinActive <= 1 {
			back.MinActive = p.Lent.MinActive
		}
	}
	return &back
}

// joinInstead gives a pool back that the Service had adopted and joins now: its
// members there stay, and go on as those of one that joins. Where the share
// cannot be had of the pool as it was, or has to wait, it stays adopted: given
// back, it would divide as nobody asked.
func (d *differ) joinInstead(want, p *state.Pool) (settled, *state.Pool) {
	back := asItWas(p)
	back.Owner, back.Use = state.Owner{}, state.Own
	known := len(d.problems)
	s := d.settle(want, back)
	if !state.AsAsked(d.problems[known:]) || slices.Contains(d.gated, want.ID()) {
		return s, p
	}
	d.add(makePools, Change{Op: Update, Before: p, After: back, Why: "given back, and joined"})
	return s, back
}

// releaseVirtual takes our tag off an adopted virtual server.
func (d *differ) releaseVirtual(v *state.VirtualServer) {
	if !d.mayGo(v.ID()) {
		return
	}
	back := *v
	back.Owner, back.Use = state.Owner{}, state.Own
	d.add(takePools, Change{Op: Update, Before: v, After: &back, Why: "given back"})
}
