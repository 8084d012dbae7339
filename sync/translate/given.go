package translate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/config"
	"landbridge.dev/sync/allocate"
	"landbridge.dev/sync/state"
)

// withPool are the grants that also allow the address pool that the Service
// names.
func (t *translation) withPool(s *settings) []grant {
	named, ok := s.values[place{"address-pool", wholeService}]
	if !ok {
		return s.grants
	}
	if named.text == "" {
		return nil // a fault already
	}
	name := named.text
	var grants []grant
	var names []string
	for _, g := range s.grants {
		if slices.Contains(g.AddressPools, name) {
			grants = append(grants, g)
		}
		names = append(names, g.AddressPools...)
	}
	if len(grants) == 0 {
		t.hold("AddressPoolNotGranted", "%saddress-pool: %q is not granted to namespace %s %s; granted are: %s",
			Prefix, name, t.ref.Namespace, s.where(), listed(names))
	}
	return grants
}

// gives says from which pools the Service is to be given addresses: one for
// each of its families that the pools of one entry have; of several entries,
// that with the most.
func (t *translation) gives(s *settings, grants []grant) []allocate.Give {
	name := s.text("address-pool")
	var best []allocate.Give
	for _, g := range grants {
		var gives []allocate.Give
		for _, family := range t.Service.Spec.IPFamilies {
			six := family == corev1.IPv6Protocol
			pool, ok := t.poolFor(g, name, six)
			if !ok {
				continue
			}
			give := allocate.Give{Six: six, Pool: pool, Granted: t.pools(s.grants...)}
			if give.Stay = give.Granted; name != "" {
				give.Stay = []config.AddressPool{pool}
			}
			gives = append(gives, give)
		}
		if len(gives) > len(best) {
			best = gives
		}
	}
	switch {
	case len(best) > 0:
	case name != "":
		t.hold("NoAddress", "%saddress-pool: %s has no addresses of the Service's families; name another pool, or change spec.ipFamilies", Prefix, name)
	default:
		t.hold("NoAddress", "no virtual address is given, and no granted address pool with autoAssign has addresses of the Service's families; "+
			"add %svirtual-address or %saddress-pool; granted are: %s", Prefix, Prefix, t.ranges(grants))
	}
	return best
}

// poolFor is the pool of an entry from which a family is given: the one that
// the Service names, otherwise the first with autoAssign.
func (t *translation) poolFor(g grant, name string, six bool) (config.AddressPool, bool) {
	for _, pool := range t.pools(g) {
		if (pool.Name == name || name == "" && pool.AutoAssign) && pool.Has(six) {
			return pool, true
		}
	}
	return config.AddressPool{}, false
}

// given takes in what came of the Service's claim to addresses. While that
// cannot be told, the Service is held without a word.
func (t *translation) given(s *settings, grants []grant) {
	for _, p := range t.Given.Problems {
		t.hold(p.Reason, "%s", p.Message)
	}
	if t.Given.Pending {
		t.mode = max(t.mode, state.Hold)
	}
	switch given := t.Given.Addresses; {
	case len(t.ask.Give) == 0 || len(t.Given.Problems) > 0:
	case len(given) == 0:
		t.mode = max(t.mode, state.Hold) // nobody has answered yet
	case !slices.ContainsFunc(grants, func(g grant) bool { return allows(t.pools(g), given) }):
		t.hold("AddressNotGranted", "%s, which this Service was given, is in no address pool granted to namespace %s %s any more, and stays; "+
			"put it into one, or ask for another with %svirtual-address; granted are: %s",
			words(given), t.ref.Namespace, s.where(), Prefix, t.ranges(grants))
	default:
		s.addresses = given
	}
}

func words(addresses []state.Address) string {
	var words []string
	for _, a := range addresses {
		words = append(words, a.String())
	}
	return listed(words)
}
