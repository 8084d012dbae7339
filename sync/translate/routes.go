package translate

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/config"
	"landbridge.dev/config/annotation"
	"landbridge.dev/sync/state"
)

// announced is what a Service asks to be announced.
type announced struct {
	objects   []state.Object
	addresses []state.Address // of a Service on nodes
	remember  string          // see Result.LastGood
}

// asksForRoutes says whether an annotation asks for an address on a BIG-IP to
// be announced.
func (s *settings) asksForRoutes() bool { return s.text("bgp") == "true" }

// routes are what is announced for a Service: of one on nodes its addresses,
// of one on a BIG-IP those of its virtual servers. While something is wrong
// with that it is what was announced before, with the next hops of now.
func (t *translation) routes(s settings, served []state.Object) announced {
	onNodes := OnNodes(t.Service)
	if onNodes {
		t.onNodes(&s)
		t.routing = max(t.routing, t.mode) // there is no other part
	}
	if t.stray || !onNodes && !s.asksForRoutes() {
		if !t.stray {
			t.idleRouteKeys(&s)
		}
		if t.routing == state.Follow {
			return announced{}
		}
		objects, remember := t.lastGood()
		return announced{objects: objects, remember: remember}
	}
	shape, entries := t.shape(&s, onNodes)
	var routes []*state.Route
	if onNodes {
		routes = t.nodeRoutes(&s, &shape, entries)
	} else {
		routes = t.deviceRoutes(&s, &shape, served)
		if t.mode > state.Follow { // where its virtual servers are is not known
			t.routing = max(t.routing, state.Hold)
		}
	}
	if t.routing > state.Follow {
		if onNodes {
			t.mode = state.Follow // nothing is wanted of a BIG-IP
		}
		objects, remember := t.lastGood()
		return announced{objects: objects, addresses: t.rememberedAddresses(onNodes, objects), remember: remember}
	}
	result := announced{remember: t.remember(routes)}
	slices.SortFunc(routes, func(a, b *state.Route) int { return a.ID().Compare(b.ID()) })
	for _, r := range routes {
		result.objects = append(result.objects, r)
		if onNodes {
			result.addresses = append(result.addresses, state.Address{IP: r.Prefix.Addr()})
		}
	}
	return result
}

// rememberedAddresses are those of a Service on nodes that is held.
func (*translation) rememberedAddresses(onNodes bool, objects []state.Object) []state.Address {
	if !onNodes {
		return nil
	}
	var addresses []state.Address
	for _, o := range objects {
		addresses = append(addresses, state.Address{IP: o.(*state.Route).Prefix.Addr()})
	}
	return addresses
}

// routeFault holds what is announced.
func (t *translation) routeFault(reason, format string, args ...any) {
	t.faultOf(annotation.BGP, state.Hold, reason, format, args...)
}

// onNodes finds fault with annotations that a Service on nodes cannot have.
func (t *translation) onNodes(s *settings) {
	for _, key := range annotation.Keys() {
		switch {
		case key.Part != annotation.BIGIP, key.Name == "virtual-address", key.Name == "address-pool":
			continue
		}
		for at, v := range s.values {
			if at.key == key.Name {
				t.routeFault("BadAnnotation", "%s: a Service of the class %s is served by its nodes and not by a BIG-IP; take the annotation or the class away", v.from, ClassBGP)
			}
		}
	}
	for at, v := range s.values {
		if at.key == "virtual-address" && at.port != wholeService {
			t.routeFault("BadAnnotation", "%s: an address on nodes is that of the whole Service and takes no port", v.from)
		}
	}
	if s.orphan {
		t.routeFault("BadAnnotation", "%sdeletion-policy: orphan has no effect on a Service of the class %s: no route outlasts its Service; take the annotation away", Prefix, ClassBGP)
	}
}

// idleRouteKeys finds fault with annotations that would change a route, where
// none is asked for.
func (t *translation) idleRouteKeys(s *settings) {
	for _, key := range annotation.Keys() {
		if v, ok := s.values[place{key.Name, wholeService}]; ok && key.Part == annotation.BGP && key.Name != "bgp" {
			t.routeFault("BadAnnotation", "%s has no effect without %sbgp: \"true\"", v.from, Prefix)
		}
	}
}

// shape is what all routes of a Service have in common, and the tenants'
// entries that allow it: one alone has to allow all of it.
func (t *translation) shape(s *settings, onNodes bool) (state.Route, []grant) {
	shape := state.Route{Backend: state.Speaker, Owner: t.Identity.Owner(t.ref)}
	if t.Config.BGP == nil {
		t.routeFault("NotConfigured", "nothing is announced: the configuration has no section bgp")
		return shape, nil
	}
	entries := s.grants
	if onNodes {
		entries = nil
		for i, e := range t.Config.Tenants {
			if e.Covers(t.ref.Namespace, t.NamespaceLabels) {
				entries = append(entries, grant{e, i})
			}
		}
	}
	entries = slices.DeleteFunc(slices.Clone(entries), func(e grant) bool { return len(e.BGPPeers) == 0 })
	if len(entries) == 0 {
		t.faultOf(annotation.BGP, state.Freeze, "NotGranted", "namespace %s is granted no BGP peer; ask the platform team for one", t.ref.Namespace)
		return shape, nil
	}
	entries = t.grantedPeers(s, &shape, entries)
	entries = t.grantedCommunities(s, &shape, entries)
	if v, ok := s.values[place{"bgp-local-preference", wholeService}]; ok {
		if n, err := annotation.ParseMetric(v.text); err == nil {
			shape.LocalPreference = &n
		}
	}
	if v, ok := s.values[place{"bgp-med", wholeService}]; ok {
		if n, err := annotation.ParseMetric(v.text); err == nil {
			shape.MED = &n
		}
	}
	if v, ok := s.values[place{"bgp-prepend", wholeService}]; ok {
		shape.Prepend, _ = annotation.ParsePrepend(v.text) // a bad one is held already
	}
	return shape, entries
}

// grantedPeers fills in whom the routes are announced to, and returns the
// entries that allow it.
func (t *translation) grantedPeers(s *settings, shape *state.Route, entries []grant) []grant {
	asked, err := annotation.ParsePeers(s.text("bgp-peers"))
	if err != nil { // not given, or bad and held already
		shape.Peers = slices.Compact(slices.Sorted(slices.Values(entries[0].BGPPeers)))
		return entries[:1]
	}
	shape.Peers = asked
	var allow []grant
	var granted []string
	for _, e := range entries {
		granted = append(granted, e.BGPPeers...)
		if !slices.ContainsFunc(asked, func(p string) bool { return !e.GrantsPeer(p) }) {
			allow = append(allow, e)
		}
	}
	if len(allow) == 0 {
		t.routeFault("PeerNotGranted", "%sbgp-peers: %s are not granted together to namespace %s; granted are: %s",
			Prefix, strings.Join(asked, ", "), t.ref.Namespace, listed(granted))
	}
	return allow
}

// grantedCommunities fills in the communities, and returns the entries that
// allow them.
func (t *translation) grantedCommunities(s *settings, shape *state.Route, entries []grant) []grant {
	asked, err := annotation.ParseCommunities(s.text("bgp-communities"))
	if err != nil {
		return entries
	}
	shape.Communities = asked
	var allow []grant
	var granted []string
	for _, e := range entries {
		granted = append(granted, e.BGPCommunities...)
		if !slices.ContainsFunc(asked, func(c string) bool { return !e.GrantsCommunity(c) }) {
			allow = append(allow, e)
		}
	}
	if len(allow) == 0 && len(entries) > 0 {
		t.routeFault("CommunityNotGranted", "%sbgp-communities: %s are not granted together to namespace %s; granted are: %s",
			Prefix, strings.Join(asked, ", "), t.ref.Namespace, listed(granted))
	}
	return allow
}

// nodeRoutes are the routes of a Service on nodes.
func (t *translation) nodeRoutes(s *settings, shape *state.Route, entries []grant) []*state.Route {
	var routes []*state.Route
	for _, a := range t.nodeAddresses(s, entries) {
		r := *shape
		r.Prefix = netip.PrefixFrom(a, a.BitLen())
		if !t.mayAnnounce(r.Prefix) {
			continue
		}
		r.NextHops = t.nodeHops(a.Is6(), t.local(), true)
		r.Stood = t.stood(r.Prefix)
		routes = append(routes, &r)
	}
	return routes
}

// nodeAddresses are the addresses of a Service on nodes: one per family, from a
// pool that one entry grants together with the rest.
func (t *translation) nodeAddresses(s *settings, entries []grant) []netip.Addr {
	s.onNodes, s.grants = true, entries
	t.addresses(s)
	t.routing = max(t.routing, t.mode)
	var addresses []netip.Addr
	for _, a := range s.addresses {
		switch {
		case a.RouteDomain != 0:
			t.routeFault("BadAnnotation", "%svirtual-address: %s: nodes have no route domains", Prefix, a)
		case !slices.Contains(t.Service.Spec.IPFamilies, familyOf(a.IP)):
			t.routeFault("BadAnnotation", "%svirtual-address: %s: the Service has no address of this family in the cluster, so that no node would take its traffic; see spec.ipFamilies", Prefix, a)
		default:
			addresses = append(addresses, a.IP)
		}
	}
	return addresses
}

// where is what an address has to be granted together with, for messages.
func (s *settings) where() string {
	if s.onNodes {
		return "together with its BGP peers"
	}
	return "for partition " + s.partition + " on device " + s.device
}

// backend is the one on which an address stands.
func (s *settings) backend() string {
	if s.onNodes {
		return state.Speaker
	}
	return BackendOf(s.device)
}

func familyOf(a netip.Addr) corev1.IPFamily {
	if a.Is4() {
		return corev1.IPv4Protocol
	}
	return corev1.IPv6Protocol
}

// deviceRoutes are the routes to the addresses of a Service on a BIG-IP: each
// once, after the virtual servers there.
func (t *translation) deviceRoutes(s *settings, shape *state.Route, served []state.Object) []*state.Route {
	if !t.ownPorts(s) {
		t.routeFault("BadAnnotation", "%sbgp has no effect: no virtual server is made for this Service, and the address of one that others made is theirs to announce; take the annotation away", Prefix)
	}
	device, _ := t.Config.Device(s.device)
	by := map[netip.Addr]*state.Route{}
	var routes []*state.Route
	for _, o := range served {
		v, ok := o.(*state.VirtualServer)
		if !ok || v.Use == state.Adopted { // whose address only the device knows
			continue
		}
		r := by[v.Destination.IP]
		if r == nil {
			made := *shape
			r = &made
			r.Prefix = netip.PrefixFrom(v.Destination.IP, v.Destination.IP.BitLen())
			by[v.Destination.IP] = r
			if !t.mayAnnounce(r.Prefix) {
				continue
			}
			r.NextHops, r.Stood = t.deviceHops(device, v.Destination.Is6()), t.stood(r.Prefix)
			routes = append(routes, r)
		}
		r.Follows = append(r.Follows, v.ID())
	}
	return routes
}

// deviceHops are the floating self IPs of a device.
func (t *translation) deviceHops(device config.BIGIP, six bool) []state.NextHop {
	var hops []state.NextHop
	for _, text := range device.FloatingSelfIPs {
		if a, err := netip.ParseAddr(text); err == nil && a.Is6() == six {
			hops = append(hops, state.NextHop{Address: a, Via: "self IP of " + device.Name})
		}
	}
	state.SortNextHops(hops)
	if len(hops) == 0 {
		family := "IPv" + strconv.Itoa(map[bool]int{false: 4, true: 6}[six])
		t.routeFault("NoNextHop", "device %s has no floating self IP of %s in the configuration (floatingSelfIPs), which would be the next hop", device.Name, family)
	}
	return hops
}

// mayAnnounce says whether the configuration lets a prefix be announced.
func (t *translation) mayAnnounce(p netip.Prefix) bool {
	if t.Config.BGP == nil {
		return false
	}
	never, is := t.Config.BGP.Never(p)
	if is {
		t.routeFault("NeverAnnounced", "%s is never announced: bgp.neverAnnounce in the configuration has %s", p, never)
	}
	return !is
}

// AsksRoutes says whether a Service speaks to the speaker's part.
func AsksRoutes(svc *corev1.Service) bool { return OnNodes(svc) || asks(svc, annotation.BGP) }
