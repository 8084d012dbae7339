package translate

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/sync/state"
)

// Prefix is what all annotations of Landbridge begin with.
const Prefix = "landbridge.dev/"

// Annotations that Landbridge itself writes.
const (
	AnnotationAddress  = Prefix + "address"
	AnnotationObserved = Prefix + "observed"
	AnnotationLastGood = Prefix + "last-good"
)

// standing says what a key is to this version.
type standing uint8

const (
	unknownKey standing = iota
	built               // whole Service
	builtPort           // may end in a Service port
	later               // known, and not in this version
	written             // by Landbridge
)

func keyStanding(key string) standing {
	switch key {
	case "partition", "device", "member-type", "paused", "deletion-policy":
		return built
	case "virtual-address", "drain-timeout":
		return builtPort
	case "class", "address-pool", "join-pool", "adopt", "load-balancing-mode", "monitor", "monitor-interval", "monitor-timeout",
		"profiles", "irules", "ltm-policies", "vlans", "persistence", "snat", "connection-limit",
		"vm-members", "pod-share", "fallback",
		"bgp", "bgp-peers", "bgp-communities", "bgp-local-preference", "bgp-med", "bgp-prepend",
		"mq-consume", "mq-mode", "mq-path", "mq-concurrency", "mq-timeout", "mq-retry", "mq-max-attempts", "mq-ordering",
		"mq-priority", "mq-pod-share", "vm-registry", "vm-in-cluster", "mq-announce":
		return later
	case "address", "observed", "last-good":
		return written
	}
	return unknownKey
}

// addressed says whether a Service speaks to Landbridge: by its load-balancer
// class, or by any annotation, be it a misspelt one, whose writer wants to be
// told.
func addressed(svc *corev1.Service) bool {
	if svc.Spec.LoadBalancerClass != nil && *svc.Spec.LoadBalancerClass == ClassBIGIP {
		return true
	}
	for key := range svc.Annotations {
		name, ok := strings.CutPrefix(key, Prefix)
		if !ok || keyStanding(name) == written || name == "deletion-policy" || name == "paused" {
			continue // those two say how to leave, also of a Service that has
		}
		return true
	}
	return false
}

// settings are the annotations of a Service, read.
type settings struct {
	partition  string
	device     string
	memberType string // "pod" or "nodeport"; "" for the device's
	paused     string // "config" or "all"; "" for not
	orphan     bool   // what stands outside stays when the Service goes
	addresses  []state.Address
	drains     drains
	vips       map[int]string // virtual-address with a port, by the port's index
	vip        string         // virtual-address without
	grants     []grant
}

// drains are the drain timeouts: of all ports, and of single ones by index.
type drains struct {
	all  time.Duration
	port map[int]time.Duration
}

func (d drains) of(port int) time.Duration {
	if v, ok := d.port[port]; ok {
		return v
	}
	return d.all
}

// settings reads the annotations, and finds fault with those that are unknown,
// too new, or malformed.
func (t *translation) settings() settings {
	s := settings{drains: drains{all: DefaultDrain, port: map[int]time.Duration{}}, vips: map[int]string{}}
	keyOf := map[string]string{} // key and port → the annotation that set it
	for _, annotation := range slices.Sorted(maps.Keys(t.Service.Annotations)) {
		full, ok := strings.CutPrefix(annotation, Prefix)
		if !ok || keyStanding(full) == written {
			continue
		}
		value := strings.TrimSpace(t.Service.Annotations[annotation])
		key, suffix, hasSuffix := strings.Cut(full, ".")
		switch keyStanding(key) {
		case unknownKey, written:
			t.hold("UnknownAnnotation", "%s is no annotation of Landbridge; the reference lists them", annotation)
			continue
		case later:
			t.hold("NotInThisVersion", "%s is not in this version of Landbridge", annotation)
			continue
		case built:
			if hasSuffix {
				t.hold("BadAnnotation", "%s: %s holds for the whole Service and takes no port", annotation, key)
				continue
			}
		}
		port := -1
		if hasSuffix {
			if port = t.portNamed(annotation, suffix); port < 0 {
				continue
			}
			id := key + "." + strconv.Itoa(port)
			if other, twice := keyOf[id]; twice {
				t.hold("BadAnnotation", "%s and %s name the same port; keep one", other, annotation)
				continue
			}
			keyOf[id] = annotation
		}
		t.set(&s, annotation, key, port, value)
	}
	t.optIn()
	return s
}

// optIn finds fault with a Service that has annotations, and none that says
// what it wants.
func (t *translation) optIn() {
	if _, ok := t.Service.Annotations[Prefix+"partition"]; ok || !addressed(t.Service) {
		return
	}
	if c := t.Service.Spec.LoadBalancerClass; c != nil && *c == ClassBIGIP {
		return
	}
	t.freeze("NotOptedIn", "the Service has annotations of Landbridge, but does not say where it is to be served: add %spartition", Prefix)
}

// set reads one value.
func (t *translation) set(s *settings, annotation, key string, port int, value string) {
	switch key {
	case "partition":
		s.partition = value
		if value == "" {
			t.freeze("BadAnnotation", "%s is empty; name a partition", annotation)
		}
	case "device":
		s.device = value
		if value == "" {
			t.freeze("BadAnnotation", "%s is empty; name a device", annotation)
		}
	case "member-type":
		s.memberType = value
		if value != "pod" && value != "nodeport" {
			t.freeze("BadAnnotation", "%s: %q must be pod or nodeport", annotation, value)
		}
	case "paused":
		s.paused = value
		switch value {
		case "config":
			t.hold("Paused", "%s is config: settings stay as they stand, and members follow", annotation)
		case "all":
		default:
			t.hold("BadAnnotation", "%s: %q must be config or all", annotation, value)
		}
	case "deletion-policy":
		s.orphan = value == "orphan"
		if value != "orphan" && value != "delete" {
			t.hold("BadAnnotation", "%s: %q must be delete or orphan", annotation, value)
		}
	case "virtual-address":
		if port < 0 {
			s.vip = value
		} else {
			s.vips[port] = value
		}
	case "drain-timeout":
		d, ok := parseDrain(value)
		if !ok {
			t.hold("BadAnnotation", "%s: %q must be a duration such as 60s or 5m, at most 24h, or none", annotation, value)
			return
		}
		if port < 0 {
			s.drains.all = d
		} else {
			s.drains.port[port] = d
		}
	}
}

// longestDrain bounds drain-timeout: what shall last longer is "none".
const longestDrain = 24 * time.Hour

func parseDrain(value string) (time.Duration, bool) {
	if value == "none" {
		return -1, true
	}
	d, err := time.ParseDuration(value)
	return d, err == nil && d >= 0 && d <= longestDrain
}

// portNamed is the index of the Service port that a key ends in: a port's
// name, its number, or number-protocol where one number serves both. It is -1,
// with a fault, if there is no such port.
func (t *translation) portNamed(annotation, suffix string) int {
	var found []int
	for i, p := range t.Service.Spec.Ports {
		number := strconv.Itoa(int(p.Port))
		if suffix == p.Name || suffix == number || suffix == number+"-"+strings.ToLower(string(p.Protocol)) {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 1:
		return found[0]
	case 0:
		t.hold("BadAnnotation", "%s: the Service has no port %q", annotation, suffix)
	default:
		t.hold("BadAnnotation", "%s: the Service has port %s for TCP and for UDP; write %s-tcp or %s-udp", annotation, suffix, suffix, suffix)
	}
	return -1
}
