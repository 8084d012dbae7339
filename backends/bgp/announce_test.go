package bgp_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"landbridge.dev/config"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/router"
)

func addPaths(n int) func(*config.Peer) { return func(p *config.Peer) { p.AddPaths = n } }
func takesSeveral(n *router.Neighbor)   { n.AddPaths = true }

func TestAnnounceReplaceWithdraw(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tor := s.bird(1, takesSeveral)
	speaker := s.begun(s.peer(1, addPaths(8)))
	v4, v6 := route("203.0.113.10/32", "172.18.0.2", "172.18.0.3"), route("2001:db8::10/128", "fd00:172:18::2", "fd00:172:18::3")
	do(t, speaker, create(v4), create(v6))
	holds(t, tor,
		"203.0.113.10/32 via 172.18.0.2 path 64512", "203.0.113.10/32 via 172.18.0.3 path 64512",
		"2001:db8::10/128 via fd00:172:18::2 path 64512", "2001:db8::10/128 via fd00:172:18::3 path 64512")

	other := route("203.0.113.10/32", "172.18.0.3", "172.18.0.4")
	do(t, speaker, update(v4, other))
	holds(t, tor,
		"203.0.113.10/32 via 172.18.0.3 path 64512", "203.0.113.10/32 via 172.18.0.4 path 64512",
		"2001:db8::10/128 via fd00:172:18::2 path 64512", "2001:db8::10/128 via fd00:172:18::3 path 64512")

	do(t, speaker, remove(v6), update(other, route("203.0.113.10/32")))
	holds(t, tor) // without a next hop it is not announced
	do(t, speaker, update(route("203.0.113.10/32"), v4))
	holds(t, tor, "203.0.113.10/32 via 172.18.0.2 path 64512", "203.0.113.10/32 via 172.18.0.3 path 64512")
}

// attributed is a route with every attribute.
func attributed(med uint32) *state.Route {
	r, preference := route("203.0.113.10/32", "172.18.0.2"), uint32(250)
	r.Communities = []string{"64512:1:4294967295", "64512:100", "no-export"}
	r.MED, r.LocalPreference, r.Prepend = &med, &preference, 2
	return r
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	t.Run("eBGP", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		tor := s.bird(1)
		speaker := s.begun(s.peer(1))
		do(t, speaker, create(attributed(77)))
		holds(t, tor, "203.0.113.10/32 via 172.18.0.2 path 64512 64512 64512 med 77 communities 64512:100,64512:1:4294967295,65535:65281")
		do(t, speaker, update(attributed(77), attributed(78)))
		holds(t, tor, "203.0.113.10/32 via 172.18.0.2 path 64512 64512 64512 med 78 communities 64512:100,64512:1:4294967295,65535:65281")
	})
	t.Run("iBGP", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		o := s.options(1, s.neighbor(takesSeveral))
		o.ASN = ourASN
		tor := s.birdWith(o)
		speaker := s.begun(s.peer(1, addPaths(4), func(p *config.Peer) { p.ASN, p.Multihop = ourASN, 0 }))
		r := attributed(77)
		r.NextHops = route("203.0.113.10/32", "172.18.0.2", "172.18.0.3").NextHops
		r.Prepend = 0
		do(t, speaker, create(r))
		holds(t, tor,
			"203.0.113.10/32 via 172.18.0.2 path  med 77 communities 64512:100,64512:1:4294967295,65535:65281",
			"203.0.113.10/32 via 172.18.0.3 path  med 77 communities 64512:100,64512:1:4294967295,65535:65281")
		paths, err := tor.Paths(t.Context())
		if err != nil || paths[0].LocalPref != "250" || paths[1].LocalPref != "250" {
			t.Errorf("local preferences differ, which would end ECMP, or are not as asked: %+v, %v", paths, err)
		}
	})
	t.Run("numbers of four bytes", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.conf.ASN = 4200000000
		tor := s.bird(1, func(n *router.Neighbor) { n.ASN = 4200000000 })
		do(t, s.begun(s.peer(1)), create(route("203.0.113.10/32", "172.18.0.2")))
		holds(t, tor, "203.0.113.10/32 via 172.18.0.2 path 4200000000")
	})
}

func TestPeersOfARoute(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	one, two := s.bird(1), s.bird(2)
	speaker := s.begun(s.peer(1), s.peer(2))
	both, only := route("203.0.113.10/32", "172.18.0.2"), route("203.0.113.11/32", "172.18.0.2")
	only.Peers = []string{"tor-2"}
	do(t, speaker, create(both), create(only))
	holds(t, one, "203.0.113.10/32 via 172.18.0.2 path 64512")
	holds(t, two, "203.0.113.10/32 via 172.18.0.2 path 64512", "203.0.113.11/32 via 172.18.0.2 path 64512")
	moved := *only
	moved.Peers = []string{"tor-1"}
	do(t, speaker, update(only, &moved))
	holds(t, one, "203.0.113.10/32 via 172.18.0.2 path 64512", "203.0.113.11/32 via 172.18.0.2 path 64512")
	holds(t, two, "203.0.113.10/32 via 172.18.0.2 path 64512")
}

// nodes are so many addresses of nodes.
func nodes(n int) []string {
	var all []string
	a := netip.MustParseAddr("172.18.0.2")
	for range n {
		all = append(all, a.String())
		a = a.Next()
	}
	return all
}

// A router that takes one path of a prefix has one that is always the same,
// whether it says so before (configured) or only when it connects.
func TestOneStableNextHop(t *testing.T) {
	t.Parallel()
	for name, several := range map[string]int{"configured for one": 0, "the peer takes one": 8} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			tor := s.bird(1)
			speaker := s.begun(s.peer(1, addPaths(several)))
			r := route("203.0.113.10/32", nodes(5)...)
			carrier := r.Best(1)[0].Address.String()
			do(t, speaker, create(r))
			want := "203.0.113.10/32 via " + carrier + " path 64512"
			holds(t, tor, want)

			before := updates(t, tor)
			left := r
			for i := range 5 { // the others leave one by one, and come back
				if hop := r.NextHops[i].Address.String(); hop != carrier {
					hops := slices.DeleteFunc(nodes(5), func(h string) bool { return h == hop })
					next := route("203.0.113.10/32", hops...)
					do(t, speaker, update(left, next))
					left = next
				}
			}
			do(t, speaker, update(left, r))
			settled(t, speaker, tor)
			if got := updates(t, tor); got != before {
				t.Errorf("%d UPDATEs for next hops that do not carry the prefix", got-before)
			}
			rest := slices.DeleteFunc(nodes(5), func(h string) bool { return h == carrier })
			next := route("203.0.113.10/32", rest...)
			do(t, speaker, update(r, next))
			holds(t, tor, "203.0.113.10/32 via "+next.Best(1)[0].Address.String()+" path 64512")
			if gone := removals(t, tor); gone != "" {
				t.Errorf("the prefix was gone for a moment:\n%s", gone)
			}
		})
	}
}

// settled waits until a router has been told all that was asked so far: of a
// prefix that is announced last.
func settled(t *testing.T, speaker apply.Backend, tor *router.BIRD) {
	t.Helper()
	last := route("203.0.113.255/32", "172.18.0.200")
	do(t, speaker, create(last))
	eventually(t, func() bool { return slices.ContainsFunc(table(t, tor), isLast) }, func() string { return "the last route does not come" })
	do(t, speaker, remove(last))
	eventually(t, func() bool { return !slices.ContainsFunc(table(t, tor), isLast) }, func() string { return "the last route does not go" })
}

func isLast(path string) bool { return strings.HasPrefix(path, "203.0.113.255/32") }

// updates is how many routes a BIRD has taken in, without those of settled.
func updates(t *testing.T, tor *router.BIRD) int {
	t.Helper()
	received, err := tor.Received()
	if err != nil {
		t.Fatal(err)
	}
	return len(slices.DeleteFunc(received, isLast))
}

func TestNoUpdateForNoChange(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tor := s.bird(1, takesSeveral)
	speaker := s.begun(s.peer(1, addPaths(8)))
	r := route("203.0.113.10/32", nodes(3)...)
	do(t, speaker, create(r))
	settled(t, speaker, tor)
	before := updates(t, tor)
	for range 10 {
		do(t, speaker, update(r, r), create(r))
	}
	settled(t, speaker, tor)
	if got := updates(t, tor); got != before {
		t.Errorf("%d UPDATEs, and nothing has changed", got-before)
	}
}

// 300 nodes, and a peer can be told of 255 next hops at most (RFC 7911's paths
// are many, GoBGP's limit is a byte); each that leaves makes room for another.
func TestMoreNextHopsThanFit(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tor, few := s.bird(1, takesSeveral), s.bird(2, takesSeveral)
	speaker := s.begun(s.peer(1, addPaths(255)), s.peer(2, addPaths(2)))
	all := route("203.0.113.10/32", nodes(300)...)
	do(t, speaker, create(all))
	counts := func(r *router.BIRD, want int) {
		t.Helper()
		eventually(t, func() bool { return len(table(t, r)) == want }, func() string { return fmt.Sprintf("holds %d of %d", len(table(t, r)), want) })
	}
	counts(tor, 255)
	counts(few, 2)
	for _, r := range []*router.BIRD{tor, few} { // a refresh must not bring more
		if _, err := r.Do("reload in speaker"); err != nil {
			t.Fatal(err)
		}
	}
	settled(t, speaker, tor)
	settled(t, speaker, few)
	counts(tor, 255)
	counts(few, 2)
	do(t, speaker, update(all, route("203.0.113.10/32", nodes(200)...)))
	counts(tor, 200)
	counts(few, 2)
}

func TestSharedAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tor := s.bird(1)
	speaker := s.begun(s.peer(1))
	shared := func(service, path string) *state.Route {
		r := route("203.0.113.10/32", "198.51.100.10")
		r.Owner.Service.Name = service
		r.Follows = []state.ID{{Backend: "bigip/dc1", Kind: state.KindVirtualServer, Name: path}}
		return r
	}
	a, b := shared("a", "/web/a"), shared("b", "/web/b")
	do(t, speaker, create(a), create(b))
	holds(t, tor, "203.0.113.10/32 via 198.51.100.10 path 64512")
	before := updates(t, tor)
	do(t, speaker, remove(a))
	settled(t, speaker, tor)
	if got := updates(t, tor); got != before || len(table(t, tor)) != 1 {
		t.Errorf("the other Service's route was touched: %d UPDATEs, %q", got-before, table(t, tor))
	}
	if out := try(t, speaker, create(route("203.0.113.10/32", "172.18.0.2"))); out.Reason != "AddressInUse" {
		t.Errorf("a Service on nodes at the same address: %+v", out)
	}
	nodes := route("203.0.113.10/32", "172.18.0.2")
	nodes.Owner = b.Owner
	do(t, speaker, create(nodes)) // its own moves from a BIG-IP to nodes
	do(t, speaker, remove(b))
	holds(t, tor, "203.0.113.10/32 via 172.18.0.2 path 64512")
	if gone := removals(t, tor); gone != "" {
		t.Errorf("by the move the router lost %s", gone)
	}
	do(t, speaker, remove(nodes))
	holds(t, tor)
}

// Refused before GoBGP sees it: FRR ends the session over a next hop like
// these.
func TestBadNextHops(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	speaker := s.speaker(s.peer(1))
	for _, r := range []*state.Route{
		route("203.0.113.10/32", "127.0.0.1"), route("203.0.113.10/32", "0.0.0.0"), route("203.0.113.10/32", "224.0.0.5"),
		route("203.0.113.10/32", "fd00:172:18::2"), route("2001:db8::1/128", "172.18.0.2"), route("2001:db8::1/128", "fe80::1"),
		route("203.0.113.10/32", "255.255.255.255"),
	} {
		if out := try(t, speaker, create(r)); out.Status != apply.Refused || out.Reason != "BadNextHop" {
			t.Errorf("%v: %+v", r.NextHops, out)
		}
	}
}

func TestRouteLimit(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	limit := 2
	s.conf.MaxRoutes = &limit
	s.conf.NeverAnnounce = []config.Prefix{{Prefix: netip.MustParsePrefix("10.0.0.0/8")}}
	speaker := s.speaker(s.peer(1))
	a, b, c := route("203.0.113.1/32", "172.18.0.2"), route("203.0.113.2/32", "172.18.0.2"), route("203.0.113.3/32", "172.18.0.2")
	do(t, speaker, create(a), create(b))
	if out := try(t, speaker, create(c)); out.Status != apply.Refused || out.Reason != "RouteLimit" {
		t.Errorf("one more than the limit: %+v", out)
	}
	do(t, speaker, update(b, route("203.0.113.2/32", "172.18.0.3")), remove(a), create(c))
	if out := try(t, speaker, create(route("10.1.0.0/24", "172.18.0.2"))); out.Reason != "NeverAnnounced" {
		t.Errorf("never announced: %+v", out)
	}
}

// A Unit that is cut announces nothing more.
func TestCancelled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	speaker := s.speaker()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out := speaker.Apply(ctx, []apply.Unit{{Service: cart, Changes: nil}, {Service: cart, Changes: nil}})
	if len(out) != 2 {
		t.Errorf("%d outcomes of two Units", len(out))
	}
}
