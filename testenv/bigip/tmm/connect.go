package tmm

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"landbridge.dev/testenv/bigip/mcp"
)

// dialTimeout is how long a member may take to accept: a device gives up
// after its SYN retries, some 12 s with the stock profile; on one machine that
// is an age.
const dialTimeout = 5 * time.Second

// snat is the source address translation of a virtual server.
type snat struct {
	kind      string // none, automap, snat
	addresses []netip.Addr
}

func (e *Engine) snatOf(o *mcp.Object) snat {
	m := o.Map("sourceAddressTranslation")
	s := snat{}
	s.kind, _ = m["type"].(string)
	pool, _ := m["pool"].(string)
	if sp, ok := e.store.Find("ltm/snatpool", pool); ok {
		for _, path := range sp.Strings("members") {
			t, ok := e.store.Find("ltm/snat-translation", path)
			if !ok {
				continue
			}
			if a, ok := mcp.ParseAddress(t.Str("address"), 0); ok {
				s.addresses = append(s.addresses, a.IP)
			}
		}
	}
	return s
}

// source is the address to connect from: the client's without translation, one
// of the pool's with a SNAT pool, and with automap whatever this machine uses
// towards the member, which is its self IP there.
func (s snat) source(client netip.Addr) netip.Addr {
	switch {
	case s.kind == "none":
		return client
	case s.kind == "snat" && len(s.addresses) > 0:
		return s.addresses[0]
	}
	return netip.Addr{}
}

// dial connects to a member, from the address that translation asks for where
// this machine has it.
func (e *Engine) dial(network string, conf *virtualSettings, client netip.Addr, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	if from := conf.snat.source(client); from.IsValid() && from.Is4() == to.Addr().Is4() && local(from) {
		if network == "udp" {
			d.LocalAddr = &net.UDPAddr{IP: from.AsSlice()}
		} else {
			d.LocalAddr, d.Control = &net.TCPAddr{IP: from.AsSlice()}, lateport
		}
	}
	return d.DialContext(e.ctx, network, to.String())
}

// local reports whether this machine can send from an address.
func local(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: a.AsSlice()})
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// connect tries the wished member if there is one, then picks members until
// one accepts. A refused connect is tried again with another member as often
// as the pool's reselectTries says. The member is taken: the caller releases
// it.
func (e *Engine) connect(conf *virtualSettings, client netip.Addr, wish *member) (*net.TCPConn, *member, error) {
	p := conf.pool
	tmm := e.pickTMM()
	var tried []*member
	for {
		m := wish
		wish = nil
		if m == nil {
			if m = p.pick(tmm, tried); m == nil {
				return nil, nil, errNoMember
			}
		}
		m.take()
		c, err := e.dial("tcp", conf, client, m.conf.Load().addr)
		if err == nil {
			if tc, ok := c.(*net.TCPConn); ok {
				return tc, m, nil
			}
		}
		m.release()
		p.mu.Lock()
		again := int64(len(tried)) < p.reselect
		p.mu.Unlock()
		if !again || slices.Contains(tried, m) {
			return nil, nil, fmt.Errorf("connecting to %s: %w", m.path, err)
		}
		tried = append(tried, m)
	}
}

func (m *member) take() {
	m.counters.open()
	m.node.current.Add(1)
}

func (m *member) release() {
	m.counters.close()
	m.node.current.Add(-1)
}
