package allocate

import (
	"slices"
	"time"

	"landbridge.dev/config"
	"landbridge.dev/sync/state"
)

// Ask is what a Service asks for of addresses.
type Ask struct {
	// Requested are the addresses that the Service names itself, sorted, each
	// once.
	Requested []state.Address
	// Give are the families of which it is to be given one address.
	Give []Give
	// Tenants are the entries of the configuration that allow it these
	// addresses, by their place there. Services with one in common may use
	// one requested address together, as may those of one namespace.
	Tenants []int
	// Backends are those that have to be seen before anything is given or
	// refused: what they show of the Service is its address.
	Backends []string
}

// Give is one address to be given, of one family.
type Give struct {
	Six bool // IPv6
	// Pool is where a new address is taken from.
	Pool config.AddressPool
	// Stay are the pools in which an address that the Service has already
	// is what it asks for.
	Stay []config.AddressPool
	// Granted are all that the Service may have addresses of. One that it is
	// served at and that is in none of them stays with it: the configuration
	// took it away, not the Service.
	Granted []config.AddressPool
}

// Claim is one Service's entry in the book.
type Claim struct {
	Service state.Ref
	// Created is when the Service was made: of two that cannot both have an
	// address, and of which no backend shows either, the older has it.
	Created time.Time
	// Known are the addresses that the Service is noted to have, as an
	// earlier leader wrote them.
	Known []state.Address
	// Ask is what it asks for; nil where that cannot be told, and it keeps
	// what it has.
	Ask *Ask
}

// Answer is what comes of a claim. The zero Answer is that of a Service that
// may use what it requests, and is given nothing.
type Answer struct {
	// Addresses are those given, one for each Give and in their order; none
	// with a problem.
	Addresses []state.Address
	// Pending: it cannot be told yet. Asking again, once Open or Read has
	// named the Service, is right.
	Pending bool
	// Problems are why the Service cannot have what it asks for.
	Problems []state.Problem
}

// Same says whether two answers say the same.
func (a Answer) Same(b Answer) bool {
	return a.Pending == b.Pending && slices.Equal(a.Addresses, b.Addresses) && slices.Equal(a.Problems, b.Problems)
}

// familyName is how a family is called in messages.
func familyName(six bool) string {
	if six {
		return "IPv6"
	}
	return "IPv4"
}

// within says whether an address is of one of the pools.
func within(pools []config.AddressPool, a state.Address) bool {
	return slices.ContainsFunc(pools, func(p config.AddressPool) bool { return p.Contains(a.IP, a.RouteDomain) })
}
