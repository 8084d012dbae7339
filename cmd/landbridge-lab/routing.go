package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"landbridge.dev/testenv/world"
)

// floating is the self IP of the pair that is the active unit's.
const floating = "198.51.100.10"

// routingConfig is what the platform team adds to announce addresses.
const routingConfig = `bgp:
  asn: 64512
  gracefulShutdown: 200ms
  peers:
    - {name: tor, address: $ROUTER, port: 1790, asn: 64513, addPaths: 8, connectRetry: 1s}
`

// nodesService is what the team writes for a Service that its nodes serve.
const nodesService = `apiVersion: v1
kind: Service
metadata:
  name: direct
  namespace: shop
  annotations: {landbridge.dev/virtual-address: $ADDRESS}
spec:
  type: LoadBalancer
  loadBalancerClass: landbridge.dev/bgp
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
`

// routes is a router in front of the cluster, and a client behind it.
type routes struct {
	*story
	site *world.Site
}

// routing is the chapter in which addresses are announced to a router.
func (s *story) routing() chapter {
	r := s.routes
	return chapter{"A router is told where addresses are", []step{
		{"A router, a client behind it, and a BGP session", r.stand},
		{"The address of a Service is announced with its nodes for next hops", r.announced},
		{"The nodes leave one at a time, while the client asks all the time", r.nodesLeave},
		{"An address on the BIG-IP is announced while its virtual server stands", r.behindDevice},
	}}
}

// service is where the Service is that nodes serve.
func (r *routes) service() netip.Addr { return r.world.Addresses.VIP4(4) }

// stand starts the router and gives the configuration its section for it, which
// a controller takes up when it starts.
func (r *routes) stand(ctx context.Context) (err error) {
	if r.site, err = r.world.StartSite(ctx, netip.MustParseAddr(floating)); err != nil {
		return err
	}
	for _, node := range []string{"node-a", "node-b"} {
		if err := r.site.PowerOn(node); err != nil {
			return err
		}
	}
	if err := r.reconfigure(r.peered); err != nil {
		return err
	}
	r.said("config", r.section())
	c, err := r.world.Controller("landbridge")
	if err != nil {
		return err
	}
	if err := c.Stop(ctx); err != nil {
		return err
	}
	if c, err = r.world.StartController("landbridge", "--bgp-address", world.SiteSpeaker().String()); err != nil {
		return err
	}
	return c.AwaitLeading(ctx)
}

// peered is a configuration that announces addresses to the router.
func (r *routes) peered(text string) (string, error) {
	text, err := insert(text, "    caFile: ", "    floatingSelfIPs: ["+floating+"]\n")
	if err != nil {
		return "", err
	}
	text, err = insert(text, "    addressPools: [public]\n", "    bgpPeers: [tor]\n")
	return text + r.section(), err
}

// section is the configuration's, with the router's address.
func (r *routes) section() string {
	return strings.ReplaceAll(routingConfig, "$ROUTER", r.site.Address.String())
}

// paths waits until the router has just these ways to an address, as nodes or
// addresses; none for no way at all.
func (r *routes) paths(ctx context.Context, to netip.Addr, hops ...string) error {
	var got []string
	err := r.await(ctx, "the router's table", func(ctx context.Context) (bool, error) {
		lines, err := r.world.Paths(ctx, r.site.Router)
		got = got[:0]
		for _, line := range lines {
			if after, is := strings.CutPrefix(line, to.String()+"/32 via "); is {
				got = append(got, strings.Fields(after)[0])
			}
		}
		return slices.Equal(got, hops), err
	})
	if err != nil {
		return fmt.Errorf("%w; to %s it goes by %v, want %v", err, to, got, hops)
	}
	if len(hops) == 0 {
		r.checked("the router has no way to %s", to)
	} else {
		r.checked("the router goes to %s by %s", to, strings.Join(hops, ", "))
	}
	return nil
}

func (r *routes) announced(ctx context.Context) error {
	if err := r.direct(ctx); err != nil {
		return err
	}
	port, err := r.kubectl(ctx, "get", "service", "direct", "-n", "shop", "-o", "jsonpath={.spec.ports[0].nodePort}")
	if err != nil {
		return err
	}
	node, err := r.kubectl(ctx, "get", "node", "node-a", "-o", `jsonpath={.status.addresses[0].address}`)
	if err != nil {
		return err
	}
	if err := r.site.Serve(netip.AddrPortFrom(r.service(), 80), node+":"+port); err != nil {
		return err
	}
	const many = 5 * requests // so that each node has its part of the connections
	t := world.GetFrom(ctx, r.site.Client, r.url(), many)
	r.said("client", fmt.Sprintf("%d requests to %s\n%s", many, r.url(), t))
	if t.Failed() > 0 || len(t.Pods) != 2 {
		return fmt.Errorf("behind the router %d requests failed, and %d pods answered, want 0 and 2", t.Failed(), len(t.Pods))
	}
	for _, node := range []string{"node-a", "node-b"} {
		n, err := r.site.Passed(node)
		if err != nil {
			return err
		}
		if n < requests {
			return fmt.Errorf("%s passed on %d packets: the client does not come by it", node, n)
		}
	}
	r.checked("both pods answer, and the packets came by both nodes")
	return nil
}

// direct makes the Service that nodes serve, and waits for its ways.
func (r *routes) direct(ctx context.Context) error {
	text := strings.ReplaceAll(nodesService, "$ADDRESS", r.service().String())
	r.said("applied", text)
	if err := r.world.Kube.Apply(ctx, []byte(text)); err != nil {
		return err
	}
	if err := r.paths(ctx, r.service(), "node-a", "node-b"); err != nil {
		return err
	}
	var status string
	if err := r.await(ctx, "the status of the session", func(ctx context.Context) (_ bool, err error) {
		status, err = r.landbridge(ctx, "status", "shop/direct")
		return strings.Contains(status, "2 next hops"), err
	}); err != nil {
		return fmt.Errorf("%w; it is\n%s", err, status)
	}
	r.said("status", status)
	return nil
}

func (r *routes) url() string { return "http://" + r.service().String() + "/" }

// excluded is the label that takes a node out of the next hops.
const excluded = "node.kubernetes.io/exclude-from-external-load-balancers"

// nodesLeave excludes each node and takes its power away, which loses what is
// still sent to it, and brings it back.
func (r *routes) nodesLeave(ctx context.Context) error {
	load := world.StartLoadFrom(r.site.Client, r.url())
	stopped := sync.OnceValue(load.Stop)
	defer stopped()
	for _, leave := range []struct{ node, stays string }{{"node-b", "node-a"}, {"node-a", "node-b"}} {
		if _, err := r.kubectl(ctx, "label", "node", leave.node, excluded+"="); err != nil {
			return err
		}
		r.said("ran", "kubectl label node "+leave.node+" "+excluded+"=")
		if err := r.paths(ctx, r.service(), leave.stays); err != nil {
			return err
		}
		r.site.PowerOff(leave.node)
		r.said("power", leave.node+" has none any more")
		t := world.GetFrom(ctx, r.site.Client, r.url(), requests)
		if t.Failed() > 0 {
			return fmt.Errorf("without %s requests fail:\n%s", leave.node, t)
		}
		if err := r.site.PowerOn(leave.node); err != nil {
			return err
		}
		if _, err := r.kubectl(ctx, "label", "node", leave.node, excluded+"-"); err != nil {
			return err
		}
		if err := r.paths(ctx, r.service(), "node-a", "node-b"); err != nil {
			return err
		}
	}
	t := stopped()
	if t.Failed() > 0 || t.Answered() < requests {
		return fmt.Errorf("while nodes left, of the client's requests %d failed:\n%s", t.Failed(), t)
	}
	r.checked("%d requests meanwhile, none failed", t.Answered())
	return nil
}

// behindDevice has an address on the BIG-IP announced and withdrawn, and looks
// all the time whether the virtual server stands whenever the router has the
// route.
func (r *routes) behindDevice(ctx context.Context) error {
	vip := r.world.Addresses.VIP4(0)
	theirs, err := r.world.Foreign()
	if err != nil {
		return err
	}
	stop := r.watchOrder(ctx, vip)
	defer func() { _, _ = stop() }()
	text := strings.Replace(r.world.Expand(service), "  annotations:\n", "  annotations:\n    landbridge.dev/bgp: \"true\"\n", 1)
	r.said("applied", text)
	if err := r.world.Kube.Apply(ctx, []byte(text)); err != nil {
		return err
	}
	if err := r.paths(ctx, vip, floating); err != nil {
		return err
	}
	t := world.GetFrom(ctx, r.site.Client, "http://"+vip.String()+"/", requests)
	r.said("client", fmt.Sprintf("%d requests to http://%s/\n%s", requests, vip, t))
	if t.Failed() > 0 || len(t.Pods) != 2 {
		return fmt.Errorf("behind the router %d requests failed, and %d pods answered, want 0 and 2", t.Failed(), len(t.Pods))
	}
	r.checked("the client behind the router reaches the virtual server by the floating self IP %s", floating)
	for _, name := range []string{"web", "direct"} {
		if _, err := r.kubectl(ctx, "delete", "service", name, "-n", "shop"); err != nil {
			return err
		}
	}
	for _, at := range []netip.Addr{vip, r.service()} {
		if err := r.paths(ctx, at); err != nil {
			return err
		}
	}
	looks, wrong := stop()
	if wrong != "" {
		return fmt.Errorf("the router had a route to %s, and %s", vip, wrong)
	}
	if looks == 0 {
		return fmt.Errorf("of all looks at the router's table none found the route to %s", vip)
	}
	r.checked("%d looks found the route at the router, and each time the virtual server stood and took clients", looks)
	now, err := r.world.Foreign()
	if err != nil {
		return err
	}
	if left := strings.Join(r.world.Standing(), "\n"); now != theirs || strings.Contains(left, "lb_lab_") {
		return fmt.Errorf("what others have on the device was\n%s\nand is\n%s\nand in all\n%s", theirs, now, left)
	}
	r.checked("nothing of ours is left on the device, and what others have there is as it was")
	return nil
}

// watchOrder looks at the router's table, the device, and the table again, until
// the returned function is called: whenever the route was there both times, a
// virtual server has to stand at the address. Only those looks are counted.
func (r *routes) watchOrder(ctx context.Context, vip netip.Addr) (stop func() (looks int, wrong string)) {
	ctx, cancel := context.WithCancel(ctx)
	var (
		done  = make(chan struct{})
		looks int
		wrong string
	)
	routed := func() bool {
		answer, err := r.site.Router.Do("show route for " + vip.String())
		return err == nil && strings.Contains(answer, vip.String()+"/32")
	}
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			before, there := routed(), "no virtual server stands there"
			for _, v := range r.world.Virtuals() {
				if strings.Contains(v, " "+vip.String()+":") {
					there = ""
					if strings.Contains(v, " disabled") {
						there = "its virtual server takes no clients: " + v
					}
				}
			}
			if before && routed() {
				looks++
				if wrong == "" {
					wrong = there
				}
			}
			select {
			case <-time.After(pollInterval / 4):
			case <-ctx.Done():
			}
		}
	}()
	return func() (int, string) {
		cancel()
		<-done
		return looks, wrong
	}
}

// end ends what still runs.
func (r *routes) end() error {
	if r.site == nil {
		return nil
	}
	return r.site.Stop()
}
