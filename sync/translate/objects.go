package translate

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/config"
	"landbridge.dev/sync/state"
)

// What our pools are made with: a member that refuses is passed over, and one
// that came up gets its whole part at once.
const (
	reselectTries = 3
	slowRamp      = 0
)

// objects are the virtual servers and pools of a Service: one of each for
// every port and family, sorted.
func (t *translation) objects(s settings) []state.Object {
	if t.Service.Spec.Type == corev1.ServiceTypeExternalName {
		t.hold("ExternalName", "a Service of type ExternalName has no endpoints and cannot be served")
		return nil
	}
	if t.mode == state.Freeze {
		return nil
	}
	device, _ := t.Config.Device(s.device)
	if s.memberType != "" {
		device.MemberType = s.memberType
	}
	var objects []state.Object
	for i, port := range t.Service.Spec.Ports {
		protocol, ok := protocolOf(port)
		if !ok {
			t.hold("BadProtocol", "port %s: %s is not served; only TCP and UDP are", portName(port), port.Protocol)
			continue
		}
		var served [2]bool // by family
		for _, address := range t.ofPort(&s, i) {
			served[family(address.Is6())] = true
			pool := t.pool(s, device, i, protocol, address.Is6())
			objects = append(objects, pool, t.virtualServer(i, protocol, address, pool))
		}
		if t.mode != state.Hold {
			continue
		}
		// What is held follows its endpoints, also where the address is what
		// is wrong: a pool that does not stand is not made for that.
		for _, six := range []bool{false, true} {
			if !served[family(six)] {
				objects = append(objects, t.pool(s, device, i, protocol, six))
			}
		}
	}
	slices.SortFunc(objects, func(a, b state.Object) int { return a.ID().Compare(b.ID()) })
	return objects
}

// family is 0 for IPv4 and 1 for IPv6.
func family(six bool) int {
	if six {
		return 1
	}
	return 0
}

// pool is the pool of one port and family.
func (t *translation) pool(s settings, device config.BIGIP, port int, protocol state.Protocol, six bool) *state.Pool {
	servicePort := t.Service.Spec.Ports[port]
	pool := &state.Pool{
		Backend: BackendOf(device.Name), Path: "/" + s.partition + "/" + t.name(servicePort, six), Owner: t.Identity.Owner(t.ref),
		Mode: "round-robin", ReselectTries: reselectTries, SlowRamp: slowRamp,
		DrainTimeout: s.drains.of(port),
	}
	if protocol == state.TCP {
		pool.Monitors = []string{"/Common/tcp"}
	}
	if device.MemberType == "nodeport" {
		pool.Members = t.nodeMembers(device, servicePort, six)
	} else {
		pool.Members = t.podMembers(servicePort, six)
	}
	return pool
}

// virtualServer is what sends clients to a pool.
func (t *translation) virtualServer(port int, protocol state.Protocol, address state.Address, pool *state.Pool) *state.VirtualServer {
	return &state.VirtualServer{
		Backend: pool.Backend, Path: pool.Path, Owner: pool.Owner,
		Destination: state.Endpoint{Address: address, Port: uint16(t.Service.Spec.Ports[port].Port)},
		Protocol:    protocol, Pool: pool.Path, SNAT: "automap",
		Profiles: []state.Profile{{Path: "/Common/" + string(protocol), Context: "all"}},
	}
}

// NamePrefix is how the names of a cluster's virtual servers, pools and the
// like begin.
func NamePrefix(cluster string) string { return "lb_" + cluster + "_" }

// name is lb_<cluster>_<namespace>_<service>_<port>[_udp][_v6].
func (t *translation) name(port corev1.ServicePort, six bool) string {
	name := NamePrefix(t.Identity.Cluster) + t.ref.Namespace + "_" + t.ref.Name + "_" + strconv.Itoa(int(port.Port))
	if port.Protocol == corev1.ProtocolUDP {
		name += "_udp"
	}
	if six {
		name += "_v6"
	}
	return name
}

func protocolOf(p corev1.ServicePort) (state.Protocol, bool) {
	switch p.Protocol {
	case corev1.ProtocolTCP, "":
		return state.TCP, true
	case corev1.ProtocolUDP:
		return state.UDP, true
	}
	return "", false
}

// portName is how a port is called in messages.
func portName(p corev1.ServicePort) string {
	if p.Name != "" {
		return p.Name
	}
	return strconv.Itoa(int(p.Port))
}
