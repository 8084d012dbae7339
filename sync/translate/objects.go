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
		for _, address := range t.ofPort(&s, i) {
			objects = append(objects, t.pair(s, device, i, protocol, address)...)
		}
	}
	slices.SortFunc(objects, func(a, b state.Object) int { return a.ID().Compare(b.ID()) })
	return objects
}

// pair is the virtual server and the pool of one port and family.
func (t *translation) pair(s settings, device config.BIGIP, port int, protocol state.Protocol, address state.Address) []state.Object {
	servicePort := t.Service.Spec.Ports[port]
	owner := t.Identity.Owner(t.ref)
	path := "/" + s.partition + "/" + t.name(servicePort, address)
	pool := &state.Pool{
		Backend: BackendOf(device.Name), Path: path, Owner: owner,
		Mode: "round-robin", ReselectTries: reselectTries, SlowRamp: slowRamp,
		DrainTimeout: s.drains.of(port),
	}
	if protocol == state.TCP {
		pool.Monitors = []string{"/Common/tcp"}
	}
	if device.MemberType == "nodeport" {
		pool.Members = t.nodeMembers(device, servicePort, address.Is6())
	} else {
		pool.Members = t.podMembers(servicePort, address.Is6())
	}
	return []state.Object{pool, &state.VirtualServer{
		Backend: BackendOf(device.Name), Path: path, Owner: owner,
		Destination: state.Endpoint{Address: address, Port: uint16(servicePort.Port)},
		Protocol:    protocol, Pool: path, SNAT: "automap",
		Profiles: []state.Profile{{Path: "/Common/" + string(protocol), Context: "all"}},
	}}
}

// NamePrefix is how the names of a cluster's virtual servers, pools and the
// like begin.
func NamePrefix(cluster string) string { return "lb_" + cluster + "_" }

// name is lb_<cluster>_<namespace>_<service>_<port>[_udp][_v6].
func (t *translation) name(port corev1.ServicePort, address state.Address) string {
	name := NamePrefix(t.Identity.Cluster) + t.ref.Namespace + "_" + t.ref.Name + "_" + strconv.Itoa(int(port.Port))
	if port.Protocol == corev1.ProtocolUDP {
		name += "_udp"
	}
	if address.Is6() {
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
