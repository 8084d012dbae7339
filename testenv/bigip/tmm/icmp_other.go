//go:build !linux

package tmm

import (
	"net"
	"net/netip"
)

func openICMP(to netip.Addr) (net.PacketConn, net.Addr, error) { return rawICMP(to) }
