package bgp

import (
	"context"
	"errors"
	"sync"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"
)

// loops are the running servers of this process. GoBGP keeps two settings in
// variables of its own package, which every server's loop reads and StartBgp
// writes (v3.37.0 pkg/server/server.go:2470): so all loops stand still while a
// server is started.
//
//nolint:gochecknoglobals // what guards variables of a package has to be one for the process
var loops = standstill{running: map[*loop]bool{}}

type standstill struct {
	mu      sync.Mutex
	running map[*loop]bool
}

// loop is one server, and the place where its loop can be halted: GoBGP calls
// Observe in it after each thing that it has done.
type loop struct {
	*server.BgpServer
	halts   chan halt
	started bool
}

type halt struct {
	arrived *sync.WaitGroup
	release <-chan struct{}
}

// Observe is server.FSMTimingHook.
func (l *loop) Observe(server.FSMOperation, time.Duration, time.Duration) {
	select {
	case h := <-l.halts:
		h.arrived.Done()
		<-h.release
	default:
	}
}

// newLoop makes a server that start can start.
func newLoop(log *logger) *loop {
	l := &loop{halts: make(chan halt, 1)}
	l.BgpServer = server.NewBgpServer(server.LoggerOption(log), server.TimingHookOption(l))
	go l.Serve() // it ends with the process: v3 has no way to end it
	return l
}

// start starts a server. After an error it can be started again.
func (s *standstill) start(ctx context.Context, l *loop, global *api.Global) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.still(ctx)()
	if err := l.StartBgp(ctx, &api.StartBgpRequest{Global: global}); err != nil {
		return err
	}
	l.started, s.running[l] = true, true
	return nil
}

// still halts all loops, and returns what lets them go on. s.mu is held.
func (s *standstill) still(ctx context.Context) (release func()) {
	halted := make(chan struct{})
	var arrived sync.WaitGroup
	for other := range s.running {
		arrived.Add(1)
		other.halts <- halt{arrived: &arrived, release: halted}
		go func() { // anything that passes through its loop
			_, _ = other.GetBgp(ctx, &api.GetBgpRequest{}) // what it answers does not matter
		}()
	}
	arrived.Wait()
	return func() { close(halted) }
}

// forget is called with a server that has been stopped. Its loop goes on for as
// long as the process, and would hold its whole table with it: only the start
// of a server makes it a new one.
func (s *standstill) forget(ctx context.Context, l *loop) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, l)
	defer s.still(ctx)()
	return errors.Join(
		l.DeletePath(ctx, &api.DeletePathRequest{TableType: api.TableType_GLOBAL}), // and by what it finds them
		l.StartBgp(ctx, &api.StartBgpRequest{Global: &api.Global{Asn: 1, RouterId: "192.0.2.1", ListenPort: -1}}),
		l.StopBgp(ctx, &api.StopBgpRequest{}),
	)
}
