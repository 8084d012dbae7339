package state

import "strconv"

// Use is whose pool, or virtual server, a Service uses.
type Use uint8

// The uses.
const (
	// Own is made by us, and goes with the Service.
	Own Use = iota
	// Joined is a pool of others that our members go into. We may set only
	// those, and what we are lent.
	Joined
	// Adopted was made by others and taken over under its own name. It is
	// never deleted.
	Adopted
)

// String writes "own", "joined" or "adopted".
func (u Use) String() string {
	switch u {
	case Own:
		return "own"
	case Joined:
		return "joined"
	case Adopted:
		return "adopted"
	}
	return "use " + strconv.Itoa(int(u))
}

// IsAdopted says whether an object stands under a name that others gave it.
func IsAdopted(o Object) bool {
	switch o := o.(type) {
	case *VirtualServer:
		return o.Use == Adopted
	case *Pool:
		return o.Use == Adopted
	}
	return false
}

// Fallback says who answers when the side that should has no live member.
type Fallback uint8

// The fallbacks.
const (
	// FallbackVMs has the VMs stand by behind the pods at a share of 100.
	FallbackVMs Fallback = iota
	// FallbackBoth also has the pods stand by behind the VMs at 0.
	FallbackBoth
	// FallbackNone has nobody stand by.
	FallbackNone
)

// String writes "vms", "both" or "none", as the annotation does.
func (f Fallback) String() string {
	switch f {
	case FallbackVMs:
		return "vms"
	case FallbackBoth:
		return "both"
	case FallbackNone:
		return "none"
	}
	return "fallback " + strconv.Itoa(int(f))
}

// Share is how a pool's new connections are divided between pods and VMs.
type Share struct {
	// Percent goes to the pods, 0 to 100, where Given.
	Percent int
	Given   bool
	// Fallback is who stands by at 0 and 100; FallbackGiven, that somebody
	// wrote so.
	Fallback      Fallback
	FallbackGiven bool
	// Borrow says that settings of foreign members may be changed.
	Borrow bool
	// Elsewhere is a share that another Service of the cluster carries for a
	// pool that both join: that Service sees to the foreign members.
	Elsewhere bool
	// Registry says that VMs may register: the pool has a VM side, also while
	// none has.
	Registry bool
}

// Property is a setting of an adopted virtual server or pool that an
// annotation or a class names.
type Property string

// The properties that may be named.
const (
	NamedProfiles        Property = "profiles"
	NamedIRules          Property = "irules"
	NamedPolicies        Property = "ltm-policies"
	NamedPersistence     Property = "persistence"
	NamedSNAT            Property = "snat"
	NamedSource          Property = "source"
	NamedVLANs           Property = "vlans"
	NamedConnectionLimit Property = "connection-limit"
	NamedMode            Property = "load-balancing-mode"
	NamedMonitors        Property = "monitor"
)
