package bigip

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"landbridge.dev/testenv/bigip/mcp"
	"landbridge.dev/testenv/bigip/rest"
)

// PairOptions says how two units form a device group.
type PairOptions struct {
	Group    string // name of the sync-failover device group; default "pair"
	AutoSync bool   // changes go to the peer by themselves

	// Synced is told of each sync once it is done: whose configuration became
	// that of its peer. It must not ask for another. nil for none.
	Synced func(from, to *Device)
}

// Pair is two units of one device group: A starts active, B standby.
type Pair struct {
	A, B *Device
	g    *group
}

// group is the device group of two units.
type group struct {
	name  string
	auto  bool
	units [2]*unit
	told  func(from, to *Device)

	syncing sync.Mutex
	wake    chan *unit
	stop    context.CancelFunc
	done    chan struct{}
}

// StartPair runs two units as a device group. Partitions of both options are
// made on both. Close of the pair closes both units.
func StartPair(ctx context.Context, a, b Options, p PairOptions) (*Pair, error) {
	a, b = withDefaults(a), withDefaults(b)
	if a.Hostname == b.Hostname {
		b.Hostname = "bigip02.lab.local"
	}
	b.standby = true
	da, err := Start(ctx, a)
	if err != nil {
		return nil, err
	}
	db, err := Start(ctx, b)
	if err != nil {
		return nil, errors.Join(err, da.Close())
	}
	return join(da, db, p), nil
}

// NewPair is StartPair without sockets for the REST API: calls go through the
// units' Handler.
func NewPair(a, b Options, p PairOptions) (*Pair, error) {
	a, b = withDefaults(a), withDefaults(b)
	if a.Hostname == b.Hostname {
		b.Hostname = "bigip02.lab.local"
	}
	b.standby = true
	da, err := New(a)
	if err != nil {
		return nil, err
	}
	db, err := New(b)
	if err != nil {
		return nil, errors.Join(err, da.Close())
	}
	return join(da, db, p), nil
}

func join(a, b *Device, p PairOptions) *Pair {
	if p.Group == "" {
		p.Group = "pair"
	}
	ctx, stop := context.WithCancel(context.Background())
	g := &group{name: p.Group, auto: p.AutoSync, units: [2]*unit{a.unit, b.unit}, wake: make(chan *unit, 1), stop: stop, done: make(chan struct{})}
	for _, d := range []*Device{a, b} {
		g.provide(d.store)
		d.unit.mu.Lock()
		d.unit.group = g
		d.unit.mu.Unlock()
	}
	g.push(a.unit)
	for _, d := range []*Device{a, b} {
		if err := d.unit.Save(); err != nil {
			d.logf("saving: %v", err)
		}
		d.store.Watch(func([]mcp.Key) { g.changed(d.unit) })
	}
	g.told = p.Synced
	go g.run(ctx)
	return &Pair{A: a, B: b, g: g}
}

// provide puts the objects of the group into a unit's configuration.
func (g *group) provide(s *mcp.Store) {
	auto := "disabled"
	if g.auto {
		auto = "enabled"
	}
	path := "/Common/" + g.name
	s.Provide("cm/device-group", "", path, map[string]any{"type": "sync-failover", "networkFailover": "enabled", "autoSync": auto})
	for _, u := range g.units {
		s.Provide("cm/device", "", u.path(), map[string]any{"hostname": u.d.o.Hostname})
		s.Provide("cm/device-group/devices", path, u.path(), nil)
		s.Provide("cm/device-group/devices", "/Common/device_trust_group", u.path(), nil)
	}
}

func (g *group) other(u *unit) *unit {
	if g.units[0] == u {
		return g.units[1]
	}
	return g.units[0]
}

// changed wakes automatic sync.
func (g *group) changed(u *unit) {
	if !g.auto {
		return
	}
	select {
	case g.wake <- u:
	default: // one is waiting already; it pushes what is there then
	}
}

func (g *group) run(ctx context.Context) {
	defer close(g.done)
	for {
		select {
		case <-g.wake:
			for _, u := range g.units {
				g.pushNews(u)
			}
		case <-ctx.Done():
			return
		}
	}
}

// push makes the peer's configuration that of u.
func (g *group) push(u *unit) {
	g.syncing.Lock()
	defer g.syncing.Unlock()
	g.load(u)
}

// pushNews is push where the unit is ahead.
func (g *group) pushNews(u *unit) {
	g.syncing.Lock()
	defer g.syncing.Unlock()
	if g.ahead(u) {
		g.load(u)
	}
}

// load is push with syncing held.
func (g *group) load(u *unit) {
	peer := g.other(u)
	loaded := peer.d.store.SyncFrom(u.d.store)
	for _, m := range g.units {
		m.mu.Lock()
		m.lastSync, m.behind = loaded, ""
		m.mu.Unlock()
	}
	if g.told != nil {
		g.told(u.d, peer.d)
	}
}

// ahead reports whether a unit's configuration is newer than its peer's: it
// changed since the last sync, or the peer has come back from a reboot with an
// older one. Units compare the times of their last changes for this, not what
// they hold (F5 K13946).
func (g *group) ahead(u *unit) bool {
	differs, behind := u.compare()
	if differs {
		return !behind
	}
	differs, behind = g.other(u).compare()
	return differs && behind
}

// compare reports whether a unit holds something else than at the last sync,
// and whether that is what it returned to in a reboot.
func (u *unit) compare() (differs, behind bool) {
	now := u.d.store.Fingerprint()
	u.mu.Lock()
	defer u.mu.Unlock()
	return now != u.lastSync, now == u.behind
}

// describe fills in what cm sync-status shows of a group.
func (g *group) describe(u *unit, st *rest.UnitStatus) {
	self, peer := u.d.o.Hostname, g.other(u).d.o.Hostname
	st.SyncMode = "high-availability"
	mine, theirs := g.ahead(u), g.ahead(g.other(u))
	inSync := "All devices in the device group are in sync"
	trust := fmt.Sprintf("device_trust_group (In Sync): %s", inSync)
	switch {
	case !mine && !theirs:
		st.SyncStatus, st.SyncColor, st.SyncSummary = "In Sync", "green", inSync
		st.SyncDetails = []string{peer + ": connected", fmt.Sprintf("%s (In Sync): %s", g.name, inSync), trust}
	case mine && theirs:
		conflict := fmt.Sprintf("There is a possible change conflict between %s and %s.", self, peer)
		st.SyncStatus, st.SyncColor, st.SyncSummary = "Changes Pending", "yellow", conflict
		st.SyncDetails = []string{peer + ": connected", fmt.Sprintf("%s (Changes Pending): %s", g.name, conflict),
			" - Recommended action: Synchronize one of the devices to group " + g.name, trust}
	default:
		from := self
		if theirs {
			from = peer
		}
		ahead := fmt.Sprintf("%s has changes pending", from)
		st.SyncStatus, st.SyncColor, st.SyncSummary = "Changes Pending", "yellow", ahead
		st.SyncDetails = []string{peer + ": connected", fmt.Sprintf("%s (Changes Pending): %s", g.name, ahead),
			fmt.Sprintf(" - Recommended action: Synchronize %s to group %s", from, g.name), trust}
	}
}

// Active returns the unit that carries the traffic, or nil.
func (p *Pair) Active() *Device {
	for _, d := range []*Device{p.A, p.B} {
		if d.unit.isActive() {
			return d
		}
	}
	return nil
}

// Standby returns the unit that waits, or nil.
func (p *Pair) Standby() *Device {
	for _, d := range []*Device{p.A, p.B} {
		if d.FailoverState() == "standby" {
			return d
		}
	}
	return nil
}

// Failover hands the traffic from the active unit to the standby one.
func (p *Pair) Failover() {
	if d := p.Active(); d != nil {
		d.Failover()
	}
}

// InSync reports whether neither unit changed since the last sync.
func (p *Pair) InSync() bool { return !p.g.ahead(p.A.unit) && !p.g.ahead(p.B.unit) }

// Close closes both units.
func (p *Pair) Close() error {
	p.g.stop()
	<-p.g.done
	return errors.Join(p.A.Close(), p.B.Close())
}
