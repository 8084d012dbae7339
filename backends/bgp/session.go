package bgp

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"go.uber.org/zap"

	"landbridge.dev/config"
	"landbridge.dev/sync/state"
)

// session is one peer and the server that speaks with it.
type session struct {
	speaker *Speaker
	conf    atomic.Pointer[config.Peer]
	ibgp    bool
	local   netip.Addr // source of the session; zero for the kernel's choice
	key     string     // MD5; never shown
	server  *loop
	log     *zap.Logger
	unwatch context.CancelFunc

	mu      sync.Mutex // changes of the server's table take turns
	has     map[netip.Prefix]entry
	spent   map[netip.Prefix]struct{} // once announced, and withdrawn: the server keeps a little of each
	several [2]bool                   // whether the peer takes several paths, by family; a guess before it has said
	phase   phase

	saying sync.Mutex
	state  state.Session
	conn   connection
}

// deferral is how long a peer that has kept our routes is waited for to end its
// own table (RFC 4724 section 4.1): a BIRD takes up to three seconds.
const deferral = 3

// peer is the peer as it is configured by now.
func (n *session) peer() config.Peer { return *n.conf.Load() }

// newSession makes a session of the system asn that is not told of anything
// yet: begin starts it.
func newSession(s *Speaker, asn uint32, p config.Peer) *session {
	n := &session{
		speaker: s, has: map[netip.Prefix]entry{}, spent: map[netip.Prefix]struct{}{},
		log: s.Log.With(zap.String("peer", p.Name)),
	}
	n.conf.Store(&p)
	n.ibgp = p.ASN == asn
	n.several = [2]bool{p.AddPaths > 0, p.AddPaths > 0}
	n.state = state.Session{Peer: p.Name, Address: p.Address, ASN: p.ASN, State: state.Connecting, Since: time.Now()}
	return n
}

// begin starts the session's server, fills its table and lets it connect. After
// an error the session shows why, and can be begun again.
func (n *session) begin() error {
	n.speaker.Metrics.begin(n.peer().Name)
	if err := n.start(); err != nil {
		n.log.Error("session not opened", zap.Error(err))
		n.said(err.Error())
		return fmt.Errorf("peer %s: %w", n.peer().Name, err)
	}
	n.said("")
	n.mu.Lock()
	n.phase = talking
	n.mu.Unlock()
	n.open()
	return nil
}

// start makes the session's server, which has no peer yet.
func (n *session) start() (err error) {
	s, p := n.speaker, n.peer()
	conf := s.settings()
	if n.local, err = n.source(s.Address); err != nil {
		return err
	}
	if n.key, err = password(p); err != nil {
		return err
	}
	global := &api.Global{Asn: conf.ASN, RouterId: routerID(conf, s.Address, n.local), ListenPort: -1}
	if p.Passive {
		global.ListenPort = int32(p.ListenPort)
		global.ListenAddresses = []string{n.local.String()}
	}
	if n.server == nil { // and not one that could not be started before
		n.server = newLoop(&logger{to: n.log, said: n.said})
	}
	if err := loops.start(context.Background(), n.server, global); err != nil {
		return err
	}
	return n.refuseImports()
}

// begun says whether begin has been through.
func (n *session) begun() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.phase != asleep
}

// source is the address that the session is made from.
func (n *session) source(own netip.Addr) (netip.Addr, error) {
	peer, err := netip.ParseAddr(n.peer().Address)
	if err != nil {
		return netip.Addr{}, err
	}
	switch {
	case n.peer().LocalAddress != "":
		return netip.ParseAddr(n.peer().LocalAddress)
	case own.IsValid() && own.Is4() == peer.Is4():
		return own, nil
	case n.peer().Passive && peer.Is4():
		return netip.IPv4Unspecified(), nil
	case n.peer().Passive:
		return netip.IPv6Unspecified(), nil
	}
	return netip.Addr{}, nil
}

// routerID is what tells us from other speakers: the configured one, this
// replica's address, or what is derived from the session's own.
func routerID(conf *config.BGP, own, local netip.Addr) string {
	if conf.RouterID != "" {
		return conf.RouterID
	}
	for _, a := range []netip.Addr{own, local, outbound()} {
		if a.Is4() && !a.IsUnspecified() {
			return a.String()
		}
	}
	for _, a := range []netip.Addr{own, local} {
		if a.Is6() && !a.IsUnspecified() { // four bytes that differ as the addresses do
			b := a.As16()
			return netip.AddrFrom4([4]byte{240 | b[12]&15, b[13], b[14], b[15]}).String()
		}
	}
	return "192.0.0.8" // a host without any address has no session either (RFC 7600)
}

// password reads the key of TCP MD5.
func password(p config.Peer) (string, error) {
	if p.PasswordFile == "" {
		return "", nil
	}
	raw, err := os.ReadFile(p.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("passwordFile: %w", err)
	}
	key := strings.TrimRight(string(raw), "\r\n")
	if key == "" || len(key) > 80 {
		return "", fmt.Errorf("passwordFile %s: must hold 1 to 80 bytes, and holds %d", p.PasswordFile, len(key))
	}
	return key, nil
}

// open fills the server's table, then lets the session come up: the peer is
// told all of it at once.
func (n *session) open() {
	for _, p := range n.speaker.prefixes() {
		n.sync(p)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.unwatch = cancel
	err := n.server.WatchEvent(ctx, &api.WatchEventRequest{Peer: &api.WatchEventRequest_Peer{}}, n.event)
	if err == nil {
		err = n.server.AddPeer(ctx, &api.AddPeerRequest{Peer: n.neighbor()})
	}
	if err != nil {
		n.log.Error("session not opened", zap.Error(err))
		n.said(err.Error())
	}
}

// neighbor is the peer in GoBGP's words.
func (n *session) neighbor() *api.Peer {
	p := n.peer()
	peer := &api.Peer{
		Conf: &api.PeerConf{NeighborAddress: p.Address, PeerAsn: p.ASN, AuthPassword: n.key},
		Timers: &api.Timers{Config: &api.TimersConfig{
			HoldTime: seconds(p.HoldTime), KeepaliveInterval: seconds(p.KeepaliveTime),
			ConnectRetry: seconds(p.ConnectRetry), IdleHoldTimeAfterReset: 1,
		}},
		Transport: &api.Transport{RemotePort: uint32(p.Port), PassiveMode: p.Passive},
	}
	if n.local.IsValid() {
		peer.Transport.LocalAddress = n.local.String()
	}
	if p.Multihop > 0 {
		peer.EbgpMultihop = &api.EbgpMultihop{Enabled: true, MultihopTtl: uint32(p.Multihop)}
	}
	restart := p.Restart() > 0
	if restart {
		peer.GracefulRestart = &api.GracefulRestart{
			Enabled: true, RestartTime: uint32(seconds(*p.GracefulRestart)), DeferralTime: deferral,
			NotificationEnabled: true, LocalRestarting: true,
		}
	}
	for _, f := range []*api.Family{ipv4(), ipv6()} {
		family := &api.AfiSafi{
			Config:            &api.AfiSafiConfig{Family: f, Enabled: true},
			MpGracefulRestart: &api.MpGracefulRestart{Config: &api.MpGracefulRestartConfig{Enabled: restart}},
		}
		if p.AddPaths > 0 {
			// We keep to AddPaths ourselves: GoBGP's limit does not hold for the
			// first table and for a refresh (server.go getBestFromLocal).
			family.AddPaths = &api.AddPaths{Config: &api.AddPathsConfig{SendMax: 255}}
		}
		peer.AfiSafis = append(peer.AfiSafis, family)
	}
	return peer
}

func seconds(d config.Duration) uint64 { return uint64(time.Duration(d) / time.Second) }

// refuseImports takes no route of a peer: we only announce.
func (n *session) refuseImports() error {
	ctx := context.Background()
	const name = "ours"
	ours := &api.Policy{Name: name, Statements: []*api.Statement{{
		Name:       name,
		Conditions: &api.Conditions{RouteType: api.Conditions_ROUTE_TYPE_LOCAL},
		Actions:    &api.Actions{RouteAction: api.RouteAction_ACCEPT},
	}}}
	if err := n.server.AddPolicy(ctx, &api.AddPolicyRequest{Policy: ours}); err != nil {
		return fmt.Errorf("import policy: %w", err)
	}
	err := n.server.AddPolicyAssignment(ctx, &api.AddPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{
		Name: "global", Direction: api.PolicyDirection_IMPORT, DefaultAction: api.RouteAction_REJECT,
		Policies: []*api.Policy{{Name: name}},
	}})
	if err != nil {
		return fmt.Errorf("import policy: %w", err)
	}
	return nil
}

// leave drops the session without a word to the peer.
func (n *session) leave() {
	n.end()
	n.saying.Lock()
	conn := n.conn
	n.saying.Unlock()
	if err := conn.cut(); err != nil {
		n.log.Warn("leaving a session without closing it", zap.Error(err))
	}
	n.stop()
}

// retire withdraws all, after it was announced as leaving for a while, waits
// until the peer has been told, and closes the session.
func (n *session) retire(ctx context.Context, leaving time.Duration) {
	if n.standing().State == state.Established {
		if leaving > 0 && n.enter(farewell) > 0 {
			sleep(ctx, leaving)
		}
		before := n.updates()
		n.awaitUpdates(ctx, before+uint64(n.enter(silence)))
	}
	n.end()
	n.stop()
	n.speaker.Metrics.forget(n.peer().Name)
}

// end stops all changes of the server's table, and lets go of what is known of
// it: the server itself never goes, nor what it refers to.
func (n *session) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.phase = ended
	n.has, n.spent = nil, nil
}

// longestStop is how long closing may take: a peer that hangs with a full
// queue holds GoBGP up for its hold time.
const longestStop = 3 * time.Second

// stop ends the server, where there is one, in the background where that takes
// long.
func (n *session) stop() {
	if n.server == nil || !n.server.started {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = n.server.StopBgp(context.Background(), &api.StopBgpRequest{}) // it never fails
		if n.unwatch != nil {
			n.unwatch()
		}
		if err := loops.forget(context.Background(), n.server); err != nil {
			n.log.Warn("letting a server's table go", zap.Error(err))
		}
	}()
	timer := time.NewTimer(longestStop)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (s *Speaker) prefixes() []netip.Prefix {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]netip.Prefix, 0, len(s.table.of))
	for p := range s.table.of {
		all = append(all, p)
	}
	return all
}
