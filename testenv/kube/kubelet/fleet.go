// Package kubelet plays the nodes' part of a cluster inside this process:
// that of the scheduler, of every node's kubelet, container runtime and
// kube-proxy, and of the controller that watches nodes. A pod has IPv4 and
// IPv6 addresses of its own and answers on its container ports; it becomes
// ready and unready, and ends in the steps that a real kubelet takes: it goes
// on serving while it terminates, then its sockets close, then it is deleted
// for good. Node ports forward to ready pods by kube-proxy's rules.
//
// All of it follows the API server by informers, level-triggered, and acts
// within milliseconds. Nothing else of the test environment knows how nodes
// come about, so real ones can stand in its place.
//
// It runs inside the namespaces of package netns, whose ranges 10.244.0.0/16,
// fd00:10:244::/56, 172.18.0.0/24 and fd00:172:18::/64 it takes addresses from.
package kubelet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"landbridge.dev/sync/watch"
)

// Annotations by which a test steers a pod.
const (
	// ReadyAnnotation, "false", makes a pod's containers unready, as a failing
	// readiness probe does; it goes on serving, but /healthz answers 503.
	ReadyAnnotation = "testenv.landbridge.dev/ready"

	// HoldAnnotation, "true", keeps a deleted pod terminating and serving
	// until the annotation is taken away, whatever its grace period.
	HoldAnnotation = "testenv.landbridge.dev/hold"
)

// podWorkers are the pods that are worked on at once; each waits for the API
// server most of the time.
const podWorkers = 8

// Fleet is the nodes of one cluster. Its methods may be called from several
// goroutines.
type Fleet struct {
	client  kubernetes.Interface
	factory informers.SharedInformerFactory
	pods    corelisters.PodLister
	changed workqueue.TypedRateLimitingInterface[cache.ObjectName] // pods to look at
	proxy   *proxy

	ctx     context.Context // ends with Stop
	cancel  context.CancelFunc
	workers sync.WaitGroup

	mu        sync.Mutex
	nodes     []*node // in the order they were added
	instances map[cache.ObjectName]*instance
}

// Start makes the named nodes in the cluster that config leads to, as an
// administrator without limits, and plays them until Stop. ctx bounds the
// start only. When it returns, the nodes are Ready.
func Start(ctx context.Context, config *rest.Config, names ...string) (_ *Fleet, err error) {
	config = rest.CopyConfig(config)
	config.Wrap(watch.Patient)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("starting nodes: %w", err)
	}
	f := &Fleet{
		client:    client,
		factory:   informers.NewSharedInformerFactory(client, 0),
		changed:   newQueue(),
		instances: map[cache.ObjectName]*instance{},
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.proxy = newProxy(f.ctx, f.factory, f.powered)
	defer func() {
		if err != nil {
			f.Stop()
		}
	}()
	if err := f.follow(); err != nil {
		return nil, fmt.Errorf("starting nodes: %w", err)
	}
	for _, name := range names {
		if err := f.Add(ctx, name); err != nil {
			return nil, err
		}
	}
	if synced := f.factory.WaitForCacheSyncWithContext(ctx); synced.Err != nil {
		return nil, fmt.Errorf("starting nodes: reading pods and services: %w", synced.AsError())
	}
	f.work()
	return f, nil
}

func newQueue() workqueue.TypedRateLimitingInterface[cache.ObjectName] {
	return workqueue.NewTypedRateLimitingQueue(
		workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](5*time.Millisecond, time.Second))
}

// follow starts the informers.
func (f *Fleet) follow() error {
	pods := f.factory.Core().V1().Pods()
	f.pods = pods.Lister()
	if err := enqueueAll(pods.Informer(), f.changed); err != nil {
		return err
	}
	if err := f.proxy.follow(); err != nil {
		return err
	}
	f.factory.StartWithContext(f.ctx)
	return nil
}

// enqueueAll puts the name of every object that an event is about into queue.
func enqueueAll(informer cache.SharedIndexInformer, queue workqueue.TypedRateLimitingInterface[cache.ObjectName]) error {
	add := func(o any) {
		if name, err := cache.DeletionHandlingObjectToName(o); err == nil {
			queue.Add(name)
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    add,
		UpdateFunc: func(_, o any) { add(o) },
		DeleteFunc: add,
	})
	return err
}

// work starts the goroutines that follow what the informers report.
func (f *Fleet) work() {
	for range podWorkers {
		f.workers.Go(func() { drain(f.ctx, f.changed, f.syncPod) })
	}
	f.workers.Go(f.proxy.work)
}

// drain calls sync for the names in queue, again and later where it fails,
// until the queue is shut down.
func drain(ctx context.Context, queue workqueue.TypedRateLimitingInterface[cache.ObjectName], sync func(context.Context, cache.ObjectName) error) {
	for {
		name, shut := queue.Get()
		if shut {
			return
		}
		if err := sync(ctx, name); err != nil {
			queue.AddRateLimited(name)
		} else {
			queue.Forget(name)
		}
		queue.Done(name)
	}
}

// Stop ends all: sockets close, nothing more is reported. Objects in the API
// server stay as they are. Further calls do nothing.
func (f *Fleet) Stop() {
	f.cancel()
	f.changed.ShutDown()
	f.proxy.stop()
	f.workers.Wait()
	f.factory.Shutdown()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.instances {
		i.close()
	}
	for _, n := range f.nodes {
		n.release()
	}
	f.nodes, f.instances = nil, nil
}

// Add makes one more node, Ready.
func (f *Fleet) Add(ctx context.Context, name string) error {
	n, err := newNode(f.ctx, name)
	if err != nil {
		return fmt.Errorf("node %s: %w", name, err)
	}
	f.mu.Lock()
	f.nodes = append(f.nodes, n)
	f.mu.Unlock()
	if err := register(ctx, f.client, n); err != nil {
		return fmt.Errorf("node %s: %w", name, err)
	}
	f.wakeUnscheduled()
	f.proxy.resync()
	return nil
}

// SetReady reports the node Ready or not, with what follows of it in a
// cluster: the pods of a node that is not ready are marked unready (as by
// node_lifecycle_controller.go's MarkPodsNotReady), and no pods are put there.
// Its pods go on serving: sockets are a matter of Kill.
func (f *Fleet) SetReady(ctx context.Context, name string, ready bool) error {
	n, err := f.node(name)
	if err != nil {
		return err
	}
	f.mu.Lock()
	n.ready = ready
	f.mu.Unlock()
	if err := reportReady(ctx, f.client, name, ready); err != nil {
		return fmt.Errorf("node %s: %w", name, err)
	}
	f.wakeNode(name)
	f.wakeUnscheduled()
	return nil
}

// Kill takes the node's power away: the sockets of its pods and its node ports
// close, with their connections, and nothing is reported; pods deleted
// meanwhile stay terminating. In a cluster somebody notices after a while,
// here SetReady says so.
func (f *Fleet) Kill(name string) error {
	n, err := f.node(name)
	if err != nil {
		return err
	}
	f.mu.Lock()
	n.cutPower()
	var dead []*server
	for _, i := range f.instances {
		if i.node == n && i.server != nil {
			dead = append(dead, i.server)
			i.server = nil
		}
	}
	f.mu.Unlock()
	for _, s := range dead {
		s.close()
	}
	f.proxy.resync()
	return nil
}

// Revive gives a killed node its power back: its pods serve again, at the same
// addresses, and it reports itself Ready.
func (f *Fleet) Revive(ctx context.Context, name string) error {
	n, err := f.node(name)
	if err != nil {
		return err
	}
	f.mu.Lock()
	n.restorePower(f.ctx)
	f.mu.Unlock()
	f.proxy.resync()
	return f.SetReady(ctx, name, true)
}

// Addrs are the node's addresses, IPv4 first.
func (f *Fleet) Addrs(name string) ([]netip.Addr, error) {
	n, err := f.node(name)
	if err != nil {
		return nil, err
	}
	return []netip.Addr{n.v4, n.v6}, nil
}

// errNoNode is of a name that no node of the fleet has.
var errNoNode = errors.New("no such node")

func (f *Fleet) node(name string) (*node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.nodes {
		if n.name == name {
			return n, nil
		}
	}
	return nil, fmt.Errorf("node %s: %w", name, errNoNode)
}

// powered are the nodes that have power, for the proxy.
func (f *Fleet) powered() []poweredNode {
	f.mu.Lock()
	defer f.mu.Unlock()
	var on []poweredNode
	for _, n := range f.nodes {
		if n.power.Err() == nil {
			on = append(on, poweredNode{name: n.name, addrs: []netip.Addr{n.v4, n.v6}, power: n.power})
		}
	}
	return on
}

// wakeNode has all pods of a node looked at again.
func (f *Fleet) wakeNode(name string) {
	f.wake(func(p *corev1.Pod) bool { return p.Spec.NodeName == name })
}

// wakeUnscheduled has all pods without a node looked at again.
func (f *Fleet) wakeUnscheduled() {
	f.wake(func(p *corev1.Pod) bool { return p.Spec.NodeName == "" })
}

func (f *Fleet) wake(which func(*corev1.Pod) bool) {
	pods, err := f.pods.List(labels.Everything())
	if err != nil {
		return // a lister over a cache has no errors
	}
	for _, p := range pods {
		if which(p) {
			f.changed.Add(cache.MetaObjectToName(p))
		}
	}
}
