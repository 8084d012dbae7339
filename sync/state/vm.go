package state

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Registry is what a Service says of VMs that may register for it.
type Registry struct {
	Service Ref
	// Users are the users of the broker as which they may; Networks, where
	// their addresses have to be. A Grant holds both together.
	Grants []RegistryGrant
	// Ports are those of the Service.
	Ports []RegistryPort
	// InCluster says that callers inside the cluster are to find them too.
	InCluster bool
	// Probe says that the leader looks itself whether their TCP ports answer.
	Probe bool
	// Held says that nothing is well defined now: those that are registered
	// stay while they renew, and none comes.
	Held bool
}

// RegistryGrant is what one entry of the tenants' list allows together.
type RegistryGrant struct {
	Users    []string
	Networks []netip.Prefix
}

// RegistryPort is a port of a Service, or of a VM: then Number is the VM's.
type RegistryPort struct {
	Name     string
	Protocol Protocol
	Number   uint16
}

// Compare orders by name, protocol and number.
func (p RegistryPort) Compare(o RegistryPort) int {
	return cmp.Or(strings.Compare(p.Name, o.Name), cmp.Compare(p.Protocol, o.Protocol), cmp.Compare(p.Number, o.Number))
}

// VMCondition is how a registered VM stands.
type VMCondition uint8

// The conditions.
const (
	// VMReady takes clients.
	VMReady VMCondition = iota
	// VMUnready says of itself that it takes none.
	VMUnready
	// VMSilent has not renewed its lease in time.
	VMSilent
	// VMDraining keeps its connections, and leaves.
	VMDraining
)

// VM is a registered VM. It is not changed once made.
type VM struct {
	Instance string
	User     string // of the broker, as the broker has checked
	Boot     string // of the agent's life that registered it last
	// Addresses are one of a family, sorted, without zones.
	Addresses []netip.Addr
	Ports     []RegistryPort // sorted
	Zone      string
	Lease     time.Duration
	Condition VMCondition
}

// Same says whether two VMs are the same in all.
func (v VM) Same(o VM) bool {
	return v.Instance == o.Instance && v.User == o.User && v.Boot == o.Boot && slices.Equal(v.Addresses, o.Addresses) &&
		slices.Equal(v.Ports, o.Ports) && v.Zone == o.Zone && v.Lease == o.Lease && v.Condition == o.Condition
}
