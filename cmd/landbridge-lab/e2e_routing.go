package main

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	"landbridge.dev/testenv/world"
)

// routeFromNodes has the controllers speak from the nodes' addresses, which the
// router is on one network with.
const routeFromNodes = "controller: {hostNetwork: true}\n" + secretsValue

// reach starts a router on the nodes' network, and has the release speak to it.
func (e *endToEnd) reach(ctx context.Context) (err error) {
	r := e.routes
	if r.site, err = e.world.StartSite(ctx, netip.MustParseAddr(floating)); err != nil {
		return err
	}
	config, err := r.peered(configuration)
	if err != nil {
		return err
	}
	if err := e.reconfigure(r.peered); err != nil {
		return err
	}
	if err := e.writeValues(config, routeFromNodes); err != nil {
		return err
	}
	return e.replaced(ctx)
}

// announce has a Service's address announced with real nodes for next hops, which
// bring what comes to them to real pods.
func (e *endToEnd) announce(ctx context.Context) error {
	r := e.routes
	if err := r.direct(ctx); err != nil {
		return err
	}
	pods, err := e.livePods(ctx)
	if err != nil {
		return err
	}
	const many = 10 * requests // so that each pod has its part of them
	t := world.GetFrom(ctx, r.site.Client, r.url(), many)
	e.said("client", fmt.Sprintf("%d requests to %s\n%s", many, r.url(), t))
	if t.Failed() > 0 || len(t.Pods) != len(pods) {
		return fmt.Errorf("behind the router %d requests failed, and %d pods answered, want 0 and %d", t.Failed(), len(t.Pods), len(pods))
	}
	e.checked("all %d pods answer a client behind the router", len(pods))
	return nil
}

// rollBehind replaces all pods while a client asks behind the router.
func (e *endToEnd) rollBehind(ctx context.Context) error {
	load := world.StartLoadFrom(e.routes.site.Client, e.routes.url())
	stopped := sync.OnceValue(load.Stop)
	defer stopped()
	if err := e.restart(ctx); err != nil {
		return err
	}
	t := stopped()
	if t.Failed() > 0 || t.Answered() < requests {
		return fmt.Errorf("while pods were replaced, of the requests behind the router %d failed:\n%s", t.Failed(), t)
	}
	e.checked("%d requests behind the router meanwhile, none failed", t.Answered())
	return nil
}

// hopsLeave excludes each node, and takes it back, while a client asks one
// request after the other. A router that changes its next hops may send a
// connection to another node in the middle, which knows nothing of it: the one
// request that is under way then may break, and no other.
func (e *endToEnd) hopsLeave(ctx context.Context) error {
	r := e.routes
	load := world.StartLoadFrom(r.site.Client, r.url())
	stopped := sync.OnceValue(load.Stop)
	defer stopped()
	changes := 0
	for _, leave := range []struct{ node, stays string }{{"node-b", "node-a"}, {"node-a", "node-b"}} {
		if _, err := e.kubectl(ctx, "label", "node", leave.node, excluded+"="); err != nil {
			return err
		}
		e.said("ran", "kubectl label node "+leave.node+" "+excluded+"=")
		if err := r.paths(ctx, r.service(), leave.stays); err != nil {
			return err
		}
		if t := world.GetFrom(ctx, r.site.Client, r.url(), requests); t.Failed() > 0 {
			return fmt.Errorf("by %s alone requests fail:\n%s", leave.stays, t)
		}
		if _, err := e.kubectl(ctx, "label", "node", leave.node, excluded+"-"); err != nil {
			return err
		}
		if err := r.paths(ctx, r.service(), "node-a", "node-b"); err != nil {
			return err
		}
		changes += 2
	}
	t := stopped()
	if t.Failed() > changes || t.Answered() < requests {
		return fmt.Errorf("of a client's requests one after the other %d failed while next hops changed %d times:\n%s", t.Failed(), changes, t)
	}
	e.checked("%d requests meanwhile; of the one under way at each of %d changes of next hops %d failed, and no other", t.Answered(), changes, t.Failed())
	return nil
}

// withdraw deletes the Service, and has the release speak to no router any more.
func (e *endToEnd) withdraw(ctx context.Context) error {
	r := e.routes
	if _, err := e.kubectl(ctx, "delete", "service", "direct", "-n", "shop", "--timeout=1m"); err != nil {
		return err
	}
	if err := r.paths(ctx, r.service()); err != nil {
		return err
	}
	if err := e.writeValues(configuration, debugValue+secretsValue); err != nil {
		return err
	}
	if err := e.replaced(ctx); err != nil {
		return err
	}
	site := r.site
	r.site = nil
	return site.Stop()
}

// replaced has the release follow values that replace its pods.
func (e *endToEnd) replaced(ctx context.Context) error {
	before, err := e.leader(ctx)
	if err != nil {
		return err
	}
	if err := e.changed(ctx); err != nil {
		return err
	}
	return e.leads(ctx, before)
}
