// Package config is the configuration file: its types, its rules, and reading
// it again when it changes. It is a leaf: it knows nothing of the rest.
package config

import (
	"net/netip"
	"time"
)

// The header that a configuration file has to carry.
const (
	APIVersion = "landbridge.dev/v1"
	Kind       = "Config"
)

// What a controller does with its plans: make the changes, or only tell of
// them in conditions and events.
const (
	ModeApply = "apply"
	ModePlan  = "plan"
)

// Config is a whole configuration file after it was validated, defaults
// filled in. It is not changed after Parse, and safe for concurrent reading.
type Config struct {
	APIVersion string `json:"apiVersion"` // landbridge.dev/v1
	Kind       string `json:"kind"`       // Config
	// Cluster is unique among the clusters that share a device or broker: a
	// DNS label of at most 20 characters.
	Cluster string `json:"cluster"`
	// FormerUIDs are 8 hex digits each, of kube-system namespaces whose
	// objects are taken over.
	FormerUIDs []string `json:"formerUIDs,omitempty"`
	// FormerClusters are names that this cluster had, whose objects are
	// taken over.
	FormerClusters []string `json:"formerClusters,omitempty"`
	// Namespaces are those that are watched; empty for all.
	Namespaces []string `json:"namespaces,omitempty"`
	// Mode is ModeApply (default) or ModePlan.
	Mode string `json:"mode,omitempty"`
	// Paused stops all changes outside.
	Paused bool    `json:"paused,omitempty"`
	BIGIP  []BIGIP `json:"bigip,omitempty"`
	// Classes are sets of settings by name.
	Classes      map[string]Class `json:"classes,omitempty"`
	AddressPools []AddressPool    `json:"addressPools,omitempty"`
	// BGP is nil where no route is announced.
	BGP     *BGP     `json:"bgp,omitempty"`
	MQ      *MQ      `json:"mq,omitempty"`
	Tenants []Tenant `json:"tenants,omitempty"`
	Brakes  Brakes   `json:"brakes,omitempty"`
	// FinalizerTimeout is how long a deleted Service waits for what stands
	// outside; 0 for ever.
	FinalizerTimeout Duration `json:"finalizerTimeout,omitempty"`
}

// Brakes bound how much may be removed from one device that nobody deleted.
type Brakes struct {
	// MaxDeletePercent is per cent of the virtual servers and pools that
	// are ours there: 30 unless written, 0 to 100.
	MaxDeletePercent *int `json:"maxDeletePercent,omitempty"`
	// MinDelete is how many may go in any case: 10 unless written.
	MinDelete *int `json:"minDelete,omitempty"`
	// Window is how long a removal counts: 10m unless written.
	Window *Duration `json:"window,omitempty"`
}

// BIGIP is one device, or the units of one device group.
type BIGIP struct {
	Name string `json:"name"` // a DNS label, by which tenants and Services call it
	// Hosts are https URLs, one for each unit of one device group: one or
	// two. Changes go to the one active for traffic-group-1.
	Hosts []string `json:"hosts"`
	// CredentialsDir holds the files username and password.
	CredentialsDir string `json:"credentialsDir"`
	// CAFile is PEM; without it the system's roots count.
	CAFile             string `json:"caFile,omitempty"`
	InsecureSkipVerify bool   `json:"insecureSkipVerify,omitempty"` // believe any certificate, in the place of caFile
	// LoginProvider is "tmos" unless written.
	LoginProvider string `json:"loginProvider,omitempty"`
	// MemberType is what pool members are where an annotation does not
	// say: "pod" (default) or "nodeport".
	MemberType string `json:"memberType,omitempty"`
	// NodePartition is where nodes are made: "Common" (default), another
	// partition, or "same" for the Service's.
	NodePartition   string   `json:"nodePartition,omitempty"`
	NodePort        NodePort `json:"nodePort,omitempty"`
	FloatingSelfIPs []string `json:"floatingSelfIPs,omitempty"` // next hops of routes to addresses on the device
	// ConfigSync is the device group that the active unit's changes are
	// pushed to when it alone is ahead and the group does not sync by
	// itself; empty for never.
	ConfigSync string `json:"configSync,omitempty"`
	// SaveConfig is how often at most the partitions that were changed are
	// saved: at least 10s, 0 for never.
	SaveConfig Duration `json:"saveConfig,omitempty"`
	// ResyncInterval is how often all is read anew: 5m unless written, 0
	// for never, otherwise at least 1s.
	ResyncInterval *Duration `json:"resyncInterval,omitempty"`
	// MaxConcurrentCalls is 1 to 8, 4 unless written (a device's httpd
	// serves 10 at once, and others need some).
	MaxConcurrentCalls int `json:"maxConcurrentCalls,omitempty"`
}

// Resync is how often all is read anew; 0 for never.
func (b BIGIP) Resync() time.Duration { return time.Duration(*b.ResyncInterval) }

// NodePort says which nodes are members where the members are node ports.
type NodePort struct {
	// NodeSelector is a label selector; empty for all nodes.
	NodeSelector string `json:"nodeSelector,omitempty"`
	// MaxNodes is how many at most, by name; 100 unless written.
	MaxNodes int `json:"maxNodes,omitempty"`
}

// Class is a named set of settings: annotations without their prefix, which a
// Service takes all at once.
type Class map[string]Setting

// Setting is a value as an annotation has it. In the file a list may be
// written as one, and a number without quotes.
type Setting string

// AddressPool is a set of addresses that virtual servers may have. Every
// address of a range can be given, also the first and last of a prefix.
type AddressPool struct {
	Name string `json:"name"` // a DNS label, by which tenants and Services call it
	// Ranges are "first-last" or prefixes, of either family.
	Ranges []Range `json:"ranges"`
	// AutoAssign lets Services be given addresses of it that name no pool.
	AutoAssign bool `json:"autoAssign,omitempty"`
}

// Contains says whether an address in a route domain is of the pool. 0 is no
// route domain but the device's default.
func (p AddressPool) Contains(a netip.Addr, routeDomain uint16) bool {
	for _, r := range p.Ranges {
		if r.RouteDomain == routeDomain && r.Contains(a) {
			return true
		}
	}
	return false
}

// Has says whether the pool has addresses of a family: IPv6, or IPv4.
func (p AddressPool) Has(six bool) bool {
	for _, r := range p.Ranges {
		if r.First.Is6() == six {
			return true
		}
	}
	return false
}

// Tenant says what the Services of some namespaces may use.
type Tenant struct {
	// Namespaces are names, or globs in which * stops at nothing.
	Namespaces []string `json:"namespaces,omitempty"`
	// NamespaceSelector is a label selector on the namespace, in place of
	// Namespaces.
	NamespaceSelector string   `json:"namespaceSelector,omitempty"`
	Devices           []string `json:"devices,omitempty"` // empty: all
	// Approval is empty, or "required": what is to be changed outside for
	// Services of these namespaces has to be approved, whichever entry
	// allows it.
	Approval     string   `json:"approval,omitempty"`
	Partitions   []string `json:"partitions,omitempty"`   // in which objects may be made
	AddressPools []string `json:"addressPools,omitempty"` // names of those that addresses may be of

	// Classes are names, or globs.
	Classes   []string `json:"classes,omitempty"`
	JoinPools []string `json:"joinPools,omitempty"` // full paths of pools of others that may be joined, or globs
	Borrow    []string `json:"borrow,omitempty"`    // of these, those whose foreign members may be changed
	Adopt     []string `json:"adopt,omitempty"`     // full paths of virtual servers that may be taken over, or globs
	// Profiles and those below are full paths that may be named besides
	// what classes name, or globs in which * stops at /.
	Profiles       []string `json:"profiles,omitempty"`
	IRules         []string `json:"irules,omitempty"`         // as profiles
	LTMPolicies    []string `json:"ltmPolicies,omitempty"`    // as profiles
	VLANs          []string `json:"vlans,omitempty"`          // as profiles
	SNATPools      []string `json:"snatPools,omitempty"`      // as profiles
	Monitors       []string `json:"monitors,omitempty"`       // as profiles
	Persistence    []string `json:"persistence,omitempty"`    // as profiles
	BGPPeers       []string `json:"bgpPeers,omitempty"`       // names of routers that may be told
	BGPCommunities []string `json:"bgpCommunities,omitempty"` // that may be given, or globs
	Consume        []string `json:"consume,omitempty"`        // queues, or globs; VHOST:QUEUE for another vhost than /
	Publish        []string `json:"publish,omitempty"`        // EXCHANGE/KEY, or globs; VHOST:EXCHANGE/KEY for another vhost
	// VMUsers are users of the broker, or globs, as which VMs may register.
	VMUsers []string `json:"vmUsers,omitempty"`
	VMCIDRs []string `json:"vmCIDRs,omitempty"` // networks in which VM members may be
}

// Applies says whether anything may be changed outside.
func (c *Config) Applies() bool { return c.Mode != ModePlan && !c.Paused }

// Device finds a configured BIG-IP by name.
func (c *Config) Device(name string) (BIGIP, bool) {
	for _, b := range c.BIGIP {
		if b.Name == name {
			return b, true
		}
	}
	return BIGIP{}, false
}

// Peer finds a configured router by name.
func (c *Config) Peer(name string) (Peer, bool) {
	if c.BGP != nil {
		for _, p := range c.BGP.Peers {
			if p.Name == name {
				return p, true
			}
		}
	}
	return Peer{}, false
}

// AddressPool finds an address pool by name.
func (c *Config) AddressPool(name string) (AddressPool, bool) {
	for _, p := range c.AddressPools {
		if p.Name == name {
			return p, true
		}
	}
	return AddressPool{}, false
}
