package world

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Gate is the network between landbridge and a device's management address:
// it passes connections on, refuses them, or swallows what they say. The
// device itself knows nothing of it, and its data plane goes on.
type Gate struct {
	addr, target string

	mu       sync.Mutex
	listener net.Listener // nil while the gate refuses
	silent   bool
	conns    map[net.Conn]struct{}
	running  sync.WaitGroup
}

// openGate passes connections to addr on to target.
func openGate(addr, target string) (*Gate, error) {
	g := &Gate{addr: addr, target: target, conns: map[net.Conn]struct{}{}}
	return g, g.Open()
}

// Open lets connections through.
func (g *Gate) Open() error { return g.listen(false) }

// Silence accepts connections and answers nothing on them, as behind a network
// that drops packets.
func (g *Gate) Silence() error { return g.listen(true) }

// listen accepts connections anew; those that are open end.
func (g *Gate) listen(silent bool) error {
	g.Close()
	l, err := net.Listen("tcp", g.addr)
	if err != nil {
		return fmt.Errorf("gate before the device: %w", err)
	}
	g.mu.Lock()
	g.listener, g.silent = l, silent
	g.mu.Unlock()
	g.running.Go(func() { g.accept(l, silent) })
	return nil
}

// Close refuses connections, and ends those that are open.
func (g *Gate) Close() {
	g.mu.Lock()
	if g.listener != nil {
		_ = g.listener.Close()
		g.listener = nil
	}
	for c := range g.conns {
		_ = c.Close()
	}
	g.mu.Unlock()
	g.running.Wait()
}

func (g *Gate) accept(l net.Listener, silent bool) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		if !g.keep(l, c) {
			return
		}
		g.running.Go(func() {
			defer g.drop(c)
			if silent {
				_, _ = io.Copy(io.Discard, c)
				return
			}
			g.pass(l, c)
		})
	}
}

// keep notes a connection, so that Close ends it; false when l was closed.
func (g *Gate) keep(l net.Listener, c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != l {
		_ = c.Close()
		return false
	}
	g.conns[c] = struct{}{}
	return true
}

func (g *Gate) drop(c net.Conn) {
	_ = c.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
}

// pass copies both ways until either end is done.
func (g *Gate) pass(l net.Listener, c net.Conn) {
	to, err := net.Dial("tcp", g.target)
	if err != nil || !g.keep(l, to) {
		return
	}
	defer g.drop(to)
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(c, to)
		_ = c.Close()
	})
	_, err = io.Copy(to, c)
	if half, ok := to.(*net.TCPConn); ok && !errors.Is(err, net.ErrClosed) {
		_ = half.CloseWrite()
	}
	back.Wait()
}
