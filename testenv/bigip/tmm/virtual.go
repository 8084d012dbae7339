package tmm

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"landbridge.dev/testenv/bigip/mcp"
)

// virtual is one virtual server as the data plane sees it.
type virtual struct {
	path     string
	listen   string    // "tcp 203.0.113.10:80"; "" for none
	listener io.Closer // nil while it does not listen
	wanted   string    // where it should listen but could not
	conf     atomic.Pointer[virtualSettings]
	counters counters
	persist  records

	mu    sync.Mutex
	idle  bool // its unit carries no traffic
	flows map[cutter]struct{}
}

// cutter is a connection that can be cut from outside.
type cutter interface{ reset() }

type virtualSettings struct {
	pool        *pool
	limit       int64
	source      netip.Prefix
	snat        snat
	persistence persistence
	http        bool
	udpIdle     time.Duration
}

// syncVirtual follows a virtual server: listens where it should, and no
// longer where it should not. The caller holds e.mu.
func (e *Engine) syncVirtual(path string) {
	o, ok := e.store.Get(mcp.Key{Kind: "ltm/virtual", Path: path})
	v := e.virtuals[path]
	if !ok {
		if v != nil {
			v.close()
			v.cut()
			delete(e.virtuals, path)
		}
		return
	}
	if v == nil {
		v = &virtual{path: path, flows: make(map[cutter]struct{})}
		e.virtuals[path] = v
	}
	v.conf.Store(e.virtualSettings(o))
	address, reason := e.listenAddress(o)
	v.carries(!e.paused)
	if e.paused {
		address = ""
	}
	if address != v.listen {
		v.close()
	}
	v.wanted = ""
	if address != "" && v.listener == nil {
		if reason = e.open(v, address); reason != "" {
			v.wanted = address
		}
	}
	e.report(o, reason)
}

func (e *Engine) virtualSettings(o *mcp.Object) *virtualSettings {
	c := &virtualSettings{
		pool: e.pools[o.Str("pool")], limit: o.Int("connectionLimit"), source: sourceOf(o),
		snat: e.snatOf(o), persistence: e.persistenceOf(o), udpIdle: time.Minute,
	}
	for _, it := range e.store.List("ltm/virtual/profiles", o.Path) {
		p, ok := e.store.Find("ltm/profile/", it.Path)
		if !ok {
			continue
		}
		switch p.Kind.Path {
		case "ltm/profile/http":
			c.http = true
		case "ltm/profile/udp":
			if n, err := strconv.Atoi(p.Str("idleTimeout")); err == nil && n > 0 {
				c.udpIdle = time.Duration(n) * time.Second
			}
		}
	}
	return c
}

// report shows why a virtual server is not served.
func (e *Engine) report(o *mcp.Object, reason string) {
	if reason == "" {
		e.store.SetStatus(o.Key(), mcp.Status{})
		return
	}
	e.logf("virtual server %s: %s", o.Path, reason)
	e.store.SetStatus(o.Key(), mcp.Status{Monitor: "down", Reason: reason})
}

func sourceOf(o *mcp.Object) netip.Prefix {
	host, bits, _ := strings.Cut(o.Str("source"), "/")
	host, _, _ = strings.Cut(host, "%")
	p, err := netip.ParsePrefix(host + "/" + bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// listenAddress says where a virtual server listens; empty where it does not,
// with a reason where that is not by its own settings.
func (e *Engine) listenAddress(o *mcp.Object) (address, reason string) {
	if o.Flag("disabled") {
		return "", ""
	}
	d, ok := e.store.DestinationOf(o)
	if !ok {
		return "", "Its destination cannot be read"
	}
	if va, ok := e.addressObject(o); ok && va.Str("enabled") == "no" {
		return "", ""
	}
	network := o.Str("ipProtocol")
	switch network {
	case "tcp", "udp":
	case "any":
		network = "tcp"
	default:
		return "", "Only TCP and UDP are simulated, not " + network
	}
	switch {
	case o.Flag("ipForward") || o.Flag("l2Forward") || o.Flag("reject") || o.Flag("internal"):
		return "", "Only standard virtual servers are simulated"
	case d.Port == 0:
		return "", "Wildcard ports are not simulated"
	case !d.Address.IP.IsUnspecified() && o.Str("mask") != "255.255.255.255" && d.Address.IP.Is4():
		return "", "Networks as destinations are not simulated"
	}
	return network + " " + net.JoinHostPort(d.Address.IP.String(), strconv.Itoa(d.Port)), ""
}

func (e *Engine) addressObject(vs *mcp.Object) (*mcp.Object, bool) {
	dest := vs.Str("destination")
	i := strings.LastIndexAny(dest, ".:")
	if strings.Count(dest, ":") == 1 {
		i = strings.LastIndex(dest, ":")
	}
	if i < 0 {
		return nil, false
	}
	return e.store.Get(mcp.Key{Kind: "ltm/virtual-address", Path: dest[:i]})
}

// open starts to listen; the answer is why it could not.
func (e *Engine) open(v *virtual, address string) string {
	network, hostPort, _ := strings.Cut(address, " ")
	if network == "udp" {
		return e.openUDP(v, address, hostPort)
	}
	d := e.offered[address]
	delete(e.offered, address)
	if d == nil {
		l, err := net.Listen("tcp", hostPort)
		if err != nil {
			return fmt.Sprintf("Cannot be served on this machine: %v", err)
		}
		tl, ok := l.(*net.TCPListener)
		if !ok {
			return "Cannot be served on this machine: not TCP"
		}
		d = &door{TCPListener: tl}
	}
	d.left = make(chan struct{})
	v.listen, v.listener = address, d
	e.spawn(func() { e.accept(v, d) })
	return ""
}

// retry looks every second whether an address that was missing has come.
func (e *Engine) retry() {
	for pause(e.ctx, time.Second) {
		e.mu.Lock()
		for path, v := range e.virtuals {
			if v.wanted != "" && !e.closed {
				e.syncVirtual(path)
			}
		}
		e.mu.Unlock()
	}
}

func (v *virtual) close() {
	if v.listener != nil {
		v.listener.Close()
		v.listener = nil
	}
	v.listen = ""
}

// track enters a flow; false when the unit carries none any more.
func (v *virtual) track(f cutter) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.idle {
		return false
	}
	v.flows[f] = struct{}{}
	return true
}

// carries says whether its unit carries traffic; without, all flows are cut.
func (v *virtual) carries(yes bool) {
	v.mu.Lock()
	v.idle = !yes
	v.mu.Unlock()
	if !yes {
		v.cut()
	}
}

func (v *virtual) untrack(f cutter) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.flows, f)
}

func (v *virtual) cut() {
	v.mu.Lock()
	flows := make([]cutter, 0, len(v.flows))
	for f := range v.flows {
		flows = append(flows, f)
	}
	v.mu.Unlock()
	for _, f := range flows {
		f.reset()
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// serve carries one connection from its arrival to its end.
func (e *Engine) serve(v *virtual, client *net.TCPConn) {
	conf := v.conf.Load()
	from := addrOf(client.RemoteAddr())
	if !admits(conf, from, v) {
		refuse(client)
		return
	}
	v.counters.open()
	defer v.counters.close()
	if conf.pool == nil {
		refuse(client)
		return
	}
	if conf.http && conf.persistence.kind == cookiePersistence {
		e.serveHTTP(v, conf, client)
		return
	}
	e.relay(v, conf, client, e.persisted(v, conf, from), nil)
}

// relay connects a client to a member and copies until they have ended. first
// is what was read from the client already.
func (e *Engine) relay(v *virtual, conf *virtualSettings, client *net.TCPConn, wish *member, first []byte) {
	from := addrOf(client.RemoteAddr())
	server, m, err := e.connect(conf, from, wish)
	if err != nil {
		refuse(client)
		return
	}
	defer m.release()
	e.remember(v, conf, from, m)
	f := &flow{client: client, server: server, member: m, virtual: v}
	if !m.track(f) {
		f.reset()
		return
	}
	defer m.untrack(f)
	if !v.track(f) {
		f.reset()
		return
	}
	defer v.untrack(f)
	stop := context.AfterFunc(e.ctx, f.reset)
	defer stop()
	if len(first) > 0 {
		m.counters.in.Add(int64(len(first)))
		v.counters.in.Add(int64(len(first)))
		if _, err := server.Write(first); err != nil {
			f.reset()
			return
		}
	}
	f.carry()
	e.remember(v, conf, from, m)
}

func addrOf(a net.Addr) netip.Addr {
	switch t := a.(type) {
	case *net.TCPAddr:
		return t.AddrPort().Addr().Unmap()
	case *net.UDPAddr:
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// admits applies the source restriction and the connection limit.
func admits(conf *virtualSettings, from netip.Addr, v *virtual) bool {
	if conf.limit > 0 && v.counters.current.Load() >= conf.limit {
		return false
	}
	if !conf.source.IsValid() || conf.source.Bits() == 0 {
		return true
	}
	return conf.source.Contains(from)
}

func refuse(c *net.TCPConn) {
	c.SetLinger(0) //nolint:errcheck // the connection may be gone already
	c.Close()
}
