package bgp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"landbridge.dev/sync/plan"
	"landbridge.dev/testenv/netns"
)

// machine is a node that serves: at its Service's address, and at its pod's.
type machine struct {
	*netns.Host
	hop    netip.Addr
	pod    netip.AddrPort
	server *http.Server
	served sync.WaitGroup
}

func newMachine(t *testing.T, n byte, vip netip.AddrPort) *machine {
	t.Helper()
	here, there := netip.AddrFrom4([4]byte{172, 30, n, 1}), netip.AddrFrom4([4]byte{172, 30, n, 2})
	name := fmt.Sprintf("machine-%d", n)
	h, err := netns.NewHost(name, netip.PrefixFrom(here, 24), netip.PrefixFrom(there, 24))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	m := &machine{Host: h, hop: there, pod: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 244, n, 7}), 8080)}
	m.server = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) }),
		ReadHeaderTimeout: patience,
	}
	for _, at := range []netip.AddrPort{vip, m.pod} {
		l, err := m.Listen(at)
		if err != nil {
			t.Fatal(err)
		}
		m.served.Go(func() { _ = m.server.Serve(l) }) // it ends with stop
	}
	t.Cleanup(m.stop)
	return m
}

// stop lets what is being served end, and takes nothing more.
func (m *machine) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = m.server.Shutdown(ctx) // it fails when patience is over, as others do then
	m.served.Wait()
}

// get asks once, over a connection of its own.
func get(ctx context.Context, at netip.AddrPort) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.String()+"/", nil)
	if err != nil {
		return "", err
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// kernelHops are the next hops of a prefix in the kernel, which the router tells
// a moment after it knows them.
func kernelHops(t *testing.T, prefix string) []string {
	t.Helper()
	dst, err := netlink.ParseIPNet(prefix)
	if err != nil {
		t.Fatal(err)
	}
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Dst: dst}, netlink.RT_FILTER_DST)
	if err != nil {
		t.Fatal(err)
	}
	var hops []string
	for _, r := range routes {
		if r.Gw != nil {
			hops = append(hops, r.Gw.String())
		}
		for _, hop := range r.MultiPath {
			hops = append(hops, hop.Gw.String())
		}
	}
	return hops
}

// Packets follow the routes: a client behind a router that puts them into its
// kernel reaches a Service by its next hops, while the nodes leave one at a
// time, and pods by the networks of their nodes. No request fails but what was
// under way while the router changed its next hops.
func TestPacketsFollow(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o := s.options(1, s.neighbor(takesSeveral))
	o.Kernel = true
	tor := s.birdWith(o)
	vip := netip.MustParseAddrPort("198.18.7.1:80")
	prefix := netip.PrefixFrom(vip.Addr(), 32).String()
	var machines []*machine
	var hops []string
	for n := range byte(3) {
		m := newMachine(t, n+1, vip)
		machines, hops = append(machines, m), append(hops, m.hop.String())
	}
	speaker := s.begun(s.peer(1, addPaths(8)))
	route3 := route(prefix, hops...)
	do(t, speaker, create(route3))
	for _, m := range machines {
		network := route(netip.PrefixFrom(m.pod.Addr(), 24).Masked().String(), m.hop.String())
		do(t, speaker, create(network))
	}
	for _, m := range machines {
		eventually(t, func() bool { _, err := get(t.Context(), m.pod); return err == nil }, func() string { return "no way to pod " + m.pod.String() })
	}
	eventually(t, func() bool { _, err := get(t.Context(), vip); return err == nil }, func() string { return "no way to the Service" })

	// The router hashes anew when its next hops change (RFC 2992 section 3), and
	// a connection that is open meanwhile may come to another machine, which
	// knows nothing of it: odd is while that may be.
	var changes, answered atomic.Int64
	ctx, enough := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				began := changes.Load()
				_, err := get(ctx, vip)
				switch {
				case err == nil:
					answered.Add(1)
				case ctx.Err() == nil && began%2 == 0 && changes.Load() == began:
					t.Errorf("a client between changes of the next hops: %v", err)
					return
				}
			}
		})
	}
	asked := func() {
		before := answered.Load()
		eventually(t, func() bool { return answered.Load() > before+100 || t.Failed() }, func() string { return "clients are not answered" })
	}
	before := route3
	for len(hops) > 1 {
		left := machines[len(hops)-1]
		hops = hops[:len(hops)-1]
		next := route(prefix, hops...)
		asked()
		changes.Add(1)
		do(t, speaker, update(before, next))
		before = next
		eventually(t, func() bool {
			return !slices.ContainsFunc(table(t, tor), func(p string) bool {
				return strings.HasPrefix(p, prefix+" ") && strings.Contains(p, " via "+left.hop.String()+" ")
			}) && !slices.Contains(kernelHops(t, prefix), left.hop.String())
		}, func() string { return "the next hop does not go" })
		changes.Add(1)
		asked()
		left.stop()
		asked()
	}
	enough()
	clients.Wait()
	if who, err := get(t.Context(), vip); err != nil || who != "machine-1" {
		t.Errorf("the last node: %q, %v", who, err)
	}
	do(t, speaker, plan.Change{Op: plan.Delete, Before: before})
	eventually(t, func() bool { _, err := get(t.Context(), vip); return err != nil }, func() string { return "the Service is reached without a route" })
}
