package bgp_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/backends/bgp"
	"landbridge.dev/config"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// Another configuration opens anew the sessions that it must, and no other; with
// graceful restart the router loses nothing by it.
func TestReconfigure(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	same, slower, gone := s.bird(1, keeps, takesSeveral), s.bird(2, keeps), s.bird(3)
	comes := s.bird(4)
	speaker := s.begun(s.peer(1, restarts, addPaths(8)), s.peer(2, restarts), s.peer(3))
	one := route("203.0.113.10/32", nodes(3)...)
	one.Peers = []string{"tor-1", "tor-2", "tor-3", "tor-4"}
	do(t, speaker, create(one))
	carrier := "203.0.113.10/32 via " + one.Best(1)[0].Address.String() + " path 64512"
	holds(t, slower, carrier)
	holds(t, gone, carrier)
	eventually(t, func() bool { return len(table(t, same)) == 3 }, func() string { return "several next hops do not come" })

	next := *s.conf
	next.Peers = []config.Peer{
		s.peer(1, restarts, addPaths(2)),
		s.peer(2, restarts, func(p *config.Peer) { p.HoldTime = config.Duration(30 * time.Second) }),
		s.peer(4),
	}
	shown := watchShown(t, speaker, "tor-1", "tor-2")
	speaker.Reconfigure(t.Context(), &next)
	shown()
	holds(t, gone)
	holds(t, comes, carrier)
	eventually(t, func() bool { return len(table(t, same)) == 2 }, func() string { return "the number of next hops does not follow" })
	established(t, speaker, "tor-1", "tor-2", "tor-4")
	holds(t, slower, carrier)
	if lost := removals(t, slower); lost != "" {
		t.Errorf("by another hold time the router lost %s", lost)
	}
	if up := session(t, speaker, "tor-1"); up.Flaps != 0 {
		t.Errorf("a session was opened anew that need not be: %+v", up)
	}
	if n := len(speaker.Sessions()); n != 3 {
		t.Errorf("%d sessions, want 3", n)
	}
}

// watchShown looks, until the returned function is called, whether the sessions
// with these peers are shown all the time.
func watchShown(t *testing.T, speaker *bgp.Speaker, peers ...string) (stop func()) {
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			all := speaker.Sessions()
			for _, peer := range peers {
				if !slices.ContainsFunc(all, func(n state.Session) bool { return n.Peer == peer }) {
					t.Errorf("no session with %s is shown: %+v", peer, all)
					return
				}
			}
			select {
			case <-done:
				return
			case <-time.After(50 * time.Microsecond):
			}
		}
	}()
	return func() {
		close(done)
		<-stopped
	}
}

// What a plan says of sessions is what Reconfigure does: see TestReconfigure.
func TestSessionsOfAnotherConfiguration(t *testing.T) {
	t.Parallel()
	restart, none := config.Duration(time.Minute), config.Duration(0)
	peer := func(name string, change func(*config.Peer)) config.Peer {
		p := config.Peer{
			Name: name, Address: "198.51.100.1", Port: 179, ASN: theirASN, HoldTime: config.Duration(9 * time.Second),
			AddPaths: 4, GracefulRestart: &restart, PasswordFile: "/keys/a",
		}
		if change != nil {
			change(&p)
		}
		return p
	}
	before := []config.Peer{peer("moves", nil), peer("keeps", nil), peer("slows", nil), peer("forgets", func(p *config.Peer) { p.GracefulRestart = &none }), peer("goes", nil)}
	next := []config.Peer{
		peer("comes", nil),
		peer("keeps", func(p *config.Peer) {
			p.AddPaths, p.PasswordFile, p.ConnectRetry = 8, "/keys/b", config.Duration(time.Second)
		}),
		peer("slows", func(p *config.Peer) { p.HoldTime = config.Duration(30 * time.Second) }),
		peer("forgets", func(p *config.Peer) { p.GracefulRestart, p.AddPaths = &none, 0 }),
		peer("moves", func(p *config.Peer) { p.Address = "198.51.100.2" }),
	}
	want := []plan.SessionEntry{
		{Op: plan.SessionOpens, Peer: "comes", Why: []string{"the peer is new"}},
		{Op: plan.SessionAnew, Peer: "forgets", Why: []string{"addPaths 4 → 0"}, Withdraws: true},
		{Op: plan.SessionCloses, Peer: "goes", Why: []string{"the peer is no longer configured"}, Withdraws: true},
		{Op: plan.SessionAnew, Peer: "moves", Why: []string{"address 198.51.100.1 → 198.51.100.2"}, Withdraws: true},
		{Op: plan.SessionAnew, Peer: "slows", Why: []string{"holdTime 9s → 30s"}},
	}
	if diff := cmp.Diff(want, bgp.Sessions(before, next)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if same := bgp.Sessions(next, next); len(same) > 0 {
		t.Errorf("nothing differs, and yet: %v", same)
	}
}
