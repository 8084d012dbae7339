package broker

import (
	"net"
	"sync"
	"time"
)

// gather is a connection that sends in one call what was written to it while the
// call before was under way. The library flushes each message by itself
// (amqp091-go, channel.go: sendOpen), so that many small messages cost us and the
// broker a system call and a packet each.
//
// A write that has returned may not have been sent. That is no less than the
// library promises, whose word is the broker's confirm: an error of sending
// closes the connection, by which the library learns of it.
type gather struct {
	net.Conn
	ended chan struct{}

	mu      sync.Mutex
	changed sync.Cond
	waiting []byte // to be sent
	closing bool
	err     error // of sending
}

const (
	// mostGathered is how many bytes wait at most before further writes do.
	mostGathered = 64 << 10
	// lastWords is how long what was written last has to be sent at the end:
	// mostly the answer to the broker's own close.
	lastWords = 100 * time.Millisecond
)

func newGather(c net.Conn) *gather {
	g := &gather{Conn: c, ended: make(chan struct{})}
	g.changed.L = &g.mu
	go g.send() // Close waits for it
	return g
}

// Write has b sent. It waits where the peer does not read.
func (g *gather) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.waiting) >= mostGathered && g.err == nil && !g.closing {
		g.changed.Wait()
	}
	switch {
	case g.err != nil:
		return 0, g.err
	case g.closing:
		return 0, net.ErrClosed
	}
	g.waiting = append(g.waiting, b...)
	g.changed.Broadcast()
	return len(b), nil
}

// send sends what is written, until the connection closes.
func (g *gather) send() {
	defer close(g.ended)
	var out []byte
	for {
		g.mu.Lock()
		for len(g.waiting) == 0 && !g.closing {
			g.changed.Wait()
		}
		if len(g.waiting) == 0 {
			g.mu.Unlock()
			return
		}
		out, g.waiting = g.waiting, out[:0]
		g.changed.Broadcast()
		g.mu.Unlock()
		if _, err := g.Conn.Write(out); err != nil {
			g.mu.Lock()
			g.err = err
			g.changed.Broadcast()
			g.mu.Unlock()
			_ = g.Conn.Close() // whoever reads learns of it
			return
		}
	}
}

// Close closes the connection. What was written before is sent, if the peer
// reads it at once.
func (g *gather) Close() error {
	g.mu.Lock()
	g.closing = true
	g.changed.Broadcast()
	g.mu.Unlock()
	late := time.NewTimer(lastWords)
	defer late.Stop()
	select {
	case <-g.ended:
	case <-late.C:
	}
	err := g.Conn.Close()
	<-g.ended
	return err
}
