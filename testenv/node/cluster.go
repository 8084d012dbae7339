package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"landbridge.dev/testenv/kube"
)

// Options say what Start starts.
type Options struct {
	Binaries Binaries

	// Dir is where the cluster's own folder is made; empty means the system's
	// temporary folder. It is on a disk that overlay can stand on.
	Dir string

	// Nodes are their names; nil means node-a and node-b.
	Nodes []string

	// Images are tar files that every node gets besides PodImage.
	Images []string
}

// Cluster is a running control plane with its nodes. Its methods may be called
// from several goroutines, but not two about the same node.
type Cluster struct {
	Control *kube.ControlPlane

	binaries    Binaries
	dir         string
	hierarchies []hierarchy
	own, group  cgroup
	images      []string
	machines    []*machine
	bridged     bool
}

// endPatience is how long the kernel may take to end what was killed.
const endPatience = time.Minute

// Start starts a cluster and waits until its nodes are ready. It takes some ten
// seconds. ctx bounds the start only; Stop ends what was started.
func Start(ctx context.Context, o Options) (_ *Cluster, err error) {
	c := &Cluster{binaries: o.Binaries}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("starting a cluster: %w%s", err, c.tails()), c.Stop())
		}
	}()
	if err := c.prepare(o); err != nil {
		return nil, err
	}
	c.Control, err = kube.Start(ctx, kube.Options{Binaries: o.Binaries.Control, Dir: c.dir, Address: Gateway(), Scheduler: o.Binaries.Scheduler})
	if err != nil {
		return nil, err
	}
	for _, m := range c.machines {
		if m.spec, err = c.write(m); err != nil {
			return nil, err
		}
		if err := c.power(m); err != nil {
			return nil, err
		}
	}
	var ready errgroup.Group
	for _, m := range c.machines {
		ready.Go(func() error { return c.awaitReady(ctx, m) })
	}
	return c, ready.Wait()
}

// prepare makes what nodes stand on.
func (c *Cluster) prepare(o Options) (err error) {
	if c.hierarchies, err = hierarchies(); err != nil {
		return err
	}
	c.own = ownCgroup(c.hierarchies)
	if c.dir, err = os.MkdirTemp(o.Dir, "nodes-"); err != nil {
		return err
	}
	for _, path := range hidden() {
		if strings.HasPrefix(c.dir, path+"/") {
			return fmt.Errorf("its folder %s is below %s, which nodes have for themselves: set TMPDIR to another place", c.dir, path)
		}
	}
	if err := sweep(c.own); err != nil {
		return err
	}
	if c.group, err = c.own.make(groupPrefix + filepath.Base(c.dir)); err != nil {
		return err
	}
	pod := filepath.Join(c.dir, "pod.tar")
	if err := writeImage(pod, o.Binaries.Pod, PodImage); err != nil {
		return err
	}
	c.images = append([]string{pod}, o.Images...)
	if o.Nodes == nil {
		o.Nodes = []string{"node-a", "node-b"}
	}
	for i, name := range o.Nodes {
		c.machines = append(c.machines, &machine{name: name, dir: filepath.Join(c.dir, name), site: siteOf(i)})
	}
	c.bridged = true
	return makeBridge(len(c.machines))
}

// Stop ends everything at once and removes all that was made. Further calls do
// nothing.
func (c *Cluster) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), endPatience)
	defer cancel()
	var errs []error
	for _, m := range c.machines {
		errs = append(errs, c.cut(ctx, m))
	}
	if c.Control != nil {
		errs = append(errs, c.Control.Stop())
	}
	if c.group != nil {
		errs = append(errs, c.group.remove(ctx))
		c.group = nil
	}
	if c.bridged {
		errs = append(errs, removeLink(Bridge))
		c.bridged = false
	}
	if c.dir != "" {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	return errors.Join(errs...)
}

// Kill takes a node's power away, and returns when all of it has ended. Its
// disk stays.
func (c *Cluster) Kill(name string) error {
	m, err := c.machine(name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), endPatience)
	defer cancel()
	return c.cut(ctx, m)
}

// Restart starts a killed node again, and waits until it is ready.
func (c *Cluster) Restart(ctx context.Context, name string) error {
	m, err := c.machine(name)
	if err != nil {
		return err
	}
	if err := c.power(m); err != nil {
		return err
	}
	return c.awaitReady(ctx, m)
}

func (c *Cluster) machine(name string) (*machine, error) {
	for _, m := range c.machines {
		if m.name == name {
			return m, nil
		}
	}
	return nil, fmt.Errorf("there is no node %s", name)
}

// awaitReady waits until a node counts as ready that has started since, and
// sees that its part of the pods' addresses stands in its Node.
func (c *Cluster) awaitReady(ctx context.Context, m *machine) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	nodes := c.Control.Client().CoreV1().Nodes()
	var last *corev1.Node
	err := await(ctx, "node "+m.name+" to be ready", func() bool {
		if m.ended() {
			cancel()
			return false
		}
		n, err := nodes.Get(ctx, m.name, metav1.GetOptions{})
		if err == nil {
			last = n
		}
		return err == nil && readySince(n, m.powered)
	})
	if err != nil {
		if m.ended() {
			err = fmt.Errorf("node %s has ended", m.name)
		}
		return err
	}
	if last.Spec.PodCIDR != "" {
		return nil
	}
	patch := fmt.Sprintf(`{"spec":{"podCIDR":%q,"podCIDRs":[%[1]q]}}`, m.site.Pods)
	_, err = nodes.Patch(ctx, m.name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}

// readySince says whether a node is ready by a word of its kubelet that is no
// older. Times of conditions are whole seconds.
func readySince(n *corev1.Node, since time.Time) bool {
	for _, condition := range n.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue && !condition.LastHeartbeatTime.Time.Before(since.Truncate(time.Second))
		}
	}
	return false
}

// Logs are the paths of all logs of the nodes' programs there may be, by node
// and program.
func (c *Cluster) Logs() map[string]string {
	logs := map[string]string{}
	for _, m := range c.machines {
		for _, program := range []string{"init", "containerd", "kubelet", "kube-proxy"} {
			logs[m.name+" "+program] = filepath.Join(m.dir, program+".log")
		}
	}
	return logs
}

// tails are the ends of the nodes' logs, for an error.
func (c *Cluster) tails() string {
	const length = 1500
	text := ""
	for name, path := range c.Logs() {
		log, err := os.ReadFile(path)
		if err != nil || len(log) == 0 {
			continue // it never ran
		}
		text += fmt.Sprintf("\n--- the end of the log of %s\n%s", name, log[max(0, len(log)-length):])
	}
	return text
}
