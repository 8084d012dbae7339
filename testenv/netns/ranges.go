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
	v6, err := allowNonlocalBind()
	if err != nil {
		return err
	}
	host4, host6 := HostAddrs()
	for _, a := range []netip.Addr{host4, host6} {
		if a.Is6() && !v6 {
			continue
		}
		addr := &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(a, a.BitLen()))}
		if err := netlink.AddrAdd(lo, addr); err != nil {
			return fmt.Errorf("giving lo the address %s: %w", a, err)
		}
	}
	for _, r := range ranges {
		if r.Addr().Is6() && !v6 {
			continue
		}
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

// allowNonlocalBind lets sockets listen on IPv6 addresses that only a local
// route covers; IPv4 allows it by itself. It reports whether there is IPv6.
func allowNonlocalBind() (bool, error) {
	const name = "/proc/sys/net/ipv6/ip_nonlocal_bind"
	err := os.WriteFile(name, []byte("1"), 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("allowing IPv6 addresses of local ranges: %w", err)
	}
	return true, nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
