package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"

	"landbridge.dev/testenv/bigip"
	"landbridge.dev/testenv/kube"
)

const (
	// Namespace is where landbridge's ServiceAccount and Lease are, and the
	// name of that ServiceAccount (deploy/rbac.yaml).
	Namespace = "landbridge"

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

	// Partitions are made on the device besides Common; nil means web.
	Partitions []string

	// Progress is told what is built on a first run; nil means nobody.
	Progress io.Writer
}

// World is a running world. Its methods may be called from several goroutines.
type World struct {
	Kube      *kube.ControlPlane
	Device    *bigip.Device
	Gate      *Gate // between landbridge and the device's management address
	Addresses *Addresses

	dir       string
	ownDir    bool
	cluster   string
	binary    string // the landbridge program
	kubecfg   string // the kubeconfig of landbridge's ServiceAccount
	deviceLog *os.File

	mu          sync.Mutex
	controllers map[string]*Controller
	pods        map[string]string // pod by address, of all pods ever seen
	stopped     bool
}

// Start starts everything but landbridge itself, and writes its configuration.
// It takes a few seconds. ctx bounds the start only; Stop ends what was
// started.
func Start(ctx context.Context, o Options) (_ *World, err error) {
	w := &World{dir: o.Dir, controllers: map[string]*Controller{}, pods: map[string]string{}}
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
	if w.Addresses, err = claimAddresses(); err != nil {
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
	binaries, err := kube.Build(ctx, o.Progress)
	if err != nil {
		return err
	}
	if w.Kube, err = kube.Start(ctx, kube.Options{Binaries: binaries, Dir: w.dir, Nodes: o.Nodes}); err != nil {
		return err
	}
	root, err := sourceTree(ctx)
	if err != nil {
		return err
	}
	rights, err := os.ReadFile(filepath.Join(root, "deploy", "rbac.yaml"))
	if err != nil {
		return err
	}
	if err := w.Kube.Apply(ctx, rights); err != nil {
		return err
	}
	w.kubecfg, err = w.Kube.KubeconfigFor(ctx, Namespace, Namespace)
	return err
}

// startDevice starts the device behind a gate. It outlives ctx of Start: Stop
// ends it.
func (w *World) startDevice(o Options) (err error) {
	if w.deviceLog, err = os.Create(w.path("bigip.log")); err != nil {
		return err
	}
	w.Device, err = bigip.Start(context.Background(), bigip.Options{
		Listen:   w.Addresses.loopback("8443"),
		Username: Username, Password: Password,
		Partitions: o.Partitions,
		DataPlane:  true,
		Log:        w.deviceLog,
	})
	if err != nil {
		return err
	}
	w.Gate, err = openGate(w.Addresses.loopback("443"), w.Addresses.loopback("8443"))
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
	if w.Gate != nil {
		w.Gate.Close()
	}
	if w.Device != nil {
		errs = append(errs, w.Device.Close())
	}
	if w.deviceLog != nil {
		errs = append(errs, w.deviceLog.Close())
	}
	if w.Kube != nil {
		errs = append(errs, w.Kube.Stop())
	}
	if w.Addresses != nil {
		errs = append(errs, w.Addresses.release())
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
	return logs
}
