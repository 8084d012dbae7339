package kubelet

import (
	"context"
	"encoding/json"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// containersReady is what the pod's readiness probe would say.
func containersReady(p *corev1.Pod) bool { return p.Annotations[ReadyAnnotation] != "false" }

// report writes the pod's status, if it is not so already.
func (f *Fleet) report(ctx context.Context, p *corev1.Pod, i *instance) error {
	s := p.Status.DeepCopy()
	f.mu.Lock()
	powered := i.node.power.Err() == nil // it may have died just now
	if i.failure != nil {
		stay(s, p, i)
	} else {
		live(s, p, i)
	}
	f.mu.Unlock()
	if !powered {
		return nil
	}
	return f.patchStatus(ctx, p, s)
}

// reportDead marks the pod of a dead node unready once the node is not ready:
// nobody is there to report anything else.
func (f *Fleet) reportDead(ctx context.Context, p *corev1.Pod, i *instance) error {
	f.mu.Lock()
	nodeReady := i.node.ready
	f.mu.Unlock()
	if nodeReady {
		return nil
	}
	s := p.Status.DeepCopy()
	setCondition(s, corev1.PodReady, false, "NodeNotReady")
	return f.patchStatus(ctx, p, s)
}

// live is the status of a pod that runs; it has addresses.
func live(s *corev1.PodStatus, p *corev1.Pod, i *instance) {
	s.Phase = corev1.PodRunning
	s.StartTime = &i.started
	s.HostIP, s.HostIPs = i.node.v4.String(), hostIPs(i.node)
	s.PodIP, s.PodIPs = i.addrs[0].String(), podIPs(i.addrs)
	ready := containersReady(p)
	s.ContainerStatuses = containerStatuses(p, ready, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: i.started}})
	setCondition(s, corev1.PodInitialized, true, "")
	setCondition(s, corev1.ContainersReady, ready, "ContainersNotReady")
	switch {
	case !i.node.ready:
		setCondition(s, corev1.PodReady, false, "NodeNotReady")
	case !ready:
		setCondition(s, corev1.PodReady, false, "ContainersNotReady")
	default:
		setCondition(s, corev1.PodReady, gatesOpen(p), "ReadinessGatesNotReady")
	}
}

// stay is the status of a pod that cannot run, with the reason.
func stay(s *corev1.PodStatus, p *corev1.Pod, i *instance) {
	s.Phase = corev1.PodPending
	s.ContainerStatuses = containerStatuses(p, false, corev1.ContainerState{
		Waiting: &corev1.ContainerStateWaiting{Reason: "RunContainerError", Message: i.failure.Error()},
	})
	setCondition(s, corev1.ContainersReady, false, "ContainersNotReady")
	setCondition(s, corev1.PodReady, false, "ContainersNotReady")
}

// gatesOpen reports whether all conditions that the pod names as readiness
// gates are true.
func gatesOpen(p *corev1.Pod) bool {
	for _, gate := range p.Spec.ReadinessGates {
		open := false
		for _, c := range p.Status.Conditions {
			open = open || c.Type == gate.ConditionType && c.Status == corev1.ConditionTrue
		}
		if !open {
			return false
		}
	}
	return true
}

// setCondition sets a condition; the reason is of one that is false.
func setCondition(s *corev1.PodStatus, kind corev1.PodConditionType, holds bool, reason string) {
	want := corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}
	if !holds {
		want.Status, want.Reason = corev1.ConditionFalse, reason
	}
	for n := range s.Conditions {
		if c := &s.Conditions[n]; c.Type == kind {
			if c.Status == want.Status {
				want.LastTransitionTime = c.LastTransitionTime
			}
			*c = want
			return
		}
	}
	s.Conditions = append(s.Conditions, want)
}

func containerStatuses(p *corev1.Pod, ready bool, state corev1.ContainerState) []corev1.ContainerStatus {
	var all []corev1.ContainerStatus
	for _, c := range p.Spec.Containers {
		started := state.Running != nil
		all = append(all, corev1.ContainerStatus{Name: c.Name, Image: c.Image, State: state, Ready: ready, Started: &started})
	}
	return all
}

func hostIPs(n *node) []corev1.HostIP {
	return []corev1.HostIP{{IP: n.v4.String()}, {IP: n.v6.String()}}
}

func podIPs(addrs []netip.Addr) []corev1.PodIP {
	var ips []corev1.PodIP
	for _, a := range addrs {
		ips = append(ips, corev1.PodIP{IP: a.String()})
	}
	return ips
}

// patchStatus sends what changed, as the kubelet does: conditions that others
// own, such as readiness gates, are not touched.
func (f *Fleet) patchStatus(ctx context.Context, p *corev1.Pod, want *corev1.PodStatus) error {
	if equality.Semantic.DeepEqual(&p.Status, want) {
		return nil
	}
	before, err := json.Marshal(corev1.Pod{Status: p.Status})
	if err != nil {
		return err
	}
	// The UID makes the API server refuse the patch for another pod of the name.
	after, err := json.Marshal(corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: p.UID}, Status: *want})
	if err != nil {
		return err
	}
	patch, err := strategicpatch.CreateTwoWayMergePatch(before, after, corev1.Pod{})
	if err != nil {
		return err
	}
	_, err = f.client.CoreV1().Pods(p.Namespace).Patch(ctx, p.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}
