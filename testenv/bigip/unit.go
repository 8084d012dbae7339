package bigip

import (
	"sync"
	"time"

	"landbridge.dev/testenv/bigip/mcp"
	"landbridge.dev/testenv/bigip/rest"
	"landbridge.dev/testenv/bigip/tmm"
)

// unit is what a device is beside its configuration: active or standby, saved,
// in step with its peer. It implements rest.Unit.
type unit struct {
	d *Device

	mu       sync.Mutex
	state    string // active, standby, offline, forced-offline
	since    time.Time
	saved    *mcp.State // the configuration on disk
	group    *group     // nil: standalone
	lastSync string     // fingerprint of the synced configuration at the last sync
	behind   string     // fingerprint of the older configuration that it returned to since; "" for none
}

func newUnit(d *Device) *unit {
	return &unit{d: d, state: "active", since: d.o.Clock()}
}

// Writable refuses nothing: a standby accepts changes, as devices do.
func (u *unit) Writable() error { return nil }

func (u *unit) get() (state string, since time.Time, g *group) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.state, u.since, u.group
}

// become changes the failover state, and says whether it was another.
func (u *unit) become(state string) bool {
	u.mu.Lock()
	changed := u.state != state
	if changed {
		u.state, u.since = state, u.d.o.Clock()
	}
	u.mu.Unlock()
	if changed {
		u.d.logf("failover: %s", state)
	}
	return changed
}

// set changes the failover state and has the data plane follow.
func (u *unit) set(state string) {
	switch {
	case !u.become(state) || u.d.engine == nil:
	case state == "active":
		u.d.engine.Resume()
	default:
		u.d.engine.Pause()
	}
}

// handOver leaves an active unit's traffic to its standby peer, which is active
// once it has it.
func (u *unit) handOver(state string, peer *unit) {
	from, to := u.d.engine, peer.d.engine
	if !u.become(state) {
		return
	}
	switch {
	case from != nil && to != nil:
		tmm.HandOver(from, to)
	case from != nil:
		from.Pause()
	case to != nil:
		to.Resume()
	}
	peer.become("active")
}

// Status says how the unit stands.
func (u *unit) Status() rest.UnitStatus {
	state, since, g := u.get()
	st := rest.UnitStatus{
		Failover: state, Since: since, SyncMode: "standalone", SyncStatus: "Standalone", SyncColor: "green", SyncSummary: " ",
		SyncDetails: []string{"Optional action: Add a device to the trust domain"},
	}
	if g != nil {
		g.describe(u, &st)
	}
	return st
}

// Devices returns the units, this one first.
func (u *unit) Devices() []rest.UnitDevice {
	_, _, g := u.get()
	units := []*unit{u}
	if g != nil {
		units = append(units, g.other(u))
	}
	out := make([]rest.UnitDevice, 0, len(units))
	for _, m := range units {
		state, _, _ := m.get()
		out = append(out, rest.UnitDevice{Path: m.path(), Failover: state})
	}
	return out
}

func (u *unit) path() string { return "/Common/" + u.d.o.Hostname }

// DeviceProps are the live properties of cm/device and cm/trust-domain.
func (u *unit) DeviceProps(o *mcp.Object) map[string]any {
	for _, d := range u.Devices() {
		if d.Path != o.Path {
			continue
		}
		self := "false"
		if o.Path == u.path() {
			self = "true"
		}
		return map[string]any{"failoverState": d.Failover, "selfDevice": self}
	}
	return nil
}

// Save writes the running configuration to disk: what a reboot returns to.
func (u *unit) Save() error {
	st := u.d.store.Capture()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.saved = st
	return nil
}

// Sync pushes this unit's configuration to the group, or pulls the peer's.
func (u *unit) Sync(name string, toGroup, _ bool) error {
	_, _, g := u.get()
	if g == nil || name != g.name && name != "/Common/"+g.name {
		return rest.UnknownGroup(name)
	}
	if toGroup {
		g.push(u)
	} else {
		g.push(g.other(u))
	}
	return nil
}

// Failover carries out "run sys failover standby|offline|online".
func (u *unit) Failover(action, _ string) error {
	_, _, g := u.get()
	switch action {
	case "standby":
		if g == nil {
			return nil
		}
		u.failover()
	case "offline":
		if g != nil && u.isActive() && g.other(u).isStandby() {
			u.handOver("forced-offline", g.other(u))
		} else {
			u.set("forced-offline")
		}
	case "online":
		if g == nil || !g.other(u).isActive() {
			u.set("active")
		} else {
			u.set("standby")
		}
	}
	return nil
}

// failover hands the traffic to the peer, if there is one that can take it.
func (u *unit) failover() {
	_, _, g := u.get()
	if g == nil || !u.isActive() {
		return
	}
	if peer := g.other(u); peer.isStandby() {
		u.handOver("standby", peer)
	}
}

func (u *unit) isStandby() bool {
	state, _, _ := u.get()
	return state == "standby"
}

func (u *unit) isActive() bool {
	state, _, _ := u.get()
	return state == "active"
}

// Reboot restarts the device: it returns to the saved configuration, tokens
// and transactions are gone, the peer has taken over. A device that was never
// saved returns to how it started.
func (d *Device) Reboot() {
	_, _, g := d.unit.get()
	if g != nil && d.unit.isActive() {
		d.unit.failover()
	}
	d.rest.ForgetTokens()
	d.rest.ForgetTransactions()
	if g != nil {
		g.syncing.Lock() // no sync takes what it returns to for a change
		defer g.syncing.Unlock()
	}
	d.unit.mu.Lock()
	saved := d.unit.saved
	d.unit.mu.Unlock()
	d.store.Reinstate(saved)
	returned := d.store.Fingerprint()
	d.unit.mu.Lock()
	defer d.unit.mu.Unlock()
	d.unit.behind = returned
}

// FailoverState returns "active", "standby" or "forced-offline".
func (d *Device) FailoverState() string {
	state, _, _ := d.unit.get()
	return state
}

// FailoverSince is since when FailoverState is what it is. A unit that took over
// is active once it has the other's traffic: what was begun after that, the
// other never saw.
func (d *Device) FailoverSince() time.Time {
	_, since, _ := d.unit.get()
	return since
}

// Failover hands the traffic of an active unit to its standby peer.
func (d *Device) Failover() { d.unit.failover() }
