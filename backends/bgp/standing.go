package bgp

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"go.uber.org/zap"

	"landbridge.dev/sync/state"
)

// standing is how the session stands.
func (n *session) standing() state.Session {
	n.mu.Lock()
	told := len(n.has)
	n.mu.Unlock()
	n.saying.Lock()
	defer n.saying.Unlock()
	s := n.state
	s.Routes = told
	return s
}

// said keeps the last word on why the session is not up.
func (n *session) said(why string) {
	n.saying.Lock()
	n.state.Why = why
	n.saying.Unlock()
}

// event takes in that the session has changed.
func (n *session) event(r *api.WatchEventResponse) {
	e := r.GetPeer()
	if e == nil || e.GetType() != api.WatchEventResponse_PeerEvent_STATE {
		return
	}
	up := e.GetPeer().GetState().GetSessionState() == api.PeerState_ESTABLISHED
	n.saying.Lock()
	was := n.state.State == state.Established
	if up == was {
		n.saying.Unlock()
		return
	}
	n.state.Since = time.Now()
	n.conn = connection{}
	if up {
		n.state.State = state.Established
		n.conn = connectionOf(n.peer().Address, e.GetPeer().GetTransport())
	} else {
		n.state.State, n.state.Families, n.state.AddPaths, n.state.GracefulRestart = state.Connecting, nil, nil, false
		n.state.Flaps++
	}
	why := n.state.Why
	n.saying.Unlock()
	n.speaker.Metrics.session(n.peer().Name, up)
	if up {
		n.learn()
		n.log.Info("session established", zap.Strings("families", n.standing().Families), zap.Bools("addPaths", n.standing().AddPaths))
	} else {
		n.log.Warn("session is down", zap.String("why", why))
		n.speaker.Metrics.flapped(n.peer().Name)
	}
	if n.speaker.Changed != nil {
		n.speaker.Changed()
	}
}

// learn reads what the peer takes, and brings its table to that.
func (n *session) learn() {
	var several, takes [2]bool
	restart := false
	for _, packed := range n.lookUp().GetState().GetRemoteCap() {
		c, err := packed.UnmarshalNew()
		if err != nil {
			continue // of a kind that GoBGP itself does not know
		}
		switch c := c.(type) {
		case *api.MultiProtocolCapability:
			if f, ok := familyIndex(c.GetFamily()); ok {
				takes[f] = true
			}
		case *api.AddPathCapability:
			for _, t := range c.GetTuples() {
				f, ok := familyIndex(t.GetFamily())
				several[f] = several[f] || ok && n.peer().AddPaths > 0 &&
					(t.GetMode() == api.AddPathCapabilityTuple_RECEIVE || t.GetMode() == api.AddPathCapabilityTuple_BOTH)
			}
		case *api.GracefulRestartCapability:
			restart = len(c.GetTuples()) > 0 && n.peer().Restart() > 0
		}
	}
	n.saying.Lock()
	n.state.Families, n.state.AddPaths, n.state.GracefulRestart, n.state.Why = nil, nil, restart, ""
	for f, name := range []string{"ipv4", "ipv6"} {
		if takes[f] {
			n.state.Families = append(n.state.Families, name)
			n.state.AddPaths = append(n.state.AddPaths, several[f])
		}
	}
	n.saying.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.several != several {
		n.several = several
		n.resync()
	}
}

func familyIndex(f *api.Family) (int, bool) {
	switch {
	case f.GetSafi() != api.Family_SAFI_UNICAST:
		return 0, false
	case f.GetAfi() == api.Family_AFI_IP:
		return 0, true
	case f.GetAfi() == api.Family_AFI_IP6:
		return 1, true
	}
	return 0, false
}

// lookUp is the peer as GoBGP sees it.
func (n *session) lookUp() (found *api.Peer) {
	err := n.server.ListPeer(context.Background(), &api.ListPeerRequest{Address: n.peer().Address}, func(p *api.Peer) { found = p })
	if err != nil {
		n.log.Warn("looking at the session", zap.Error(err))
	}
	return found
}

// updates is how many UPDATEs have been sent to the peer.
func (n *session) updates() uint64 { return n.lookUp().GetState().GetMessages().GetSent().GetUpdate() }

// longestFlush is how long the peer may take to be told of withdrawals.
const longestFlush = 3 * time.Second

// awaitUpdates waits until so many have been sent in all: what is still queued
// when a session is closed never is.
func (n *session) awaitUpdates(ctx context.Context, count uint64) {
	ctx, cancel := context.WithTimeout(ctx, longestFlush)
	defer cancel()
	for n.updates() < count && ctx.Err() == nil && n.standing().State == state.Established {
		sleep(ctx, 5*time.Millisecond)
	}
}

// outbound is the address that this host speaks to others from; invalid where
// it has none.
func outbound() netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap().Is4() && ip.IsGlobalUnicast() {
				return ip.Unmap()
			}
		}
	}
	return netip.Addr{}
}

// diagnose says in words why a session does not come up of which GoBGP says
// nothing: a wrong password looks like a host that is not there (RFC 2385
// section 2.0).
func (n *session) diagnose(now time.Time) {
	n.saying.Lock()
	defer n.saying.Unlock()
	if n.state.State == state.Established || n.state.Why != "" || now.Sub(n.state.Since) < time.Duration(n.peer().ConnectRetry) {
		return
	}
	at := net.JoinHostPort(n.peer().Address, strconv.Itoa(int(n.peer().Port)))
	switch {
	case n.peer().Passive:
		n.state.Why = "the peer has not called yet"
	default:
		n.state.Why = "the peer does not answer at " + at
	}
	if n.key != "" {
		n.state.Why += ", or its password is another"
	}
}
