package bigip

import (
	"context"
	"net"
	"slices"
	"time"

	"landbridge.dev/testenv/bigip/mcp"
)

// resolveEvery is how often FQDN nodes are looked up again. A device takes the
// TTL or the node's interval, an hour by default; a test cannot wait for that.
const resolveEvery = time.Second

// resolver keeps the ephemeral members of FQDN nodes in step with the names.
type resolver struct {
	d      *Device
	lookup func(ctx context.Context, host string) ([]string, error)
	wake   chan struct{}
	stop   context.CancelFunc
	done   chan struct{}
}

func newResolver(d *Device) *resolver {
	lookup := d.o.LookupHost
	if lookup == nil {
		lookup = net.DefaultResolver.LookupHost
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &resolver{d: d, lookup: lookup, wake: make(chan struct{}, 1), stop: stop, done: make(chan struct{})}
	d.store.Watch(func(changed []mcp.Key) {
		for _, k := range changed {
			if k.Kind == "ltm/node" || k.Kind == "ltm/pool/members" {
				select {
				case r.wake <- struct{}{}:
				default: // a round is due already
				}
				return
			}
		}
	})
	go r.run(ctx)
	return r
}

func (r *resolver) close() {
	r.stop()
	<-r.done
}

func (r *resolver) run(ctx context.Context) {
	defer close(r.done)
	tick := time.NewTicker(resolveEvery)
	defer tick.Stop()
	for {
		for node, host := range r.d.store.FQDNNodes() {
			r.resolve(ctx, node, host)
		}
		select {
		case <-tick.C:
		case <-r.wake:
		case <-ctx.Done():
			return
		}
	}
}

func (r *resolver) resolve(ctx context.Context, node mcp.Key, host string) {
	addresses, err := r.lookup(ctx, host)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		// A device keeps what it resolved when the name server is away.
		r.d.store.SetStatus(node, mcp.Status{Monitor: "fqdn-down", Reason: "The DNS server(s) did not answer"})
		return
	}
	addresses = slices.DeleteFunc(addresses, func(a string) bool { ip := net.ParseIP(a); return ip == nil || ip.To4() == nil })
	slices.Sort(addresses)
	state := mcp.Status{Monitor: "fqdn-up", Reason: "The DNS server(s) are available"}
	if len(addresses) == 0 {
		state.Monitor = "fqdn-up-no-addr"
	}
	r.d.store.SetStatus(node, state)
	for _, k := range r.d.store.Referrers(node) {
		r.d.store.SetStatus(k, state)
	}
	if err := r.d.store.Resolved(node, addresses); err != nil {
		r.d.logf("resolving %s: %v", host, err)
	}
}
