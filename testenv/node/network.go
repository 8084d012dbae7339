package node

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
)

const (
	// Bridge is the nodes' network, in the namespace that they are started from.
	Bridge = "br0"

	linkPrefix = "to-"  // of the interfaces on the bridge
	nodeLink   = "eth0" // of a node, in its namespace
)

// Ranges are what netns.Options.Ranges has to be: all of the test world's but
// pods and nodes, which are elsewhere here.
func Ranges() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("203.0.113.0/24"),  // virtual addresses
		netip.MustParsePrefix("198.51.100.0/24"), // self addresses, routers, brokers
		netip.MustParsePrefix("10.20.0.0/16"),    // VMs
		netip.MustParsePrefix("100.64.0.0/10"),   // clients
		netip.MustParsePrefix("2001:db8::/32"),
	}
}

// Gateway is the address of the inside on the nodes' network.
func Gateway() netip.Addr { return netip.MustParseAddr("172.18.0.1") }

// Router is where there is room for a router on the nodes' network.
func Router() netip.Prefix { return netip.MustParsePrefix("172.18.0.2/24") }

// site is where the nth node is, from 0.
type site struct {
	Address netip.Addr
	Pods    netip.Prefix
}

func siteOf(n int) site {
	return site{
		Address: netip.AddrFrom4([4]byte{172, 18, 0, byte(11 + n)}),
		Pods:    netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, byte(11 + n), 0}), 24),
	}
}

// makeBridge makes the nodes' network, with the routes to n nodes' pods.
func makeBridge(n int) error {
	// With an address of its own: one of a node's would go with the node.
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = Bridge, net.HardwareAddr{2, 0, 0, 0, 0, 1}
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
		return fmt.Errorf("making the nodes' network: %w", err)
	}
	if err := configure(Bridge, Gateway()); err != nil {
		return err
	}
	for i := range n {
		if err := route(siteOf(i).Pods, siteOf(i).Address); err != nil {
			return err
		}
	}
	return nil
}

// removeLink removes an interface, which may have gone already.
func removeLink(name string) error {
	link, err := netlink.LinkByName(name)
	if missing := (netlink.LinkNotFoundError{}); errors.As(err, &missing) {
		return nil
	}
	if err == nil {
		err = netlink.LinkDel(link)
	}
	if err != nil {
		return fmt.Errorf("removing the interface %s: %w", name, err)
	}
	return nil
}

// plug connects the namespace of a process to the bridge.
func plug(name string, pid int) error {
	bridge, err := netlink.LinkByName(Bridge)
	if err != nil {
		return fmt.Errorf("the nodes' network: %w", err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MasterIndex = name, bridge.Attrs().Index
	pair := netlink.NewVeth(attrs)
	pair.PeerName, pair.PeerNamespace = nodeLink, netlink.NsPid(pid)
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("connecting a node: %w", err)
	}
	return netlink.LinkSetUp(pair)
}

// configure brings an interface of the nodes' network up with its address, and
// has this namespace forward.
func configure(name string, a netip.Addr) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(24, 32)}}); err != nil {
		return fmt.Errorf("giving %s the address %s: %w", name, a, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bringing %s up: %w", name, err)
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
}

// route routes a prefix by a gateway.
func route(to netip.Prefix, by netip.Addr) error {
	dst := &net.IPNet{IP: to.Addr().AsSlice(), Mask: net.CIDRMask(to.Bits(), 32)}
	if err := netlink.RouteAdd(&netlink.Route{Dst: dst, Gw: by.AsSlice()}); err != nil {
		return fmt.Errorf("routing %s by %s: %w", to, by, err)
	}
	return nil
}
