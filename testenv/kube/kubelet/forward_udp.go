package kubelet

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// udpIdle is how long a client keeps its backend without a datagram, as in
// the kernel's table (nf_conntrack_udp_timeout_stream).
const udpIdle = 120 * time.Second

// udpSocket forwards the datagrams to one node port. A client's datagrams go
// to one backend as long as that is there.
type udpSocket struct {
	rotation
	node netip.Addr
	conn *net.UDPConn
	open sync.WaitGroup // the receiving goroutine and the flows
	stop func() bool

	mu    sync.Mutex
	flows map[netip.AddrPort]flow // by client
}

type flow struct {
	backend netip.AddrPort
	conn    *net.UDPConn
}

func listenUDP(key socketKey, to backends) (socket, error) {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(key.addr))
	if err != nil {
		return nil, err
	}
	s := &udpSocket{node: key.addr.Addr(), conn: c, flows: map[netip.AddrPort]flow{}}
	s.route(to)
	s.stop = context.AfterFunc(key.power, func() { _ = c.Close() })
	s.open.Go(s.receive)
	return s, nil
}

// close ends the flows too: what a node answers on a port needs the port.
func (s *udpSocket) close() {
	s.stop()
	_ = s.conn.Close()
	s.open.Wait()
}

func (s *udpSocket) receive() {
	defer s.endFlows()
	buf := make([]byte, 1<<16)
	for {
		n, client, err := s.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return // closed
		}
		if to := s.flow(client); to != nil {
			_ = to.SetReadDeadline(time.Now().Add(udpIdle))
			_, _ = to.Write(buf[:n])
		}
	}
}

func (s *udpSocket) endFlows() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.flows {
		_ = f.conn.Close()
	}
}

// flow is the connection to the client's backend, nil where none can be had.
func (s *udpSocket) flow(client netip.AddrPort) *net.UDPConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.to.Load()
	if f, ok := s.flows[client]; ok {
		if slices.Contains(to.addrs, f.backend) {
			return f.conn
		}
		_ = f.conn.Close()
	}
	backend, local := s.pick()
	source := s.node
	if local {
		source = client.Addr()
	}
	c, err := net.DialUDP("udp", &net.UDPAddr{IP: source.AsSlice()}, net.UDPAddrFromAddrPort(backend))
	if err != nil {
		return nil
	}
	f := flow{backend, c}
	s.flows[client] = f
	s.open.Go(func() { s.answer(client, f) })
	return c
}

// answer takes a backend's datagrams back to the client.
func (s *udpSocket) answer(client netip.AddrPort, f flow) {
	defer func() {
		_ = f.conn.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.flows[client] == f {
			delete(s.flows, client)
		}
	}()
	_ = f.conn.SetReadDeadline(time.Now().Add(udpIdle))
	buf := make([]byte, 1<<16)
	for {
		n, err := f.conn.Read(buf)
		if err != nil {
			return // idle, refused or closed
		}
		if _, err := s.conn.WriteToUDPAddrPort(buf[:n], client); err != nil {
			return
		}
	}
}
