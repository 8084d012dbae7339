package ledger_test

import (
	"net/netip"
	"testing"

	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/state"
)

// standing is what stands on a backend.
type standing map[state.ID]bool

func (s standing) has(id state.ID) bool { return s[id] }

// Something on dc2 comes after a pool on dc1: made when the pool is settled
// present, and the pool goes when it is settled absent.
func TestOrderAcrossBackends(t *testing.T) {
	t.Parallel()
	l := ledger.New(dc1, dc2)
	earlier := pool(dc1, cart, "round-robin")
	later := virtual(dc2, cart, 80, earlier.ID())
	outside := standing{}
	check := func(step string, mayCome, mayGo bool) {
		t.Helper()
		if got := l.Standing(earlier.ID()); got != mayCome {
			t.Errorf("%s: the earlier one stands: %t", step, got)
		}
		if got := l.Leaned(earlier.ID()); got == mayGo {
			t.Errorf("%s: something leans on the earlier one: %t", step, got)
		}
	}
	see := func(backend string) { l.Seen(backend, cart, outside.has, nil) }
	check("before it is claimed", false, true)

	l.Put(want(cart, earlier, later), long)
	l.Take(dc1)
	l.Take(dc2)
	check("claimed, and no backend seen", false, false) // what is not known may be there

	see(dc1)
	dirty(t, l, dc2, cart) // it learns that the pool is not there
	see(dc1)
	dirty(t, l, dc2) // which is no news
	check("neither is there", false, false)

	outside[earlier.ID()] = true
	see(dc1)
	dirty(t, l, dc2, cart)
	check("the earlier one stands", true, false)

	outside[later.ID()] = true
	see(dc2)
	l.Take(dc1)
	check("both stand", true, false)

	l.Put(want(cart), long)
	l.Take(dc1)
	l.Take(dc2)
	check("neither is wanted, both stand", true, false)

	delete(outside, later.ID())
	see(dc2)
	dirty(t, l, dc1, cart) // whose turn it is now
	check("the later one has gone", false, true)
}

func TestAnEdgeThatIsTakenBackBeforeItsObjectWasSeenStays(t *testing.T) {
	t.Parallel()
	l := ledger.New(dc1, dc2)
	earlier := pool(dc1, cart, "round-robin")
	l.Put(want(cart, earlier, virtual(dc2, cart, 80, earlier.ID())), long)
	l.Put(want(cart, earlier), long)
	if !l.Leaned(earlier.ID()) {
		t.Error("what may stand is taken for absent")
	}
	l.Seen(dc2, cart, standing{}.has, nil)
	if l.Leaned(earlier.ID()) {
		t.Error("what was seen to be absent is still taken for there")
	}
}

func TestOrderOfAForgottenService(t *testing.T) {
	t.Parallel()
	l := ledger.New(dc1, dc2)
	earlier := pool(dc1, cart, "round-robin")
	later := virtual(dc2, cart, 80, earlier.ID())
	l.Put(want(cart, earlier, later), long)
	l.Seen(dc2, cart, standing{}.has, nil)
	l.Forget(cart)
	if l.Leaned(earlier.ID()) || l.Standing(earlier.ID()) {
		t.Error("a forgotten Service leaves something behind")
	}
}

// A route leads to its virtual server at one address: that is what the virtual
// server must not leave, whatever route leads to where it goes.
func TestRoutesToAnAddress(t *testing.T) {
	t.Parallel()
	const speaker = "bgp"
	l := ledger.New(dc1, speaker)
	server := virtual(dc1, cart, 80)
	to := func(address string) *state.Route {
		a := netip.MustParseAddr(address)
		return &state.Route{
			Backend: speaker, Prefix: netip.PrefixFrom(a, a.BitLen()), Owner: server.Owner, Follows: []state.ID{server.ID()},
		}
	}
	before, after := to("203.0.113.1"), to("203.0.113.2")
	check := func(step string, old, next bool) {
		t.Helper()
		if got := l.Routed(server.ID(), before.Prefix.Addr()); got != old {
			t.Errorf("%s: a route to the old address stands: %t", step, got)
		}
		if got := l.Routed(server.ID(), after.Prefix.Addr()); got != next {
			t.Errorf("%s: a route to the new address stands: %t", step, got)
		}
	}
	outside := standing{}
	see := func() { l.Seen(speaker, cart, outside.has, nil) }
	l.Put(want(cart, server, before), long)
	check("nothing is seen", true, false)
	outside[before.ID()] = true
	see()
	l.Put(want(cart, server, after), long)
	check("it is to move", true, true)
	outside[after.ID()] = true
	see()
	check("both stand", true, true)
	delete(outside, before.ID())
	see()
	check("the old one is withdrawn", false, true)
}

// Of two ports at one address one moves, goes, or has another name: the route
// that stays leads to the other, and holds up the first no longer.
func TestARouteThatStaysLetsGo(t *testing.T) {
	t.Parallel()
	const speaker = "bgp"
	l := ledger.New(dc1, speaker)
	http, https := virtual(dc1, cart, 80), virtual(dc1, cart, 443)
	a := netip.MustParseAddr("203.0.113.1")
	to := func(servers ...state.ID) *state.Route {
		return &state.Route{Backend: speaker, Prefix: netip.PrefixFrom(a, a.BitLen()), Owner: http.Owner, Follows: servers}
	}
	route := to(http.ID(), https.ID())
	outside := standing{route.ID(): true}
	l.Put(want(cart, http, https, route), long)
	l.Seen(speaker, cart, outside.has, nil)
	if !l.Routed(https.ID(), a) || !l.Leaned(https.ID()) {
		t.Fatal("no route leads to the second port")
	}
	l.Put(want(cart, http, https, to(http.ID())), long)
	l.Seen(speaker, cart, outside.has, nil)
	if l.Routed(https.ID(), a) || l.Leaned(https.ID()) {
		t.Error("the route that leads to the first port keeps the second")
	}
	if !l.Routed(http.ID(), a) || !l.Leaned(http.ID()) {
		t.Error("the route leads to the first port no longer")
	}
}
