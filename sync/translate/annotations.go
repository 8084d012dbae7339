package translate

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/config/annotation"
	"landbridge.dev/sync/state"
)

// Prefix is what all annotations of Landbridge begin with.
const Prefix = annotation.Prefix

// Annotations that Landbridge itself writes.
const (
	AnnotationAddress  = Prefix + "address"
	AnnotationObserved = Prefix + "observed"
	AnnotationLastGood = Prefix + "last-good"
	// AnnotationStandsOn names the backends on which something of the
	// Service may stand, so that one is missed that is no longer configured.
	AnnotationStandsOn = Prefix + "stands-on"
)

// Addressed says whether a Service speaks to Landbridge: by its load-balancer
// class, or by any annotation, be it a misspelt one, whose writer wants to be
// told.
func Addressed(svc *corev1.Service) bool {
	if isClass(svc, ClassBIGIP) || OnNodes(svc) {
		return true
	}
	_, leaving := svc.Annotations[Prefix+"deletion-policy"]
	for key := range svc.Annotations {
		name, ok := strings.CutPrefix(key, Prefix)
		if !ok || annotation.IsWritten(name) || slices.Contains([]string{"deletion-policy", "paused", "approval", "approved"}, name) || leaving && name == "drain-timeout" {
			continue // those say how to leave, also of a Service that has
		}
		return true
	}
	return false
}

// settings reads the annotations, and finds fault with those that are unknown
// or malformed.
func (t *translation) settings() settings {
	s := settings{values: map[place]value{}, used: map[place]bool{}}
	for _, name := range slices.Sorted(maps.Keys(t.Service.Annotations)) {
		if full, ok := strings.CutPrefix(name, Prefix); ok && !annotation.IsWritten(full) {
			t.take(&s, name)
		}
	}
	s.partition, s.device, s.memberType = s.text("partition"), s.text("device"), s.text("member-type")
	s.paused, s.orphan = s.text("paused"), s.text("deletion-policy") == "orphan"
	if s.paused == "config" {
		t.faultOf(annotation.Service, state.Hold, "Paused", "%spaused is config: settings stay as they stand, and members follow", Prefix)
	}
	t.takeClasses(&s)
	t.optIn(s)
	return s
}

// take takes one annotation in.
func (t *translation) take(s *settings, from string) {
	name, suffix, hasSuffix, _ := annotation.Read(from)
	key, known := annotation.Find(name)
	part, _ := partOf(from)
	switch {
	case part == annotation.Queue || part == annotation.VMs:
		return // Queue and VMs read them
	case !known || key.Written:
		t.faultOf(annotation.Service, state.Hold, "UnknownAnnotation", "%s is no annotation of Landbridge; the reference lists them", from)
		return
	case hasSuffix && !key.Port:
		t.faultOf(key.Part, state.Hold, "BadAnnotation", "%s: %s holds for the whole Service and takes no port", from, name)
		return
	}
	at := place{name, wholeService}
	if hasSuffix {
		if at.port = t.portNamed(from, suffix); at.port < 0 {
			return
		}
	}
	if other, twice := s.values[at]; twice {
		t.hold("BadAnnotation", "%s and %s name the same port; keep one", other.from, from)
		return
	}
	v := value{from: from, text: strings.TrimSpace(t.Service.Annotations[from])}
	s.values[at] = v
	if key.Check == nil {
		return
	}
	if err := key.Check(v.text); err != nil {
		mode := state.Hold
		if key.Freezes {
			mode = state.Freeze
		}
		t.faultOf(key.Part, mode, "BadAnnotation", "%s: %v", from, err)
	}
}

// optIn finds fault with a Service that has annotations, and none that says
// what it wants.
func (t *translation) optIn(s settings) {
	if !Addressed(t.Service) {
		return
	}
	if t.makesOwn(&s) || slices.ContainsFunc(slices.Collect(maps.Keys(s.values)), func(at place) bool { return at.key == "join-pool" || at.key == "adopt" }) {
		t.optedIn = true
		return
	}
	if OnNodes(t.Service) {
		return
	}
	if s.asksForRoutes() {
		t.stray = true
		t.faultOf(annotation.Service, state.Freeze, "NotOptedIn", "%sbgp announces addresses on a BIG-IP, or those of Services of the class %s: add %spartition, or make the Service one of that class (kube-proxy takes no traffic for an address that it does not know)",
			Prefix, ClassBGP, Prefix)
		return
	}
	if AsksQueue(t.Service) || asksVMs(t.Service) {
		t.idleKeys(s)
		return
	}
	t.freeze("NotOptedIn", "the Service has annotations of Landbridge, but does not say where it is to be served: add %spartition, %sclass, %sjoin-pool or %sadopt", Prefix, Prefix, Prefix, Prefix)
}

// idleKeys finds fault with what is said of a BIG-IP by a Service that is served
// by the broker alone. How members leave it may say beforehand.
func (t *translation) idleKeys(s settings) {
	var idle []string
	for at, v := range s.values {
		if key, _ := annotation.Find(at.key); key.Part == annotation.BIGIP && at.key != "drain-timeout" {
			idle = append(idle, v.from)
		}
	}
	if len(idle) > 0 {
		t.freeze("NotOptedIn", "%s: has no effect, since the Service does not say where on a BIG-IP it is to be served: take it away, or add %spartition, %[2]sclass, %[2]sjoin-pool or %[2]sadopt",
			listed(idle), Prefix)
	}
}

// portNamed is the index of the Service port that a key ends in: a port's
// name, its number, or number-protocol where one number serves both. It is -1,
// with a fault, if there is no such port.
func (t *translation) portNamed(from, suffix string) int {
	found := PortsNamed(t.Service, suffix)
	switch len(found) {
	case 1:
		return found[0]
	case 0:
		t.hold("BadAnnotation", "%s: the Service has no port %q", from, suffix)
	default:
		t.hold("BadAnnotation", "%s: the Service has port %s for TCP and for UDP; write %s-tcp or %s-udp", from, suffix, suffix, suffix)
	}
	return -1
}

// PortsNamed are the indices of the ports that the end of a key names: by name,
// by number, or by number and protocol.
func PortsNamed(svc *corev1.Service, suffix string) []int {
	var found []int
	for i, p := range svc.Spec.Ports {
		number := strconv.Itoa(int(p.Port))
		if suffix == p.Name || suffix == number || suffix == number+"-"+strings.ToLower(string(p.Protocol)) {
			found = append(found, i)
		}
	}
	return found
}
