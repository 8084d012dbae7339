// Package watch is the only reader of Kubernetes: informers over Services,
// EndpointSlices, Nodes and Namespaces, stripped to what is used, and the
// indexes that put one Service's input together from memory.
package watch

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// byService is the index of EndpointSlices by the Service that they are of.
const byService = "service"

// Watcher holds what Kubernetes says. Its methods are safe for concurrent use.
type Watcher struct {
	client     kubernetes.Interface
	changed    func(state.Ref)
	pods       map[string]*pods // by namespace; "" for all
	namespaces []string
	factories  []informers.SharedInformerFactory
	services   map[string]cache.SharedIndexInformer // by namespace; "" for all
	slices     map[string]cache.SharedIndexInformer
	nodes      cache.SharedIndexInformer
	namespace  cache.SharedIndexInformer
	synced     []cache.InformerSynced
	networks   *networks // of pods; nil where nobody asks for them
	shared     *shared
}

// New makes a watcher over some namespaces, or over all if none is named.
// changed is called with each Service whose input has changed, and gated with
// each Pod that has our readiness gate and has changed, from several goroutines;
// they must not block. Without gated no Pod is watched. New starts nothing: Run
// does.
func New(client kubernetes.Interface, namespaces []string, changed, gated func(state.Ref)) (*Watcher, error) {
	w := &Watcher{
		client:     client,
		shared:     newShared(),
		pods:       map[string]*pods{},
		changed:    changed,
		namespaces: namespaces,
		services:   map[string]cache.SharedIndexInformer{},
		slices:     map[string]cache.SharedIndexInformer{},
	}
	if len(namespaces) == 0 {
		namespaces = []string{corev1.NamespaceAll}
	}
	for _, ns := range namespaces {
		if gated != nil {
			w.pods[ns] = newPods(func(p translate.Pod) { w.podChanged(p); gated(p.Ref) })
			w.synced = append(w.synced, w.pods[ns].HasSynced)
		}
		if err := w.watchNamespace(client, ns); err != nil {
			return nil, err
		}
	}
	return w, w.watchCluster(client)
}

// watchNamespace sets up what is watched in each namespace.
func (w *Watcher) watchNamespace(client kubernetes.Interface, ns string) error {
	f := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(ns))
	w.factories = append(w.factories, f)
	w.services[ns] = f.Core().V1().Services().Informer()
	w.slices[ns] = f.Discovery().V1().EndpointSlices().Informer()
	if err := w.slices[ns].AddIndexers(cache.Indexers{byService: serviceOf}); err != nil {
		return fmt.Errorf("index of EndpointSlices: %w", err)
	}
	if err := w.handle(w.services[ns], stripService, w.serviceChanged); err != nil {
		return err
	}
	return w.handle(w.slices[ns], w.shared.stripSlice, w.sliceChanged)
}

// watchCluster sets up what belongs to no namespace.
func (w *Watcher) watchCluster(client kubernetes.Interface) error {
	f := informers.NewSharedInformerFactory(client, 0)
	w.factories = append(w.factories, f)
	w.nodes = f.Core().V1().Nodes().Informer()
	w.namespace = f.Core().V1().Namespaces().Informer()
	if err := w.handle(w.nodes, stripNode, func(any) {
		w.allChanged("")
		w.networksChanged(0)
	}); err != nil {
		return err
	}
	return w.handle(w.namespace, stripNamespace, func(o any) {
		if ns, ok := o.(*corev1.Namespace); ok {
			w.allChanged(ns.Name)
		}
	})
}

// handle sets up one informer. Of updates only those count that strip leaves
// a difference of: a node's heartbeat changes nothing that we look at.
func (w *Watcher) handle(informer cache.SharedIndexInformer, strip func(any), changed func(any)) error {
	if err := informer.SetTransform(func(o any) (any, error) { strip(o); return o, nil }); err != nil {
		return fmt.Errorf("informer: %w", err)
	}
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: changed,
		UpdateFunc: func(before, after any) {
			if different(before, after) {
				changed(after)
			}
		},
		DeleteFunc: func(o any) {
			if lost, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = lost.Obj
			}
			changed(o)
		},
	})
	if err != nil {
		return fmt.Errorf("informer: %w", err)
	}
	w.synced = append(w.synced, registration.HasSynced)
	return nil
}

// Run watches until ctx ends, and returns when all its goroutines have.
func (w *Watcher) Run(ctx context.Context) error {
	var wait sync.WaitGroup
	for _, f := range w.factories {
		f.StartWithContext(ctx)
		wait.Go(f.Shutdown)
	}
	for ns, p := range w.pods {
		wait.Go(func() { p.run(ctx, w.client, ns) })
	}
	if n := w.networks; n != nil && n.objects != nil {
		wait.Go(func() { n.objects.RunWithContext(ctx) })
	}
	<-ctx.Done()
	wait.Wait()
	return nil
}

// WaitSynced waits until every cache is full and changed has been called for
// all that was there at the start. It is false if ctx ended first.
func (w *Watcher) WaitSynced(ctx context.Context) bool {
	return cache.WaitForCacheSync(ctx.Done(), w.synced...)
}

// Input is what Kubernetes says about a Service; false if there is none. The
// objects are shared and must not be changed.
func (w *Watcher) Input(ref state.Ref) (translate.Input, bool) {
	svc, ok := w.Service(ref)
	if !ok {
		return translate.Input{}, false
	}
	return w.InputOf(svc), true
}

// InputOf is Input for a Service that Kubernetes may have otherwise, or not at
// all.
func (w *Watcher) InputOf(svc *corev1.Service) translate.Input {
	ref := state.Ref{Namespace: svc.Namespace, Name: svc.Name}
	in := translate.Input{Service: svc, Slices: w.Slices(ref), Now: time.Now()}
	for _, o := range w.nodes.GetStore().List() {
		in.Nodes = append(in.Nodes, o.(*corev1.Node))
	}
	if p := w.podsOf(ref.Namespace); p != nil {
		in.Pods = p.behind(ref.Namespace, in.Slices)
	}
	in.NamespaceLabels = w.NamespaceLabels(ref.Namespace)
	return in
}

// NamespaceLabels are the labels of a namespace; they must not be changed.
func (w *Watcher) NamespaceLabels(namespace string) map[string]string {
	o, exists, err := w.namespace.GetStore().GetByKey(namespace)
	if err != nil || !exists {
		return nil
	}
	return o.(*corev1.Namespace).Labels
}

// Service is a Service as last seen; false if there is none.
func (w *Watcher) Service(ref state.Ref) (*corev1.Service, bool) {
	informer := w.scope(w.services, ref.Namespace)
	if informer == nil {
		return nil, false
	}
	o, exists, err := informer.GetStore().GetByKey(ref.String())
	if err != nil || !exists {
		return nil, false
	}
	return o.(*corev1.Service), true
}

// Slices are the EndpointSlices of a Service that there is.
func (w *Watcher) Slices(ref state.Ref) []*discoveryv1.EndpointSlice {
	found, err := w.slicesOf(ref.Namespace).ByIndex(byService, ref.String())
	if err != nil {
		return nil // the index is there
	}
	var all []*discoveryv1.EndpointSlice
	for _, o := range found {
		all = append(all, o.(*discoveryv1.EndpointSlice))
	}
	return all
}

// Services are all Services, in no order.
func (w *Watcher) Services() []state.Ref {
	var refs []state.Ref
	for _, informer := range w.services {
		for _, o := range informer.GetStore().List() {
			svc := o.(*corev1.Service)
			refs = append(refs, state.Ref{Namespace: svc.Namespace, Name: svc.Name})
		}
	}
	return refs
}

func (w *Watcher) slicesOf(namespace string) cache.Indexer {
	return w.scope(w.slices, namespace).GetIndexer()
}

// scope is the informer that covers a namespace; nil if none does.
func (w *Watcher) scope(by map[string]cache.SharedIndexInformer, namespace string) cache.SharedIndexInformer {
	if len(w.namespaces) == 0 {
		return by[corev1.NamespaceAll]
	}
	return by[namespace]
}

func (w *Watcher) serviceChanged(o any) {
	if svc, ok := o.(*corev1.Service); ok {
		w.changed(state.Ref{Namespace: svc.Namespace, Name: svc.Name})
	}
}

func (w *Watcher) sliceChanged(o any) {
	if slice, ok := o.(*discoveryv1.EndpointSlice); ok {
		if name := serviceName(slice); name != "" {
			w.changed(state.Ref{Namespace: slice.Namespace, Name: name})
		}
		w.networksChanged(endpointsWait)
	}
}

// allChanged tells of all Services of a namespace, or with "" of all: nodes
// are members where node ports are, and elsewhere tell why a pod is unready.
func (w *Watcher) allChanged(namespace string) {
	for _, informer := range w.services {
		for _, o := range informer.GetStore().List() {
			svc := o.(*corev1.Service)
			if namespace == svc.Namespace || namespace == "" {
				w.serviceChanged(svc)
			}
		}
	}
}

func serviceOf(o any) ([]string, error) {
	slice, ok := o.(*discoveryv1.EndpointSlice)
	if !ok || serviceName(slice) == "" {
		return nil, nil
	}
	return []string{slice.Namespace + "/" + serviceName(slice)}, nil
}

// serviceName is the Service that a slice is of: also one that kube-proxy does
// not see, with registered VMs.
func serviceName(slice *discoveryv1.EndpointSlice) string {
	return cmp.Or(slice.Labels[translate.LabelService], slice.Labels[discoveryv1.LabelServiceName])
}
