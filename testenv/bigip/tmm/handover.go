package tmm

import (
	"errors"
	"maps"
	"net"
	"os"
	"time"
)

// door is where a virtual server takes TCP connections.
type door struct {
	*net.TCPListener
	left chan struct{} // closed when nobody waits at it any more
}

// Pause has the unit carry no traffic, as a standby does: it cuts what it
// carried, and refuses what comes; monitors go on.
func (e *Engine) Pause() {
	for _, d := range e.pause() {
		d.Close()
	}
}

// Resume reverses Pause.
func (e *Engine) Resume() { e.resume(nil) }

// HandOver pauses one unit and has another resume, which takes over the doors
// with those who wait in front of them. On a network, who knocks while an
// address moves from one unit to the other is not heard, and knocks again a
// second later: he is late, and never refused.
func HandOver(from, to *Engine) { to.resume(from.pause()) }

// pause hands out the doors, open, by their addresses. The caller closes them.
func (e *Engine) pause() map[string]*door {
	doors := e.leave()
	for _, d := range doors {
		<-d.left
		_ = d.SetDeadline(time.Time{}) // for the next who waits at it
	}
	return doors
}

func (e *Engine) leave() map[string]*door {
	doors := make(map[string]*door)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.paused || e.closed {
		return doors
	}
	e.paused = true
	for path, v := range maps.Clone(e.virtuals) {
		if d, ok := v.listener.(*door); ok {
			doors[v.listen] = d
			v.listener, v.listen = nil, ""
			_ = d.SetDeadline(time.Unix(1, 0)) // ends accept
		}
		e.syncVirtual(path)
	}
	return doors
}

// resume takes traffic, at the doors that are offered where they fit, and
// closes the others.
func (e *Engine) resume(doors map[string]*door) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.offered = doors
	if e.paused && !e.closed {
		e.paused = false
		for _, o := range e.store.List("ltm/virtual", "") {
			e.syncVirtual(o.Path)
		}
	}
	for _, d := range e.offered {
		d.Close()
	}
	e.offered = nil
}

// accept takes connections until the door is closed, or handed out.
func (e *Engine) accept(v *virtual, d *door) {
	defer close(d.left)
	for {
		c, err := d.AcceptTCP()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
				return
			}
			e.logf("virtual server %s: accepting: %v", v.path, err)
			if !pause(e.ctx, 10*time.Millisecond) {
				return
			}
			continue
		}
		e.spawn(func() { e.serve(v, c) })
	}
}
