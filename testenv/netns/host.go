package netns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Host is a machine beside this one: a network namespace of its own, joined to
// this one, or to another host, by a cable. It takes the right to make
// namespaces, which tests have in theirs. Where a *Host may be nil, that is this
// machine. Its methods may be called from several goroutines.
type Host struct {
	name   string
	beside *Host
	calls  chan func()
	ended  chan struct{}
	cables []cable
}

// cable is what joins a host to another.
type cable struct {
	to   *Host
	name string // of its end there
}

// NewHost makes a host. name is a word that names no other; here and there are
// the cable's two addresses, of IPv4 and in one network, or of a network of
// their own each (/32). Packets to everywhere else go to here. Close ends it.
func NewHost(name string, here, there netip.Prefix) (*Host, error) {
	return newHost(nil, name, here, there)
}

// Beside makes another host, as NewHost does, whose cable ends at this one.
func (h *Host) Beside(name string, here, there netip.Prefix) (*Host, error) {
	return newHost(h, name, here, there)
}

func newHost(beside *Host, name string, here, there netip.Prefix) (*Host, error) {
	h := &Host{name: name, beside: beside, calls: make(chan func()), ended: make(chan struct{})}
	made := make(chan error)
	go h.live(made)
	err := <-made
	if err == nil {
		err = h.Join(beside, name, here, there)
	}
	if err == nil {
		err = h.inside(func() error {
			return errors.Join(up("lo"), netlink.RouteAdd(&netlink.Route{Gw: here.Addr().AsSlice()}))
		})
	}
	if err != nil {
		h.Close()
		return nil, fmt.Errorf("host %s: %w", name, err)
	}
	return h, nil
}

// live is the host's thread. It goes with the goroutine, and the namespace with
// it once nothing else is in there.
func (h *Host) live(made chan<- error) {
	runtime.LockOSThread()
	defer close(h.ended)
	made <- unix.Unshare(unix.CLONE_NEWNET)
	for call := range h.calls {
		call()
	}
}

// inside calls f in the host's namespace: sockets that it opens stay there.
func (h *Host) inside(f func() error) (err error) {
	done := make(chan struct{})
	h.calls <- func() {
		defer close(done)
		err = f()
	}
	<-done
	return err
}

// run is inside, or for nil f itself.
func (h *Host) run(f func() error) error {
	if h == nil {
		return f()
	}
	return h.inside(f)
}

// Join joins the host to another one by one more cable, whose end there gets a
// name. It must not be called together with Close.
func (h *Host) Join(to *Host, name string, there, here netip.Prefix) error {
	inner, err := h.cable(to, name)
	if err != nil {
		return err
	}
	if err := to.run(func() error { return up(name, address{there, here}) }); err != nil {
		return err
	}
	return h.inside(func() error { return up(inner, address{here, there}) })
}

// cable lays a cable to another host, and tells the name of its end here.
func (h *Host) cable(to *Host, name string) (inner string, err error) {
	var namespace *os.File
	if err := h.inside(func() (err error) {
		namespace, err = os.Open(fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid()))
		return err
	}); err != nil {
		return "", err
	}
	defer namespace.Close()
	inner = fmt.Sprintf("eth%d", len(h.cables))
	ends := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: inner, PeerNamespace: netlink.NsFd(namespace.Fd())}
	if err := to.run(func() error { return netlink.LinkAdd(ends) }); err != nil {
		return "", fmt.Errorf("cable: %w", err)
	}
	h.cables = append(h.cables, cable{to, name})
	return inner, nil
}

// Plug joins the host to a bridge of this machine by one more cable, whose end at
// the bridge gets a name. It must not be called together with Close.
func (h *Host) Plug(bridge, name string, here netip.Prefix) error {
	b, err := netlink.LinkByName(bridge)
	if err != nil {
		return fmt.Errorf("host %s: the bridge %s: %w", h.name, bridge, err)
	}
	inner, err := h.cable(nil, name)
	if err != nil {
		return err
	}
	if err := up(name); err != nil {
		return err
	}
	end, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkSetMaster(end, b)
	}
	if err != nil {
		return fmt.Errorf("host %s: on the bridge %s: %w", h.name, bridge, err)
	}
	return h.inside(func() error { return up(inner, address{own: here}) })
}

// address is one of an interface, and that of the cable's other end.
type address struct{ own, peer netip.Prefix }

// up brings an interface up with addresses.
func up(name string, addresses ...address) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		to := &netlink.Addr{IPNet: ipNet(a.own)}
		if a.own.IsSingleIP() && a.peer.IsValid() {
			to.Peer = ipNet(a.peer)
		}
		if err := netlink.AddrAdd(link, to); err != nil {
			return fmt.Errorf("%s on %s: %w", a.own, name, err)
		}
	}
	return netlink.LinkSetUp(link)
}

// Forward lets the host pass packets on, by several ways at once, those of one
// connection by one of them.
func (h *Host) Forward() error {
	return errors.Join(h.set("ip_forward", "1"), h.set("fib_multipath_hash_policy", "1"), h.Roundabout())
}

// Roundabout lets packets come to the host by another way than it would answer
// by.
func (h *Host) Roundabout() error {
	return errors.Join(h.set("conf/all/rp_filter", "0"), h.set("conf/default/rp_filter", "0"))
}

// AcceptOwn lets the host pass on packets whose source is an address of its own:
// of a Service, where others answer for that too.
func (h *Host) AcceptOwn() error { return h.set("conf/all/accept_local", "1") }

// set sets what the kernel does in the host's namespace.
func (h *Host) set(setting, value string) error {
	return h.run(func() error { return os.WriteFile("/proc/sys/net/ipv4/"+setting, []byte(value), 0) })
}

// Neighbor tells the host that an address can be reached by its nth cable,
// without a machine between.
func (h *Host) Neighbor(own, other netip.Addr, nth int) error {
	return h.inside(func() error {
		return up(fmt.Sprintf("eth%d", nth), address{whole(own), whole(other)})
	})
}

// Route has a host send what is for a network to another machine.
func (h *Host) Route(to netip.Prefix, via netip.Addr) error {
	return h.run(func() error {
		return netlink.RouteAdd(&netlink.Route{Dst: ipNet(to), Gw: via.AsSlice()})
	})
}

// Passed is how many packets came in by the host's first cable.
func (h *Host) Passed() (n uint64, err error) {
	err = h.inside(func() error {
		link, err := netlink.LinkByName("eth0")
		if err == nil {
			n = link.Attrs().Statistics.RxPackets
		}
		return err
	})
	return n, err
}

// Listen takes an address as the host's own, and listens there.
func (h *Host) Listen(at netip.AddrPort) (l net.Listener, err error) {
	err = h.inside(func() error {
		if err := up("lo", address{own: whole(at.Addr())}); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		l, err = net.Listen("tcp", at.String()) //nolint:noctx // it does not wait
		return err
	})
	return l, err
}

// whole is the prefix of one address.
func whole(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// Reach has packets of here to an address of the host go by the cable, where it
// is one of a range that is local here.
func (h *Host) Reach(a netip.Addr) error {
	cable, err := netlink.LinkByName(h.name)
	if err == nil { // what is local is looked up before all else, the longest prefix first
		err = netlink.RouteAdd(&netlink.Route{
			LinkIndex: cable.Attrs().Index, Dst: ipNet(whole(a)), Type: unix.RTN_UNICAST, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_LINK,
		})
	}
	if err != nil {
		return fmt.Errorf("host %s: reaching %s: %w", h.name, a, err)
	}
	return nil
}

// Start starts a command in there. It is waited for as any.
func (h *Host) Start(cmd *exec.Cmd) error { return h.run(cmd.Start) }

// Cut has the host's packets to an address dropped without a word, until Mend.
func (h *Host) Cut(a netip.Addr) error { return h.blackhole(a, netlink.RouteAdd) }

// Mend takes back a Cut.
func (h *Host) Mend(a netip.Addr) error { return h.blackhole(a, netlink.RouteDel) }

func (h *Host) blackhole(a netip.Addr, change func(*netlink.Route) error) error {
	err := h.inside(func() error { return change(&netlink.Route{Dst: ipNet(whole(a)), Type: unix.RTN_BLACKHOLE}) })
	if err != nil {
		return fmt.Errorf("host %s: its way to %s: %w", h.name, a, err)
	}
	return nil
}

// Dial connects from the host; one after the other.
func (h *Host) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = h.inside(func() error {
		conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Close takes the cables away, and the host with them. Hosts beside it have to
// be closed before.
func (h *Host) Close() {
	for _, c := range h.cables {
		_ = c.to.run(func() error {
			link, err := netlink.LinkByName(c.name)
			if err != nil {
				return err // it is gone already
			}
			return netlink.LinkDel(link)
		})
	}
	close(h.calls)
	<-h.ended
}
