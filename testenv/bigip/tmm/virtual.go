package tmm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"landbridge.dev/testenv/bigip/mcp"
)

// dialTimeout is how long a member may take to accept: a device gives up
// after its SYN retries, some 12 s with the stock profile; on one machine that
// is an age.
const dialTimeout = 5 * time.Second

// virtual is one virtual server as the data plane sees it.
type virtual struct {
	path     string
	listen   string // "203.0.113.10:80"; "" for none
	listener *net.TCPListener
	conf     atomic.Pointer[virtualSettings]
	counters counters

	mu    sync.Mutex
	flows map[*flow]struct{}
}

type virtualSettings struct {
	pool   *pool
	limit  int64
	source netip.Prefix
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
		v = &virtual{path: path, flows: make(map[*flow]struct{})}
		e.virtuals[path] = v
	}
	v.conf.Store(&virtualSettings{
		pool: e.pools[o.Str("pool")], limit: o.Int("connectionLimit"), source: sourceOf(o),
	})
	address, reason := e.listenAddress(o)
	if e.paused {
		address = ""
		v.cut()
	}
	if address != v.listen {
		v.close()
	}
	if address != "" && v.listener == nil {
		reason = e.open(v, address)
	}
	e.report(o, reason)
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
	switch o.Str("ipProtocol") {
	case "tcp", "any":
	default:
		return "", "Only TCP is simulated, not " + o.Str("ipProtocol")
	}
	if d.Port == 0 || d.Address.IP.IsUnspecified() {
		return "", "Wildcard destinations are not simulated"
	}
	return net.JoinHostPort(d.Address.IP.String(), strconv.Itoa(d.Port)), ""
}

func (e *Engine) addressObject(vs *mcp.Object) (*mcp.Object, bool) {
	dest := vs.Str("destination")
	i := strings.LastIndexAny(dest, ".:")
	if i < 0 {
		return nil, false
	}
	return e.store.Get(mcp.Key{Kind: "ltm/virtual-address", Path: dest[:i]})
}

// open starts to listen; the answer is why it could not.
func (e *Engine) open(v *virtual, address string) string {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Sprintf("Cannot be served on this machine: %v", err)
	}
	tl, ok := l.(*net.TCPListener)
	if !ok {
		return "Cannot be served on this machine: not TCP"
	}
	v.listen, v.listener = address, tl
	e.spawn(func() { e.accept(v, tl) })
	return ""
}

func (v *virtual) close() {
	if v.listener != nil {
		v.listener.Close() //nolint:errcheck // nothing to be done about it
		v.listener = nil
	}
	v.listen = ""
}

func (v *virtual) cut() {
	v.mu.Lock()
	flows := make([]*flow, 0, len(v.flows))
	for f := range v.flows {
		flows = append(flows, f)
	}
	v.mu.Unlock()
	for _, f := range flows {
		f.reset()
	}
}

func (e *Engine) accept(v *virtual, l *net.TCPListener) {
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			e.logf("virtual server %s: accepting: %v", v.path, err)
			if !pause(e.ctx, 10*time.Millisecond) {
				return
			}
			continue
		}
		e.spawn(func() { e.serve(v, c) })
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
	if !admits(conf, client, v) {
		refuse(client)
		return
	}
	v.counters.open()
	defer v.counters.close()
	if conf.pool == nil {
		refuse(client)
		return
	}
	server, m, err := e.connect(conf.pool)
	if err != nil {
		refuse(client)
		return
	}
	defer m.counters.close()
	defer m.node.current.Add(-1)
	f := &flow{client: client, server: server, member: m, virtual: v}
	if !m.track(f) {
		f.reset()
		return
	}
	defer m.untrack(f)
	v.mu.Lock()
	v.flows[f] = struct{}{}
	v.mu.Unlock()
	defer func() {
		v.mu.Lock()
		delete(v.flows, f)
		v.mu.Unlock()
	}()
	stop := context.AfterFunc(e.ctx, f.reset)
	defer stop()
	f.carry()
}

// admits applies the source restriction and the connection limit.
func admits(conf *virtualSettings, client *net.TCPConn, v *virtual) bool {
	if conf.limit > 0 && v.counters.current.Load() >= conf.limit {
		return false
	}
	if !conf.source.IsValid() || conf.source.Bits() == 0 {
		return true
	}
	from, ok := client.RemoteAddr().(*net.TCPAddr)
	return ok && conf.source.Contains(from.AddrPort().Addr().Unmap())
}

func refuse(c *net.TCPConn) {
	c.SetLinger(0) //nolint:errcheck // the connection may be gone already
	c.Close()      //nolint:errcheck // as above
}

// connect picks members until one accepts. A refused connect is tried again
// with another member as often as the pool's reselectTries says. The member's
// counters are open when it returns without an error.
func (e *Engine) connect(p *pool) (*net.TCPConn, *member, error) {
	tmm := e.pickTMM()
	var tried []*member
	for {
		m := p.pick(tmm, tried)
		if m == nil {
			return nil, nil, errNoMember
		}
		m.counters.open()
		m.node.current.Add(1)
		d := net.Dialer{Timeout: dialTimeout}
		c, err := d.DialContext(e.ctx, "tcp", m.conf.Load().addr.String())
		if err == nil {
			if tc, ok := c.(*net.TCPConn); ok {
				return tc, m, nil
			}
		}
		m.counters.close()
		m.node.current.Add(-1)
		p.mu.Lock()
		again := int64(len(tried)) < p.reselect
		p.mu.Unlock()
		if !again || slices.Contains(tried, m) {
			return nil, nil, fmt.Errorf("connecting to %s: %w", m.path, err)
		}
		tried = append(tried, m)
	}
}
