package kubelet

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// instance is what runs of a pod. Its fields are guarded by the fleet's mutex;
// besides, one worker at a time deals with one pod.
type instance struct {
	uid     types.UID
	owner   types.UID // its controller's: a ReplicaSet's, say
	node    *node
	addrs   []netip.Addr // empty until it runs
	started metav1.Time
	held    bool         // its end was held by HoldAnnotation
	healthy *atomic.Bool // what /healthz says
	server  *server      // nil while its node is dead, and at its end
	failure error        // why it does not serve
}

func newInstance(p *corev1.Pod, n *node) *instance {
	i := &instance{uid: p.UID, node: n, healthy: new(atomic.Bool)}
	if owner := metav1.GetControllerOfNoCopy(p); owner != nil {
		i.owner = owner.UID
	}
	return i
}

func (i *instance) close() {
	if i.server != nil {
		i.server.close()
		i.server = nil
	}
}

// syncPod brings one pod a step further.
func (f *Fleet) syncPod(ctx context.Context, name cache.ObjectName) error {
	p, err := f.pods.Pods(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		f.forget(name, "")
		return nil
	}
	if err != nil {
		return err
	}
	f.forget(name, p.UID)
	if p.Spec.NodeName == "" {
		return f.schedule(ctx, p)
	}
	if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		return nil
	}
	i := f.instance(p)
	if i == nil {
		return nil // not a node of ours
	}
	if i.node.dead(f) {
		return f.reportDead(ctx, p, i)
	}
	if wait, over := f.remaining(p, i); over {
		return f.finish(ctx, p, i)
	} else if wait > 0 {
		f.changed.AddAfter(name, wait)
	}
	failure := f.run(p, i)
	if err := f.report(ctx, p, i); err != nil {
		return err
	}
	return failure // tried again
}

// instance is that of a pod that is bound to a node of ours, made if need be.
func (f *Fleet) instance(p *corev1.Pod) *instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := cache.MetaObjectToName(p)
	if i := f.instances[name]; i != nil && i.node.name == p.Spec.NodeName {
		return i
	}
	for _, n := range f.nodes {
		if n.name == p.Spec.NodeName {
			i := newInstance(p, n)
			f.instances[name] = i
			return i
		}
	}
	return nil
}

// forget drops what runs under the name, unless it is the pod with that UID.
func (f *Fleet) forget(name cache.ObjectName, but types.UID) {
	f.mu.Lock()
	i := f.instances[name]
	if i == nil || i.uid == but {
		f.mu.Unlock()
		return
	}
	delete(f.instances, name)
	f.mu.Unlock()
	i.close() // before its addresses are another's
	f.mu.Lock()
	defer f.mu.Unlock()
	i.node.free(i.addrs)
}

// remaining says whether a deleted pod's end has come, and if not when to look
// again (0: when something changes).
func (f *Fleet) remaining(p *corev1.Pod, i *instance) (wait time.Duration, over bool) {
	if p.DeletionTimestamp == nil {
		return 0, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.Annotations[HoldAnnotation] == "true" {
		i.held = true
		return 0, false
	}
	// The timestamp of a terminating pod is the end of its grace period.
	wait = time.Until(p.DeletionTimestamp.Time)
	return wait, i.held || wait <= 0
}

// finish closes the pod's sockets and deletes it for good.
func (f *Fleet) finish(ctx context.Context, p *corev1.Pod, i *instance) error {
	f.mu.Lock()
	s := i.server
	i.server = nil
	f.mu.Unlock()
	if s != nil {
		s.close()
	}
	now := int64(0)
	return f.client.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now,
		Preconditions:      &metav1.Preconditions{UID: &p.UID},
	})
}

// run makes the pod serve, if it does not. Why it cannot is also kept for
// report.
func (f *Fleet) run(p *corev1.Pod, i *instance) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	i.healthy.Store(containersReady(p))
	if i.server != nil || i.node.power.Err() != nil {
		return nil
	}
	if len(i.addrs) == 0 {
		i.started = metav1.Now()
		if p.Spec.HostNetwork {
			i.addrs = []netip.Addr{i.node.v4, i.node.v6}
		} else if i.addrs, i.failure = i.node.allocate(); i.failure != nil {
			return i.failure
		}
	}
	i.server, i.failure = serve(p.Name, i.addrs, p.Spec.Containers, i.healthy)
	return i.failure
}

// dead reports whether the node is without power.
func (n *node) dead(f *Fleet) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return n.power.Err() != nil
}
