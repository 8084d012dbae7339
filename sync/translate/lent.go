package translate

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/config"
	"landbridge.dev/config/annotation"
	"landbridge.dev/sync/state"
)

// makesOwn says whether the Service asks for virtual servers and pools of its
// own, for the ports that join or adopt nothing.
func (t *translation) makesOwn(s *settings) bool {
	if c := t.Service.Spec.LoadBalancerClass; c != nil && *c == ClassBIGIP {
		return true
	}
	for at := range s.values {
		if at.key == "partition" || at.key == "class" {
			return true
		}
	}
	return false
}

// ownPorts says whether virtual servers and pools of its own are made for the
// Service: it asks for some, and not all of its ports join or adopt what others
// made.
func (t *translation) ownPorts(s *settings) bool {
	if !t.makesOwn(s) {
		return false
	}
	for i := range t.Service.Spec.Ports {
		if !lent(s, i) {
			return true
		}
	}
	return len(t.Service.Spec.Ports) == 0
}

// lent says whether a port joins or adopts what others made.
func lent(s *settings, port int) bool {
	_, joins := s.valueOf("join-pool", port)
	_, adopts := s.valueOf("adopt", port)
	return joins || adopts
}

// useOf is what a port takes of what others made, and where that is written;
// Own for nothing.
func (t *translation) useOf(s *settings, port int) (state.Use, value) {
	use, from := state.Own, value{}
	for _, key := range []struct {
		name string
		use  state.Use
	}{{"join-pool", state.Joined}, {"adopt", state.Adopted}} {
		v, ok := s.valueOf(key.name, port)
		if !ok {
			continue
		}
		if use != state.Own {
			t.once("BadAnnotation", v.from+": port "+portName(t.Service.Spec.Ports[port])+" also has "+from.from+"; a port joins a pool or adopts a virtual server")
		}
		use, from = key.use, v
		if _, written := s.values[place{key.name, port}]; !written && len(t.Service.Spec.Ports) > 1 {
			t.once("BadAnnotation", v.from+": the Service has several ports; write "+v.from+"."+portName(t.Service.Spec.Ports[0])+" and the like")
		}
	}
	return use, from
}

// target is a pool that is joined, or a virtual server that is adopted.
type target struct {
	use  state.Use
	path string
}

// asked is what the first port with a target asks for, and where that is
// written.
type asked struct {
	from    value
	objects []state.Object
}

// byOnePort are the objects that a port asks for of what others made, unless
// another one has the same target. Where both ask for the same it is asked for
// once. Otherwise each would take the other's members out: it is held as it
// stands, and the members of both that are there follow their endpoints.
func (t *translation) byOnePort(first map[target]asked, use state.Use, from value, objects []state.Object) []state.Object {
	at := target{use, from.text}
	other, twice := first[at]
	if !twice || from.text == "" {
		first[at] = asked{from, objects}
		return objects
	}
	pool, of := poolAmong(other.objects), poolAmong(objects)
	of.Beside = pool.Beside // what further ports want makes no difference between these two
	if slices.EqualFunc(other.objects, objects, state.Same) {
		return nil
	}
	if other.from.from != from.from { // else it is to be written for one port
		t.once("BadAnnotation", from.from+": "+from.text+" is that of "+other.from.from+" already, and one port alone has its members there; name another, or take one of them away")
	}
	for _, m := range of.Members {
		same := func(o state.Member) bool { return o.Endpoint == m.Endpoint }
		if !m.VM && !slices.ContainsFunc(pool.Members, same) && !slices.ContainsFunc(pool.Beside, same) {
			pool.Beside = append(pool.Beside, m)
		}
	}
	state.SortMembers(pool.Beside)
	return nil
}

// poolAmong is the one pool among what a port asks for.
func poolAmong(objects []state.Object) *state.Pool {
	for _, o := range objects {
		if p, ok := o.(*state.Pool); ok {
			return p
		}
	}
	return &state.Pool{}
}

// keysOfVirtual are the keys that speak of a virtual server or a pool. A partition
// and a class are not among them: the one is how teams opt in, and the other may
// say more than that.
func keysOfVirtual() []string {
	return []string{
		"virtual-address", "address-pool", "load-balancing-mode", "monitor", "monitor-interval", "monitor-timeout", "profiles", "irules", "ltm-policies",
		"vlans", "persistence", "snat", "connection-limit",
	}
}

// takes says whether a key that speaks of a virtual server or a pool has an
// effect on a port.
func (t *translation) takes(s *settings, key string, port int) bool {
	if _, joins := s.valueOf("join-pool", port); joins {
		return false
	}
	if _, adopts := s.valueOf("adopt", port); adopts {
		return !slices.Contains([]string{"virtual-address", "address-pool"}, key)
	}
	return t.makesOwn(s)
}

// besides finds fault with keys that have no effect on a port that joins or
// adopts, and with those of the whole Service that have none on any port.
func (t *translation) besides(s *settings, port int, use state.Use, from value) {
	what := "makes no virtual server and no pool"
	if use == state.Adopted {
		what = "keeps the name and the address that the virtual server has"
	}
	for _, key := range keysOfVirtual() {
		if t.takes(s, key, port) {
			continue
		}
		v, ok := s.values[place{key, port}]
		if !ok && !slices.ContainsFunc(t.places()[1:], func(other int) bool { return t.takes(s, key, other) }) {
			v, ok = s.values[place{key, wholeService}]
		}
		if ok {
			t.once("BadAnnotation", v.from+" has no effect beside "+from.from+", which "+what+"; remove one of them")
		}
	}
	if len(t.Service.Spec.LoadBalancerSourceRanges) > 0 && (use == state.Joined || len(t.Service.Spec.LoadBalancerSourceRanges) > 1) {
		t.once("BadAnnotation", "spec.loadBalancerSourceRanges cannot be kept beside "+from.from+": restrict the sources on the device, or take them away here")
	}
}

// unserved finds fault with keys for a port that nothing is made for: the
// Service speaks of its other ports alone.
func (t *translation) unserved(s *settings, port int) {
	for _, key := range annotation.Keys() {
		if v, ok := s.values[place{key.Name, port}]; ok {
			name := portName(t.Service.Spec.Ports[port])
			t.hold("BadAnnotation", "%s has no effect: port %s is not served; take it away, or add %sjoin-pool.%[2]s or %[3]sadopt.%[2]s, or %[3]spartition for the ports that join or adopt nothing",
				v.from, name, Prefix)
		}
	}
}

// unusedIP warns of spec.loadBalancerIP, where addresses are those of adopted
// virtual servers. With another class it is for whoever that is.
func (t *translation) unusedIP(s *settings) {
	if t.Service.Spec.LoadBalancerIP == "" || t.Service.Spec.LoadBalancerClass != nil && !isClass(t.Service, ClassBIGIP) || t.ownPorts(s) {
		return
	}
	for i := range t.Service.Spec.Ports {
		if v, ok := s.valueOf("adopt", i); ok {
			t.warn("BadAnnotation", "spec.loadBalancerIP has no effect beside %s, which keeps the address that the virtual server has; remove one of them", v.from)
			return
		}
	}
}

// joined is the pool of others that a port joins.
func (t *translation) joined(s *settings, device config.BIGIP, port int, from value) []state.Object {
	t.besides(s, port, state.Joined, from)
	pool := &state.Pool{
		Backend: BackendOf(device.Name), Path: from.text, Use: state.Joined, DrainTimeout: s.drain(port),
	}
	t.fill(s, device, port, pool)
	pool.Share.Borrow = t.borrows(s, pool.Path)
	if pool.Share.Given && pool.Share.Percent == 100 && pool.Share.Fallback != state.FallbackNone {
		t.hold("BadAnnotation", "%spod-share: 100 of a joined pool leaves nobody to stand by, since its priority groups are not ours; ask for 99, or write %sfallback: none", Prefix, Prefix)
	}
	if pool.Share.Fallback == state.FallbackBoth {
		t.hold("BadAnnotation", "%sfallback: both needs priority groups, and those of a joined pool are not ours", Prefix)
	}
	return []state.Object{pool}
}

// fill gives a pool of others our members: those of the Service's first
// family.
func (t *translation) fill(s *settings, device config.BIGIP, port int, pool *state.Pool) {
	six := t.firstFamily()
	pool.Members = t.members(device, t.Service.Spec.Ports[port], six, true)
	t.withVMs(s, port, six, pool)
	var served [2]bool
	served[family(six)] = true
	t.strayVMs(s, port, served)
}

// firstFamily says whether the Service's first family is IPv6.
func (t *translation) firstFamily() bool {
	return len(t.Service.Spec.IPFamilies) > 0 && t.Service.Spec.IPFamilies[0] == corev1.IPv6Protocol
}

// adopted is the virtual server of others that a port takes over, with its
// pool, which until it is seen goes by the virtual server's path. Only what an
// annotation or its class names is asked for.
func (t *translation) adopted(s *settings, device config.BIGIP, port int, protocol state.Protocol, from value) []state.Object {
	t.besides(s, port, state.Adopted, from)
	partition, _, _ := strings.Cut(strings.TrimPrefix(from.text, "/"), "/")
	at := *s
	at.partition = partition // where what it refers to of ours is made
	p := t.settingsOf(&at, device, port, protocol)
	pool := &state.Pool{
		Backend: BackendOf(device.Name), Path: from.text, Owner: t.Identity.Owner(t.ref), Use: state.Adopted,
		Mode: p.mode, DrainTimeout: p.drain,
	}
	t.fill(s, device, port, pool)
	pool.Share.Borrow = true
	v := &state.VirtualServer{
		Backend: pool.Backend, Path: from.text, Owner: pool.Owner, Use: state.Adopted,
		Profiles: p.profiles, IRules: p.irules, Policies: p.policies, Persistence: p.persistence, SNAT: p.snat, VLANs: p.vlans, ConnectionLimit: p.limit,
	}
	var objects []state.Object
	named := func(key string) bool { _, ok := s.valueOf(key, port); return ok }
	for _, property := range []state.Property{
		state.NamedProfiles, state.NamedIRules, state.NamedPolicies, state.NamedPersistence, state.NamedSNAT, state.NamedVLANs, state.NamedConnectionLimit,
	} {
		if named(string(property)) {
			v.Named = append(v.Named, property)
		}
	}
	if named("persistence") && p.affinity > 0 { // one of ours could not go before the virtual server lets go of it
		v.Persistence = stockSourceAddress
	}
	if named("monitor") {
		base := *pool
		base.Path = "/" + partition + "/" + t.name(t.Service.Spec.Ports[port], t.firstFamily())
		pool.Monitors, objects = t.monitorsFor(&base, p.monitors)
		pool.Named = append(pool.Named, state.NamedMonitors)
	}
	if named("load-balancing-mode") {
		pool.Named = append(pool.Named, state.NamedMode)
	}
	if prefixes := t.sources(t.firstFamily()); len(prefixes) == 1 {
		v.Source = prefixes[0]
		v.Named = append(v.Named, state.NamedSource)
	}
	slices.Sort(v.Named)
	slices.Sort(pool.Named)
	return append(objects, pool, v)
}
