package plan

import (
	"slices"
	"strconv"
	"strings"

	"landbridge.dev/sync/state"
)

// stepsOf are where objects of a kind that is planned by its content alone are
// made and taken away: a data group stands for as long as its iRule does.
func stepsOf(k state.Kind) (making, taking step) {
	switch k {
	case state.KindMonitor:
		return makeMonitors, takeMonitors
	case state.KindDataGroup:
		return makeDataGroups, takeDataGroups
	case state.KindIRule:
		return makeIRules, takeIRules
	case state.KindPersistence:
		return makePersistence, takePersistence
	case state.KindRoute:
		return makeRoutes, takeRoutes
	case state.KindStaticRoute:
		return makeStaticRoutes, takeStaticRoutes
	}
	return makePools, takePools
}

// blocked says whether a pool or virtual server refers to an object that is
// wanted and stands as somebody else's.
func (d *differ) blocked(o state.Object) bool {
	return slices.ContainsFunc(references(o), func(id state.ID) bool { return d.refused[id] })
}

// references are the IDs of what a pool, virtual server or iRule refers to, as
// far as it may be ours.
func references(o state.Object) []state.ID {
	var ids []state.ID
	add := func(backend string, kind state.Kind, names ...string) {
		for _, n := range names {
			if n != "" {
				ids = append(ids, state.ID{Backend: backend, Kind: kind, Name: n})
			}
		}
	}
	switch o := o.(type) {
	case *state.Pool:
		add(o.Backend, state.KindMonitor, o.Monitors...)
	case *state.VirtualServer:
		add(o.Backend, state.KindPool, o.Pool)
		add(o.Backend, state.KindIRule, o.IRules...)
		add(o.Backend, state.KindPersistence, o.Persistence)
	case *state.IRule:
		add(o.Backend, state.KindDataGroup, o.Path) // by its name: the text is not read
	}
	return ids
}

// takeAttached plans for what pools and virtual servers referred to. It goes
// when nothing refers to it any more; while one of ours does, which drains or
// waits, it stays for it, and if it is somebody else's, that is said.
func (d *differ) takeAttached(o state.Object) {
	id := o.ID()
	for _, user := range d.users(o) {
		if !slices.Contains(references(user), id) {
			continue
		}
		if !d.ours(user.OwnedBy()) {
			d.problem("InUse", string(id.Kind)+" "+id.Name+" on "+d.Backend+" is kept, because "+string(user.ID().Kind)+" "+user.ID().Name+
				", which is not ours, refers to it; take it out there")
		}
		return
	}
	_, taking := stepsOf(id.Kind)
	d.take(taking, o)
}

// users are what may refer to an object of ours: what has its name without the
// ending, and all that is the Service's, as it stands after this plan.
func (d *differ) users(o state.Object) []state.Object {
	id := o.ID()
	base := id.Name[:max(0, strings.LastIndexByte(id.Name, '_'))]
	ids := append(d.Have.Owned(d.Want.Service),
		state.ID{Backend: id.Backend, Kind: state.KindPool, Name: base},
		state.ID{Backend: id.Backend, Kind: state.KindVirtualServer, Name: base},
		state.ID{Backend: id.Backend, Kind: state.KindIRule, Name: id.Name},
	)
	var users []state.Object
	for _, user := range ids {
		if o, ok := d.after(user); ok {
			users = append(users, o)
		}
	}
	return users
}

// after is how an object stands once this plan is carried out.
func (d *differ) after(id state.ID) (state.Object, bool) {
	for s := steps - 1; s >= 0; s-- {
		for _, c := range slices.Backward(d.steps[s]) {
			if c.ID() == id {
				return c.After, c.After != nil
			}
		}
	}
	return d.Have.Get(id)
}

// settleMonitors gives each wanted monitor the name under which one that
// probes in its way stands already. The type of a monitor and the port that it
// probes are fixed when it is made, and a pool's monitor cannot be taken away:
// one that is to probe otherwise is made beside it under the next free number,
// and the old one goes once the pool has let go of it.
func (d *differ) settleMonitors() {
	names := map[string]string{} // from wanted to settled
	settled := map[string]bool{}
	var rest []*state.Monitor
	for _, w := range d.wantedMonitors() {
		have, found := d.Have.Get(w.ID())
		if found && (!d.ours(have.OwnedBy()) || sameProbe(w, have)) {
			settled[w.Path] = true
		} else {
			rest = append(rest, w)
		}
	}
	for _, w := range rest {
		name := d.monitorName(w, settled)
		settled[name] = true
		if name != w.Path {
			names[w.Path] = name
		}
	}
	if len(names) > 0 {
		d.renameMonitors(names)
	}
}

func (d *differ) wantedMonitors() []*state.Monitor {
	var monitors []*state.Monitor
	for _, o := range d.want {
		if m, ok := o.(*state.Monitor); ok {
			monitors = append(monitors, m)
		}
	}
	slices.SortFunc(monitors, func(a, b *state.Monitor) int { return strings.Compare(a.Path, b.Path) })
	return monitors
}

// sameProbe says whether a monitor that stands can become the wanted one.
func sameProbe(w *state.Monitor, have state.Object) bool {
	m, ok := have.(*state.Monitor)
	return ok && m.Type == w.Type && m.Port == w.Port
}

// monitorName is a name for a wanted monitor that is not settled: of one that
// stands and is not spoken for, otherwise a free one.
func (d *differ) monitorName(w *state.Monitor, settled map[string]bool) string {
	base := numberless(w.Path)
	for _, id := range d.Have.Owned(d.Want.Service) {
		have, _ := d.Have.Get(id)
		if id.Backend == d.Backend && id.Kind == state.KindMonitor && numberless(id.Name) == base && !settled[id.Name] &&
			d.ours(have.OwnedBy()) && sameProbe(w, have) {
			return id.Name
		}
	}
	name := w.Path
	for n := 1; ; n++ {
		_, stands := d.Have.Get(state.ID{Backend: d.Backend, Kind: state.KindMonitor, Name: name})
		if !stands && !settled[name] {
			return name
		}
		name = base + strconv.Itoa(n)
	}
}

// numberless is a monitor's name without the number at its end.
func numberless(path string) string { return strings.TrimRight(path, "0123456789") }

// renameMonitors puts monitors under other names, and what refers to them.
func (d *differ) renameMonitors(names map[string]string) {
	objects := slices.Clone(d.Want.Objects)
	for i, o := range objects {
		if o.ID().Backend != d.Backend {
			continue
		}
		switch o := o.(type) {
		case *state.Monitor:
			if name, ok := names[o.Path]; ok {
				m := *o
				m.Path = name
				objects[i] = &m
			}
		case *state.Pool:
			p := *o
			p.Monitors = slices.Clone(o.Monitors)
			for j, name := range p.Monitors {
				if to, ok := names[name]; ok {
					p.Monitors[j] = to
				}
			}
			slices.Sort(p.Monitors)
			objects[i] = &p
		}
	}
	d.Want.Objects = objects
	d.index()
}
