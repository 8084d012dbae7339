package f5

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"landbridge.dev/sync/state"
)

// some reads single objects, each with one call where its place is known.
// What is not there is left out; whatever else fails is an error, since a
// failure must not look like absence.
func (r *reader) some(ctx context.Context, ids []state.ID) ([]state.Object, error) {
	one := &oneByOne{reader: r, gate: make(chan struct{}, 1)}
	results := make([]state.Object, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.opts.MaxConcurrentCalls)
	asked := map[state.ID]bool{}
	for i, id := range ids {
		if id.Kind == state.KindMember {
			id = state.ID{Backend: id.Backend, Kind: state.KindPool, Name: id.Name}
		}
		if asked[id] {
			continue
		}
		asked[id] = true
		group.Go(func() (err error) {
			results[i], err = one.read(ctx, id)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var objects []state.Object
	for _, o := range results {
		if o != nil {
			objects = append(objects, o)
		}
	}
	return objects, nil
}

// oneByOne reads single objects, and the whole list of nodes at most once.
type oneByOne struct {
	*reader

	// gate is a lock that a context can be waited with; it guards the rest.
	gate     chan struct{}
	listed   bool
	nodeList *state.Set
	nodeErr  error
}

// list is the list of all nodes, which the first that asks for it reads.
func (o *oneByOne) list(ctx context.Context) (*state.Set, error) {
	select {
	case o.gate <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-o.gate }()
	if !o.listed {
		var nodes []state.Object
		nodes, o.nodeErr = o.nodes(ctx)
		o.nodeList, o.listed = state.NewSet(nodes...), true
	}
	return o.nodeList, o.nodeErr
}

// read returns nil, nil for what is not there.
func (o *oneByOne) read(ctx context.Context, id state.ID) (state.Object, error) {
	var (
		object state.Object
		err    error
	)
	switch id.Kind {
	case state.KindPool:
		object, err = o.pool(ctx, id.Name)
	case state.KindVirtualServer:
		object, err = o.virtual(ctx, id.Name)
	case state.KindMonitor:
		object, err = o.monitor(ctx, id.Name)
	case state.KindNode:
		object, err = o.node(ctx, id)
	case state.KindDataGroup:
		var w dataGroupWire
		if err = o.object(ctx, objectPath(groupsPath, id.Name), &w, &w.FullPath); err == nil {
			object = newDecoder(o.opts.Name).dataGroup(&w)
		}
	case state.KindIRule:
		var w ruleWire
		if err = o.object(ctx, objectPath(rulesPath, id.Name), &w, &w.FullPath); err == nil {
			object = newDecoder(o.opts.Name).rule(&w)
		}
	case state.KindPersistence:
		var w persistenceWire
		if err = o.object(ctx, objectPath(persistencesPath, id.Name), &w, &w.FullPath); err == nil {
			object = newDecoder(o.opts.Name).persistence(&w)
		}
	case state.KindStaticRoute:
		var w staticRouteWire
		if err = o.object(ctx, objectPath(staticRoutesPath, id.Name), &w, &w.FullPath); err == nil {
			object = newDecoder(o.opts.Name).staticRoute(&w)
		}
	default:
		err = fmt.Errorf("%s: a BIG-IP holds no such kind", id)
	}
	if isAbsent(err) {
		return nil, nil // absence is an answer
	}
	return object, err
}

func (o *oneByOne) pool(ctx context.Context, path string) (state.Object, error) {
	var w poolWire
	if err := o.object(ctx, objectPath(poolsPath, path)+expand, &w, &w.FullPath); err != nil {
		return nil, err
	}
	return newDecoder(o.opts.Name).pool(&w), nil
}

func (o *oneByOne) virtual(ctx context.Context, path string) (state.Object, error) {
	var w virtualWire
	if err := o.object(ctx, objectPath(virtualsPath, path)+expand, &w, &w.FullPath); err != nil {
		return nil, err
	}
	v := newDecoder(o.opts.Name).virtual(&w)
	if !v.Destination.IP.IsValid() {
		at, _ := splitDestination(w.Destination)
		if err := o.resolve(ctx, map[*state.VirtualServer]string{v: at}); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// monitor tries each type: a monitor's ID does not name it.
func (o *oneByOne) monitor(ctx context.Context, path string) (state.Object, error) {
	var err error
	for _, kind := range monitorTypes() {
		var w monitorWire
		if err = o.object(ctx, objectPath(monitorsPath+kind, path), &w, &w.FullPath); err == nil {
			return newDecoder(o.opts.Name).monitor(kind, &w), nil
		}
		if !isAbsent(err) {
			return nil, err
		}
	}
	return nil, err
}

// node looks where our own nodes stand. If there is none, one with this
// address may stand under any name in any partition, and only the list tells.
func (o *oneByOne) node(ctx context.Context, id state.ID) (state.Object, error) {
	if o.opts.NodePartition != samePartition {
		var w nodeWire
		path := "/" + o.opts.NodePartition + "/" + id.Name
		err := o.object(ctx, objectPath(nodesPath, path), &w, &w.FullPath)
		if err != nil && !isAbsent(err) {
			return nil, err
		}
		if err == nil {
			if n := newDecoder(o.opts.Name).node(&w); n != nil && n.ID() == id {
				return n, nil
			}
		}
	}
	list, err := o.list(ctx)
	if err != nil {
		return nil, err
	}
	n, _ := list.Get(id)
	return n, nil
}

// object reads one object; fullPath must be filled in by it, or the answer is
// none of an object.
func (o *oneByOne) object(ctx context.Context, path string, w any, fullPath *string) error {
	if err := o.session.get(ctx, path, w); err != nil {
		return err
	}
	if *fullPath == "" {
		return &callError{method: "GET", path: path, sent: true, err: errNotObject}
	}
	return nil
}
