// Package tmm is the data plane of the simulated BIG-IP, named for the process
// that carries the traffic on a device. It follows the configuration in
// package mcp: it listens where virtual servers stand, balances connections
// over the members of their pools over real sockets, probes members with their
// monitors, and counts.
package tmm

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"landbridge.dev/testenv/bigip/mcp"
	"landbridge.dev/testenv/bigip/rest"
)

// Options configures an Engine.
type Options struct {
	Store *mcp.Store
	// Logf is told what cannot be served, and monitors' verdicts; nil: nobody.
	Logf func(format string, args ...any)
	// TMMs is how many traffic processes a device has; each counts its turns
	// by itself, so that ratios hold for each and only roughly over all. 0: 1.
	TMMs int
}

// Engine is the running data plane. Its zero value is not usable; see New.
type Engine struct {
	o     Options
	store *mcp.Store
	ctx   context.Context //nolint:containedctx // lives as long as the engine: it ends flows and probes
	stop  context.CancelFunc
	wg    sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	paused   bool
	offered  map[string]*door // while Resume runs: what the peer listened on, by address
	virtuals map[string]*virtual
	pools    map[string]*pool
	probes   map[mcp.Key]*probe
	nodes    map[string]*node
}

// New starts a data plane that serves the configuration and follows it until
// Close.
func New(o Options) *Engine {
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	if o.TMMs < 1 {
		o.TMMs = 1
	}
	ctx, stop := context.WithCancel(context.Background())
	e := &Engine{
		o: o, store: o.Store, ctx: ctx, stop: stop,
		virtuals: make(map[string]*virtual), pools: make(map[string]*pool),
		probes: make(map[mcp.Key]*probe), nodes: make(map[string]*node),
	}
	o.Store.Watch(e.changed)
	var all []mcp.Key
	for _, kind := range []string{"ltm/node", "ltm/pool", "ltm/virtual"} {
		for _, obj := range o.Store.List(kind, "") {
			all = append(all, obj.Key())
		}
	}
	e.changed(all)
	e.spawn(e.retry)
	return e
}

// Close stops listening, cuts all connections and waits for everything that
// the engine started.
func (e *Engine) Close() {
	e.mu.Lock()
	e.closed = true
	for _, v := range e.virtuals {
		v.close()
	}
	e.mu.Unlock()
	e.stop()
	e.wg.Wait()
}

// changed brings the data plane in step with a commit.
func (e *Engine) changed(keys []mcp.Key) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	virtuals, pools, nodes := e.affected(keys)
	for _, path := range slices.Sorted(maps.Keys(nodes)) {
		e.syncNode(path)
	}
	for _, path := range slices.Sorted(maps.Keys(pools)) {
		e.syncPool(path)
	}
	for _, path := range slices.Sorted(maps.Keys(virtuals)) {
		e.syncVirtual(path)
	}
}

// affected finds what must be looked at again after objects changed.
func (e *Engine) affected(keys []mcp.Key) (virtuals, pools, nodes map[string]bool) {
	virtuals, pools, nodes = make(map[string]bool), make(map[string]bool), make(map[string]bool)
	users := func(k mcp.Key) {
		for _, r := range e.store.Referrers(k) {
			switch r.Kind {
			case "ltm/pool":
				pools[r.Path] = true
			case "ltm/pool/members":
				pools[r.Parent] = true
			case "ltm/node":
				nodes[r.Path] = true
			case "ltm/virtual":
				virtuals[r.Path] = true
			case "ltm/virtual/profiles":
				virtuals[r.Parent] = true
			case "ltm/snatpool":
				for _, rr := range e.store.Referrers(r) {
					virtuals[rr.Path] = true
				}
			}
		}
	}
	for _, k := range keys {
		switch k.Kind {
		case "ltm/virtual":
			virtuals[k.Path] = true
		case "ltm/virtual/profiles":
			virtuals[k.Parent] = true
		case "ltm/pool":
			pools[k.Path] = true
		case "ltm/pool/members":
			pools[k.Parent] = true
		case "ltm/node":
			nodes[k.Path] = true
			users(k)
		case "ltm/default-node-monitor":
			for p := range e.nodes {
				nodes[p] = true
			}
		default:
			users(k)
		}
	}
	return virtuals, pools, nodes
}

// pick chooses a TMM for a new connection; a device spreads them by a hash of
// addresses and ports.
func (e *Engine) pickTMM() int { return rand.IntN(e.o.TMMs) } //nolint:gosec // balancing, not secrecy

// Member returns the counters of a pool member.
func (e *Engine) Member(poolPath, member string) rest.Counters {
	e.mu.Lock()
	p := e.pools[poolPath]
	e.mu.Unlock()
	if p == nil {
		return rest.Counters{}
	}
	if m := p.member(member); m != nil {
		return m.counters.read()
	}
	return rest.Counters{}
}

// Virtual returns the counters of a virtual server.
func (e *Engine) Virtual(path string) rest.Counters {
	e.mu.Lock()
	v := e.virtuals[path]
	e.mu.Unlock()
	if v == nil {
		return rest.Counters{}
	}
	return v.counters.read()
}

// spawn runs f as a goroutine that Close waits for.
func (e *Engine) spawn(f func()) {
	e.wg.Add(1)
	go func() {
		defer e.wg.Done()
		f()
	}()
}

func (e *Engine) logf(format string, args ...any) { e.o.Logf(format, args...) }

// errNoMember is why a connection is refused.
var errNoMember = fmt.Errorf("no pool member available")
