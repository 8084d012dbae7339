package load_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"landbridge.dev/testenv/load"
)

// far is the far end of some connections: it has a name answer each, or nobody.
type far struct {
	address netip.AddrPort
	mu      sync.Mutex
	who     func(from netip.Addr) string // empty: the connection is cut
	open    map[net.Conn]bool
}

func newFar(t *testing.T, who func(from netip.Addr) string) *far {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &far{address: l.Addr().(*net.TCPAddr).AddrPort(), who: who, open: map[net.Conn]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { f.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		f.cut()
		serving.Wait()
	})
	return f
}

func (f *far) serve(c net.Conn) {
	f.mu.Lock()
	f.open[c] = true
	name := f.who(c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr())
	f.mu.Unlock()
	defer func() {
		c.Close()
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.open, c)
	}()
	from := bufio.NewReader(c)
	for name != "" {
		r, err := http.ReadRequest(from)
		if err != nil {
			return
		}
		body := "pod=" + name + " ip=somewhere\n"
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		if r.Close {
			return
		}
	}
}

// cut ends all connections.
func (f *far) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.open {
		c.Close()
	}
}

func start(t *testing.T, f *far, o load.Options) *load.Load {
	t.Helper()
	o.Address, o.From, o.Rate = f.address, netip.MustParsePrefix("127.64.0.0/16"), 200
	l, err := load.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Stop)
	return l
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// TestWhoAnswers: every second client is answered by a pod; those who return
// always by whom they know, until they do not.
func TestWhoAnswers(t *testing.T) {
	t.Parallel()
	seen, known, forget := 0, map[netip.Addr]string{}, false
	f := newFar(t, func(from netip.Addr) string {
		if who := known[from]; who != "" && !forget {
			return who
		}
		seen++
		known[from] = []string{"vm-1", "pod-1"}[seen%2]
		if forget {
			known[from] = "vm-2"
		}
		return known[from]
	})
	l := start(t, f, load.Options{Returning: 4})
	pod := func(who string) bool { return strings.HasPrefix(who, "pod") }
	w := l.Open()
	if err := w.Await(within(t), 100); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	c := w.Close()
	if len(c.Failed)+len(c.Broken)+c.Strayed > 0 || c.Requests() != c.Answered() || c.Answered() < 120 {
		t.Errorf("%d requests, %d answered, %d strayed: %s", c.Requests(), c.Answered(), c.Strayed, c.String())
	}
	if ofNew, ofAll := c.Share(pod); ofNew < 40 || ofNew > 60 || ofAll < 30 || ofAll > 70 {
		t.Errorf("pods have %.1f %% of new clients and %.1f %% of all: %s", ofNew, ofAll, c.String())
	}
	if latest := c.LatestOf(pod); latest.IsZero() || latest.After(before.Add(time.Second)) || !c.LatestOf(func(string) bool { return false }).IsZero() {
		t.Errorf("the latest that a pod answered: %v", latest)
	}

	l.Change(2) // two of them whom nobody knows
	f.mu.Lock()
	forget = true
	f.mu.Unlock()
	w = l.Open()
	if err := w.Await(within(t), 60); err != nil {
		t.Fatal(err)
	}
	if c := w.Close(); c.Strayed < 2 {
		t.Errorf("two who had been there were answered by another, and %d strayed: %s", c.Strayed, c.String())
	}
}

// TestFailures: one that was let in and not answered is told from one that was
// not let in.
func TestFailures(t *testing.T) {
	t.Parallel()
	f := newFar(t, func(netip.Addr) string { return "" })
	l := start(t, f, load.Options{})
	w := l.Open()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := w.Await(ctx, 1); err == nil || !strings.Contains(err.Error(), "waiting for 1 new clients to be answered, 0 were") {
		t.Errorf("waiting for answers: %v", err)
	}
	c := w.Close()
	if c.Answered() > 0 || len(c.Failed) == 0 || !strings.HasPrefix(c.String(), "; failed: ") {
		t.Errorf("%d answered, %d failed: %s", c.Answered(), len(c.Failed), c.String())
	}
	for _, failed := range c.Failed {
		if failed.Connected.IsZero() || failed.At.Before(failed.Connected) || failed.Kind == "" {
			t.Errorf("cut: %+v", failed)
		}
	}

	closed, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.address = closed.Addr().(*net.TCPAddr).AddrPort()
	closed.Close()
	l = start(t, f, load.Options{})
	if err := l.Keep(within(t), 1); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a kept connection to nobody: %v", err)
	}
	w = l.Open()
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_ = w.Await(ctx, 1) // nobody answers
	if c := w.Close(); len(c.Failed) == 0 || !c.Failed[0].Connected.IsZero() || c.Failed[0].Kind != "connection refused" {
		t.Errorf("refused: %+v", c.Failed)
	}
}

// TestKept: connections stay with whom they have, leave when they are asked to,
// and come back when they were cut.
func TestKept(t *testing.T) {
	t.Parallel()
	name := "vm-1"
	f := newFar(t, func(netip.Addr) string { return name })
	l := start(t, f, load.Options{})
	if err := l.Keep(within(t), 6); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	name = "pod-1"
	f.mu.Unlock()
	w := l.Open()
	if err := l.Renew(within(t), 2); err != nil {
		t.Fatal(err)
	}
	if who := l.Kept(); len(who) != 6 || who[0].Who != "vm-1" || who[3].Who != "vm-1" || who[4].Who != "pod-1" || who[5].Since.Before(who[0].Since) {
		t.Errorf("kept: %v", who)
	}
	if n := l.HangUp(func(who string) bool { return who == "pod-1" }); n != 2 || len(l.Kept()) != 4 {
		t.Errorf("%d hung up, kept: %v", n, l.Kept())
	}
	if c := w.Close(); len(c.Broken) > 0 {
		t.Errorf("broken: %+v", c.Broken)
	}

	w = l.Open()
	f.cut()
	back := func() bool {
		for _, k := range l.Kept() {
			if k.Who != "pod-1" {
				return false
			}
		}
		return len(l.Kept()) == 4
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ctx := within(t); !back(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("kept: %v", l.Kept())
		}
	}
	l.Stop()
	c := w.Close()
	if len(c.Broken) != 4 {
		t.Fatalf("broken: %+v", c.Broken)
	}
	for _, b := range c.Broken {
		if b.Who != "vm-1" || b.Connected.IsZero() || !b.At.After(b.Connected) {
			t.Errorf("broken: %+v", b)
		}
	}
}

func TestWrongOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []load.Options{
		{},
		{Address: netip.MustParseAddrPort("127.0.0.1:80"), Rate: 1},
		{Address: netip.MustParseAddrPort("127.0.0.1:80"), From: netip.MustParsePrefix("127.64.0.0/16")},
		{Address: netip.MustParseAddrPort("127.0.0.1:80"), From: netip.MustParsePrefix("127.64.0.0/16"), Rate: 1, AtOnce: -1},
	} {
		if l, err := load.Start(o); err == nil {
			l.Stop()
			t.Errorf("%+v was taken", o)
		}
	}
}
