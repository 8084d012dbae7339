package kubelet

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/testenv/app"
)

// server is the sockets of one pod.
type server struct {
	app       *app.App
	http      *http.Server
	listeners []net.Listener
	packets   []net.PacketConn
	serving   sync.WaitGroup
}

// serve listens on every container port at every address: TCP ports answer
// HTTP, UDP ports answer each datagram with one, as package app does.
func serve(pod string, addrs []netip.Addr, containers []corev1.Container, healthy *atomic.Bool) (*server, error) {
	s := &server{app: app.New(pod, healthy.Load)}
	s.http = &http.Server{Handler: s.app, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	for port := range ports(containers) {
		for _, a := range addrs {
			if err := s.listen(port.protocol, netip.AddrPortFrom(a, port.number)); err != nil {
				s.close()
				return nil, err
			}
		}
	}
	return s, nil
}

type port struct {
	protocol corev1.Protocol
	number   uint16
}

func ports(containers []corev1.Container) map[port]bool {
	all := map[port]bool{}
	for _, c := range containers {
		for _, p := range c.Ports {
			protocol := p.Protocol
			if protocol == "" {
				protocol = corev1.ProtocolTCP
			}
			all[port{protocol, uint16(p.ContainerPort)}] = true
		}
	}
	return all
}

func (s *server) listen(protocol corev1.Protocol, a netip.AddrPort) error {
	switch protocol {
	case corev1.ProtocolTCP:
		l, err := net.Listen("tcp", a.String())
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, l)
		s.serving.Go(func() { _ = s.http.Serve(l) }) // ends with close
	case corev1.ProtocolUDP:
		c, err := net.ListenPacket("udp", a.String())
		if err != nil {
			return err
		}
		s.packets = append(s.packets, c)
		s.serving.Go(func() { s.echo(c) })
	default:
		return fmt.Errorf("port %s/%d: pods serve TCP and UDP only", protocol, a.Port())
	}
	return nil
}

// echo answers datagrams until c is closed.
func (s *server) echo(c net.PacketConn) {
	buf := make([]byte, 1<<16)
	for {
		_, from, err := c.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			_, _ = c.WriteTo([]byte(s.app.Answer(c.LocalAddr(), from.String())), from)
		}
	}
}

// close closes all sockets and connections at once.
func (s *server) close() {
	_ = s.http.Close()
	for _, l := range s.listeners {
		_ = l.Close() // http knows it only once it serves it
	}
	for _, c := range s.packets {
		_ = c.Close()
	}
	s.serving.Wait()
}
