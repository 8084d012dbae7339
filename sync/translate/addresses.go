package translate

import (
	"slices"
	"strings"

	"landbridge.dev/config"
	"landbridge.dev/sync/state"
)

// grant is an entry of the tenants' list that covers the Service and allows
// its device and partition.
type grant = config.Tenant

// addresses reads the virtual addresses: one per family, each from a pool
// granted by the entry that also grants device and partition.
func (t *translation) addresses(s *settings) {
	value, from := s.vip, Prefix+"virtual-address"
	if value == "" && t.Service.Spec.LoadBalancerIP != "" {
		value, from = t.Service.Spec.LoadBalancerIP, "spec.loadBalancerIP"
	}
	if value == "" && len(s.vips) < len(t.Service.Spec.Ports) {
		t.hold("NoAddress", "no virtual address is given; add %svirtual-address (allocation is not in this version)", Prefix)
		return
	}
	s.addresses = t.parseAddresses(s, from, value)
}

// ofPort are the addresses of one port: its own, or those of the Service.
func (t *translation) ofPort(s *settings, port int) []state.Address {
	value, ok := s.vips[port]
	if !ok {
		return s.addresses
	}
	return t.parseAddresses(s, Prefix+"virtual-address."+portName(t.Service.Spec.Ports[port]), value)
}

func (t *translation) parseAddresses(s *settings, from, value string) []state.Address {
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
		case a.RouteDomain != 0:
			t.hold("BadAnnotation", "%s: %s: no granted address pool has a route domain", from, a)
			return nil
		case slices.ContainsFunc(parsed, func(b state.Address) bool { return a.Is6() == b.Is6() }):
			t.hold("BadAnnotation", "%s: %q has two addresses of one family; give one of each at most", from, value)
			return nil
		}
		parsed = append(parsed, a)
	}
	if len(s.grants) > 0 && !slices.ContainsFunc(s.grants, func(g grant) bool { return t.allows(g, parsed) }) {
		t.hold("AddressNotGranted", "%s: %s is in no address pool granted to namespace %s for partition %s on device %s; granted are: %s",
			from, value, t.ref.Namespace, s.partition, s.device, t.grantedPools(s.grants))
		return nil
	}
	return parsed
}

// allows says whether one entry's pools hold all the addresses.
func (t *translation) allows(g grant, addresses []state.Address) bool {
	for _, a := range addresses {
		if !slices.ContainsFunc(g.AddressPools, func(name string) bool {
			pool, ok := t.Config.AddressPool(name)
			return ok && pool.Contains(a.IP)
		}) {
			return false
		}
	}
	return true
}

func (t *translation) grantedPools(grants []grant) string {
	var names []string
	for _, g := range grants {
		for _, name := range g.AddressPools {
			pool, _ := t.Config.AddressPool(name)
			for _, r := range pool.Ranges {
				names = append(names, name+" "+r.String())
			}
		}
	}
	return listed(names)
}
