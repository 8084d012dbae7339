// Package annotation is the reference of Landbridge's annotations: which keys
// there are, where each may stand, and how a value is read. A class of the
// configuration is made of the same keys. The package is pure and stands on
// the standard library alone.
package annotation

import "strings"

// Prefix is what all annotations of Landbridge begin with.
const Prefix = "landbridge.dev/"

// Part is the part of Landbridge that a key speaks to. A bad value holds its
// part of the Service and no other.
type Part string

// The parts.
const (
	Service Part = "service" // what is common to all parts
	BIGIP   Part = "bigip"
	BGP     Part = "bgp"
	Queue   Part = "queue"
	VMs     Part = "vm" // VMs on the broker: who may register, what they are told
)

// keyCount is how many annotations there are.
const keyCount = 51

// Key is one annotation.
type Key struct {
	Name string // without Prefix
	Part Part
	// Port says that the key may end in "." and a Service port.
	Port bool
	// Class says that the key may stand in a class.
	Class bool
	// Freezes says that a bad value also keeps members from coming: it
	// decides where and who they are.
	Freezes bool
	// Written says that Landbridge writes the key, and does not read it as
	// something that is asked for.
	Written bool
	// Check says what is wrong with a value, in words that go after the
	// key's name and a colon. It is nil where the value alone does not tell.
	Check func(value string) error
}

// Keys are all annotations, those of one part together.
func Keys() []Key {
	all := keys()
	return all[:]
}

// keys is an array of what is known when the program is built, so that a
// look-up makes nothing: every annotation of every Service is looked up.
func keys() [keyCount]Key {
	return [keyCount]Key{
		{Name: "paused", Part: Service, Check: checkPaused},
		{Name: "deletion-policy", Part: Service, Check: checkDeletion},
		{Name: "approval", Part: Service, Check: checkApproval},
		{Name: "approved", Part: Service, Check: checkApproved},

		{Name: "partition", Part: BIGIP, Freezes: true, Check: checkNamed},
		{Name: "device", Part: BIGIP, Freezes: true, Check: checkNamed},
		{Name: "member-type", Part: BIGIP, Freezes: true, Check: checkMemberType},
		{Name: "class", Part: BIGIP, Port: true, Check: checkNamed},
		{Name: "virtual-address", Part: BIGIP, Port: true},
		{Name: "address-pool", Part: BIGIP, Check: checkNamed},
		{Name: "join-pool", Part: BIGIP, Port: true, Freezes: true, Check: checkPath},
		{Name: "adopt", Part: BIGIP, Port: true, Freezes: true, Check: checkPath},
		{Name: "load-balancing-mode", Part: BIGIP, Port: true, Class: true, Check: checkMode},
		{Name: "monitor", Part: BIGIP, Port: true, Class: true, Check: checkMonitors},
		{Name: "monitor-interval", Part: BIGIP, Port: true, Class: true, Check: checkSeconds},
		{Name: "monitor-timeout", Part: BIGIP, Port: true, Class: true, Check: checkSeconds},
		{Name: "profiles", Part: BIGIP, Port: true, Class: true, Check: checkProfiles},
		{Name: "irules", Part: BIGIP, Port: true, Class: true, Check: checkPaths},
		{Name: "ltm-policies", Part: BIGIP, Port: true, Class: true, Check: checkPaths},
		{Name: "vlans", Part: BIGIP, Port: true, Class: true, Check: checkPaths},
		{Name: "persistence", Part: BIGIP, Port: true, Class: true, Check: checkPersistence},
		{Name: "snat", Part: BIGIP, Port: true, Class: true, Check: checkSNAT},
		{Name: "connection-limit", Part: BIGIP, Port: true, Class: true, Check: checkLimit},
		{Name: "drain-timeout", Part: BIGIP, Port: true, Class: true, Check: checkDrain},
		{Name: "vm-members", Part: BIGIP, Port: true, Check: checkVMs},
		{Name: "pod-share", Part: BIGIP, Port: true, Check: checkShare},
		{Name: "fallback", Part: BIGIP, Port: true, Check: checkFallback},

		{Name: "bgp", Part: BGP, Check: checkTrue},
		{Name: "bgp-peers", Part: BGP, Check: checkPeers},
		{Name: "bgp-communities", Part: BGP, Check: checkCommunities},
		{Name: "bgp-local-preference", Part: BGP, Check: checkMetric},
		{Name: "bgp-med", Part: BGP, Check: checkMetric},
		{Name: "bgp-prepend", Part: BGP, Check: checkPrepend},

		{Name: "mq-consume", Part: Queue, Port: true, Check: checkQueue},
		{Name: "mq-mode", Part: Queue, Check: checkQueueMode},
		{Name: "mq-path", Part: Queue, Check: checkURLPath},
		{Name: "mq-concurrency", Part: Queue, Check: checkConcurrency},
		{Name: "mq-timeout", Part: Queue, Check: checkTimeout},
		{Name: "mq-retry", Part: Queue, Check: checkRetry},
		{Name: "mq-max-attempts", Part: Queue, Check: checkAttempts},
		{Name: "mq-ordering", Part: Queue, Check: checkOrdering},
		{Name: "mq-priority", Part: Queue, Check: checkPriority},
		{Name: "mq-pod-share", Part: Queue, Check: checkShare},

		{Name: "vm-registry", Part: VMs, Check: checkUsers},
		{Name: "vm-in-cluster", Part: VMs, Check: checkTrue},
		{Name: "vm-probe", Part: VMs, Check: checkProbe},
		{Name: "mq-announce", Part: VMs, Check: checkTrue},

		{Name: "address", Part: Service, Written: true},
		{Name: "observed", Part: Service, Written: true},
		{Name: "last-good", Part: Service, Written: true},
		{Name: "stands-on", Part: Service, Written: true},
	}
}

// ClassKeys are the names of the keys that may stand in a class, in the order
// of Keys.
func ClassKeys() []string {
	var names []string
	for _, k := range Keys() {
		if k.Class {
			names = append(names, k.Name)
		}
	}
	return names
}

// Find is the key with this name.
func Find(name string) (Key, bool) {
	all := keys()
	for i := range all {
		if all[i].Name == name {
			return all[i], true
		}
	}
	return Key{}, false
}

// IsWritten says whether Landbridge writes the annotation with this name,
// given without Prefix.
func IsWritten(name string) bool {
	k, ok := Find(name)
	return ok && k.Written
}

// Read takes an annotation of a Service apart: the key's name, and the port
// that it ends in. It is not ok for an annotation that is not of Landbridge.
func Read(annotation string) (name, port string, hasPort, ok bool) {
	full, ok := strings.CutPrefix(annotation, Prefix)
	name, port, hasPort = strings.Cut(full, ".")
	return name, port, hasPort, ok
}
