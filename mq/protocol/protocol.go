// Package protocol is what VMs and the controller say to each other over the
// broker: versioned JSON messages, which are public interface. docs/vms.md
// explains them, docs/schemas has a JSON Schema of each. A reader ignores keys
// that it does not know; what has another version it leaves alone.
package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Version is that of all messages here.
const Version = 1

// MostBytes is the longest message that the registry reads.
const MostBytes = 16 << 10

// The bounds of a lease, and what it is where nobody says.
const (
	LeastLease   = 3 * time.Second
	MostLease    = 5 * time.Minute
	DefaultLease = 30 * time.Second
)

// Op is what a VM wants of the registry.
type Op string

// The operations.
const (
	// Register says all of an instance, and begins or renews its lease.
	Register Op = "register"
	// Heartbeat renews the lease of one that is registered.
	Heartbeat Op = "heartbeat"
	// Drain renews it too, and asks for no new clients from now on.
	Drain Op = "drain"
	// Leave ends it at once.
	Leave Op = "leave"
)

// Registration is a message to the exchange RegistryExchange. Who sends it is
// what the broker says in the property user-id, which has to be there.
type Registration struct {
	V  int `json:"v"`
	Op Op  `json:"op"`
	// Service is "namespace/name".
	Service string `json:"service"`
	// Instance names the VM among those of its Service.
	Instance string `json:"instance"`
	// Boot is of this life of the sender: any text that it never had before.
	Boot string `json:"boot"`
	// Seq grows from message to message of a boot.
	Seq uint64 `json:"seq"`
	// Addresses (one of a family), Ports, Zone and LeaseSeconds are of
	// Register alone.
	Addresses    []string `json:"addresses,omitempty"`
	Ports        []Port   `json:"ports,omitempty"`
	Zone         string   `json:"zone,omitempty"`
	LeaseSeconds int      `json:"leaseSeconds,omitempty"`
	// Ready is false while the sender itself finds that it does not serve.
	Ready *bool `json:"ready,omitempty"`
}

// Port is where a VM serves a port of the Service. Name may be left out where
// the Service has one port alone; Protocol is TCP unless it says UDP.
type Port struct {
	Name     string `json:"name,omitempty"`
	Port     int    `json:"port"`
	Protocol string `json:"protocol,omitempty"`
}

// Code is why the registry did not do as it was asked.
type Code string

// The codes.
const (
	Malformed  Code = "malformed"   // the message cannot be read; nothing but another message helps
	Forbidden  Code = "forbidden"   // the user may not register for the Service, or there is none that takes registrations
	BadAddress Code = "bad-address" // an address is in no granted network, or belongs to somebody else
	BadPort    Code = "bad-port"    // the Service has no such port
	Conflict   Code = "conflict"    // another live VM has the name or the address
	Stale      Code = "stale"       // an older message, or one of a boot that was replaced
	Unknown    Code = "unknown"     // not registered: register
	Held       Code = "held"        // nobody may register now, because of a mistake on the Service
	Quota      Code = "quota"       // too many VMs
)

// Answer is sent to the reply-to of a Registration, where it has a direct one.
type Answer struct {
	V        int    `json:"v"`
	Service  string `json:"service"`
	Instance string `json:"instance"`
	Seq      uint64 `json:"seq"`
	Accepted bool   `json:"accepted"`
	Code     Code   `json:"code,omitempty"`
	// Message is for a person.
	Message string `json:"message,omitempty"`
	// LeaseSeconds is how long the lease is: the next message should come
	// after a third of it.
	LeaseSeconds int `json:"leaseSeconds,omitempty"`
}

// Announcement is how a Service stands: a message of the topic exchange
// EndpointsExchange with the routing key "namespace.name". It is always all of
// it. Of two of one Service the one with the greater (Epoch, Revision) holds.
type Announcement struct {
	V        int    `json:"v"`
	Cluster  string `json:"cluster"`
	Service  string `json:"service"`
	Epoch    int64  `json:"epoch"`
	Revision int64  `json:"revision"`
	// TTLSeconds is for how long it may be believed without a newer one.
	TTLSeconds int `json:"ttlSeconds"`
	// Deleted says that the Service is gone, or announced no longer.
	Deleted bool `json:"deleted,omitempty"`
	// VirtualAddresses are those on a BIG-IP or of the load balancer.
	VirtualAddresses []string        `json:"virtualAddresses"`
	Ports            []AnnouncedPort `json:"ports"`
}

// AnnouncedPort is one port of a Service with its endpoints.
type AnnouncedPort struct {
	Name      string              `json:"name,omitempty"`
	Protocol  string              `json:"protocol"` // TCP or UDP
	Port      int                 `json:"port"`     // of the Service and its virtual addresses
	Endpoints []AnnouncedEndpoint `json:"endpoints"`
}

// AnnouncedEndpoint is one endpoint. Those that are not Ready keep their
// connections, and take no new ones.
type AnnouncedEndpoint struct {
	Address string `json:"address"`
	Port    int    `json:"port"`
	Ready   bool   `json:"ready"`
	Kind    string `json:"kind"` // pod or vm
}

// SnapshotRequest asks for announcements as they are now, by a message to the
// exchange SnapshotExchange with a direct reply-to.
type SnapshotRequest struct {
	V int `json:"v"`
	// Services are "namespace/name", 1 to MostSnapshot.
	Services []string `json:"services"`
}

// MostSnapshot is how many Services can be asked for at once.
const MostSnapshot = 100

// Snapshot is the answer: of each Service its announcement; Deleted for one that
// is not announced. One of which the controller may not say anything now, because
// it is paused, is left out.
type Snapshot struct {
	V             int            `json:"v"`
	Announcements []Announcement `json:"announcements"`
}

// errVersion is a message of another version.
var errVersion = errors.New("the version of the message (\"v\") is not 1")

// message is one of those here.
type message interface{ version() int }

// Decode reads a message of a VM, of at most MostBytes.
func Decode(body []byte, into message) error {
	if len(body) > MostBytes {
		return fmt.Errorf("the message has %d bytes; at most %d are read", len(body), MostBytes)
	}
	return Read(body, into)
}

// Read reads a message of the controller, which may be long.
func Read(body []byte, into message) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the message is no JSON of the kind that is expected: %w", err)
	}
	if into.version() != Version {
		return errVersion
	}
	return nil
}

func (r *Registration) version() int    { return r.V }
func (r *SnapshotRequest) version() int { return r.V }
func (a *Answer) version() int          { return a.V }
func (a *Announcement) version() int    { return a.V }
func (s *Snapshot) version() int        { return s.V }

// The exchanges, by cluster.
func name(cluster, what string) string { return "landbridge." + cluster + "." + what }

// RegistryExchange takes registrations; a queue of its name is bound to it.
func RegistryExchange(cluster string) string { return name(cluster, "registry") }

// EndpointsExchange has the announcements.
func EndpointsExchange(cluster string) string { return name(cluster, "endpoints") }

// SnapshotExchange takes requests for snapshots.
func SnapshotExchange(cluster string) string { return name(cluster, "snapshot") }
