package f5

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/state"
)

const expand = "?expandSubcollections=true"

// monitorTypes are those that we make, by their names in iControl REST. Others
// are not read.
func monitorTypes() []string { return []string{"tcp", "http", "https", "udp"} }

// Read returns what stands on the device, of all partitions: what is ours
// says its tag, wherever a grant once let us put it. With IDs in the scope
// these are read one by one; a member comes with its whole pool. The whole of
// it is known to be from the active unit, asked before and after.
func (b *Backend) Read(ctx context.Context, scope apply.Scope) (*state.Set, error) {
	objects, err := b.read(ctx, scope)
	if err != nil {
		return nil, newReadError(b.opts.Name, err)
	}
	return state.NewSet(objects...), nil
}

func (b *Backend) read(ctx context.Context, scope apply.Scope) ([]state.Object, error) {
	if !scope.All() {
		lead, err := b.group.planned(ctx)
		if err != nil {
			return nil, err
		}
		objects, err := (&reader{session: lead.session, opts: &b.opts}).some(ctx, scope.IDs)
		return objects, errors.Join(err, b.group.still(ctx, lead))
	}
	lead, err := b.group.look(ctx, b.opts.Clock())
	if err != nil {
		return nil, err
	}
	objects, err := (&reader{session: lead.session, opts: &b.opts}).all(ctx)
	if err := errors.Join(err, b.group.stillNow(ctx, lead)); err != nil {
		return nil, err
	}
	b.group.haveRead(lead)
	return objects, nil
}

type reader struct {
	session *session
	opts    *Options
}

// all reads each kind on its own, all at once.
func (r *reader) all(ctx context.Context) ([]state.Object, error) {
	kinds := []func(context.Context) ([]state.Object, error){r.nodes, r.monitors, r.dataGroups, r.rules, r.persistences, r.pools, r.virtuals}
	if r.opts.StaticRoutes {
		kinds = append(kinds, r.staticRoutes)
	}
	results := make([][]state.Object, len(kinds))
	group, ctx := errgroup.WithContext(ctx)
	for i, read := range kinds {
		group.Go(func() (err error) {
			results[i], err = read(ctx)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var objects []state.Object
	for _, part := range results {
		objects = append(objects, part...)
	}
	return objects, nil
}

func (r *reader) nodes(ctx context.Context) ([]state.Object, error) {
	var objects []state.Object
	d := newDecoder(r.opts.Name)
	p := pages[nodeWire]{
		session: r.session, path: nodesPath + "?$select=name,partition,fullPath,address,description,appService", size: plainPage,
		key:   func(w *nodeWire) string { return w.FullPath },
		reset: func() { objects = nil },
		each: func(w *nodeWire) {
			if n := d.node(w); n != nil {
				objects = append(objects, n)
			}
		},
	}
	err := p.read(ctx)
	return objects, err
}

func (r *reader) monitors(ctx context.Context) ([]state.Object, error) {
	var all []state.Object
	d := newDecoder(r.opts.Name)
	for _, kind := range monitorTypes() {
		var objects []state.Object
		p := pages[monitorWire]{
			session: r.session, path: monitorsPath + kind, size: plainPage,
			key:   func(w *monitorWire) string { return w.FullPath },
			reset: func() { objects = nil },
			each:  func(w *monitorWire) { objects = append(objects, d.monitor(kind, w)) },
		}
		if err := p.read(ctx); err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	return all, nil
}

func (r *reader) dataGroups(ctx context.Context) ([]state.Object, error) {
	var objects []state.Object
	d := newDecoder(r.opts.Name)
	p := pages[dataGroupWire]{
		session: r.session, path: groupsPath + "?$select=name,partition,fullPath,description,appService,records", size: expandedPage,
		key:   func(w *dataGroupWire) string { return w.FullPath },
		reset: func() { objects = nil },
		each:  func(w *dataGroupWire) { objects = append(objects, d.dataGroup(w)) },
	}
	err := p.read(ctx)
	return objects, err
}

func (r *reader) rules(ctx context.Context) ([]state.Object, error) {
	var objects []state.Object
	d := newDecoder(r.opts.Name)
	p := pages[ruleWire]{
		session: r.session, path: rulesPath + "?$select=name,partition,fullPath,appService,apiAnonymous", size: expandedPage,
		key:   func(w *ruleWire) string { return w.FullPath },
		reset: func() { objects = nil },
		each:  func(w *ruleWire) { objects = append(objects, d.rule(w)) },
	}
	err := p.read(ctx)
	return objects, err
}

func (r *reader) persistences(ctx context.Context) ([]state.Object, error) {
	var objects []state.Object
	d := newDecoder(r.opts.Name)
	p := pages[persistenceWire]{
		session: r.session, path: persistencesPath + "?$select=name,partition,fullPath,description,appService,timeout", size: plainPage,
		key:   func(w *persistenceWire) string { return w.FullPath },
		reset: func() { objects = nil },
		each:  func(w *persistenceWire) { objects = append(objects, d.persistence(w)) },
	}
	err := p.read(ctx)
	return objects, err
}

func (r *reader) pools(ctx context.Context) ([]state.Object, error) {
	var objects []state.Object
	d := newDecoder(r.opts.Name)
	p := pages[poolWire]{
		session: r.session, path: poolsPath + expand, size: expandedPage,
		key:   func(w *poolWire) string { return w.FullPath },
		reset: func() { objects = nil },
		each:  func(w *poolWire) { objects = append(objects, d.pool(w)) },
	}
	err := p.read(ctx)
	return objects, err
}

// virtuals reads profiles with the virtual servers: one expanded page costs
// less than a hundred calls for the profiles of each.
func (r *reader) virtuals(ctx context.Context) ([]state.Object, error) {
	var (
		virtuals []*state.VirtualServer
		named    map[*state.VirtualServer]string
	)
	d := newDecoder(r.opts.Name)
	p := pages[virtualWire]{
		session: r.session, path: virtualsPath + expand, size: expandedPage,
		key:   func(w *virtualWire) string { return w.FullPath },
		reset: func() { virtuals, named = nil, map[*state.VirtualServer]string{} },
		each: func(w *virtualWire) {
			v := d.virtual(w)
			virtuals = append(virtuals, v)
			if !v.Destination.IP.IsValid() {
				named[v], _ = splitDestination(w.Destination)
			}
		},
	}
	if err := p.read(ctx); err != nil {
		return nil, err
	}
	if err := r.resolve(ctx, named); err != nil {
		return nil, err
	}
	objects := make([]state.Object, len(virtuals))
	for i, v := range virtuals {
		objects[i] = v
	}
	return objects, nil
}

// resolve fills in the addresses of virtual servers whose destination names a
// virtual address that is not called by its address. Those that stay unknown
// ("any", a list of addresses) keep a zero address.
func (r *reader) resolve(ctx context.Context, named map[*state.VirtualServer]string) error {
	if len(named) == 0 {
		return nil
	}
	addresses := map[string]string{}
	p := pages[addressWire]{
		session: r.session, path: addressesPath + "?$select=name,partition,fullPath,address", size: plainPage,
		key:   func(w *addressWire) string { return w.FullPath },
		reset: func() { clear(addresses) },
		each:  func(w *addressWire) { addresses[w.FullPath] = w.Address },
	}
	if err := p.read(ctx); err != nil {
		return err
	}
	for v, path := range named {
		if a, err := state.ParseAddress(addresses[path]); err == nil {
			v.Destination.Address = a
		}
	}
	return nil
}
