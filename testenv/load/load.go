// Package load is clients who ask a virtual server all the time, over real
// connections, and keep account of who answered: what a person who moves a
// service would want to know of its callers.
//
// Most of them are new: each comes from an address that was not there before,
// asks once, and goes. Some come back again and again, which is how persistence
// shows. Others stay connected and ask from time to time. All of it is bounded:
// so many a second, so many at once.
package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Options says what a Load is like.
type Options struct {
	// Address is the virtual server's.
	Address netip.AddrPort

	// From are the addresses that clients come from, each new one from the
	// next; this machine must have them. When all were used it begins anew.
	From netip.Prefix

	// Rate is how many connections are begun a second, if the machine manages.
	Rate int

	// AtOnce is how many may be open at once; 0 means 64. What would be one too
	// many is left out.
	AtOnce int

	// Returning is how many clients come back again and again: every fifth
	// connection is of one of them, by turns. 0: every client is new.
	Returning int
}

const (
	// defaultAtOnce is Options.AtOnce where it is 0.
	defaultAtOnce = 64

	// eachReturns is of how many connections one is of a client that returns.
	eachReturns = 5

	// pace is how often connections are begun; at some hundreds a second one or
	// two each time.
	pace = 5 * time.Millisecond

	// arrears is how much of what a machine could not begin in time it makes up
	// for.
	arrears = 250 * time.Millisecond
)

// Load is a load under way. Its methods may be called concurrently.
type Load struct {
	o       Options
	ctx     context.Context //nolint:containedctx // lives as long as the load: it ends pacing and kept connections
	cancel  context.CancelFunc
	asking  sync.WaitGroup
	slots   chan struct{}
	clients []netip.Addr // that return

	mu      sync.Mutex
	next    netip.Addr // of the next client
	turn    int
	last    map[netip.Addr]string // who answered a client that returns
	windows map[*Window]struct{}
	kept    []*kept // the oldest first
}

// Start begins to ask, until Stop.
func Start(o Options) (*Load, error) {
	if !o.Address.IsValid() || !o.From.IsValid() || o.Rate < 1 || o.Returning < 0 || o.AtOnce < 0 {
		return nil, errors.New("a load needs an address to ask, addresses to come from, and a rate of at least 1 a second")
	}
	if o.AtOnce == 0 {
		o.AtOnce = defaultAtOnce
	}
	l := &Load{o: o, slots: make(chan struct{}, o.AtOnce), last: map[netip.Addr]string{}, windows: map[*Window]struct{}{}, next: o.From.Addr()}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	for range o.Returning {
		l.clients = append(l.clients, l.address())
	}
	l.asking.Go(l.pace)
	return l, nil
}

// Stop ends it: connections that are under way are answered, kept ones closed.
func (l *Load) Stop() {
	l.cancel()
	l.asking.Wait()
}

// pace begins connections at the rate that was asked for.
func (l *Load) pace() {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	each := time.Second / time.Duration(l.o.Rate)
	due := time.Now()
	for {
		now := time.Now()
		if oldest := now.Add(-arrears); due.Before(oldest) {
			due = oldest
		}
		for ; due.Before(now); due = due.Add(each) {
			l.begin()
		}
		select {
		case <-tick.C:
		case <-l.ctx.Done():
			return
		}
	}
}

// begin begins one connection, unless too many are open.
func (l *Load) begin() {
	select {
	case l.slots <- struct{}{}:
	default:
		return
	}
	from, returns, windows := l.client()
	l.asking.Go(func() {
		defer func() { <-l.slots }()
		r := ask(l.o.Address, from)
		l.mu.Lock()
		before := l.last[from]
		if returns && r.err == nil && slices.Contains(l.clients, from) {
			l.last[from] = r.who
		}
		l.mu.Unlock()
		for _, w := range windows {
			w.add(r, returns, before)
			w.open.Done()
		}
	})
}

// client is who asks next, and the windows in which that counts.
func (l *Load) client() (from netip.Addr, returns bool, windows []*Window) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn++
	if n := len(l.clients); n > 0 && l.turn%eachReturns == 0 {
		from, returns = l.clients[l.turn/eachReturns%n], true
	} else {
		from = l.address()
	}
	for w := range l.windows {
		w.open.Add(1)
		windows = append(windows, w)
	}
	return from, returns, windows
}

// Change has n of the clients that return come no more, the oldest, and n others
// in their place.
func (l *Load) Change(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, gone := range l.clients[:min(n, len(l.clients))] {
		delete(l.last, gone)
		l.clients = append(l.clients[1:], l.address())
	}
}

// address is one that nobody has come from yet, as long as there is any.
func (l *Load) address() netip.Addr {
	if l.next = l.next.Next(); !l.o.From.Contains(l.next) {
		l.next = l.o.From.Addr().Next()
	}
	return l.next
}

// result is one connection of a client.
type result struct {
	begun     time.Time
	connected time.Time // zero if it was not let in
	who       string
	err       error
}

// ask opens a connection, asks once and closes it.
func ask(to netip.AddrPort, from netip.Addr) (r result) {
	r.begun = time.Now()
	c, err := dial(to, from)
	if err != nil {
		r.err = err
		if errors.Is(err, syscall.ECONNRESET) { // let in, and cut before it knew
			r.connected = time.Now()
		}
		return r
	}
	defer c.close()
	r.connected = time.Now()
	r.who, r.err = c.ask(true)
	return r
}

// dial connects from one of the clients' addresses.
func dial(to netip.AddrPort, from netip.Addr) (*conn, error) {
	d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: from.AsSlice()}}
	c, err := d.Dial("tcp", to.String())
	if err != nil {
		return nil, fmt.Errorf("connecting from %s: %w", from, err)
	}
	return newConn(c, to), nil
}
