package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"landbridge.dev/testenv/kube"
	"landbridge.dev/testenv/load"
	"landbridge.dev/testenv/netns"
	"landbridge.dev/testenv/node"
	"landbridge.dev/testenv/world"
)

// imageEnv names to the inside the tar file with the product's image, which is
// made outside.
const imageEnv = "LANDBRIDGE_E2E_IMAGE"

// imageName is what the nodes know it as.
const imageName = "localhost/landbridge:e2e"

func newE2E() *cobra.Command {
	ifPossible := false
	cmd := &cobra.Command{
		Use:   "e2e",
		Short: "Play an installation on real nodes with real pods; exit code 0 only if all was checked",
		Long: "E2e starts a Kubernetes cluster whose nodes are real: kubelet, containerd and\n" +
			"kube-proxy, each node in namespaces of its own. It installs the product's image by\n" +
			"its chart and goes through what happens to a Service while clients ask all the\n" +
			"time. It needs root.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if why := node.Possible(); ifPossible && why != nil {
				fmt.Fprintf(cmd.OutOrStdout(), "not played: this machine cannot run real nodes: %v\n", why)
				return nil
			}
			var dir string // outside only
			defer func() {
				if dir != "" {
					err = errors.Join(err, os.RemoveAll(dir))
				}
			}()
			return inside(cmd.Context(), netns.Options{
				Prepare: func(ctx context.Context) (err error) { dir, err = prepareE2E(ctx, cmd.OutOrStdout()); return err },
				Ranges:  node.Ranges(),
			}, func(ctx context.Context) error {
				e := &endToEnd{story: newTelling(cmd.OutOrStdout())}
				e.orders.deploy, e.orders.withdraw = e.startGateways, e.stopGateways
				defer e.end()
				return e.tell(ctx, e.chapters(), e.sums)
			})
		},
	}
	cmd.Flags().BoolVar(&ifPossible, "if-possible", false, "where this machine cannot run real nodes, say why and exit with 0")
	return cmd
}

// prepareE2E builds all that the nodes run, and the image, in a folder that the
// caller removes.
func prepareE2E(ctx context.Context, out io.Writer) (dir string, err error) {
	if err := world.PrepareNodes(ctx, out); err != nil {
		return "", err
	}
	if dir, err = os.MkdirTemp("", "landbridge-e2e-"); err != nil {
		return "", err
	}
	i := imageCommand{output: filepath.Join(dir, "image.tar"), name: imageName, archs: []string{runtime.GOARCH}}
	if err := i.run(ctx, out); err != nil {
		return dir, err
	}
	return dir, os.Setenv(imageEnv, i.output)
}

// endToEnd is the story on real nodes.
type endToEnd struct {
	*story
	binaries node.Binaries
	pods     *callers // of a Service whose members are pods
	ports    *callers // of one whose members are node ports
	victim   string   // the node that dies
	heal     []string // what was measured when a node died
}

func (e *endToEnd) end() {
	for _, c := range []*callers{e.pods, e.ports} {
		if c != nil {
			c.load.Stop()
		}
	}
}

func (e *endToEnd) chapters() []chapter {
	m, o := e.cart, e.orders
	return []chapter{
		{"A cluster with real nodes", []step{
			{"Two nodes start, and a pair of BIG-IPs that others use too", e.cluster},
			{"Landbridge is installed by its chart, which checks the configuration first", e.install},
		}},
		{"A Service with real pods", []step{
			{"Pods as members, and clients who ask all the time", e.servePods},
			{"Node ports as members, with externalTrafficPolicy: Local, and clients there too", e.servePorts},
			{"What the documentation has people type who operate it", e.quietly(e.documented)},
			{"A rolling update", e.quietly(e.restart)},
			{"The pods get the readiness gate: another rolling update, which waits for the device", e.quietly(e.gated)},
			{"A node is drained, and takes pods again by a rolling update with the gate", e.quietly(e.drain)},
			{"helm upgrade of Landbridge, while pods come and go", e.quietly(e.upgrade)},
			{"helm rollback to the revision before", e.quietly(e.rollback)},
		}},
		{"A VM service is joined by real pods, and left again", []step{
			{"VMs serve behind the BIG-IP, and clients come all the time", m.callers},
			{"It is imported, and has pods that take nothing", m.joined},
			m.shares("a quarter", 25, m.move(25)),
			m.shares("the VMs take nothing new", 100, m.all),
			m.shares("all goes back", 0, m.move(0)),
			{"The Service is released", m.leave},
		}},
		{"A queue that VMs consume is served by real pods, and by VMs again", []step{
			{"Two VM processes consume a queue, and messages come all the time", o.stand},
			{"The release gets gateways, and there are pods that take nothing yet", o.join},
			{"The pods take it all, and the VMs drain and stop", o.podsOnly},
			{"helm upgrade replaces the gateways, while the pods take it all", e.replaceGateways},
			{"All goes back to the VMs", o.back},
			{"Every message is accounted for", o.account},
		}},
		{"A router is told where real pods are served", []step{
			{"A router on the nodes' network, and controllers that speak from there", e.quietly(e.reach)},
			{"The address of a Service is announced with the nodes for next hops", e.quietly(e.announce)},
			{"A rolling update behind the router", e.quietly(e.rollBehind)},
			{"The nodes leave one at a time", e.quietly(e.hopsLeave)},
			{"The Service goes, and the release speaks to no router any more", e.quietly(e.withdraw)},
		}},
		{"What nobody wishes for", []step{
			{"A node loses its power", e.nodeKilled},
			{"It comes back", e.quietly(e.nodeBack)},
			{"Landbridge is uninstalled; what serves goes on serving", e.quietly(e.uninstall)},
			{"All of it ends", e.nothingLeft},
		}},
	}
}

// sums says what a node's death has cost.
func (e *endToEnd) sums() error {
	fmt.Fprintf(e.out, "\nWhen a node lost its power (Kubernetes takes it for dead after %s of silence here, a monitor of the device after 4 s):\n", kube.NodeGrace)
	for _, line := range e.heal {
		fmt.Fprintf(e.out, "  %s\n", line)
	}
	return nil
}

// callers are clients of one Service.
type callers struct {
	name string
	load *load.Load
}

// callRate is how many of them come a second, to each Service.
const callRate = 100

func (e *endToEnd) call(name string, vip int) (*callers, error) {
	a := e.world.Addresses
	l, err := load.Start(load.Options{Address: netip.AddrPortFrom(a.VIP4(vip), 80), From: a.Clients(vip % 2), Rate: callRate})
	return &callers{name, l}, err
}

// quietly plays a step in which no request may fail.
func (e *endToEnd) quietly(play func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		all := []*callers{e.pods, e.ports}
		var windows []*load.Window
		for _, c := range all {
			windows = append(windows, c.load.Open())
		}
		err := play(ctx)
		for i, c := range all {
			count := windows[i].Close()
			if err == nil {
				err = e.unbroken(c.name, &count)
			}
		}
		return err
	}
}

// unbroken checks that no request failed.
func (e *endToEnd) unbroken(name string, c *load.Count) error {
	if len(c.Failed) > 0 {
		began := c.Failed[0].Begun
		return fmt.Errorf("%d of %d requests to %s failed: %s; the first %.1f s after the step began: %+v",
			len(c.Failed), c.Requests(), name, c.String(), began.Sub(c.Began).Seconds(), c.Failed[:min(5, len(c.Failed))])
	}
	e.checked("%d requests to %s meanwhile, none failed", c.Requests(), name)
	return nil
}

// awaitUp waits until the pool has exactly the members that are wanted by then.
func (e *endToEnd) awaitUp(ctx context.Context, pool string, want func(context.Context) ([]string, error)) error {
	var got, wanted []string
	err := e.await(ctx, "the members of "+pool, func(ctx context.Context) (_ bool, err error) {
		if wanted, err = want(ctx); err != nil {
			return false, err
		}
		members, err := e.world.Members(ctx, pool)
		got = got[:0]
		for _, m := range members {
			got = append(got, brief(m))
		}
		return slices.Equal(got, wanted), err
	})
	if err != nil {
		return fmt.Errorf("%w; they are %v, want %v", err, got, wanted)
	}
	e.checked("members of %s: %s", pool, strings.Join(got, ", "))
	return nil
}

// livePods are the pods of the app that do not end, as members that are up.
func (e *endToEnd) livePods(ctx context.Context) ([]string, error) {
	out, err := e.kubectl(ctx, "get", "pods", "-n", "shop", "-l", "app=web", "-o",
		`go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}}{{"\n"}}{{end}}{{end}}`)
	if err != nil {
		return nil, err
	}
	names := strings.Fields(out)
	slices.Sort(names)
	for i := range names {
		names[i] += ":8080 up"
	}
	return names, nil
}

// since is for people.
func since(t time.Time) string { return fmt.Sprintf("%.1f s", time.Since(t).Seconds()) }
