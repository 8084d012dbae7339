package kubelet

import (
	"cmp"
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// schedule binds a pod to the ready node that has the fewest pods of the same
// controller, then the fewest at all, in the order of the nodes. Where there is
// none the pod waits until one becomes ready. Of constraints only a
// nodeSelector on the host name is looked at.
func (f *Fleet) schedule(ctx context.Context, p *corev1.Pod) error {
	if p.DeletionTimestamp != nil {
		return nil
	}
	i := f.place(p)
	if i == nil {
		return nil
	}
	// A refusal because it is bound already, or gone, is looked at again as
	// every error is; by then the informer has said so.
	return f.client.CoreV1().Pods(p.Namespace).Bind(ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: p.Name, UID: p.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: i.node.name},
	}, metav1.CreateOptions{})
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
	placed := newInstance(p, nil)
	siblings, pods := map[*node]int{}, map[*node]int{}
	for _, i := range f.instances {
		pods[i.node]++
		if i.owner != "" && i.owner == placed.owner {
			siblings[i.node]++
		}
	}
	host, pinned := p.Spec.NodeSelector[corev1.LabelHostname]
	for _, n := range f.nodes {
		if !n.ready || n.power.Err() != nil || pinned && n.name != host {
			continue
		}
		best := placed.node
		if best == nil || cmp.Or(cmp.Compare(siblings[n], siblings[best]), cmp.Compare(pods[n], pods[best])) < 0 {
			placed.node = n
		}
	}
	if placed.node == nil {
		return nil
	}
	f.instances[name] = placed
	return placed
}
