package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/oklog/run"
	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"landbridge.dev/testenv/netns"
	"landbridge.dev/testenv/node"
	"landbridge.dev/testenv/world"
)

// newServe is the process behind up. It has two lives: outside it keeps the
// lab and forwards ports, inside it is the lab.
func newServe() *cobra.Command {
	nodes := 0
	cmd := &cobra.Command{
		Use:    "serve",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := theLab()
			if err != nil {
				return err
			}
			if netns.Inside() {
				return l.live(cmd.Context(), nodes)
			}
			return l.keep(cmd.Context(), nodes)
		},
	}
	realNodes(cmd, &nodes)
	return cmd
}

// live is the lab itself, inside: it runs until ctx ends.
func (l lab) live(ctx context.Context, nodes int) (err error) {
	dir := l.path("world")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	o := worldOptions(dir)
	if nodes > 0 {
		o.Real, o.Nodes = &world.Real{}, nodeNames(nodes)
	}
	w, err := world.Start(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Stop()) }()
	s := newTelling(os.Stdout)
	s.world = w
	if err := s.setUp(ctx); err != nil {
		return err
	}
	c, err := w.StartController("landbridge")
	if err != nil {
		return err
	}
	if err := c.AwaitLeading(ctx); err != nil {
		return err
	}
	for _, manifest := range []string{webPods, podManifest(s.cart.app, s.cart.pods()...), w.Expand(service)} {
		if err := w.Kube.Apply(ctx, []byte(manifest)); err != nil {
			return err
		}
	}
	served := "http://" + w.Addresses.VIP4(0).String() + "/"
	if err := s.await(ctx, "the Service to be served", func(ctx context.Context) (bool, error) {
		return world.Get(ctx, served, 1).Failed() == 0, nil
	}); err != nil {
		return err
	}
	binary, err := world.Binary()
	if err != nil {
		return err
	}
	vip := w.Addresses.VIP4(0).String()
	err = l.writeJSON(insideFile, insideRecord{
		Kubeconfig: w.Kube.Kubeconfig(), Config: w.Config(),
		Path: []string{filepath.Dir(w.Kube.Binaries().Kubectl), filepath.Dir(binary)},
		API:  strings.TrimPrefix(w.Kube.Config().Host, "https://"), BIGIP: w.Addresses.Management(0), Peer: w.Addresses.Management(1),
		Virtual: net.JoinHostPort(vip, "80"), Metrics: c.Address(), VIP: vip, CA: filepath.Join(dir, "ca.crt"),
	})
	if err != nil {
		return err
	}
	return netns.Dialer(ctx, l.socket())
}

// keep holds the lab from outside, until ctx or the lab ends. The claim is made
// in Prepare, since the first process inside comes through here too.
func (l lab) keep(ctx context.Context, nodes int) (err error) {
	var ranges []netip.Prefix // nil: all are local
	if nodes > 0 {
		ranges = node.Ranges()
	}
	release := func() {}
	defer func() { release() }()
	started := make(chan int, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group run.Group
	group.Add(func() error {
		code, err := netns.Enter(ctx, netns.Options{
			Prepare: func(context.Context) (err error) { release, err = l.claim(); return err },
			Started: func(pid int) { started <- pid },
			Ranges:  ranges,
		})
		if err == nil && code != 0 {
			err = exitCode(code)
		}
		return err
	}, func(error) { cancel() })
	group.Add(func() error { return l.forward(ctx, started) }, func(error) { cancel() })
	return group.Run()
}

// forward opens ports on 127.0.0.1 into the lab once it is there, and says in
// the record how to look around.
func (l lab) forward(ctx context.Context, started <-chan int) error {
	r := record{Holder: os.Getpid()}
	select {
	case r.Init = <-started:
	case <-ctx.Done():
		return nil
	}
	if err := l.awaitInside(ctx, &r.Inside); err != nil {
		return err
	}
	var group run.Group
	ports := map[string]int{}
	for _, p := range []struct {
		name, target string
		preferred    int
	}{
		{"api", r.Inside.API, 16443}, {"bigip", r.Inside.BIGIP, 18443}, {"peer", r.Inside.Peer, 18444},
		{"virtual", r.Inside.Virtual, 18080}, {"metrics", r.Inside.Metrics, 19090},
	} {
		listener, err := listen(p.preferred)
		if err != nil {
			return err
		}
		ports[p.name] = listener.Addr().(*net.TCPAddr).Port
		ctx, cancel := context.WithCancel(ctx)
		group.Add(func() error { return netns.Forward(ctx, listener, l.socket(), p.target) }, func(error) { cancel() })
	}
	if err := l.outsideKubeconfig(r.Inside, ports["api"]); err != nil {
		return err
	}
	r.Landing = l.landing(r.Inside, ports)
	if err := l.writeJSON(readyFile, r); err != nil {
		return err
	}
	return group.Run()
}

// listen takes the preferred port of 127.0.0.1, or any that is free.
func listen(preferred int) (net.Listener, error) {
	if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", preferred)); err == nil {
		return l, nil
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// awaitInside waits until the inside has told where things are.
func (l lab) awaitInside(ctx context.Context, r *insideRecord) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		if err := l.readJSON(insideFile, r); err == nil {
			if _, err := os.Stat(l.socket()); err == nil {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// outsideKubeconfig writes a kubeconfig that works on the machine itself.
func (l lab) outsideKubeconfig(r insideRecord, port int) error {
	c, err := clientcmd.LoadFromFile(r.Kubeconfig)
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(r.API)
	if err != nil {
		return err
	}
	for _, cluster := range c.Clusters {
		cluster.Server = fmt.Sprintf("https://127.0.0.1:%d", port)
		cluster.TLSServerName = host // what its certificate is for
	}
	return clientcmd.WriteToFile(*c, l.path("kubeconfig"))
}

// landing tells a person how to look around.
func (l lab) landing(r insideRecord, ports map[string]int) string {
	return fmt.Sprintf(`Inside, in namespaces of its own (kubectl has all rights there):
  landbridge-lab exec -- kubectl get services,pods -A
  landbridge-lab exec -- curl http://%[1]s/
  landbridge-lab exec -- landbridge plan --config %[2]s
  landbridge-lab exec -- bash

VMs serve /web/cart_vs and /web/search_vs there; pods with the label app=cart wait to join the first:
  landbridge-lab exec -- landbridge import --config %[2]s --device dc1 -n shop -l app=cart /web/cart_vs | \
    landbridge-lab exec -- kubectl apply -f -
  landbridge-lab exec -- landbridge share shop/cart-vs 25 --wait --config %[2]s
  landbridge-lab exec -- landbridge status shop/cart-vs --config %[2]s

From this machine, forwarded to 127.0.0.1:
  Kubernetes API   kubectl --kubeconfig %[3]s get services -A
  BIG-IP           curl -sk -u %[4]s:'%[5]s' https://127.0.0.1:%[6]d/mgmt/tm/ltm/pool
                   (its standby unit: port %[11]d)
  %-16[7]s curl http://127.0.0.1:%[8]d/
  metrics          curl http://127.0.0.1:%[9]d/metrics

Logs are in %[10]s. End it with
  landbridge-lab down
`, r.VIP, r.Config, l.path("kubeconfig"), world.Username, world.Password, ports["bigip"], r.VIP+":80", ports["virtual"], ports["metrics"], l.path("world"), ports["peer"])
}
