package tmm

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"landbridge.dev/testenv/bigip/mcp"
)

// probe watches one member or node with its monitors.
type probe struct {
	cancel context.CancelFunc
	spec   []check
	min    int
	addr   netip.AddrPort
}

// check is one monitor as it probes.
type check struct {
	path, kind        string
	interval, timeout time.Duration
	send, recv        string
	dest              string // "*:*", "*:443", "10.0.0.1:80"
	reverse           bool
	user, password    string
}

func (e *Engine) watchMember(p *pool, o *mcp.Object, m *member) {
	e.watch(o, m.conf.Load().addr, func(up bool) {
		was := m.down.Swap(!up)
		switch {
		case up && was:
			m.since.Store(time.Now().UnixNano())
		case !up && !was:
			p.wentDown(m)
		}
	})
}

// wentDown applies the pool's service-down action to the connections of a
// member. "drop" cannot be told from "reset" through sockets, and "reselect"
// cannot move a connection that has begun: it leaves it, like "none".
func (p *pool) wentDown(m *member) {
	p.mu.Lock()
	action := p.onDown
	p.mu.Unlock()
	if action == "reset" || action == "drop" {
		m.resetAll()
	}
}

func (e *Engine) watchNode(o *mcp.Object, n *node) {
	a, ok := mcp.ParseAddress(o.Str("address"), 0)
	if !ok || a.IP.IsUnspecified() {
		return
	}
	e.watch(o, netip.AddrPortFrom(a.IP, 0), func(up bool) { n.down.Store(!up) })
}

// watch starts, replaces or ends the probe of a member or node. The caller
// holds e.mu.
func (e *Engine) watch(o *mcp.Object, addr netip.AddrPort, set func(up bool)) {
	key := o.Key()
	rule := e.store.MonitorsOf(o)
	spec := e.checks(rule)
	if p := e.probes[key]; p != nil {
		if p.addr == addr && p.min == rule.Min && slices.Equal(p.spec, spec) {
			return
		}
		e.stopProbe(key)
	}
	if len(spec) == 0 {
		set(true)
		return
	}
	set(false)
	ctx, cancel := context.WithCancel(e.ctx)
	p := &probe{cancel: cancel, spec: spec, min: rule.Min, addr: addr}
	e.probes[key] = p
	v := &verdicts{
		key: key, need: p.min, states: make([]string, len(spec)), reasons: make([]string, len(spec)),
		set: set, store: e.store,
	}
	if v.need == 0 {
		v.need = len(spec)
	}
	e.store.SetStatus(key, mcp.Status{Monitor: "checking"})
	for i, c := range spec {
		e.spawn(func() { e.run(ctx, c, addr, func(state, reason string) { v.tell(ctx, i, state, reason) }) })
	}
}

func (e *Engine) stopProbe(k mcp.Key) {
	if p := e.probes[k]; p != nil {
		p.cancel()
		delete(e.probes, k)
	}
}

func (e *Engine) checks(rule mcp.MonitorRule) []check {
	var out []check
	for _, path := range rule.Paths {
		o, ok := e.store.Find("ltm/monitor/", path)
		if !ok {
			continue
		}
		c := check{
			path: path, kind: o.Kind.Path[len("ltm/monitor/"):],
			interval: time.Duration(max(1, o.Int("interval"))) * time.Second,
			timeout:  time.Duration(max(1, o.Int("timeout"))) * time.Second,
			send:     o.Str("send"), recv: o.Str("recv"), dest: o.Str("destination"),
			reverse: o.Str("reverse") == "enabled", user: o.Str("username"), password: o.Str("password"),
		}
		out = append(out, c)
	}
	return out
}

// verdicts joins the monitors of one member.
type verdicts struct {
	key   mcp.Key
	need  int
	set   func(up bool)
	store *mcp.Store

	mu      sync.Mutex
	states  []string
	reasons []string
}

func (v *verdicts) tell(ctx context.Context, i int, state, reason string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if ctx.Err() != nil { // replaced meanwhile: its word no longer counts
		return
	}
	v.states[i], v.reasons[i] = state, reason
	up, down := 0, 0
	for _, s := range v.states {
		switch s {
		case "up":
			up++
		case "down":
			down++
		}
	}
	switch {
	case up >= v.need:
		v.set(true)
		v.store.SetStatus(v.key, mcp.Status{Monitor: "up"})
	case down > len(v.states)-v.need:
		v.set(false)
		v.store.SetStatus(v.key, mcp.Status{Monitor: "down", Reason: v.reason()})
	}
}

func (v *verdicts) reason() string {
	for i, s := range v.states {
		if s == "down" {
			return v.reasons[i]
		}
	}
	return ""
}

// run probes until ctx ends. One success is up; down is only what has not
// succeeded for the monitor's timeout, as with bigd.
func (e *Engine) run(ctx context.Context, c check, addr netip.AddrPort, tell func(state, reason string)) {
	last := time.Now()
	state := ""
	tick := time.NewTicker(c.interval)
	defer tick.Stop()
	for {
		probing, cancel := context.WithTimeout(ctx, c.timeout)
		err := c.probe(probing, addr)
		cancel()
		now := time.Now()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			last = now
			if state != "up" {
				state = "up"
				tell(state, "")
				e.logf("monitor %s: %s is up", c.path, addr)
			}
		case now.Sub(last) >= c.timeout && state != "down":
			state = "down"
			reason := fmt.Sprintf("%s: No successful responses received before deadline. @%s. ", c.path, now.Format("2006/01/02 15:04:05"))
			tell(state, reason)
			e.logf("monitor %s: %s is down: %v", c.path, addr, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
