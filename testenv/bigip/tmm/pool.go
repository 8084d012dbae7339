package tmm

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"landbridge.dev/testenv/bigip/mcp"
)

// node is what members at one address share.
type node struct {
	path    string
	conf    atomic.Pointer[settings]
	down    atomic.Bool
	current atomic.Int64
}

// settings are what the configuration says of a member or a node. A change
// puts a new value in place, so that balancing reads them without a lock.
type settings struct {
	addr     netip.AddrPort // of a member
	ratio    int64
	priority int64
	limit    int64
	disabled bool // session user-disabled
	forced   bool // forced offline: state user-down
}

func settingsOf(o *mcp.Object) *settings {
	return &settings{
		ratio: max(1, o.Int("ratio")), priority: o.Int("priorityGroup"), limit: o.Int("connectionLimit"),
		disabled: o.Str("session") == "user-disabled", forced: o.Str("state") == "user-down",
	}
}

// member is one pool member as the data plane sees it.
type member struct {
	path     string
	conf     atomic.Pointer[settings]
	node     *node
	down     atomic.Bool  // a monitor says so, or has not said anything yet
	since    atomic.Int64 // when it last began to take connections, in ns
	counters counters

	mu    sync.Mutex
	gone  bool
	flows map[cutter]struct{}
}

// usable reports whether the member takes new connections; persisted ones are
// taken by a disabled member too, but never by one forced offline.
func (m *member) usable(persisted bool) bool {
	c, n := m.conf.Load(), m.node.conf.Load()
	if m.down.Load() || c.forced || n.forced || m.node.down.Load() {
		return false
	}
	if (c.disabled || n.disabled) && !persisted {
		return false
	}
	if c.limit > 0 && m.counters.current.Load() >= c.limit {
		return false
	}
	return n.limit == 0 || m.node.current.Load() < n.limit
}

// track enters a flow; false when the member was removed meanwhile.
func (m *member) track(f cutter) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		return false
	}
	m.flows[f] = struct{}{}
	return true
}

func (m *member) untrack(f cutter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.flows, f)
}

// cut resets all connections to the member and takes no more, as when a device
// removes the member from its pool.
func (m *member) cut() {
	m.mu.Lock()
	m.gone = true
	m.mu.Unlock()
	m.resetAll()
}

func (m *member) resetAll() {
	m.mu.Lock()
	flows := make([]cutter, 0, len(m.flows))
	for f := range m.flows {
		flows = append(flows, f)
	}
	m.mu.Unlock()
	for _, f := range flows {
		f.reset()
	}
}

// pool is one pool as the data plane sees it.
type pool struct {
	path string

	mu        sync.Mutex
	mode      string
	minActive int64
	reselect  int64
	ramp      time.Duration // slow ramp time
	onDown    string        // service-down action
	members   []*member     // by path
	turns     []*turns      // one for each TMM
}

func (p *pool) member(path string) *member {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.members {
		if m.path == path {
			return m
		}
	}
	return nil
}

// syncNode follows a node object. The caller holds e.mu.
func (e *Engine) syncNode(path string) *node {
	key := mcp.Key{Kind: "ltm/node", Path: path}
	o, ok := e.store.Get(key)
	if !ok {
		delete(e.nodes, path)
		e.stopProbe(key)
		n := &node{path: path}
		n.conf.Store(&settings{ratio: 1})
		return n
	}
	n := e.nodes[path]
	if n == nil {
		n = &node{path: path}
		e.nodes[path] = n
	}
	n.conf.Store(settingsOf(o))
	e.watchNode(o, n)
	return n
}

// syncPool follows a pool object and its members. The caller holds e.mu.
func (e *Engine) syncPool(path string) {
	o, ok := e.store.Get(mcp.Key{Kind: "ltm/pool", Path: path})
	p := e.pools[path]
	if !ok {
		if p != nil {
			e.dropMembers(p, nil)
			delete(e.pools, path)
		}
		return
	}
	if p == nil {
		p = &pool{path: path, turns: make([]*turns, e.o.TMMs)}
		for i := range p.turns {
			p.turns[i] = newTurns()
		}
		e.pools[path] = p
	}
	objects := e.store.List("ltm/pool/members", path)
	keep := make(map[string]bool, len(objects))
	for _, m := range objects {
		keep[m.Path] = true
	}
	e.dropMembers(p, keep)
	old := make(map[string]*member)
	for _, m := range p.members {
		old[m.path] = m
	}
	members := make([]*member, 0, len(objects))
	for _, mo := range objects {
		if m := e.syncMember(p, mo, old[mo.Path]); m != nil {
			members = append(members, m)
		}
	}
	p.mu.Lock()
	p.mode, p.minActive, p.reselect = o.Str("loadBalancingMode"), o.Int("minActiveMembers"), o.Int("reselectTries")
	p.ramp, p.onDown = time.Duration(o.Int("slowRampTime"))*time.Second, o.Str("serviceDownAction")
	p.members = members
	p.mu.Unlock()
}

// dropMembers takes members out that are no longer listed.
func (e *Engine) dropMembers(p *pool, keep map[string]bool) {
	p.mu.Lock()
	var gone []*member
	kept := make([]*member, 0, len(p.members))
	for _, m := range p.members {
		if keep[m.path] {
			kept = append(kept, m)
		} else {
			gone = append(gone, m)
		}
	}
	p.members = kept
	p.mu.Unlock()
	for _, m := range gone {
		e.stopProbe(mcp.Key{Kind: "ltm/pool/members", Parent: p.path, Path: m.path})
		m.cut()
	}
}

// syncMember makes or updates a member; nil where there is no address to send
// to, as with a member that only names a host.
func (e *Engine) syncMember(p *pool, o *mcp.Object, m *member) *member {
	a, ok := mcp.ParseAddress(o.Str("address"), 0)
	if !ok || a.IP.IsUnspecified() {
		return nil
	}
	if m == nil {
		m = &member{path: o.Path, flows: make(map[cutter]struct{})}
		if m.node = e.nodes[mcp.NodeOf(o)]; m.node == nil {
			m.node = e.syncNode(mcp.NodeOf(o))
		}
	}
	c := settingsOf(o)
	c.addr = netip.AddrPortFrom(a.IP, uint16(mcp.PortOf(o))) //nolint:gosec // 0 to 65535 by its schema
	if was := m.conf.Swap(c); was == nil || (was.disabled || was.forced) && !c.disabled && !c.forced {
		m.since.Store(time.Now().UnixNano())
	}
	e.watchMember(p, o, m)
	return m
}
