package netns_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"landbridge.dev/testenv/netns"
)

// These are the programs that look around inside.

// tryNetwork listens on and connects to an address of each range, TCP and UDP.
func tryNetwork() int {
	var errs []error
	if !netns.Inside() {
		errs = append(errs, errors.New("Inside() = false"))
	}
	for _, r := range netns.DefaultRanges() {
		errs = append(errs, tryTCP(r.Masked().Addr().Next().Next()), tryUDP(r.Masked().Addr().Next()))
	}
	if err := errors.Join(errs...); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// tryTCP sends a byte through port 80 of a, and checks the source address.
func tryTCP(a netip.Addr) error {
	l, err := net.Listen("tcp", netip.AddrPortFrom(a, 80).String())
	if err != nil {
		return err
	}
	defer l.Close()
	c, err := net.DialTimeout("tcp", l.Addr().String(), 5*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	peer, err := l.Accept()
	if err != nil {
		return err
	}
	defer peer.Close()
	v4, v6 := netns.HostAddrs()
	want := v4
	if a.Is6() {
		want = v6
	}
	if got := peer.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap(); got != want {
		return fmt.Errorf("source address of a connection to %s = %s, want %s", a, got, want)
	}
	return nil
}

// tryUDP sends a datagram to port 53 of a.
func tryUDP(a netip.Addr) error {
	l, err := net.ListenPacket("udp", netip.AddrPortFrom(a, 53).String())
	if err != nil {
		return err
	}
	defer l.Close()
	c, err := net.Dial("udp", l.LocalAddr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	if err := l.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	_, _, err = l.ReadFrom(make([]byte, 1))
	return err
}

// leaveOrphans makes processes whose parent is gone when they end, and sees
// that nothing of them stays.
func leaveOrphans() int {
	for range 10 {
		if err := exec.Command("sh", "-c", "(: ) & (: ) & exit 0").Run(); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		left := zombies()
		if len(left) == 0 {
			return 0
		}
		if time.Now().After(deadline) {
			fmt.Println("not reaped:", left)
			return 1
		}
	}
}

// zombies are the processes that ended and were not waited for.
func zombies() []string {
	var found []string
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // gone between
		}
		if _, after, ok := strings.Cut(string(b), ") "); ok && after[0] == 'Z' {
			found = append(found, name)
		}
	}
	return found
}

// serveForwarded is an HTTP server inside with a Dialer beside it.
func serveForwarded() int {
	l, err := net.Listen("tcp", "203.0.113.10:80")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	path := os.Getenv(socketEnv)
	failed := make(chan error, 2)
	go func() { failed <- netns.Dialer(context.Background(), path) }()
	go func() {
		failed <- http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			client, _, _ := net.SplitHostPort(r.RemoteAddr)
			fmt.Fprintf(w, "hello from %s to %s", l.Addr(), client)
		}))
	}()
	for { // until the socket answers
		c, err := net.Dial("unix", path)
		if err == nil {
			_ = c.Close()
			break
		}
		runtime.Gosched()
	}
	fmt.Println("serving")
	fmt.Println(<-failed)
	return 1
}
