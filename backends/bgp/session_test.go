package bgp_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"landbridge.dev/backends/bgp"
	"landbridge.dev/config"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/netns"
	"landbridge.dev/testenv/router"
)

// restarts and keeps turn graceful restart on, for 30 s.
func restarts(p *config.Peer) {
	restart := config.Duration(30 * time.Second)
	p.GracefulRestart = &restart
}

func keeps(n *router.Neighbor) { n.Restart = 30 }

// frr starts the nth router as FRR.
func (s *site) frr(n int, change ...func(*router.Neighbor)) *router.FRR {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	f, err := router.StartFRR(ctx, s.options(n, s.neighbor(change...)))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(f.Kill)
	return f
}

func TestFRR(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	several, one := s.frr(1, takesSeveral), s.frr(2)
	speaker := s.begun(s.peer(1, addPaths(8)), s.peer(2, addPaths(8)))
	r := attributed(77)
	r.NextHops = route("203.0.113.10/32", "172.18.0.2", "172.18.0.3").NextHops
	v6 := route("2001:db8::10/128", "fd00:172:18::2")
	do(t, speaker, create(r), create(v6))
	const attributes = " path 64512 64512 64512 med 77 communities 64512:100,64512:1:4294967295,noExport"
	holds(t, several,
		"203.0.113.10/32 via 172.18.0.2"+attributes, "203.0.113.10/32 via 172.18.0.3"+attributes,
		"2001:db8::10/128 via fd00:172:18::2 path 64512")
	carrier := r.Best(1)[0].Address.String()
	holds(t, one, "203.0.113.10/32 via "+carrier+attributes, "2001:db8::10/128 via fd00:172:18::2 path 64512")
	up := session(t, speaker, "tor-1")
	if !slices.Equal(up.Families, []string{"ipv4", "ipv6"}) || !slices.Equal(up.AddPaths, []bool{true, true}) {
		t.Errorf("of tor-1 is known: %+v", up)
	}
	if down := session(t, speaker, "tor-2"); !slices.Equal(down.AddPaths, []bool{false, false}) {
		t.Errorf("of tor-2 is known: %+v", down)
	}
	do(t, speaker, remove(r))
	holds(t, several, "2001:db8::10/128 via fd00:172:18::2 path 64512")
	holds(t, one, "2001:db8::10/128 via fd00:172:18::2 path 64512")
}

func TestSessionOverIPv6(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o := s.options(1, s.neighbor(func(n *router.Neighbor) { n.Address = netip.MustParseAddr("fd00:172:18::a1") }))
	o.Address = netip.MustParseAddr("fd00:172:18::b1")
	tor := s.birdWith(o)
	speaker := s.speakerAt(netip.Addr{}, s.peer(1, func(p *config.Peer) { p.Address, p.LocalAddress = "fd00:172:18::b1", "fd00:172:18::a1" }))
	do(t, speaker, create(route("203.0.113.10/32", "172.18.0.2")), create(route("2001:db8::10/128", "fd00:172:18::2")))
	if err := speaker.Begin(); err != nil {
		t.Fatal(err)
	}
	holds(t, tor, "203.0.113.10/32 via 172.18.0.2 path 64512", "2001:db8::10/128 via fd00:172:18::2 path 64512")
}

func TestPassword(t *testing.T) {
	t.Parallel()
	for name, passive := range map[string]bool{"we call": false, "we are called": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			file := filepath.Join(s.dir, "key")
			write := func(key string) {
				t.Helper()
				if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			tor := s.bird(1, func(n *router.Neighbor) {
				n.Password = "correct horse"
				if passive {
					n.Port = 1791
				}
			})
			speaker := s.speaker(s.peer(1, func(p *config.Peer) {
				p.PasswordFile = file
				if p.Passive = passive; passive {
					p.ListenPort = 1791
				}
			}))
			if err := speaker.Begin(); err == nil {
				t.Error("without the file the session is said to be open")
			}
			do(t, speaker, create(route("203.0.113.10/32", "172.18.0.2")))
			why := func() string { return session(t, speaker, "tor-1").Why }
			eventually(t, func() bool { return strings.Contains(why(), "no such file") }, why)
			write("wrong horse")
			eventually(t, func() bool { return strings.Contains(why(), "or its password is another") }, why)
			if got := table(t, tor); len(got) > 0 {
				t.Fatalf("with a wrong password %q came in", got)
			}
			write("correct horse")
			speaker.Refresh()
			holds(t, tor, "203.0.113.10/32 via 172.18.0.2 path 64512")
		})
	}
}

func TestWrongAS(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.bird(1)
	good := s.bird(2)
	speaker := s.begun(s.peer(1, func(p *config.Peer) { p.ASN = 64999 }), s.peer(2))
	do(t, speaker, create(route("203.0.113.10/32", "172.18.0.2")))
	holds(t, good, "203.0.113.10/32 via 172.18.0.2 path 64512") // whatever the other
	eventually(t, func() bool {
		return strings.Contains(session(t, speaker, "tor-1").Why, "as number mismatch expected 64999, received 64513")
	},
		func() string { return "why is " + session(t, speaker, "tor-1").Why })
}

func TestUnreachablePeer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	speaker := s.begun(s.peer(1))
	eventually(t, func() bool { return strings.Contains(session(t, speaker, "tor-1").Why, "does not answer") },
		func() string { return session(t, speaker, "tor-1").Why })
	r := route("203.0.113.10/32", "172.18.0.2")
	do(t, speaker, create(r))
	tor := s.bird(1)
	holds(t, tor, "203.0.113.10/32 via 172.18.0.2 path 64512")
}

func TestFlap(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	registry := prometheus.NewRegistry()
	s.metrics = bgp.NewMetrics(registry)
	flaps := func(ofFirst int) {
		t.Helper()
		want := fmt.Sprintf(`# HELP landbridge_bgp_session_flaps_total How often the session with a peer went down after it had been up.
# TYPE landbridge_bgp_session_flaps_total counter
landbridge_bgp_session_flaps_total{peer="tor-1"} %d
landbridge_bgp_session_flaps_total{peer="tor-2"} 0
`, ofFirst)
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "landbridge_bgp_session_flaps_total"); err != nil {
			t.Error(err)
		}
	}
	tor, calm := s.bird(1), s.bird(2)
	speaker := s.begun(s.peer(1), s.peer(2))
	flaps(0) // shown before the first, so that it is an increase
	r := route("203.0.113.10/32", "172.18.0.2")
	do(t, speaker, create(r))
	const path = "203.0.113.10/32 via 172.18.0.2 path 64512"
	holds(t, tor, path)
	holds(t, calm, path)
	for range 2 {
		if _, err := tor.Do("disable speaker"); err != nil {
			t.Fatal(err)
		}
		holds(t, tor)
		if _, err := tor.Do("enable speaker"); err != nil {
			t.Fatal(err)
		}
		holds(t, tor, path)
	}
	if got := session(t, speaker, "tor-1"); got.Flaps != 2 {
		t.Errorf("after two flaps: %+v", got)
	}
	flaps(2)
	if gone := removals(t, calm); gone != "" {
		t.Errorf("the other router lost %s", gone)
	}
}

// A router that hangs holds up no other, and is told all when it comes back.
func TestStalledPeer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tor, calm := s.bird(1, func(n *router.Neighbor) { n.HoldTime = 3 }), s.bird(2)
	speaker := s.begun(s.peer(1, func(p *config.Peer) {
		p.HoldTime, p.KeepaliveTime = config.Duration(3*time.Second), config.Duration(time.Second)
	}), s.peer(2))
	r := route("203.0.113.10/32", "172.18.0.2")
	do(t, speaker, create(r))
	holds(t, tor, "203.0.113.10/32 via 172.18.0.2 path 64512")
	if err := tor.Pause(); err != nil {
		t.Fatal(err)
	}
	next := route("203.0.113.10/32", "172.18.0.3")
	began := time.Now()
	do(t, speaker, update(r, next))
	holds(t, calm, "203.0.113.10/32 via 172.18.0.3 path 64512")
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the other router was told after %s", took)
	}
	eventually(t, func() bool { return session(t, speaker, "tor-1").State == state.Connecting }, func() string { return "the session stays up" })
	if err := tor.Resume(); err != nil {
		t.Fatal(err)
	}
	holds(t, tor, "203.0.113.10/32 via 172.18.0.3 path 64512")
}

// A next hop that the router cannot resolve is the router's to refuse: the
// session stays, and the other routes.
func TestUnresolvableNextHop(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tor := s.bird(1)
	speaker := s.begun(s.peer(1))
	do(t, speaker, create(route("203.0.113.10/32", "192.0.2.77")), create(route("203.0.113.11/32", "172.18.0.2")))
	holds(t, tor, "203.0.113.10/32 via 192.0.2.77 path 64512", "203.0.113.11/32 via 172.18.0.2 path 64512")
	if got := session(t, speaker, "tor-1"); got.State != state.Established || got.Flaps != 0 {
		t.Errorf("%+v", got)
	}
}

// A router that is directly connected takes only next hops that it is connected
// to as well; another is refused there, and disturbs nothing.
func TestUnresolvableNextHopOfADirectPeer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	here, there := netip.MustParsePrefix("172.29.1.1/24"), netip.MustParsePrefix("172.29.1.2/24")
	host, err := netns.NewHost("direct", here, there)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(host.Close)
	o := s.options(1, s.neighbor(func(n *router.Neighbor) { n.Address, n.Direct = here.Addr(), true }))
	o.Address, o.On = there.Addr(), host
	tor := s.birdWith(o)
	speaker := s.speakerAt(here.Addr(), s.peer(1, func(p *config.Peer) { p.Address, p.Multihop = there.Addr().String(), 0 }))
	if err := speaker.Begin(); err != nil {
		t.Fatal(err)
	}
	bad := route("203.0.113.10/32", "192.0.2.77")
	do(t, speaker, create(bad), create(route("203.0.113.11/32", "172.29.1.77"))) // they come in this order
	const good = "203.0.113.11/32 via 172.29.1.77 path 64512"
	holds(t, tor, good)
	do(t, speaker, update(bad, route("203.0.113.10/32", "172.29.1.78")))
	holds(t, tor, "203.0.113.10/32 via 172.29.1.78 path 64512", good)
	if got := session(t, speaker, "tor-1"); got.State != state.Established || got.Flaps != 0 {
		t.Errorf("%+v", got)
	}
}

// The router's limit ends the session; it is said, and comes back with the
// router.
func TestPeersPrefixLimit(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tor := s.bird(1, func(n *router.Neighbor) { n.MaxPrefixes = 1 })
	speaker := s.begun(s.peer(1))
	a, b := route("203.0.113.10/32", "172.18.0.2"), route("203.0.113.11/32", "172.18.0.2")
	do(t, speaker, create(a))
	holds(t, tor, "203.0.113.10/32 via 172.18.0.2 path 64512")
	do(t, speaker, create(b))
	eventually(t, func() bool {
		why := session(t, speaker, "tor-1").Why
		return strings.Contains(why, "received notification") && strings.Contains(why, "prefix")
	}, func() string { return session(t, speaker, "tor-1").Why })
	do(t, speaker, remove(b))
	if _, err := tor.Do("enable speaker"); err != nil {
		t.Fatal(err)
	}
	holds(t, tor, "203.0.113.10/32 via 172.18.0.2 path 64512")
}

// A speaker that leaves and one that comes: the routers lose nothing, but what
// is not announced any more. One of three is down meanwhile.
func TestGracefulRestart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	bird, frr := s.bird(1, keeps), s.frr(2, keeps)
	dead := s.bird(3, keeps)
	peers := []config.Peer{s.peer(1, restarts), s.peer(2, restarts), s.peer(3, restarts)}
	first := s.speaker(peers...)
	var paths []string
	for _, prefix := range []string{"203.0.113.10/32", "203.0.113.11/32", "203.0.113.12/32"} {
		r := route(prefix, "172.18.0.2")
		r.Peers = []string{"tor-1", "tor-2", "tor-3"}
		do(t, first, create(r))
		paths = append(paths, prefix+" via 172.18.0.2 path 64512")
	}
	if err := first.Begin(); err != nil {
		t.Fatal(err)
	}
	for _, r := range []asked{bird, frr, dead} {
		holds(t, r, paths...)
	}
	eventually(t, func() bool {
		return session(t, first, "tor-1").GracefulRestart && session(t, first, "tor-2").GracefulRestart
	},
		func() string { return "graceful restart is not agreed on" })
	dead.Kill()
	first.Leave()
	eventually(t, func() bool {
		session, err := bird.Session(t.Context(), "speaker")
		return err == nil && !session.Established
	}, func() string { return "BIRD takes the session for up" })
	for _, r := range []asked{bird, frr} {
		holds(t, r, paths...)
	}

	second := s.speaker(peers...)
	for _, prefix := range []string{"203.0.113.10/32", "203.0.113.11/32"} {
		r := route(prefix, "172.18.0.2")
		r.Peers = []string{"tor-1", "tor-2", "tor-3"}
		do(t, second, create(r))
	}
	if err := second.Begin(); err != nil {
		t.Fatal(err)
	}
	holds(t, bird, paths[:2]...)
	holds(t, frr, paths[:2]...)
	if gone := strings.Split(removals(t, bird), "\n"); len(gone) != 1 || !strings.HasPrefix(gone[0], "203.0.113.12/32") {
		t.Errorf("BIRD lost %q, want the one that is not announced any more", gone)
	}
}

// At the end of a speaker that does not come back its routes are announced as
// leaving (RFC 8326), withdrawn, and then the session is closed.
func TestRetire(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	shutdown := config.Duration(2 * time.Second)
	s.conf.GracefulShutdown = &shutdown
	bird, frr := s.bird(1, keeps), s.frr(2, keeps)
	speaker := s.begun(s.peer(1, restarts), s.peer(2, restarts))
	do(t, speaker, create(route("203.0.113.10/32", "172.18.0.2")))
	holds(t, bird, "203.0.113.10/32 via 172.18.0.2 path 64512")
	holds(t, frr, "203.0.113.10/32 via 172.18.0.2 path 64512")
	retired := make(chan struct{})
	go func() {
		defer close(retired)
		speaker.Retire(t.Context())
	}()
	eventually(t, func() bool {
		return slices.Equal(table(t, bird), []string{"203.0.113.10/32 via 172.18.0.2 path 64512 communities 65535:0"})
	}, func() string { return "not announced as leaving" })
	holds(t, bird)
	holds(t, frr)
	<-retired
}

// One route that goes as planned is announced as leaving first.
func TestPlannedWithdrawal(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	shutdown := config.Duration(6 * time.Second) // FRR is asked by a program that is started each time
	s.conf.GracefulShutdown = &shutdown
	frr := s.frr(1)
	speaker := s.begun(s.peer(1))
	r := route("203.0.113.10/32", "172.18.0.2")
	do(t, speaker, create(r))
	holds(t, frr, "203.0.113.10/32 via 172.18.0.2 path 64512")
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		do(t, speaker, remove(r))
	}()
	var leaving string
	eventually(t, func() bool {
		paths, err := frr.Paths(t.Context())
		if err != nil || len(paths) != 1 {
			return false
		}
		leaving = paths[0].String()
		return paths[0].LocalPref == "0" // FRR knows RFC 8326
	}, func() string { return leaving })
	<-gone
	holds(t, frr)
}
