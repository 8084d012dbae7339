package tmm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// udpServer is a virtual server for UDP: each client address and port is a
// flow to one member until it was idle for the profile's idle timeout.
type udpServer struct {
	e    *Engine
	v    *virtual
	conn *net.UDPConn

	mu     sync.Mutex
	closed bool
	flows  map[netip.AddrPort]*udpFlow
}

// udpFlow is one client's flow.
type udpFlow struct {
	server net.Conn
	client netip.AddrPort
	member *member
	once   sync.Once
}

func (f *udpFlow) reset() { f.once.Do(func() { f.server.Close() }) }

func (e *Engine) openUDP(v *virtual, address, hostPort string) string {
	ap, err := netip.ParseAddrPort(hostPort)
	if err != nil {
		return fmt.Sprintf("Cannot be served on this machine: %v", err)
	}
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(ap))
	if err != nil {
		return fmt.Sprintf("Cannot be served on this machine: %v", err)
	}
	s := &udpServer{e: e, v: v, conn: conn, flows: make(map[netip.AddrPort]*udpFlow)}
	v.listen, v.listener = address, s
	e.spawn(s.run)
	return ""
}

// Close stops listening; flows end with it, as they answer from its socket.
func (s *udpServer) Close() error {
	s.mu.Lock()
	s.closed = true
	for _, f := range s.flows {
		f.reset()
	}
	s.mu.Unlock()
	return s.conn.Close()
}

func (s *udpServer) run() {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		f := s.flow(from)
		if f == nil {
			continue // dropped: nobody to send it to
		}
		s.v.counters.in.Add(int64(n))
		f.member.counters.in.Add(int64(n))
		if _, err := f.server.Write(buf[:n]); err != nil {
			f.reset()
		}
	}
}

// flow finds or makes the flow of a client.
func (s *udpServer) flow(from netip.AddrPort) *udpFlow {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.flows[from]; ok {
		return f
	}
	conf := s.v.conf.Load()
	if s.closed || conf.pool == nil || !admits(conf, from.Addr(), s.v) {
		return nil
	}
	m := s.e.persisted(s.v, conf, from.Addr())
	if m == nil {
		if m = conf.pool.pick(s.e.pickTMM(), nil); m == nil {
			return nil
		}
	}
	server, err := s.e.dial("udp", conf, from.Addr(), m.conf.Load().addr)
	if err != nil {
		return nil
	}
	f := &udpFlow{server: server, client: from, member: m}
	if !m.track(f) {
		f.reset()
		return nil
	}
	if !s.v.track(f) {
		m.untrack(f)
		f.reset()
		return nil
	}
	s.e.remember(s.v, conf, from.Addr(), m)
	s.flows[from] = f
	m.take()
	s.v.counters.open()
	idle := conf.udpIdle
	s.e.spawn(func() { s.answers(f, idle) })
	return f
}

// answers carries what the member sends back, until the flow ends.
func (s *udpServer) answers(f *udpFlow, idle time.Duration) {
	stop := context.AfterFunc(s.e.ctx, f.reset)
	defer func() {
		stop()
		f.reset()
		s.mu.Lock()
		delete(s.flows, f.client)
		s.mu.Unlock()
		s.v.untrack(f)
		f.member.untrack(f)
		f.member.release()
		s.v.counters.close()
	}()
	buf := make([]byte, 64<<10)
	last := f.member.counters.in.Load()
	for {
		f.server.SetReadDeadline(time.Now().Add(idle)) //nolint:errcheck // a closed flow ends at the read
		n, err := f.server.Read(buf)
		var ne net.Error
		if errors.As(err, &ne) && ne.Timeout() {
			if now := f.member.counters.in.Load(); now != last {
				last = now
				continue
			}
			return
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // a refusal by ICMP: the member may come back
		}
		s.v.counters.out.Add(int64(n))
		f.member.counters.out.Add(int64(n))
		if _, err := s.conn.WriteToUDPAddrPort(buf[:n], f.client); err != nil {
			return
		}
	}
}
