package tmm

import (
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// openICMP opens a ping socket where the group may (ping_group_range), and a
// raw one otherwise.
func openICMP(to netip.Addr) (net.PacketConn, net.Addr, error) {
	family, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	if to.Is6() {
		family, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return rawICMP(to)
	}
	f := os.NewFile(uintptr(fd), "icmp")
	defer f.Close()
	c, err := net.FilePacketConn(f)
	if err != nil {
		return nil, nil, err
	}
	return c, &net.UDPAddr{IP: to.AsSlice()}, nil
}
