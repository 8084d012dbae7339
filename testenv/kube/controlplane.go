package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"landbridge.dev/testenv/kube/kubelet"
)

// Options say what Start starts. The zero value is of use.
type Options struct {
	// Binaries are the programs; zero means those of Build, with its
	// progress on standard error.
	Binaries Binaries

	// Dir is where the control plane's own folder is made; empty means the
	// system's temporary folder.
	Dir string

	// Nodes are the names of the nodes that a kubelet.Fleet plays from the start.
	// Without any there is none.
	Nodes []string

	// Address makes it a control plane for real nodes (package node): it listens
	// on that address, which exists and which nodes and pods reach, all
	// controllers run, and the Service kubernetes leads to it. The zero value:
	// on a loopback address of its own, with the controllers that tests need.
	Address netip.Addr

	// Scheduler is the path of kube-scheduler; empty: nobody schedules.
	Scheduler string

	// APIServerFlags and ControllerManagerFlags come after the flags that
	// Start gives, and win over them.
	APIServerFlags, ControllerManagerFlags []string
}

// ControlPlane is a running etcd, API server and controller manager. Its
// methods may be called from several goroutines.
type ControlPlane struct {
	binaries Binaries
	dir      string
	host     string       // the loopback address of its own that it listens on
	claim    net.Listener // keeps others off host
	pki      *pki
	extra    Options
	config   *rest.Config
	client   kubernetes.Interface
	nodes    *kubelet.Fleet

	mu        sync.Mutex
	stopped   bool
	etcd      *process
	apiServer *process
	manager   *process
	scheduler *process // nil without one
	files     int      // numbers the kubeconfigs made
}

// Start starts a control plane and waits until it serves: the API server is
// ready, the default ServiceAccount exists, so that pods can be made, and the
// nodes of o are Ready. It takes a few seconds. ctx bounds the start only;
// Stop ends what was started. Many control planes may run side by side: each
// listens on a loopback address of its own.
func Start(ctx context.Context, o Options) (_ *ControlPlane, err error) {
	if o.Binaries == (Binaries{}) {
		if o.Binaries, err = Build(ctx, os.Stderr); err != nil {
			return nil, err
		}
	}
	cp := &ControlPlane{binaries: o.Binaries, extra: o}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("starting a control plane: %w", err), cp.Stop())
		}
	}()
	if err := cp.prepare(o.Dir); err != nil {
		return nil, err
	}
	if err := cp.startPrograms(ctx); err != nil {
		return nil, err
	}
	if len(o.Nodes) > 0 {
		if cp.nodes, err = kubelet.Start(ctx, cp.config, o.Nodes...); err != nil {
			return nil, err
		}
	}
	return cp, cp.awaitServiceAccount(ctx, metav1.NamespaceDefault)
}

// prepare makes all that the programs find when they start.
func (cp *ControlPlane) prepare(parent string) (err error) {
	if cp.extra.Address.IsValid() {
		cp.host = cp.extra.Address.String()
	} else if cp.host, cp.claim, err = claimHost(); err != nil {
		return err
	}
	if cp.dir, err = os.MkdirTemp(parent, "kube-"); err != nil {
		return err
	}
	// 192.0.2.1 is what the API server is told to advertise, 10.96.0.1 and
	// fd00:10:96::1 are the addresses of its Service.
	cp.pki, err = newPKI(net.ParseIP(cp.host), net.ParseIP(advertised), net.ParseIP("10.96.0.1"), net.ParseIP("fd00:10:96::1"))
	if err != nil {
		return err
	}
	if err := cp.pki.write(cp.dir); err != nil {
		return err
	}
	if err := cp.writeKubeconfig(cp.Kubeconfig(), cp.adminUser()); err != nil {
		return err
	}
	if cp.config, err = restConfig(cp.Kubeconfig()); err != nil {
		return err
	}
	cp.client, err = kubernetes.NewForConfig(cp.config)
	return err
}

// claimHost finds a loopback address that no other control plane has, and
// keeps it by listening on one port of it. So every one can use the usual
// ports, which stay free across restarts.
func claimHost() (string, net.Listener, error) {
	for n := 1; n < 255; n++ {
		host := fmt.Sprintf("127.0.%d.1", n)
		l, err := net.Listen("tcp", net.JoinHostPort(host, claimPort))
		if err == nil {
			return host, l, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return "", nil, fmt.Errorf("claiming a loopback address: %w", err)
		}
	}
	return "", nil, errors.New("claiming a loopback address: 254 control planes run already")
}

func (cp *ControlPlane) startPrograms(ctx context.Context) error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	return cp.startProcesses(ctx)
}

// startProcesses starts all programs. cp.mu is held.
func (cp *ControlPlane) startProcesses(ctx context.Context) (err error) {
	if cp.etcd, err = startProcess(cp.dir, cp.binaries.Etcd, cp.etcdFlags()...); err != nil {
		return err
	}
	if err := cp.startAPIServer(ctx); err != nil {
		return err
	}
	if cp.manager, err = startProcess(cp.dir, cp.binaries.ControllerManager, cp.managerFlags()...); err != nil || cp.extra.Scheduler == "" {
		return err
	}
	config, err := cp.KubeconfigOf("system:kube-scheduler")
	if err != nil {
		return err
	}
	cp.scheduler, err = startProcess(cp.dir, cp.extra.Scheduler, "--kubeconfig="+config, "--leader-elect=false", "--bind-address="+cp.host)
	return err
}

// startAPIServer starts it and waits until it is ready. cp.mu is held.
func (cp *ControlPlane) startAPIServer(ctx context.Context) (err error) {
	if cp.apiServer, err = startProcess(cp.dir, cp.binaries.APIServer, cp.apiServerFlags()...); err != nil {
		return err
	}
	return cp.apiServer.await(ctx, cp.ready)
}

// ready asks /readyz once.
func (cp *ControlPlane) ready(ctx context.Context) bool {
	return cp.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil
}

// awaitServiceAccount waits until pods can be made in the namespace: the API
// server refuses them before its default ServiceAccount is there.
func (cp *ControlPlane) awaitServiceAccount(ctx context.Context, namespace string) error {
	accounts := cp.client.CoreV1().ServiceAccounts(namespace)
	cp.mu.Lock()
	manager := cp.manager
	cp.mu.Unlock()
	err := manager.await(ctx, func(ctx context.Context) bool {
		_, err := accounts.Get(ctx, "default", metav1.GetOptions{})
		return err == nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the default ServiceAccount of namespace %s: %w", namespace, err)
	}
	return nil
}

// Stop ends all programs at once and removes all that they wrote. Further
// calls do nothing.
func (cp *ControlPlane) Stop() error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if cp.stopped {
		return nil
	}
	cp.stopped = true
	if cp.nodes != nil {
		cp.nodes.Stop()
	}
	var errs []error
	for _, p := range []*process{cp.scheduler, cp.manager, cp.apiServer, cp.etcd} {
		if p != nil {
			errs = append(errs, p.kill())
		}
	}
	if cp.claim != nil {
		errs = append(errs, cp.claim.Close())
	}
	if cp.dir != "" {
		errs = append(errs, os.RemoveAll(cp.dir))
	}
	return errors.Join(errs...)
}

// Binaries are the programs that it runs, and the kubectl that belongs to them.
func (cp *ControlPlane) Binaries() Binaries { return cp.binaries }

// Nodes are the nodes that Start was asked for, nil if for none.
func (cp *ControlPlane) Nodes() *kubelet.Fleet { return cp.nodes }

// LogDir is the folder of the programs' logs, NAME.log each. Stop removes it.
func (cp *ControlPlane) LogDir() string { return cp.dir }

// StopAPIServer kills the API server: connections and watches break, further
// calls are refused. etcd keeps its data.
func (cp *ControlPlane) StopAPIServer() error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	return cp.apiServer.kill()
}

// StartAPIServer starts a stopped API server again, at the same address and
// with the same data, and waits until it is ready.
func (cp *ControlPlane) StartAPIServer(ctx context.Context) error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if cp.stopped {
		return errors.New("starting the API server: the control plane was stopped")
	}
	if err := cp.apiServer.kill(); err != nil { // none runs beside another
		return err
	}
	return cp.startAPIServer(ctx)
}

// PauseAPIServer stops the API server from doing anything: connections stay
// open and are made, and nothing answers, as behind a network that drops.
func (cp *ControlPlane) PauseAPIServer() error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	return cp.apiServer.pause()
}

// ResumeAPIServer lets a paused API server go on.
func (cp *ControlPlane) ResumeAPIServer() error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	return cp.apiServer.resume()
}

// PauseManager stops the controller manager from doing anything, so that
// nobody makes EndpointSlices, say, or cleans up.
func (cp *ControlPlane) PauseManager() error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	return cp.manager.pause()
}

// ResumeManager lets a paused controller manager go on.
func (cp *ControlPlane) ResumeManager() error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	return cp.manager.resume()
}

// Client is a clientset with the administrator's rights and without limits.
func (cp *ControlPlane) Client() kubernetes.Interface { return cp.client }

// UID is that of the kube-system namespace, which names a cluster.
func (cp *ControlPlane) UID(ctx context.Context) (string, error) {
	var ns *corev1.Namespace
	ns, err := cp.client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	return string(ns.UID), nil
}

// file is a path for one more file in its folder.
func (cp *ControlPlane) file(format string, args ...any) string {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	cp.files++
	return filepath.Join(cp.dir, fmt.Sprintf("%d-", cp.files)+fmt.Sprintf(format, args...))
}
