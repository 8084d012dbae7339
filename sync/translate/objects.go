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
	t.nodePorts = device.MemberType == "nodeport"
	t.idle = map[string]bool{}
	first := map[target]asked{}
	var objects []state.Object
	var all []portSettings
	for i, port := range t.Service.Spec.Ports {
		protocol, ok := protocolOf(port)
		if !ok {
			t.hold("BadProtocol", "port %s: %s is not served; only TCP and UDP are", portName(port), port.Protocol)
			continue
		}
		switch use, from := t.useOf(&s, i); {
		case use == state.Joined:
			objects = append(objects, t.byOnePort(first, use, from, t.joined(&s, device, i, from))...)
			continue
		case use == state.Adopted:
			objects = append(objects, t.byOnePort(first, use, from, t.adopted(&s, device, i, protocol, from))...)
			continue
		case !t.makesOwn(&s):
			t.unserved(&s, i)
			continue
		}
		p := t.settingsOf(&s, device, i, protocol)
		all = append(all, p)
		var served [2]bool // by family
		addresses := t.ofPort(&s, i)
		for _, address := range addresses {
			served[family(address.Is6())] = true
			objects = append(objects, t.frontend(s, device, p, address)...)
		}
		if len(addresses) > 0 { // otherwise its families are not known yet, or bad
			t.strayVMs(&s, i, served)
		}
		if t.mode != state.Hold {
			continue
		}
		// What is held follows its endpoints, also where the address is what
		// is wrong: a pool that does not stand is not made for that.
		for _, six := range []bool{false, true} {
			if !served[family(six)] {
				pool := t.pool(s, device, p, six)
				objects = append(objects, pool)
				t.idle[pool.Path] = len(s.addresses)+len(s.ofPorts) > 0
			}
		}
	}
	t.unusedTimes(&s)
	t.unusedIP(&s)
	t.warnings(device, all)
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

// frontend is all that serves one port at one address: the virtual server, its
// pool, and what they refer to that is ours.
func (t *translation) frontend(s settings, device config.BIGIP, p portSettings, address state.Address) []state.Object {
	pool := t.pool(s, device, p, address.Is6())
	sameDomain(pool.Members, address)
	names, objects := t.monitorsFor(pool, p.monitors)
	pool.Monitors = names
	v := &state.VirtualServer{
		Backend: pool.Backend, Path: pool.Path, Owner: pool.Owner,
		Destination: state.Endpoint{Address: address, Port: uint16(t.Service.Spec.Ports[p.port].Port)},
		Protocol:    p.protocol, Pool: pool.Path, Profiles: p.profiles, IRules: p.irules, Policies: p.policies,
		Persistence: p.persistence, SNAT: p.snat, VLANs: p.vlans, ConnectionLimit: p.limit,
	}
	if p.affinity > 0 {
		affinity := affinityOf(v, p.affinity)
		v.Persistence = affinity.Path
		objects = append(objects, affinity)
	}
	objects = append(objects, t.limitSources(v)...)
	return append(objects, pool, v)
}

// pool is the pool of one port and family, but for its monitors.
func (t *translation) pool(s settings, device config.BIGIP, p portSettings, six bool) *state.Pool {
	servicePort := t.Service.Spec.Ports[p.port]
	pool := &state.Pool{
		Backend: BackendOf(device.Name), Path: "/" + s.partition + "/" + t.name(servicePort, six), Owner: t.Identity.Owner(t.ref),
		Mode: p.mode, ReselectTries: reselectTries, SlowRamp: slowRamp, DrainTimeout: p.drain,
	}
	pool.Members = t.members(device, servicePort, six, byRatio(p.mode))
	t.withVMs(&s, p.port, six, pool)
	return pool
}

// members are those of a port that stand for its pods: the pods themselves, or
// nodes.
func (t *translation) members(device config.BIGIP, port corev1.ServicePort, six, weigh bool) []state.Member {
	if device.MemberType == "nodeport" {
		return t.nodeMembers(device, port, six, weigh)
	}
	return t.podMembers(port, six)
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
