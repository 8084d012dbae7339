package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/sync/watch"
	"landbridge.dev/testenv/bigip"
	"landbridge.dev/testenv/broker"
	"landbridge.dev/testenv/kube"
	"landbridge.dev/testenv/netns"
	"landbridge.dev/testenv/node"
	"landbridge.dev/testenv/programs"
	"landbridge.dev/testenv/router"
)

const (
	// Namespace is where landbridge's ServiceAccount and Lease are, and the
	// name of that ServiceAccount (deploy/rbac.yaml).
	Namespace = "landbridge-system"
	// account is the name of its ServiceAccount; that of the gateway ends in -gateway.
	account = "landbridge"

	// Username is that of the device's administrator.
	Username = "landbridge"

	// Password is that of the device's administrator.
	Password = "correct horse"
)

// Options say what Start starts. The zero value is of use.
type Options struct {
	// Dir is the folder for configuration, credentials and logs; it must
	// exist. Empty means one in the system's temporary folder, which Stop
	// removes.
	Dir string

	// Cluster is the cluster's name in landbridge's configuration; empty
	// means test.
	Cluster string

	// Nodes are the cluster's nodes; nil means node-a and node-b.
	Nodes []string

	// Real has the nodes be real ones (package node), which run real pods, and
	// has device, broker and routers at addresses that pods reach. It needs
	// PrepareNodes, and node.Ranges in the namespaces. nil: pods are played.
	Real *Real

	// Partitions are made on the device besides Common; nil means web.
	Partitions []string

	// Pair has the device be two units of one device group, which sync by
	// themselves. The configuration's $BIGIP then are two hosts.
	Pair bool

	// TMMs are the device's traffic processes, each of which counts turns by
	// itself; 0 means 1.
	TMMs int

	// NoTraffic leaves out the device's data plane: its virtual servers are not
	// listened on, and all members count as up.
	NoTraffic bool

	// Beside is a world whose device and virtual addresses the new one
	// shares: another cluster in the same company. nil: a device of its own.
	Beside *World

	// APIServerFlags are further ones of the API server, where the nodes are not
	// real.
	APIServerFlags []string

	// Progress is told what is built on a first run; nil means nobody.
	Progress io.Writer
}

// Real is what real nodes are given.
type Real struct {
	// Images are tar files that every node has, besides node.PodImage.
	Images []string
}

// World is a running world. Its methods may be called from several goroutines.
type World struct {
	Kube      *kube.ControlPlane
	Nodes     *node.Cluster // nil unless they are real
	Device    *bigip.Device // of a pair the unit that is active at first
	Pair      *bigip.Pair   // nil for a single device
	Gate      *Gate         // between landbridge and the Device's management address
	Addresses *Addresses

	dir       string
	ownDir    bool
	beside    *World // whose device this is; nil for its own
	cluster   string
	uid       string // of the cluster, as far as it is in owner tags
	binary    string // the landbridge program
	kubecfg   string // the kubeconfig of landbridge's ServiceAccount
	deviceLog *os.File
	peerGate  *Gate // Gate of the other unit

	broker     *broker.Node // nil until StartBroker
	gatewaycfg string       // the kubeconfig of the gateways' ServiceAccount

	mu          sync.Mutex
	env         []string // of programs, besides this process's
	controllers map[string]*Controller
	routers     map[string]*router.BIRD
	routerDir   string
	podNets     []string          // of the nodes from the start: "10.244.11", to which a pod's last byte comes
	pods        map[string]string // pod by address, of all pods ever seen
	vms         map[string]*VM
	consumers   map[string]*amqp.Connection // by address; they end with the broker
	apart       map[string]*netns.Host      // VMs with network namespaces of their own
	stopped     bool
}

// Start starts everything but landbridge itself, and writes its configuration.
// It takes a few seconds. ctx bounds the start only; Stop ends what was
// started.
func Start(ctx context.Context, o Options) (_ *World, err error) {
	w := &World{
		dir: o.Dir, beside: o.Beside, controllers: map[string]*Controller{}, routers: map[string]*router.BIRD{}, pods: map[string]string{},
		vms: map[string]*VM{}, consumers: map[string]*amqp.Connection{}, apart: map[string]*netns.Host{},
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("starting a world: %w", err), w.Stop())
		}
	}()
	if w.cluster = o.Cluster; w.cluster == "" {
		w.cluster = "test"
	}
	if o.Nodes == nil {
		o.Nodes = []string{"node-a", "node-b"}
	}
	if o.Partitions == nil {
		o.Partitions = []string{"web"}
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if o.Dir == "" {
		w.ownDir = true
		if w.dir, err = os.MkdirTemp("", "landbridge-world-"); err != nil {
			return nil, err
		}
	}
	if w.binary, err = Binary(); err != nil {
		return nil, err
	}
	if w.Addresses, err = claimAddresses(o.Real != nil); err != nil {
		return nil, err
	}
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return w.startKube(ctx, o) })
	parts.Go(func() error { return w.startDevice(o) })
	if err := parts.Wait(); err != nil {
		return nil, err
	}
	return w, w.writeFiles()
}

// startKube starts the control plane and gives landbridge its rights.
func (w *World) startKube(ctx context.Context, o Options) (err error) {
	if err := w.startNodes(ctx, o); err != nil {
		return err
	}
	for _, name := range o.Nodes {
		node, err := w.Kube.Client().CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		w.podNets = append(w.podNets, strings.TrimSuffix(node.Spec.PodCIDR, ".0/24"))
	}
	if err := w.giveRights(ctx); err != nil {
		return err
	}
	if w.uid, err = watch.ClusterUID(ctx, w.Kube.Client()); err != nil {
		return err
	}
	if w.gatewaycfg, err = w.Kube.KubeconfigFor(ctx, Namespace, account+"-gateway"); err != nil {
		return err
	}
	w.kubecfg, err = w.Kube.KubeconfigFor(ctx, Namespace, account)
	return err
}

// startNodes starts the control plane with its nodes.
func (w *World) startNodes(ctx context.Context, o Options) error {
	if o.Real == nil {
		binaries, err := kube.Build(ctx, o.Progress)
		if err != nil {
			return err
		}
		w.Kube, err = kube.Start(ctx, kube.Options{Binaries: binaries, Dir: w.dir, Nodes: o.Nodes, APIServerFlags: o.APIServerFlags})
		return err
	}
	binaries, err := node.Build(ctx, o.Progress)
	if err != nil {
		return err
	}
	if w.Nodes, err = node.Start(ctx, node.Options{Binaries: binaries, Dir: w.dir, Nodes: o.Nodes, Images: o.Real.Images}); err != nil {
		return err
	}
	w.Kube = w.Nodes.Control
	return nil
}

// giveRights makes landbridge's ServiceAccount, with its role.
func (w *World) giveRights(ctx context.Context) error {
	root, err := programs.SourceTree(ctx)
	if err != nil {
		return err
	}
	for _, file := range []string{"rbac.yaml", "rbac-gateway.yaml"} {
		rights, err := os.ReadFile(filepath.Join(root, "deploy", file))
		if err != nil {
			return err
		}
		if err := w.Kube.Apply(ctx, rights); err != nil {
			return err
		}
	}
	return nil
}

// EmptyStore has the cluster lose all that it knew (kube.ControlPlane). Whoever
// runs it then installs landbridge's rights anew, so that a controller that
// goes on finds an API server that lets it in and has nothing.
func (w *World) EmptyStore(ctx context.Context) error {
	if err := w.Kube.EmptyStore(ctx); err != nil {
		return err
	}
	if err := w.giveRights(ctx); err != nil {
		return err
	}
	return errors.Join(
		w.Kube.RenewToken(ctx, w.kubecfg, Namespace, account),
		w.Kube.RenewToken(ctx, w.gatewaycfg, Namespace, account+"-gateway"),
	)
}

// startDevice starts the device behind a gate. It outlives ctx of Start: Stop
// ends it.
func (w *World) startDevice(o Options) (err error) {
	if w.beside != nil {
		w.Device, w.Pair, w.Gate = w.beside.Device, w.beside.Pair, w.beside.Gate
		return nil
	}
	if w.deviceLog, err = os.Create(w.path("bigip.log")); err != nil {
		return err
	}
	unit := func(n int) bigip.Options {
		return bigip.Options{
			Listen:   w.Addresses.unit(n, "8443"),
			Username: Username, Password: Password,
			Partitions: o.Partitions,
			DataPlane:  !o.NoTraffic,
			TMMs:       o.TMMs,
			Log:        w.deviceLog,
		}
	}
	if !o.Pair {
		if w.Device, err = bigip.Start(context.Background(), unit(0)); err != nil {
			return err
		}
		w.Gate, err = openGate(w.Addresses.Management(0), w.Addresses.unit(0, "8443"))
		return err
	}
	if w.Pair, err = bigip.StartPair(context.Background(), unit(0), unit(1), bigip.PairOptions{AutoSync: true}); err != nil {
		return err
	}
	w.Device = w.Pair.A
	if w.Gate, err = openGate(w.Addresses.Management(0), w.Addresses.unit(0, "8443")); err != nil {
		return err
	}
	w.peerGate, err = openGate(w.Addresses.Management(1), w.Addresses.unit(1, "8443"))
	return err
}

// Stop ends everything. Further calls do nothing.
func (w *World) Stop() error {
	w.mu.Lock()
	if w.stopped {
		w.mu.Unlock()
		return nil
	}
	w.stopped = true
	w.mu.Unlock()
	var errs []error
	for _, c := range w.Controllers() {
		c.Kill()
	}
	for _, r := range w.routers {
		r.Kill()
	}
	w.stopVMs()
	for _, h := range w.apart {
		h.Close()
	}
	if w.broker != nil {
		errs = append(errs, w.broker.Kill())
	}
	if w.Gate != nil && w.beside == nil {
		w.Gate.Close()
	}
	if w.peerGate != nil {
		w.peerGate.Close()
	}
	switch {
	case w.beside != nil:
	case w.Pair != nil:
		errs = append(errs, w.Pair.Close())
	case w.Device != nil:
		errs = append(errs, w.Device.Close())
	}
	if w.deviceLog != nil {
		errs = append(errs, w.deviceLog.Close())
	}
	switch {
	case w.Nodes != nil:
		errs = append(errs, w.Nodes.Stop())
	case w.Kube != nil:
		errs = append(errs, w.Kube.Stop())
	}
	if w.Addresses != nil {
		errs = append(errs, w.Addresses.release())
	}
	if w.routerDir != "" {
		errs = append(errs, os.RemoveAll(w.routerDir))
	}
	if w.ownDir {
		errs = append(errs, os.RemoveAll(w.dir))
	}
	return errors.Join(errs...)
}

// Dir is the folder with configuration, credentials and logs.
func (w *World) Dir() string { return w.dir }

func (w *World) path(name string) string { return filepath.Join(w.dir, name) }

// Logs are the paths of all logs there may be, by the program's name.
func (w *World) Logs() map[string]string {
	logs := map[string]string{"bigip": w.path("bigip.log")}
	for _, c := range w.Controllers() {
		logs[c.name] = c.log
	}
	if w.Kube != nil {
		for _, program := range []string{"etcd", "kube-apiserver", "kube-controller-manager"} {
			logs[program] = filepath.Join(w.Kube.LogDir(), program+".log")
		}
	}
	if w.Nodes != nil {
		maps.Copy(logs, w.Nodes.Logs())
	}
	return logs
}
