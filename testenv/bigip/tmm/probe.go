package tmm

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxReply is how much of an answer a monitor searches for its receive
// string: 5,120 bytes (F5 K3224).
const maxReply = 5120

// target is where a monitor probes: its own destination where it names one.
func (c check) target(addr netip.AddrPort) string {
	host, port := addr.Addr().String(), strconv.Itoa(int(addr.Port()))
	i := strings.LastIndexAny(c.dest, ":.")
	if i > 0 && i < len(c.dest)-1 {
		if h := c.dest[:i]; h != "*" {
			host = h
		}
		if p := c.dest[i+1:]; p != "*" {
			port = p
		}
	}
	return net.JoinHostPort(host, port)
}

// probe asks once; nil is success. Types that cannot be probed here (external
// scripts, databases and the like) always succeed.
func (c check) probe(ctx context.Context, addr netip.AddrPort) error {
	switch c.kind {
	case "tcp", "http":
		return c.overTCP(ctx, addr, false)
	case "https":
		return c.overTCP(ctx, addr, true)
	case "tcp-half-open", "tcp-echo":
		return c.connects(ctx, c.target(addr))
	case "udp":
		return c.overUDP(ctx, addr)
	case "icmp", "gateway-icmp":
		return c.alive(ctx, addr)
	}
	return nil
}

func (c check) connects(ctx context.Context, target string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", target)
	if err != nil {
		return err
	}
	return conn.Close()
}

// alive asks a host by ICMP. A process that may not send ICMP takes a host for
// alive that accepts or refuses a TCP connection.
func (c check) alive(ctx context.Context, addr netip.AddrPort) error {
	host, port, err := net.SplitHostPort(c.target(addr))
	if err != nil {
		return err
	}
	to, err := netip.ParseAddr(host)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.interval)
	defer cancel()
	if err := ping(ctx, to); !errors.Is(err, errNoICMP) {
		return err
	}
	if port == "0" {
		port = "7"
	}
	err = c.connects(ctx, net.JoinHostPort(host, port))
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	return err
}

func (c check) overTCP(ctx context.Context, addr netip.AddrPort, secure bool) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.target(addr))
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // ends the probe
	defer stop()
	if secure {
		tc := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // monitors do not verify
		if err := tc.HandshakeContext(ctx); err != nil {
			return err
		}
		conn = tc
	}
	send := c.message()
	if send == "" && c.recv == "" {
		return nil
	}
	if _, err := io.WriteString(conn, send); err != nil {
		return err
	}
	if c.kind == "tcp" && c.recv == "" {
		return nil
	}
	return c.expect(conn)
}

// message is the send string with its escapes read; an HTTP request gets the
// line ends and the credentials that a device adds.
func (c check) message() string {
	s := strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\t`, "\t", `\"`, `"`, `\\`, `\`).Replace(c.send)
	if c.kind != "http" && c.kind != "https" || s == "" {
		return s
	}
	s = strings.TrimRight(s, "\r\n")
	if c.user != "" && strings.Contains(s, "HTTP/") {
		s += "\r\nAuthorization: Basic " + base64.StdEncoding.EncodeToString([]byte(c.user+":"+c.password))
	}
	return s + "\r\n\r\n"
}

// expect reads until the receive string is found; without one any answer will
// do.
func (c check) expect(conn io.Reader) error {
	var re *regexp.Regexp
	if c.recv != "" {
		var err error
		if re, err = regexp.Compile("(?i)" + c.recv); err != nil {
			re = regexp.MustCompile("(?i)" + regexp.QuoteMeta(c.recv))
		}
	}
	var got []byte
	buf := make([]byte, 1024)
	for len(got) < maxReply {
		n, err := conn.Read(buf)
		got = append(got, buf[:n]...)
		found := len(got) > 0 && (re == nil || re.Match(got))
		if found && !c.reverse {
			return nil
		}
		if found {
			return fmt.Errorf("reverse monitor found %q", c.recv)
		}
		if err != nil {
			if c.reverse && len(got) > 0 {
				return nil
			}
			if errors.Is(err, io.EOF) && len(got) > 0 && re != nil {
				return fmt.Errorf("%q is not in the answer", c.recv)
			}
			return err
		}
	}
	return fmt.Errorf("%q is not in the first %d bytes", c.recv, maxReply)
}

// overUDP sends and waits: an ICMP refusal is down, silence is up unless a
// receive string is asked for (F5 K12531).
func (c check) overUDP(ctx context.Context, addr netip.AddrPort) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", c.target(addr))
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // ends the probe
	defer stop()
	if _, err := io.WriteString(conn, c.message()); err != nil {
		return err
	}
	if c.recv != "" {
		return c.expect(conn)
	}
	if err := conn.SetReadDeadline(time.Now().Add(min(c.interval, time.Second))); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	var ne net.Error
	if err == nil || errors.As(err, &ne) && ne.Timeout() {
		return ctx.Err()
	}
	return err
}
