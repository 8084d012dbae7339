package bigip

import (
	"sync"
	"time"

	"landbridge.dev/testenv/bigip/mcp"
	"landbridge.dev/testenv/bigip/rest"
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

// set changes the failover state and has the data plane follow.
func (u *unit) set(state string) {
	u.mu.Lock()
	changed := u.state != state
	if changed {
		u.state, u.since = state, u.d.o.Clock()
	}
	u.mu.Unlock()
	if !changed {
		return
	}
	u.d.logf("failover: %s", state)
	if u.d.engine == nil {
		return
	}
	if state == "active" {
		u.d.engine.Resume()
	} else {
		u.d.engine.Pause()
	}
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
		u.set("forced-offline")
		if g != nil {
			g.other(u).takeOver()
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
	peer := g.other(u)
	if state, _, _ := peer.get(); state != "standby" {
		return
	}
	u.set("standby")
	peer.set("active")
}

func (u *unit) takeOver() {
	if state, _, _ := u.get(); state == "standby" {
		u.set("active")
	}
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
	d.unit.mu.Lock()
	saved := d.unit.saved
	d.unit.mu.Unlock()
	d.store.Reinstate(saved)
}

// FailoverState returns "active", "standby" or "forced-offline".
func (d *Device) FailoverState() string {
	state, _, _ := d.unit.get()
	return state
}

// Failover hands the traffic of an active unit to its standby peer.
func (d *Device) Failover() { d.unit.failover() }
