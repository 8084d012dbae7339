package watch

import (
	"context"
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubewatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// living leaves out Pods that have ended.
const living = "status.phase!=Succeeded,status.phase!=Failed"

// pods are the Pods with our readiness gate, as far as we look at them. No
// selector finds these, so that all Pods pass by; the others are dropped as they
// come, and cost no memory, which an informer's store would take for each.
type pods struct {
	changed func(translate.Pod)
	synced  sync.Once
	ready   chan struct{} // closed when all have been seen once, or may not be

	mu    sync.Mutex
	gated map[string]map[string]translate.Pod // by namespace and name
}

func newPods(changed func(translate.Pod)) *pods {
	return &pods{
		changed: changed, ready: make(chan struct{}), gated: map[string]map[string]translate.Pod{},
	}
}

// run watches the Pods of a namespace until ctx ends. Without the right to, it
// is as if there were none: client-go says so in the log, and asks again.
func (p *pods) run(ctx context.Context, client kubernetes.Interface, namespace string) {
	api := client.CoreV1().Pods(namespace)
	lw := cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = living
			list, err := api.List(ctx, o)
			return list, p.denied(err)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (kubewatch.Interface, error) {
			o.FieldSelector = living
			events, err := api.Watch(ctx, o)
			return events, p.denied(err)
		},
	}, client)
	cache.NewReflectorWithOptions(lw, &corev1.Pod{}, of{p, namespace}, cache.ReflectorOptions{Name: "pods " + namespace}).RunWithContext(ctx)
}

// denied lets nobody wait for Pods that may not be seen.
func (p *pods) denied(err error) error {
	if apierrors.IsForbidden(err) {
		p.synced.Do(func() { close(p.ready) })
	}
	return err
}

// HasSynced says whether all Pods have been seen once.
func (p *pods) HasSynced() bool {
	select {
	case <-p.ready:
		return true
	default:
		return false
	}
}

// put takes in a Pod, or with false that it is not there or is none of ours.
func (p *pods) put(pod translate.Pod, ours bool) {
	p.mu.Lock()
	there := p.gated[pod.Ref.Namespace]
	before, had := there[pod.Ref.Name]
	switch {
	case ours && there == nil:
		p.gated[pod.Ref.Namespace] = map[string]translate.Pod{pod.Ref.Name: pod}
	case ours:
		there[pod.Ref.Name] = pod
	default:
		delete(there, pod.Ref.Name)
	}
	p.mu.Unlock()
	if had && (!ours || !maps.Equal(before.Labels, pod.Labels)) {
		p.changed(before) // perhaps of other Services
	}
	if ours && (!had || !samePod(before, pod)) {
		p.changed(pod)
	}
}

func samePod(a, b translate.Pod) bool {
	return a.UID == b.UID && a.Ready == b.Ready && a.Gate == b.Gate && a.Reason == b.Reason && a.Message == b.Message && maps.Equal(a.Labels, b.Labels)
}

// behind are the Pods with our gate behind the endpoints of some slices, by
// name, as a translation needs them; nil for none.
func (p *pods) behind(namespace string, found []*discoveryv1.EndpointSlice) map[string]translate.Pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	there := p.gated[namespace]
	if len(there) == 0 {
		return nil
	}
	behind := map[string]translate.Pod{}
	for _, slice := range found {
		for _, e := range slice.Endpoints {
			if e.TargetRef == nil || e.TargetRef.Kind != podKind {
				continue
			}
			unready := e.Conditions.Ready != nil && !*e.Conditions.Ready
			if pod, ok := there[e.TargetRef.Name]; ok && (unready || !pod.Open()) {
				behind[e.TargetRef.Name] = pod
			}
		}
	}
	return behind
}

func (p *pods) get(ref state.Ref) (translate.Pod, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pod, ok := p.gated[ref.Namespace][ref.Name]
	return pod, ok
}

// all are the Pods with our gate, sorted.
func (p *pods) all() []state.Ref {
	p.mu.Lock()
	defer p.mu.Unlock()
	var refs []state.Ref
	for _, there := range p.gated {
		for _, pod := range there {
			refs = append(refs, pod.Ref)
		}
	}
	slices.SortFunc(refs, state.Ref.Compare)
	return refs
}

// of is where a reflector puts the Pods of a namespace, or with "" all.
type of struct {
	*pods
	namespace string
}

// Add takes in a Pod.
func (s of) Add(o any) error {
	if pod, ok := o.(*corev1.Pod); ok {
		p, ours := translate.PodOf(pod)
		p.Ref = state.Ref{Namespace: pod.Namespace, Name: pod.Name}
		s.put(p, ours)
	}
	return nil
}

// Update takes in a Pod.
func (s of) Update(o any) error { return s.Add(o) }

// Delete takes in that a Pod is gone.
func (s of) Delete(o any) error {
	if pod, ok := o.(*corev1.Pod); ok {
		s.put(translate.Pod{Ref: state.Ref{Namespace: pod.Namespace, Name: pod.Name}}, false)
	}
	return nil
}

// Replace takes in all Pods that there are.
func (s of) Replace(list []any, _ string) error {
	there := map[state.Ref]bool{}
	for _, o := range list {
		if pod, ok := o.(*corev1.Pod); ok {
			there[state.Ref{Namespace: pod.Namespace, Name: pod.Name}] = true
		}
		if err := s.Add(o); err != nil {
			return err
		}
	}
	for _, ref := range s.all() {
		if !there[ref] && (s.namespace == "" || s.namespace == ref.Namespace) {
			s.put(translate.Pod{Ref: ref}, false)
		}
	}
	s.synced.Do(func() { close(s.ready) })
	return nil
}

// Resync does nothing: there is nothing to be told again.
func (of) Resync() error { return nil }

// Transformer drops all of other Pods but what tells them apart while the first
// list comes in, which is gathered before Replace.
func (of) Transformer() cache.TransformFunc {
	none := &metav1.ObjectMeta{}
	return func(o any) (any, error) {
		pod, ok := o.(*corev1.Pod)
		if !ok {
			return o, nil
		}
		if _, ours := translate.PodOf(pod); ours {
			return pod, nil
		}
		return dropped{Object: none, namespace: pod.Namespace, name: pod.Name, version: pod.ResourceVersion}, nil
	}
}

// dropped is a Pod without our gate, as a store needs it; all else of it is
// empty.
type dropped struct {
	metav1.Object

	namespace, name, version string
}

// GetNamespace is the Pod's namespace.
func (d dropped) GetNamespace() string { return d.namespace }

// GetName is the Pod's name.
func (d dropped) GetName() string { return d.name }

// GetResourceVersion is the Pod's version.
func (d dropped) GetResourceVersion() string { return d.version }
