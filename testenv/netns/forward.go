package netns

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// A network namespace has its own ports, but a socket in the file system is
// reached from any. So forwarding takes two ends: Dialer inside listens on
// such a socket and dials what it is asked for, Forward outside listens on a
// port and asks. The request is one line with the address, the answer one
// line, "ok" or the reason; then bytes go both ways.

// dialTimeout bounds the connection that Dialer makes for a forwarded one.
const dialTimeout = 10 * time.Second

// Dialer serves forwarded connections on a Unix socket at path until ctx ends,
// and then ends those that are open. It runs inside. A socket left at path by
// an earlier run is replaced; only its owner may connect.
func Dialer(ctx context.Context, path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forwarding socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("forwarding socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("forwarding socket: %w", err), l.Close())
	}
	return serve(ctx, l, func(ctx context.Context, c net.Conn) {
		r := bufio.NewReader(c)
		target, err := r.ReadString('\n')
		if err != nil {
			return
		}
		to, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", strings.TrimSuffix(target, "\n"))
		if err != nil {
			fmt.Fprintf(c, "%s\n", strings.ReplaceAll(err.Error(), "\n", " "))
			return
		}
		defer to.Close()
		if _, err := io.WriteString(c, "ok\n"); err != nil {
			return
		}
		splice(ctx, c, r, to, to)
	})
}

// Forward accepts TCP connections on l and joins each to target ("host:port"
// inside) by the Dialer at path, until ctx ends. It closes l. A connection
// whose target does not answer is closed; the Dialer may come and go.
func Forward(ctx context.Context, l net.Listener, path, target string) error {
	return serve(ctx, l, func(ctx context.Context, c net.Conn) {
		to, r, err := dialThrough(ctx, path, target)
		if err != nil {
			return
		}
		defer to.Close()
		splice(ctx, c, c, to, r)
	})
}

// dialThrough asks the Dialer at path for target. What target sends is to be
// read from the reader.
func dialThrough(ctx context.Context, path, target string) (net.Conn, *bufio.Reader, error) {
	to, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, nil, fmt.Errorf("forwarding to %s: %w", target, err)
	}
	if _, err := io.WriteString(to, target+"\n"); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("forwarding to %s: %w", target, err), to.Close())
	}
	r := bufio.NewReader(to)
	answer, err := r.ReadString('\n')
	if err == nil && answer != "ok\n" {
		err = errors.New(strings.TrimSuffix(answer, "\n"))
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("forwarding to %s: %w", target, err), to.Close())
	}
	return to, r, nil
}

// serve hands each connection to handle in a goroutine of its own until ctx
// ends, and returns when all of them have.
func serve(ctx context.Context, l net.Listener, handle func(context.Context, net.Conn)) error {
	var open sync.WaitGroup
	defer open.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return errors.Join(fmt.Errorf("accepting connections to forward: %w", err), l.Close())
		}
		open.Go(func() {
			defer c.Close()
			handle(ctx, c)
		})
	}
}

// splice copies both ways until both ends are done or ctx ends. The end of one
// direction is passed on as such, so that half-closed connections work.
func splice(ctx context.Context, a net.Conn, fromA io.Reader, b net.Conn, fromB io.Reader) {
	defer context.AfterFunc(ctx, func() { _ = a.Close(); _ = b.Close() })()
	var both sync.WaitGroup
	both.Go(func() { copyHalf(b, fromA) })
	both.Go(func() { copyHalf(a, fromB) })
	both.Wait()
}

func copyHalf(to net.Conn, from io.Reader) {
	_, err := io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok && err == nil {
		_ = half.CloseWrite()
		return
	}
	_ = to.Close()
}
