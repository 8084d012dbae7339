package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// makeLocal brings lo up, gives it the host's addresses and routes ranges to
// it as local ones. It speaks netlink itself: a fresh machine may lack ip(8).
func makeLocal(ranges []netip.Prefix) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding lo: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bringing lo up: %w", err)
	}
	if err := allowIPv6(); err != nil {
		return err
	}
	host4, host6 := HostAddrs()
	for _, a := range []netip.Addr{host4, host6} {
		addr := &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(a, a.BitLen()))}
		if a.Is6() {
			addr.Flags = unix.IFA_F_NODAD // else it is tentative, and no source, for a moment
		}
		if err := netlink.AddrAdd(lo, addr); err != nil {
			return fmt.Errorf("giving lo the address %s: %w", a, err)
		}
	}
	for _, r := range ranges {
		route := &netlink.Route{
			LinkIndex: lo.Attrs().Index,
			Dst:       ipNet(r.Masked()),
			Type:      unix.RTN_LOCAL,
			Table:     unix.RT_TABLE_LOCAL,
		}
		if r.Addr().Is4() {
			route.Scope = netlink.SCOPE_HOST
			route.Src = host4.AsSlice() // else the source would be the very address that is called
		}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("making %s local: %w", r, err)
		}
	}
	return nil
}

// allowIPv6 turns IPv6 on, which some machines turn off in new namespaces, and
// lets sockets listen on addresses that only a local route covers, which IPv4
// allows by itself.
func allowIPv6() error {
	const dir = "/proc/sys/net/ipv6/"
	for _, setting := range [][2]string{{"conf/all/disable_ipv6", "0"}, {"conf/lo/disable_ipv6", "0"}, {"ip_nonlocal_bind", "1"}} {
		err := os.WriteFile(dir+setting[0], []byte(setting[1]), 0)
		if errors.Is(err, fs.ErrNotExist) {
			return errors.New("this kernel has no IPv6, which half of the ranges need: boot it without ipv6.disable=1")
		}
		if err != nil {
			return fmt.Errorf("allowing IPv6: %w", err)
		}
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
