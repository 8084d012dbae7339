package bgp

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/config"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// Run keeps the sessions in step with what they are made of until ctx ends:
// a password that has changed on disk, a peer that does not answer. The
// sessions stay as they are when it returns.
func (s *Speaker) Run(ctx context.Context, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			s.Refresh()
		}
	}
}

// Refresh opens those sessions anew whose password has changed on disk, tries
// those again that could not be opened, and looks at those that do not come up.
func (s *Speaker) Refresh() {
	s.changing.Lock()
	defer s.changing.Unlock()
	for _, n := range s.opened() {
		if !n.begun() {
			_ = n.begin() // it has logged why not
			continue
		}
		key, err := password(n.peer())
		if err != nil {
			n.log.Warn("password not read again; the one before stays", zap.Error(err))
			continue
		}
		if key != n.key {
			n.log.Info("the password has changed: the session is opened anew")
			s.reopen(n.peer())
			continue
		}
		if n.worn() {
			n.log.Info("many prefixes have come and gone: the session is opened anew, to let go of what is kept of them")
			s.reopen(n.peer())
			continue
		}
		n.diagnose(time.Now())
	}
}

// mostSpent is of how many prefixes that are announced no more a server may
// keep what it keeps: half a kilobyte of each (GoBGP v3.37.0
// internal/pkg/table/table.go deleteDest never lets go of the destination of a
// local path).
const mostSpent = 16_384

// worn says whether the server has to be replaced, and can be without the peer
// losing anything: it keeps our routes, or has none.
func (n *session) worn() bool {
	n.mu.Lock()
	spent := len(n.spent)
	n.mu.Unlock()
	if spent <= mostSpent {
		return false
	}
	s := n.standing()
	return s.State != state.Established || s.GracefulRestart
}

// Reconfigure takes another configuration up: sessions with new peers are
// opened, those with peers that are gone end as in Retire, and those are opened
// anew that have to be; all others stay. Our number, router ID and who speaks
// do not change (config.Replaceable).
func (s *Speaker) Reconfigure(ctx context.Context, next *config.BGP) {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.mu.Lock()
	s.conf = next
	open := s.begun
	s.mu.Unlock()
	if !open {
		return
	}
	peers := map[string]config.Peer{}
	for _, p := range next.Peers {
		peers[p.Name] = p
	}
	var gone []*session
	for _, n := range s.opened() {
		p, stays := peers[n.peer().Name]
		delete(peers, n.peer().Name)
		if !stays {
			gone = append(gone, n)
			continue
		}
		if why := Resets(n.peer(), p); len(why) > 0 {
			n.log.Info("the session is opened anew", zap.Strings("because", why))
			s.reopen(p)
			continue
		}
		n.adjust(p)
	}
	s.retire(ctx, gone)
	s.mu.Lock()
	for _, n := range gone {
		delete(s.sessions, n.peer().Name)
	}
	s.mu.Unlock()
	var added []config.Peer
	for _, p := range next.Peers {
		if _, is := peers[p.Name]; is {
			added = append(added, p)
		}
	}
	_ = s.open(added) // it has logged what is wrong
	s.Log.Info("peers reconfigured", zap.Int("sessions", len(next.Peers)))
}

// Resets are the differences between two configurations of a peer that take a
// new session, in words; none if the session can stay.
func Resets(before, next config.Peer) []string {
	var why []string
	differs := func(key string, a, b any) {
		if a != b {
			why = append(why, fmt.Sprintf("%s %v → %v", key, a, b))
		}
	}
	differs("address", before.Address, next.Address)
	differs("port", before.Port, next.Port)
	differs("asn", before.ASN, next.ASN)
	differs("localAddress", before.LocalAddress, next.LocalAddress)
	differs("passive", before.Passive, next.Passive)
	differs("listenPort", before.ListenPort, next.ListenPort)
	differs("multihop", before.Multihop, next.Multihop)
	differs("holdTime", time.Duration(before.HoldTime), time.Duration(next.HoldTime))
	differs("keepaliveTime", time.Duration(before.KeepaliveTime), time.Duration(next.KeepaliveTime))
	differs("gracefulRestart", before.Restart(), next.Restart())
	if (before.AddPaths > 0) != (next.AddPaths > 0) { // what is offered when the session comes up
		differs("addPaths", before.AddPaths, next.AddPaths)
	}
	return why
}

// Sessions are what becomes of the sessions when one configuration of the
// peers takes the place of another, as Reconfigure brings it about, in the order
// of the peers' names.
func Sessions(before, next []config.Peer) []plan.SessionEntry {
	var entries []plan.SessionEntry
	old := map[string]config.Peer{}
	for _, p := range before {
		old[p.Name] = p
	}
	for _, p := range next {
		was, stays := old[p.Name]
		delete(old, p.Name)
		if !stays {
			entries = append(entries, plan.SessionEntry{Op: plan.SessionOpens, Peer: p.Name, Why: []string{"the peer is new"}})
			continue
		}
		if why := Resets(was, p); len(why) > 0 {
			// What was agreed on with the peer before decides.
			elsewhere := was.Address != p.Address || was.LocalAddress != p.LocalAddress
			entries = append(entries, plan.SessionEntry{
				Op: plan.SessionAnew, Peer: p.Name, Why: why, Withdraws: elsewhere || was.Restart() == 0 || p.Restart() == 0,
			})
		}
	}
	for name := range old {
		entries = append(entries, plan.SessionEntry{
			Op: plan.SessionCloses, Peer: name, Why: []string{"the peer is no longer configured"}, Withdraws: true,
		})
	}
	slices.SortFunc(entries, func(a, b plan.SessionEntry) int { return strings.Compare(a.Peer, b.Peer) })
	return entries
}

// adjust takes up what can change while the session stays.
func (n *session) adjust(p config.Peer) {
	n.conf.Store(&p)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.resync()
}

// reopen puts another session in the place of one, without withdrawing
// anything where graceful restart was agreed on.
func (s *Speaker) reopen(p config.Peer) {
	_ = s.open([]config.Peer{p}) // it has logged why not
}
