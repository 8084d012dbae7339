package bgp_test

import (
	"context"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	gobgplog "github.com/osrg/gobgp/v3/pkg/log"
	"github.com/osrg/gobgp/v3/pkg/server"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"landbridge.dev/config"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/router"
)

// manyRoutes is how many the benchmarks announce.
const manyRoutes = 25_000

// bare is GoBGP as it comes: one server for all peers, at the second address of
// a site.
type bare struct {
	t      testing.TB
	server *server.BgpServer
}

func (s *site) bare(peers ...int) *bare {
	s.t.Helper()
	at := s.us().Next()
	b := &bare{t: s.t, server: server.NewBgpServer(server.LoggerOption(silent{}))}
	go b.server.Serve()
	ctx := s.t.Context()
	global := &api.Global{Asn: ourASN, RouterId: at.String(), ListenPort: -1}
	if err := b.server.StartBgp(ctx, &api.StartBgpRequest{Global: global}); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = b.server.StopBgp(context.Background(), &api.StopBgpRequest{}) }) // it never fails
	for _, n := range peers {
		err := b.server.AddPeer(ctx, &api.AddPeerRequest{Peer: &api.Peer{
			Conf:         &api.PeerConf{NeighborAddress: s.them(n).String(), PeerAsn: theirASN},
			Timers:       &api.Timers{Config: &api.TimersConfig{ConnectRetry: 1}},
			Transport:    &api.Transport{LocalAddress: at.String(), RemotePort: port},
			EbgpMultihop: &api.EbgpMultihop{Enabled: true, MultihopTtl: 4},
		}})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return b
}

func packed(t testing.TB, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (b *bare) path(r *state.Route) *api.Path {
	return &api.Path{
		Family: &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST},
		Nlri:   packed(b.t, &api.IPAddressPrefix{Prefix: r.Prefix.Addr().String(), PrefixLen: 32}),
		Pattrs: []*anypb.Any{
			packed(b.t, &api.OriginAttribute{}), packed(b.t, &api.NextHopAttribute{NextHop: r.NextHops[0].Address.String()}),
		},
	}
}

func (b *bare) announce(routes []*state.Route) {
	for _, r := range routes {
		if _, err := b.server.AddPath(b.t.Context(), &api.AddPathRequest{Path: b.path(r)}); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bare) withdraw(routes []*state.Route) {
	for _, r := range routes {
		p := b.path(r)
		p.IsWithdraw = true
		if err := b.server.DeletePath(b.t.Context(), &api.DeletePathRequest{Family: p.Family, Path: p}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// count waits until each of the routers holds so many routes.
func count(t testing.TB, want int, routers ...*router.BIRD) {
	t.Helper()
	for _, r := range routers {
		eventually(t, func() bool {
			n, err := r.Count(t.Context())
			return err == nil && n == want
		}, func() string { return "the routes do not come, or do not go" })
	}
}

// BenchmarkAnnounce announces 25,000 routes to two BIRDs that have sessions, and
// with bare GoBGP to two others: until all are in all tables.
func BenchmarkAnnounce(b *testing.B) {
	s := newSite(b)
	elsewhere := func(n *router.Neighbor) { n.Address = s.us().Next() }
	ours, theirs := []*router.BIRD{s.bird(1), s.bird(2)}, []*router.BIRD{s.bird(3, elsewhere), s.bird(4, elsewhere)}
	plain := s.bare(3, 4)
	speaker := s.begun(s.peer(1), s.peer(2))
	established(b, speaker, "tor-1", "tor-2")
	for _, r := range theirs {
		eventually(b, func() bool {
			session, err := r.Session(b.Context(), "speaker")
			return err == nil && session.Established
		}, func() string { return "the bare session does not come up" })
	}
	routes := many("10.0.0.0", manyRoutes)
	var took, bareTook time.Duration
	before := heap()
	var held int64
	for b.Loop() {
		began := time.Now()
		all(b, speaker, changes(create, routes))
		count(b, manyRoutes, ours...)
		took += time.Since(began)
		if held == 0 {
			held = heap() - before
		}
		began = time.Now()
		plain.announce(routes)
		count(b, manyRoutes, theirs...)
		bareTook += time.Since(began)
		all(b, speaker, changes(remove, routes))
		plain.withdraw(routes)
		count(b, 0, append(ours, theirs...)...)
	}
	b.ReportMetric(took.Seconds()/float64(b.N), "s/announce")
	b.ReportMetric(bareTook.Seconds()/float64(b.N), "bare-s/announce")
	b.ReportMetric(took.Seconds()/bareTook.Seconds(), "ratio")
	b.ReportMetric(float64(held)/manyRoutes, "heap-B/route")
}

// BenchmarkRestart has a speaker with 25,000 routes to two routers die, and
// another take over, while one of the routers is down: the one that stays up
// loses nothing.
func BenchmarkRestart(b *testing.B) {
	s := newSite(b)
	tor, dead := s.bird(1, keeps), s.bird(2, keeps)
	peers := []config.Peer{s.peer(1, restarts), s.peer(2, restarts)}
	routes := many("10.0.0.0", manyRoutes)
	speaker := s.begun(peers...)
	all(b, speaker, changes(create, routes))
	count(b, manyRoutes, tor, dead)
	dead.Kill()
	var took time.Duration
	for b.Loop() {
		received, err := tor.Received()
		if err != nil {
			b.Fatal(err)
		}
		speaker.Leave()
		began := time.Now()
		speaker = s.speaker(peers...)
		all(b, speaker, changes(create, routes))
		if err := speaker.Begin(); err != nil {
			b.Fatal(err)
		}
		eventually(b, func() bool {
			again, err := tor.Received()
			return err == nil && len(again) >= len(received)+manyRoutes
		}, func() string { return "the routes are not told again" })
		took += time.Since(began)
		if gone := removals(b, tor); gone != "" {
			b.Fatalf("the router lost routes: %.200s", gone)
		}
		count(b, manyRoutes, tor)
	}
	b.ReportMetric(took.Seconds()/float64(b.N), "s/restart")
}

// silent is GoBGP's logger for what says nothing.
type silent struct{}

func (silent) Panic(string, gobgplog.Fields) {}
func (silent) Fatal(string, gobgplog.Fields) {}
func (silent) Error(string, gobgplog.Fields) {}
func (silent) Warn(string, gobgplog.Fields)  {}
func (silent) Info(string, gobgplog.Fields)  {}
func (silent) Debug(string, gobgplog.Fields) {}
func (silent) SetLevel(gobgplog.LogLevel)    {}
func (silent) GetLevel() gobgplog.LogLevel   { return gobgplog.ErrorLevel }
