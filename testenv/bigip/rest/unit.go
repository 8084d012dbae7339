package rest

import (
	"time"

	"landbridge.dev/testenv/bigip/mcp"
)

// Unit is what a device is beside its configuration: active or standby, in
// step with its peers or not, saved or not.
type Unit interface {
	// Writable refuses changes while the unit cannot take any (mcpd away).
	Writable() error
	// Status says how the unit stands.
	Status() UnitStatus
	// Devices are the units of the group and their failover state, this one
	// first.
	Devices() []UnitDevice
	// DeviceProps are live properties of a cm/device or cm/trust-domain.
	DeviceProps(o *mcp.Object) map[string]any
	// Save writes the running configuration to disk.
	Save() error
	// Sync pushes or pulls the configuration of a device group.
	Sync(group string, toGroup, force bool) error
	// Failover makes the unit standby ("standby"), offline or online.
	Failover(action, trafficGroup string) error
}

// UnitStatus is what failover-status and sync-status show.
type UnitStatus struct {
	Failover    string // active, standby, offline, forced-offline
	Since       time.Time
	SyncMode    string
	SyncStatus  string
	SyncColor   string
	SyncSummary string
	SyncDetails []string
}

// UnitDevice is one unit of the group.
type UnitDevice struct {
	Path     string // of its cm/device
	Failover string
}

// standalone is a unit without peers.
type standalone struct{ store *mcp.Store }

func (standalone) Writable() error { return nil }

func (standalone) Status() UnitStatus {
	return UnitStatus{
		Failover: "active",
		SyncMode: "standalone", SyncStatus: "Standalone", SyncColor: "green", SyncSummary: " ",
		SyncDetails: []string{"Optional action: Add a device to the trust domain"},
	}
}

func (u standalone) Devices() []UnitDevice {
	return []UnitDevice{{Path: "/Common/" + u.store.Hostname(), Failover: "active"}}
}

func (standalone) DeviceProps(*mcp.Object) map[string]any { return nil }

func (standalone) Save() error { return nil }

func (standalone) Sync(group string, _, _ bool) error { return UnknownGroup(group) }

func (standalone) Failover(string, string) error { return nil }

// UnknownGroup is the refusal to sync a device group that is not there
// (captured).
func UnknownGroup(group string) error {
	return &mcp.Error{Status: 400, Message: "01070734:3: Configuration error: Device group (" + group + ") not found in device group sync", APIError: mcp.FromMCP}
}
