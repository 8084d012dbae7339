package bgp

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/config"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/state"
)

// Options are what a Speaker is made of.
type Options struct {
	// Config is the section bgp of a valid configuration.
	Config *config.BGP
	// Address is this replica's own: the source of sessions whose peer has no
	// localAddress, and where it is of IPv4 the router ID. Optional.
	Address netip.Addr
	Log     *zap.Logger
	// Metrics may be nil.
	Metrics *Metrics
	// Changed is called, from any goroutine, when a session has changed.
	// Optional; it must not block.
	Changed func()
}

// Speaker announces routes. Its methods are safe for concurrent use.
type Speaker struct {
	Options

	mu       sync.Mutex
	conf     *config.BGP // in force
	table    table
	sessions map[string]*session // by the peer's name
	filled   bool                // the table holds all that there is to announce
	begun    bool                // sessions are open
	changing sync.Mutex          // Begin, Reconfigure, Leave and Retire take turns
}

var _ apply.Backend = (*Speaker)(nil)

// New is a speaker that has no session yet: Begin opens them.
func New(o Options) *Speaker {
	return &Speaker{Options: o, conf: o.Config, table: newTable(), sessions: map[string]*session{}}
}

// Name is the backend's name in IDs.
func (*Speaker) Name() string { return state.Speaker }

// Read returns what is in the table. What a router does with it, it does not
// tell.
func (s *Speaker) Read(ctx context.Context, scope apply.Scope) (*state.Set, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("reading routes: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	set := state.NewSet()
	if scope.All() {
		for _, r := range s.table.routes {
			set.Put(r)
		}
		return set, nil
	}
	for _, id := range scope.IDs {
		if r, ok := s.table.routes[id]; ok {
			set.Put(r)
		}
	}
	return set, nil
}

// Begin opens the sessions. It is called once the table holds all that is to
// be announced: a router that has kept routes of ours then forgets those that
// are not in it.
func (s *Speaker) Begin() error {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.mu.Lock()
	if s.begun {
		s.mu.Unlock()
		return nil
	}
	s.begun = true
	peers := slices.Clone(s.conf.Peers)
	s.mu.Unlock()
	return s.open(peers)
}

// Start opens the sessions when there is something to announce. Without
// anything it waits for as long as the routers keep what they were told before:
// a cluster that shows nothing at all may have lost its sight.
func (s *Speaker) Start() {
	s.mu.Lock()
	s.filled = true
	empty := len(s.table.of) == 0
	var wait time.Duration
	for _, p := range s.conf.Peers {
		wait = max(wait, p.Restart())
	}
	s.mu.Unlock()
	if !empty || wait == 0 {
		s.begin()
		return
	}
	s.Log.Info("there is nothing to announce; the sessions wait for it, or for as long as routers keep what they were told before", zap.Duration("wait", wait))
	time.AfterFunc(wait, func() {
		s.mu.Lock()
		still := s.filled
		s.mu.Unlock()
		if still {
			s.begin()
		}
	})
}

// begin is Begin for those who cannot do anything about an error: it is logged.
func (s *Speaker) begin() { _ = s.Begin() }

// Begun says whether the sessions are open.
func (s *Speaker) Begun() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun
}

// open opens a session with each of the peers. One that cannot be opened stops
// no other, stands among the sessions all the same, and is tried again by
// Refresh. Sessions of before with the same peers end without a word: the
// peers keep what they were told where graceful restart was agreed on.
func (s *Speaker) open(peers []config.Peer) error {
	sessions, before := make([]*session, len(peers)), make([]*session, len(peers))
	s.mu.Lock()
	for i, p := range peers {
		sessions[i], before[i] = newSession(s, s.conf.ASN, p), s.sessions[p.Name]
		s.sessions[p.Name] = sessions[i]
	}
	s.mu.Unlock()
	var failed error
	for i, n := range sessions {
		if before[i] != nil {
			before[i].leave()
		}
		if err := n.begin(); err != nil {
			failed = err
		}
	}
	return failed
}

// Leave drops all sessions without a word, as if the process had ended: where
// graceful restart was agreed on, the routers keep the routes. The table is
// empty afterwards, and Begin opens the sessions again.
func (s *Speaker) Leave() {
	s.changing.Lock()
	defer s.changing.Unlock()
	for _, n := range s.take() {
		n.leave()
		s.Metrics.forget(n.peer().Name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table = newTable()
	s.Metrics.routes(0)
}

// Retire withdraws all, waits until the routers have been told, and closes the
// sessions: the end of a speaker that does not come back. ctx bounds the wait.
func (s *Speaker) Retire(ctx context.Context) {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.retire(ctx, s.take())
}

// retire ends sessions in good order, all at once.
func (s *Speaker) retire(ctx context.Context, sessions []*session) {
	var wait sync.WaitGroup
	for _, n := range sessions {
		wait.Go(func() { n.retire(ctx, s.settings().Shutdown()) })
	}
	wait.Wait()
}

// take takes all sessions out.
func (s *Speaker) take() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := slices.Collect(maps.Values(s.sessions))
	clear(s.sessions)
	s.begun, s.filled = false, false
	return taken
}

// settings is the configuration in force.
func (s *Speaker) settings() *config.BGP {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conf
}

// Peers are the peers of the configuration in force.
func (s *Speaker) Peers() []config.Peer { return s.settings().Peers }

// open sessions, by the peer's name.
func (s *Speaker) opened() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := make([]*session, 0, len(s.sessions))
	for _, name := range slices.Sorted(maps.Keys(s.sessions)) {
		open = append(open, s.sessions[name])
	}
	return open
}

// Sessions is how the session with each peer stands, by the peer's name. Before
// Begin there are none; from then on none is missing, whatever becomes of it.
func (s *Speaker) Sessions() []state.Session {
	var all []state.Session
	for _, n := range s.opened() {
		all = append(all, n.standing())
	}
	return all
}
