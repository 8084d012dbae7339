package kubelet

import (
	"context"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// schedule binds a pod to the ready node that has the fewest, in the order of
// the nodes. Where there is none the pod waits until one becomes ready. Of
// constraints only a nodeSelector on the host name is looked at.
func (f *Fleet) schedule(ctx context.Context, p *corev1.Pod) error {
	if p.DeletionTimestamp != nil {
		return nil
	}
	i := f.place(p)
	if i == nil {
		return nil
	}
	err := f.client.CoreV1().Pods(p.Namespace).Bind(ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: p.Name, UID: p.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: i.node.name},
	}, metav1.CreateOptions{})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // bound already, or gone: the informer will say
	}
	return err
}

// place chooses a node and keeps the choice, so that what is bound at the same
// time counts.
func (f *Fleet) place(p *corev1.Pod) *instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := cache.MetaObjectToName(p)
	if i := f.instances[name]; i != nil {
		return i
	}
	pods := map[*node]int{}
	for _, i := range f.instances {
		pods[i.node]++
	}
	host, pinned := p.Spec.NodeSelector[corev1.LabelHostname]
	var best *node
	for _, n := range f.nodes {
		if !n.ready || n.power.Err() != nil || pinned && n.name != host {
			continue
		}
		if best == nil || pods[n] < pods[best] {
			best = n
		}
	}
	if best == nil {
		return nil
	}
	i := &instance{uid: p.UID, node: best, healthy: new(atomic.Bool)}
	f.instances[name] = i
	return i
}
