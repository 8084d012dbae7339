package translate

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/config"
	"landbridge.dev/sync/allocate"
	"landbridge.dev/sync/state"
)

// grant is an entry of the tenants' list that covers the Service and allows
// its device and partition.
type grant struct {
	config.Tenant
	place int // in the list
}

// addresses finds the virtual addresses: those that the Service requests, and
// otherwise those that it is given; one per family, each from a pool granted by
// the entry that also grants device and partition.
func (t *translation) addresses(s *settings) {
	if len(s.grants) == 0 {
		return // frozen: what it may have cannot be told
	}
	before := len(t.problems)
	grants := t.withPool(s)
	if len(grants) == 0 {
		return
	}
	ask := &allocate.Ask{Requested: t.requested(s, grants), Backends: []string{s.backend()}}
	for _, g := range grants {
		ask.Tenants = append(ask.Tenants, g.place)
	}
	if len(s.addresses) == 0 && !t.eachPortHasAddress(s) && len(t.problems) == before {
		ask.Give = t.gives(s, grants)
	}
	if len(t.problems) > before || t.mode == state.Freeze {
		return
	}
	t.ask = ask
	t.given(s, grants)
}

// requested are all addresses that the Service names, sorted, each once. It
// also notes them by port.
func (t *translation) requested(s *settings, grants []grant) []state.Address {
	value, from := s.text("virtual-address"), Prefix+"virtual-address"
	if value == "" {
		value, from = t.Service.Spec.LoadBalancerIP, "spec.loadBalancerIP"
	}
	s.addresses = t.parseAddresses(s, grants, from, value)
	all := slices.Clone(s.addresses)
	s.ofPorts = map[int][]state.Address{}
	for i := range t.Service.Spec.Ports {
		if v, ok := s.values[place{"virtual-address", i}]; ok && !lent(s, i) {
			s.ofPorts[i] = t.parseAddresses(s, grants, v.from, v.text)
			all = append(all, s.ofPorts[i]...)
		}
	}
	return state.SortAddresses(all)
}

func (t *translation) eachPortHasAddress(s *settings) bool {
	for i := range t.Service.Spec.Ports {
		if _, ok := s.values[place{"virtual-address", i}]; !ok && !lent(s, i) {
			return false
		}
	}
	return true
}

// ofPort are the addresses of one port: its own, or those of the Service.
func (t *translation) ofPort(s *settings, port int) []state.Address {
	if own, ok := s.ofPorts[port]; ok {
		return own
	}
	return s.addresses
}

func (t *translation) parseAddresses(s *settings, grants []grant, from, value string) []state.Address {
	if value == "" {
		return nil
	}
	var parsed []state.Address
	for word := range strings.SplitSeq(value, ",") {
		a, err := state.ParseAddress(strings.TrimSpace(word))
		switch {
		case err != nil:
			t.hold("BadAnnotation", "%s: %v", from, err)
			return nil
		case slices.ContainsFunc(parsed, func(b state.Address) bool { return a.Is6() == b.Is6() }):
			t.hold("BadAnnotation", "%s: %q has two addresses of one family; give one of each at most", from, value)
			return nil
		}
		parsed = append(parsed, a)
	}
	if !slices.ContainsFunc(grants, func(g grant) bool { return allows(t.pools(g), parsed) }) {
		t.hold("AddressNotGranted", "%s: %s is in no address pool granted to namespace %s %s; granted are: %s",
			from, value, t.ref.Namespace, s.where(), t.ranges(grants))
		return nil
	}
	if name := s.text("address-pool"); name != "" {
		if pool, _ := t.Config.AddressPool(name); !allows([]config.AddressPool{pool}, parsed) {
			t.hold("AddressNotGranted", "%s: %s is not in address pool %s, which %saddress-pool names; leave one of them out", from, value, name, Prefix)
			return nil
		}
	}
	return parsed
}

// allows says whether pools hold all the addresses.
func allows(pools []config.AddressPool, addresses []state.Address) bool {
	for _, a := range addresses {
		if !slices.ContainsFunc(pools, func(pool config.AddressPool) bool { return pool.Contains(a.IP, a.RouteDomain) }) {
			return false
		}
	}
	return true
}

// pools are the address pools that entries grant, in their order.
func (t *translation) pools(grants ...grant) []config.AddressPool {
	var pools []config.AddressPool
	for _, g := range grants {
		for _, name := range g.AddressPools {
			if pool, ok := t.Config.AddressPool(name); ok {
				pools = append(pools, pool)
			}
		}
	}
	return pools
}

// ranges are the addresses that entries grant, for a message.
func (t *translation) ranges(grants []grant) string {
	var names []string
	for _, pool := range t.pools(grants...) {
		for _, r := range pool.Ranges {
			names = append(names, pool.Name+" "+r.String())
		}
	}
	return listed(names)
}

// Noted are the addresses that a Service is noted to have: by our annotation,
// and without it by the ingress where the class is ours.
func Noted(svc *corev1.Service) []state.Address {
	var words []string
	if value, ok := svc.Annotations[AnnotationAddress]; ok {
		words = strings.Split(value, ",")
	} else if c := svc.Spec.LoadBalancerClass; c != nil && *c == ClassBIGIP {
		for _, i := range svc.Status.LoadBalancer.Ingress {
			words = append(words, i.IP)
		}
	}
	var noted []state.Address
	for _, word := range words {
		if a, err := state.ParseAddress(strings.TrimSpace(word)); err == nil {
			noted = append(noted, a)
		}
	}
	return noted
}
