package world

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

const (
	// blocks are how many worlds may stand side by side: each has 16 of the
	// 256 addresses of 203.0.113.0/24.
	blocks    = 16
	blockSize = 16

	// claimPort is listened on to claim a block; nothing is served there.
	claimPort = "2377"
)

// Addresses are those that a world has for itself, of all in its namespaces.
type Addresses struct {
	block   int
	claim   net.Listener
	reached bool // by real pods: what they call is at no loopback address
}

// claimAddresses takes the first block that no other world has.
func claimAddresses(reached bool) (*Addresses, error) {
	for block := range blocks {
		a := &Addresses{block: block, reached: reached}
		l, err := net.Listen("tcp", a.own(claimPort))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("claiming addresses: %w", err)
		}
		a.claim = l
		return a, nil
	}
	return nil, fmt.Errorf("claiming addresses: %d worlds run already", blocks)
}

func (a *Addresses) release() error { return a.claim.Close() }

// own is the world's own address with a port, for what it runs: a loopback
// address, or one that real pods reach.
func (a *Addresses) own(port string) string {
	if a.reached {
		return net.JoinHostPort(fmt.Sprintf("198.51.100.%d", a.block*blockSize+1), port)
	}
	return net.JoinHostPort(fmt.Sprintf("127.1.%d.1", a.block), port)
}

// Broker is where the broker is: no loopback address, which machines set apart
// could not reach.
func (a *Addresses) Broker() netip.Addr {
	return netip.AddrFrom4([4]byte{198, 51, 100, byte(200 + a.block)})
}

// unit is "host:port" of the device's nth unit, 0 or 1.
func (a *Addresses) unit(n int, port string) string {
	if n == 0 {
		return a.own(port)
	}
	if a.reached {
		return net.JoinHostPort(fmt.Sprintf("198.51.100.%d", a.block*blockSize+2), port)
	}
	return net.JoinHostPort(fmt.Sprintf("127.1.%d.201", a.block), port)
}

// controller is where the nth landbridge serves metrics and health.
func (a *Addresses) controller(n int) string {
	return fmt.Sprintf("127.1.%d.%d:8080", a.block, n+2)
}

// Virtual4 are the world's virtual addresses, IPv4.
func (a *Addresses) Virtual4() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(a.block * blockSize)}), 28)
}

// Virtual6 are the world's virtual addresses, IPv6.
func (a *Addresses) Virtual6() netip.Prefix {
	return netip.MustParsePrefix(fmt.Sprintf("2001:db8:0:%x::/64", a.block))
}

// VIP4 is the nth virtual address, 0 to 5. In a namespace's only world the
// first is 203.0.113.10.
func (a *Addresses) VIP4(n int) netip.Addr {
	return nth(a.Virtual4().Addr(), 10+n)
}

// VIP6 is the nth virtual address, 0 to 5. In a namespace's only world the
// first is 2001:db8::10.
func (a *Addresses) VIP6(n int) netip.Addr {
	return nth(a.Virtual6().Addr(), 0x10+n)
}

func nth(a netip.Addr, n int) netip.Addr {
	for range n {
		a = a.Next()
	}
	return a
}

// Clients are the nth 65,536 addresses that clients may come from, 0 to 3.
func (a *Addresses) Clients(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{100, byte(64 + 4*a.block + n), 0, 0}), 16)
}

// Management is "host:port" of the iControl REST of the device's nth unit, 0 or
// 1: what passes the gate.
func (a *Addresses) Management(n int) string { return a.unit(n, "443") }
