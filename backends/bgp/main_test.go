package bgp_test

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"landbridge.dev/backends/bgp"
	"landbridge.dev/config"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/debian"
	"landbridge.dev/testenv/netns"
	"landbridge.dev/testenv/router"
)

// The tests speak with real routers, in a network namespace of their own: each
// test has loopback addresses for itself.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil { // they wait more than they work
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	netns.Main(m, netns.Options{Prepare: func(ctx context.Context) error { return debian.Install(ctx, os.Stderr, router.Packages()...) }})
}

// patience bounds what should take seconds; a test that reaches it has failed.
const patience = time.Minute

const (
	ourASN   = 64512
	theirASN = 64513
)

var (
	us      = state.Identity{Cluster: "test", UID: "0badcafe"}
	cart    = state.Ref{Namespace: "shop", Name: "cart"}
	numbers atomic.Uint32
)

// site is a speaker, and the addresses of one test.
type site struct {
	t      testing.TB
	dir    string
	number byte
	conf   *config.BGP
	// metrics are what the speakers show; nil for nothing.
	metrics *bgp.Metrics
}

func newSite(t testing.TB) *site {
	t.Helper()
	dir, err := os.MkdirTemp("", "landbridge-bgp-") // not t.TempDir: a router without rights has to get there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // what is left is the system's to clean
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	none, shutdown := 0, config.Duration(0)
	return &site{
		t: t, dir: dir, number: byte(numbers.Add(1)),
		conf: &config.BGP{ASN: ourASN, Speakers: config.SpeakersLeader, MaxRoutes: &none, GracefulShutdown: &shutdown},
	}
}

// us is where the speaker is.
func (s *site) us() netip.Addr { return netip.AddrFrom4([4]byte{127, 2, s.number, 1}) }

// them is where the nth router is.
func (s *site) them(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 2, s.number, byte(10 + n)})
}

const port = 1790

// peer is the nth router in the speaker's configuration.
func (s *site) peer(n int, change ...func(*config.Peer)) config.Peer {
	restart := config.Duration(0)
	p := config.Peer{
		Name: fmt.Sprintf("tor-%d", n), Address: s.them(n).String(), Port: port, ASN: theirASN, Multihop: 4, GracefulRestart: &restart,
		HoldTime: config.Duration(9 * time.Second), KeepaliveTime: config.Duration(3 * time.Second), ConnectRetry: config.Duration(time.Second),
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

// neighbor is the speaker in a router's configuration.
func (s *site) neighbor(change ...func(*router.Neighbor)) router.Neighbor {
	n := router.Neighbor{Name: "speaker", Address: s.us(), ASN: ourASN}
	for _, c := range change {
		c(&n)
	}
	return n
}

func (s *site) options(n int, neighbors ...router.Neighbor) router.Options {
	return router.Options{
		Dir: s.dir, Name: fmt.Sprintf("tor-%d", n), Address: s.them(n), Port: port, ASN: theirASN, Neighbors: neighbors,
	}
}

// bird starts the nth router.
func (s *site) bird(n int, change ...func(*router.Neighbor)) *router.BIRD {
	s.t.Helper()
	return s.birdWith(s.options(n, s.neighbor(change...)))
}

func (s *site) birdWith(o router.Options) *router.BIRD {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	b, err := router.StartBIRD(ctx, o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(b.Kill)
	return b
}

// speaker starts a speaker with sessions to these peers.
func (s *site) speaker(peers ...config.Peer) *bgp.Speaker {
	s.t.Helper()
	return s.speakerAt(s.us(), peers...)
}

func (s *site) speakerAt(at netip.Addr, peers ...config.Peer) *bgp.Speaker {
	s.t.Helper()
	conf := *s.conf
	conf.Peers = peers
	speaker := bgp.New(bgp.Options{Config: &conf, Address: at, Log: quiet(s.t), Metrics: s.metrics})
	ctx, cancel := context.WithCancel(context.Background())
	refreshed := make(chan error)
	go func() { refreshed <- speaker.Run(ctx, 100*time.Millisecond) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-refreshed; err != nil {
			s.t.Error(err)
		}
		speaker.Leave()
	})
	return speaker
}

// quiet logs errors only: what is a warning to an operator is a test's daily
// bread.
func quiet(t testing.TB) *zap.Logger {
	if testing.Verbose() {
		return zaptest.NewLogger(t, zaptest.WrapOptions(zap.WithFatalHook(nil)))
	}
	return zap.NewNop()
}

// begun is a speaker whose sessions are open.
func (s *site) begun(peers ...config.Peer) *bgp.Speaker {
	s.t.Helper()
	speaker := s.speaker(peers...)
	if err := speaker.Begin(); err != nil {
		s.t.Fatal(err)
	}
	return speaker
}

// route is a route of ours to the peers tor-1 and tor-2.
func route(prefix string, hops ...string) *state.Route {
	r := &state.Route{
		Backend: state.Speaker, Prefix: netip.MustParsePrefix(prefix), Owner: us.Owner(cart), Peers: []string{"tor-1", "tor-2"},
	}
	for _, h := range hops {
		r.NextHops = append(r.NextHops, state.NextHop{Address: netip.MustParseAddr(h), Via: "node " + h})
	}
	state.SortNextHops(r.NextHops)
	return r
}

// do makes changes, each in a Unit of its own, and wants all of them done.
func do(t testing.TB, b apply.Backend, changes ...plan.Change) {
	t.Helper()
	for _, c := range changes {
		if out := try(t, b, c); out.Status != apply.Done {
			t.Fatalf("%s: %s: %v", c, out.Status, out.Err)
		}
	}
}

func try(t testing.TB, b apply.Backend, c plan.Change) apply.Outcome {
	t.Helper()
	return b.Apply(t.Context(), []apply.Unit{{Service: cart, Changes: []plan.Change{c}}})[0]
}

func create(r *state.Route) plan.Change { return plan.Change{Op: plan.Create, After: r} }
func update(before, r *state.Route) plan.Change {
	return plan.Change{Op: plan.Update, Before: before, After: r}
}
func remove(r *state.Route) plan.Change { return plan.Change{Op: plan.Delete, Before: r} }

// peer is what a router that is asked has in common.
type asked interface {
	Paths(context.Context) ([]router.Path, error)
}

// holds waits until a router holds just these paths.
func holds(t testing.TB, r asked, want ...string) {
	t.Helper()
	var got []string
	eventually(t, func() bool {
		got = table(t, r)
		return slices.Equal(got, want)
	}, func() string { return "(-want +got):\n" + cmp.Diff(want, got) })
}

func table(t testing.TB, r asked) []string {
	t.Helper()
	paths, err := r.Paths(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, p := range paths {
		lines = append(lines, p.String())
	}
	return lines
}

// eventually waits until cond holds.
func eventually(t testing.TB, cond func() bool, why func() string) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %s: %s", patience, why())
		}
	}
}

// established waits until the speaker has a session with each of these peers.
func established(t testing.TB, s *bgp.Speaker, peers ...string) {
	t.Helper()
	eventually(t, func() bool {
		up := 0
		for _, session := range s.Sessions() {
			if session.State == state.Established && len(session.Families) > 0 && slices.Contains(peers, session.Peer) {
				up++
			}
		}
		return up == len(peers)
	}, func() string { return fmt.Sprintf("sessions are %+v", s.Sessions()) })
}

// session is how the session with a peer stands. Once sessions are open, none is
// ever missing, also while one is opened anew.
func session(t testing.TB, s *bgp.Speaker, peer string) state.Session {
	t.Helper()
	all := s.Sessions()
	i := slices.IndexFunc(all, func(n state.Session) bool { return n.Peer == peer })
	if i < 0 {
		t.Fatalf("no session with %s: %+v", peer, all)
	}
	return all[i]
}

// removals are what a BIRD has ever taken away.
func removals(t testing.TB, b *router.BIRD) string {
	t.Helper()
	removed, err := b.Removed()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(slices.DeleteFunc(removed, isLast), "\n")
}
