package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"

	"landbridge.dev/testenv/netns"
	"landbridge.dev/testenv/node"
	"landbridge.dev/testenv/router"
)

// Site is what lies between a world and clients elsewhere, each in a network
// namespace of its own: a router, a machine behind it, and for each node that
// has power a machine that passes on what comes to it for a Service. There is
// room for one in the namespaces that a world stands in.
//
// A node passes packets on as they are, whichever connection they are of, as
// nodes do that choose pods by consistent hashing: a connection outlives the
// node that it came by.
//
// Where the world's nodes are real, the router is on their network, waits to be
// called from their addresses, and they do what nodes do: none is given power.
type Site struct {
	Router *router.BIRD
	// Address is the router's, at RouterPort, where landbridge calls it.
	Address netip.Addr
	// Client connects from behind the router.
	Client Dial

	dir     string
	tor     *netns.Host
	client  *netns.Host
	world   *World
	nodes   map[string]*netns.Host
	fronts  []net.Listener
	serving sync.WaitGroup
}

// Where things are at a site: the world's end of the router's cable, which
// landbridge speaks from, the router, and what is behind it.
var (
	siteSpeaker = netip.MustParsePrefix("172.31.0.1/24")   //nolint:gochecknoglobals // constants
	siteRouter  = netip.MustParsePrefix("172.31.0.2/24")   //nolint:gochecknoglobals // constants
	siteClients = netip.MustParsePrefix("192.168.77.1/24") //nolint:gochecknoglobals // constants
)

// SiteSpeaker is the address that a controller's sessions with a site's router
// come from.
func SiteSpeaker() netip.Addr { return siteSpeaker.Addr() }

// StartSite starts a site, without nodes. Its router can reach the floating self
// IP of the device. Stop ends it.
func (w *World) StartSite(ctx context.Context, floating netip.Addr) (_ *Site, err error) {
	s := &Site{world: w, nodes: map[string]*netns.Host{}}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("site: %w", err), s.Stop())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "landbridge-site-"); err != nil {
		return nil, err
	}
	if err := (*netns.Host)(nil).Roundabout(); err != nil {
		return nil, err
	}
	if s.tor, err = netns.NewHost("tor", siteSpeaker, siteRouter); err != nil {
		return nil, err
	}
	if err := errors.Join(s.tor.Forward(), s.tor.Neighbor(siteRouter.Addr(), floating, 0)); err != nil {
		return nil, err
	}
	if s.client, err = s.tor.Beside("clients", siteClients, netip.PrefixFrom(siteClients.Addr().Next(), siteClients.Bits())); err != nil {
		return nil, err
	}
	s.Client = s.client.Dial
	if err := (*netns.Host)(nil).Route(siteClients.Masked(), siteRouter.Addr()); err != nil {
		return nil, err
	}
	neighbors, err := s.neighbors(ctx)
	if err != nil {
		return nil, err
	}
	s.Router, err = router.StartBIRD(ctx, router.Options{
		Dir: s.dir, Name: "tor", On: s.tor, Address: s.Address, Port: RouterPort, ASN: RouterASN, Kernel: true, Neighbors: neighbors,
	})
	return s, err
}

// neighbors are who may call the router, at the Address that it has for them.
func (s *Site) neighbors(ctx context.Context) (neighbors []router.Neighbor, err error) {
	from := map[netip.Addr]string{siteSpeaker.Addr(): "landbridge"}
	s.Address = siteRouter.Addr()
	if s.world.Nodes != nil {
		s.Address = node.Router().Addr()
		// The nodes answer clients by their gateway, which has the Services'
		// addresses itself.
		if err := errors.Join(s.tor.Plug(node.Bridge, "to-tor", node.Router()), (*netns.Host)(nil).AcceptOwn()); err != nil {
			return nil, err
		}
		if from, err = s.world.nodeAddresses(ctx); err != nil {
			return nil, err
		}
	}
	for at, name := range from {
		neighbors = append(neighbors, router.Neighbor{Name: strings.ReplaceAll(name, "-", "_"), Address: at, ASN: SpeakerASN, AddPaths: true, Direct: true})
	}
	return neighbors, nil
}

// PowerOn gives a node its machine, which passes on what comes to it for the
// world's virtual addresses.
func (s *Site) PowerOn(name string) error {
	addresses, err := s.world.Kube.Nodes().Addrs(name)
	if err != nil {
		return err
	}
	at := addresses[0]
	gateway := netip.AddrFrom4([4]byte{172, 18, 0, 254})
	h, err := s.tor.Beside(name, netip.PrefixFrom(gateway, 32), netip.PrefixFrom(at, 32))
	if err != nil {
		return err
	}
	s.nodes[name] = h
	last := at.As4()[3]
	inward := netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 31, last, 1}), 24)
	if err := h.Join(nil, "in-"+name, inward, netip.PrefixFrom(inward.Addr().Next(), 24)); err != nil {
		return err
	}
	return errors.Join(h.Forward(), h.Route(s.world.Addresses.Virtual4(), inward.Addr()))
}

// PowerOff takes a node's machine away: what is sent to it is lost.
func (s *Site) PowerOff(node string) {
	s.nodes[node].Close()
	delete(s.nodes, node)
}

// Passed is how many packets a node has got since it has power.
func (s *Site) Passed(node string) (uint64, error) { return s.nodes[node].Passed() }

// Serve takes what comes for a Service's address to where a node port of it is,
// which knows the pods.
func (s *Site) Serve(at netip.AddrPort, port string) error {
	l, err := net.Listen("tcp", at.String()) //nolint:noctx // it does not wait
	if err != nil {
		return err
	}
	s.fronts = append(s.fronts, l)
	s.serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			s.serving.Go(func() { pass(c, port) })
		}
	})
	return nil
}

// pass joins a connection to another one, until either ends.
func pass(c net.Conn, to string) {
	defer c.Close()
	back, err := net.DialTimeout("tcp", to, answerTimeout)
	if err != nil {
		return
	}
	defer back.Close()
	var done sync.WaitGroup
	done.Go(func() {
		_, _ = io.Copy(back, c) // it ends with either
		_ = back.(*net.TCPConn).CloseWrite()
	})
	_, _ = io.Copy(c, back)
	_ = c.(*net.TCPConn).CloseWrite()
	done.Wait()
}

// Stop ends all of it.
func (s *Site) Stop() error {
	for _, l := range s.fronts {
		_ = l.Close() // it is closed either way
	}
	s.serving.Wait()
	if s.Router != nil {
		s.Router.Kill()
	}
	for node := range s.nodes {
		s.PowerOff(node)
	}
	for _, h := range []*netns.Host{s.client, s.tor} {
		if h != nil {
			h.Close()
		}
	}
	return os.RemoveAll(s.dir)
}
