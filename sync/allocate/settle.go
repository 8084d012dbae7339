package allocate

import (
	"cmp"
	"slices"

	"landbridge.dev/sync/state"
)

// holder is the Service that an address belongs to: the one that a backend
// shows there, otherwise the one that is noted to have it, otherwise one that
// requests it, otherwise the oldest. It is zero where there is none.
func (b *Book) holder(a state.Address) state.Ref {
	var best state.Ref
	for _, ref := range b.at[a] {
		if best.IsZero() || b.before(ref, best, a) {
			best = ref
		}
	}
	return best
}

// holding is who has an address, and whether alone.
type holding struct {
	by    state.Ref
	alone bool
}

func (b *Book) holding(a state.Address) holding {
	by := b.holder(a)
	c := b.claims[by]
	return holding{by, c != nil && c.alone(a)}
}

func (b *Book) before(x, y state.Ref, a state.Address) bool {
	c, d := b.claims[x], b.claims[y]
	return cmp.Or(
		cmp.Compare(b.rank(y, d, a), b.rank(x, c, a)),
		created(c, d),
		x.Compare(y),
	) < 0
}

func created(c, d *claim) int {
	if c == nil || d == nil {
		return 0
	}
	return c.Created.Compare(d.Created)
}

// rank is how strong a Service's claim to an address is.
func (b *Book) rank(ref state.Ref, c *claim, a state.Address) int {
	rank := 0
	for _, shown := range b.shown {
		if slices.Contains(shown[ref], a) {
			rank |= 4
		}
	}
	if c != nil && (slices.Contains(c.given, a) || slices.Contains(c.Known, a)) {
		rank |= 2
	}
	if c != nil && c.requests(a) {
		rank |= 1
	}
	return rank
}

func (c *claim) requests(a state.Address) bool {
	return c.Ask != nil && slices.Contains(c.Ask.Requested, a)
}

// settle reckons the answer to a claim, and gives what is to be given.
func (b *Book) settle(c *claim) Answer {
	if c.Ask == nil {
		return Answer{}
	}
	ready := b.ready(c.Ask)
	var answer Answer
	for _, a := range c.Ask.Requested {
		has := b.holder(a)
		switch {
		case b.first(c, a) || b.share(c, has, a):
		case !ready:
			return Answer{Pending: true}
		default:
			answer.Problems = append(answer.Problems, b.refuse(c, has, a))
		}
	}
	if len(c.Ask.Give) > 0 && !ready {
		return Answer{Pending: true}
	}
	if len(answer.Problems) > 0 {
		return answer // what it has been given before stays with it
	}
	var given []state.Address
	for _, g := range c.Ask.Give {
		a, ok := b.choose(c, g)
		if !ok {
			return Answer{Problems: []state.Problem{exhausted(c.Service, g)}} // all or nothing
		}
		given = append(given, a)
	}
	c.given = given
	return Answer{Addresses: given}
}

// ready says whether all has been taken back that an answer depends on.
func (b *Book) ready(ask *Ask) bool {
	return b.open && !slices.ContainsFunc(ask.Backends, func(name string) bool { return b.shown[name] == nil })
}

// share says whether a Service may use an address that it requests beside the
// one that has it.
func (b *Book) share(c *claim, has state.Ref, a state.Address) bool {
	other := b.claims[has]
	switch {
	case other != nil && other.alone(a):
		return false
	case has.Namespace == c.Service.Namespace:
		return true
	case other == nil || other.Ask == nil:
		return false
	}
	return slices.ContainsFunc(c.Ask.Tenants, func(t int) bool { return slices.Contains(other.Ask.Tenants, t) })
}

// alone says whether a Service has an address that it was given, or is noted to
// have while that is not settled yet.
func (c *claim) alone(a state.Address) bool {
	noted := c.answer.Pending && c.Ask != nil && len(c.Ask.Give) > 0 && slices.Contains(c.Known, a)
	return !c.requests(a) && (slices.Contains(c.given, a) || noted)
}

func (b *Book) refuse(c *claim, has state.Ref, a state.Address) state.Problem {
	why := " is used by " + has.String() + ", and only Services of one namespace or tenant share an address"
	if other := b.claims[has]; other != nil && other.alone(a) {
		why = " was given to " + has.String() + " from an address pool, and such an address is not shared"
	}
	return state.Problem{
		Service: c.Service, Reason: "AddressInUse",
		Message: a.String() + why + "; choose another, or wait until that one lets it go",
	}
}

func exhausted(service state.Ref, g Give) state.Problem {
	return state.Problem{
		Service: service, Reason: "AddressesExhausted",
		Message: "address pool " + g.Pool.Name + " has no free " + familyName(g.Six) + " address; " +
			"enlarge it, delete a Service that has one, or name another pool with landbridge.dev/address-pool",
	}
}

// choose is the address for one Give: the one that the Service has, if that
// may stay, otherwise the lowest free one of the pool. It is false where there
// is none. What a Service is noted to have may also be the address of a virtual
// server that it adopted, which is somebody else's: that is not given.
func (b *Book) choose(c *claim, g Give) (state.Address, bool) {
	shown := b.showing(c)
	known := slices.DeleteFunc(slices.Clone(c.Known), func(a state.Address) bool { return b.others(c, a) })
	for _, a := range slices.Concat(c.given, shown, known) {
		if b.mine(c, g, a) && within(g.Stay, a) {
			return a, true
		}
	}
	for _, a := range shown {
		if b.mine(c, g, a) && !within(g.Granted, a) {
			return a, true
		}
	}
	return b.lowest(g)
}

// mine says whether an address can be the one of a Give, and is this
// Service's.
func (b *Book) mine(c *claim, g Give, a state.Address) bool {
	return a.Is6() == g.Six && !c.requests(a) && b.first(c, a)
}

// others says whether a backend of the Service shows somebody else at an
// address.
func (b *Book) others(c *claim, a state.Address) bool {
	return slices.ContainsFunc(c.Ask.Backends, func(name string) bool { return b.foreign[name][a] })
}

// first says whether an address belongs to a Service, or will once it is
// entered there.
func (b *Book) first(c *claim, a state.Address) bool {
	has := b.holder(a)
	return has.IsZero() || has == c.Service || b.before(c.Service, has, a)
}

// showing are the addresses at which backends show the Service, those first
// that its own backends show, and of these those that it is noted to have.
func (b *Book) showing(c *claim) []state.Address {
	var own, others []state.Address
	for name, shown := range b.shown {
		if slices.Contains(c.Ask.Backends, name) {
			own = append(own, shown[c.Service]...)
		} else {
			others = append(others, shown[c.Service]...)
		}
	}
	for _, list := range [][]state.Address{own, others} {
		slices.SortFunc(list, func(x, y state.Address) int {
			return cmp.Or(noted(c, x)-noted(c, y), x.Compare(y))
		})
	}
	return append(own, others...)
}

// noted is 0 for an address that a Service is noted to have, otherwise 1.
func noted(c *claim, a state.Address) int {
	if slices.Contains(c.Known, a) {
		return 0
	}
	return 1
}

// lowest is the lowest free address of a pool. Every address of a range can be
// given, also those that a network of that size would not use.
func (b *Book) lowest(g Give) (state.Address, bool) {
	for _, r := range g.Pool.Ranges {
		if r.First.Is6() != g.Six {
			continue
		}
		a, known := b.next[r]
		if !known {
			a = state.Address{IP: r.First, RouteDomain: r.RouteDomain}
		}
		for r.Contains(a.IP) && !b.free(a) {
			a.IP = a.IP.Next()
		}
		if !r.Contains(a.IP) {
			b.next[r] = state.Address{IP: r.Last, RouteDomain: r.RouteDomain}
			continue
		}
		b.next[r] = a
		return a, true
	}
	return state.Address{}, false
}

// free says whether nobody has to do with an address.
func (b *Book) free(a state.Address) bool {
	if len(b.at[a]) > 0 {
		return false
	}
	for _, foreign := range b.foreign {
		if foreign[a] {
			return false
		}
	}
	return true
}
