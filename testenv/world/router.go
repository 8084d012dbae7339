package world

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/testenv/router"
)

const (
	// SpeakerASN is that of landbridge in a world.
	SpeakerASN = 64512

	// RouterASN is that of a world's routers.
	RouterASN = 64513

	// RouterPort is where they listen.
	RouterPort = 1790

	// speakers are how many controllers a router has a session with.
	speakers = 3
)

// router is where the nth router is.
func (a *Addresses) router(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 1, byte(a.block), byte(100 + n)})
}

// speaker is where the nth controller speaks from.
func (a *Addresses) speaker(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 1, byte(a.block), byte(n + 2)})
}

// routerNames are the routers that a world may have, in the order of their
// addresses: $TOR_A, $TOR_B.
func routerNames() []string { return []string{"tor-a", "tor-b"} }

// StartRouter starts a BIRD under one of the names of a world's routers. It
// waits for every controller to call; change alters a session's configuration.
// One that was killed starts again.
func (w *World) StartRouter(ctx context.Context, name string, change func(*router.Neighbor)) (*router.BIRD, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if old := w.routers[name]; old != nil {
		return old, old.Start(ctx)
	}
	at := -1
	for i, n := range routerNames() {
		if n == name {
			at = i
		}
	}
	if at < 0 {
		return nil, fmt.Errorf("a world's routers are %s", strings.Join(routerNames(), ", "))
	}
	if w.routerDir == "" { // a router without rights does not get into the world's own
		dir, err := os.MkdirTemp("", "landbridge-routers-")
		if err != nil {
			return nil, err
		}
		w.routerDir = dir
		if err := os.Chmod(dir, 0o755); err != nil {
			return nil, err
		}
	}
	o := router.Options{Dir: w.routerDir, Name: name, Address: w.Addresses.router(at), Port: RouterPort, ASN: RouterASN}
	for n := range speakers {
		neighbor := router.Neighbor{Name: fmt.Sprintf("speaker%d", n), Address: w.Addresses.speaker(n), ASN: SpeakerASN}
		if change != nil {
			change(&neighbor)
		}
		o.Neighbors = append(o.Neighbors, neighbor)
	}
	r, err := router.StartBIRD(ctx, o)
	if r != nil {
		w.routers[name] = r
	}
	return r, err
}

// Router finds a router that was started.
func (w *World) Router(name string) (*router.BIRD, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.routers[name]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("router %s was not started", name)
}

// Paths are what a router holds, a line each, with nodes by their names:
// "203.0.113.10/32 via node-a path 64512".
func (w *World) Paths(ctx context.Context, r *router.BIRD) ([]string, error) {
	paths, err := r.Paths(ctx)
	if err != nil {
		return nil, err
	}
	nodes, err := w.nodeAddresses(ctx)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, p := range paths {
		line := p.String()
		for address, name := range nodes {
			line = strings.Replace(line, " via "+address.String()+" ", " via "+name+" ", 1)
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// nodeAddresses are the nodes by their addresses.
func (w *World) nodeAddresses(ctx context.Context) (map[netip.Addr]string, error) {
	nodes, err := w.Kube.Client().CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	names := map[netip.Addr]string{}
	for _, n := range nodes.Items {
		for _, a := range n.Status.Addresses {
			if a.Type != corev1.NodeInternalIP {
				continue
			}
			at, err := netip.ParseAddr(a.Address)
			if err != nil {
				return nil, fmt.Errorf("node %s: %w", n.Name, err)
			}
			names[at] = n.Name
		}
	}
	return names, nil
}
