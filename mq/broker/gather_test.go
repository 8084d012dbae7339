package broker_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"landbridge.dev/mq/broker"
)

// gated is a connection whose writes wait for leave, one each.
type gated struct {
	net.Conn
	begun chan struct{}
	leave chan error
	sent  [][]byte // in each write
}

func (g *gated) Write(b []byte) (int, error) {
	g.begun <- struct{}{}
	if err := <-g.leave; err != nil {
		return 0, err
	}
	g.sent = append(g.sent, bytes.Clone(b))
	return len(b), nil
}

func gate(t *testing.T) (*gated, net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { _ = far.Close() })
	g := &gated{Conn: near, begun: make(chan struct{}, 10), leave: make(chan error)}
	return g, broker.Gather(g)
}

func write(t *testing.T, c net.Conn, b []byte) {
	t.Helper()
	if n, err := c.Write(b); n != len(b) || err != nil {
		t.Fatalf("%d of %d bytes written: %v", n, len(b), err)
	}
}

// What is written while a call is under way goes in the next, in its order.
func TestWritesAreGathered(t *testing.T) {
	t.Parallel()
	g, c := gate(t)
	again := []byte("a") // the caller's own
	write(t, c, again)
	<-g.begun
	for _, b := range []byte("bcdefgh") {
		again[0] = b
		write(t, c, again)
	}
	g.leave <- nil
	<-g.begun
	g.leave <- nil
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if len(g.sent) != 2 || string(bytes.Join(g.sent, []byte("|"))) != "a|bcdefgh" {
		t.Errorf("sent in %d calls: %q", len(g.sent), g.sent)
	}
	if _, err := c.Write(again); !errors.Is(err, net.ErrClosed) {
		t.Errorf("written after the end: %v", err)
	}
}

// What was written before the end is sent; nothing is lost on the way there.
func TestLastWords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		c := broker.Gather(near)
		var want []byte
		for i := range 1000 {
			want = append(want, bytes.Repeat([]byte{byte(i)}, i)...)
		}
		got := make(chan []byte)
		go func() {
			all, _ := io.ReadAll(far)
			got <- all
		}()
		for i := range 1000 {
			write(t, c, bytes.Repeat([]byte{byte(i)}, i))
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if all := <-got; !bytes.Equal(all, want) {
			t.Errorf("%d bytes came, want %d", len(all), len(want))
		}
	})
}

// A peer that does not read holds up who writes to it, before much is in hand,
// and holds up no end.
func TestPeerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		c := broker.Gather(near)
		held := make(chan error)
		written := make(chan struct{}, 1000)
		go func() {
			for {
				if _, err := c.Write(make([]byte, 1<<10)); err != nil {
					held <- err
					return
				}
				written <- struct{}{}
			}
		}()
		for range 64 {
			<-written
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := <-held; err == nil {
			t.Error("what was written last is lost without a word")
		}
		if n := 64 + len(written); n > 140 { // KB: being sent, and waiting
			t.Errorf("%d KB were in hand", n)
		}
	})
}

// What could not be sent is told to whoever writes next, or reads.
func TestWriteThatFails(t *testing.T) {
	t.Parallel()
	g, c := gate(t)
	broken := errors.New("broken")
	read := make(chan error)
	go func() {
		_, err := c.Read(make([]byte, 1))
		read <- err
	}()
	write(t, c, []byte("a"))
	<-g.begun
	g.leave <- broken
	select {
	case err := <-read:
		if err == nil {
			t.Error("a broken connection is read from")
		}
	case <-time.After(time.Minute):
		t.Fatal("whoever reads does not learn of it")
	}
	if _, err := c.Write([]byte("b")); !errors.Is(err, broken) {
		t.Errorf("whoever writes learns %v", err)
	}
	_ = c.Close() // it is
}
