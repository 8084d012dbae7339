package translate

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"landbridge.dev/sync/state"
)

// PodGate is the readiness gate by which a Pod waits until it is a member.
const PodGate = Prefix + "pool-member"

// gatesNotReady is the reason that a kubelet gives a Pod's condition Ready for
// gates that are not open.
const gatesNotReady = "ReadinessGatesNotReady"

// Pod is what counts of a Pod that has PodGate among its readiness gates.
type Pod struct {
	Ref    state.Ref
	UID    types.UID
	Labels map[string]string
	// Ready: its containers are, all its other readiness gates are open,
	// nobody has deleted it, and for nothing else it was said not to be. All
	// that it may lack is PodGate, or that the kubelet and the EndpointSlices
	// have taken notice of it.
	Ready bool
	// Gate is the gate's condition; empty before it was first written. The
	// gate is open where it is true.
	Gate            corev1.ConditionStatus
	Reason, Message string
}

// Open says whether the gate is open.
func (p Pod) Open() bool { return p.Gate == corev1.ConditionTrue }

// PodOf reads a Pod; false for one without PodGate, and for one that has ended.
func PodOf(pod *corev1.Pod) (Pod, bool) {
	gated := func(g corev1.PodReadinessGate) bool { return g.ConditionType == PodGate }
	if !slices.ContainsFunc(pod.Spec.ReadinessGates, gated) || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return Pod{}, false
	}
	p := Pod{
		Ref: state.Ref{Namespace: pod.Namespace, Name: pod.Name}, UID: pod.UID, Labels: pod.Labels,
		Ready: pod.DeletionTimestamp == nil,
	}
	holds := map[corev1.PodConditionType]bool{}
	for _, c := range pod.Status.Conditions {
		holds[c.Type] = c.Status == corev1.ConditionTrue
		if c.Type == corev1.PodReady && c.Status != corev1.ConditionTrue && c.Reason != gatesNotReady {
			p.Ready = false // its node is lost, say
		}
		if c.Type == PodGate {
			p.Gate, p.Reason, p.Message = c.Status, c.Reason, c.Message
		}
	}
	p.Ready = p.Ready && holds[corev1.ContainersReady]
	for _, g := range pod.Spec.ReadinessGates {
		p.Ready = p.Ready && (gated(g) || holds[g.ConditionType])
	}
	return p, true
}

// Gate is a Pod that lacks nothing but PodGate, and its members, on one backend
// or several, for which it waits.
type Gate struct {
	Pod     string // its name, in the Service's namespace
	Members []state.ID
}

// gates are the Pods that wait for members, by name. With node ports a Pod has
// none of its own. It is nil where no member may come: then they wait on.
func (t *translation) gates(objects []state.Object) []Gate {
	if t.mode > state.Hold {
		return nil
	}
	names := map[netip.Addr][]string{}
	found := map[string]*Gate{}
	for _, slice := range t.Slices {
		for _, e := range slice.Endpoints {
			if len(e.Addresses) == 0 || e.TargetRef == nil || e.TargetRef.Kind != "Pod" {
				continue
			}
			name := e.TargetRef.Name
			if p := t.Pods[name]; !p.Ready || p.Open() || conditionOf(e.Conditions) <= leaving {
				continue
			}
			if a, err := netip.ParseAddr(e.Addresses[0]); err == nil && !slices.Contains(names[a], name) {
				names[a] = append(names[a], name)
				found[name] = &Gate{Pod: name}
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	for _, o := range objects {
		p, ok := o.(*state.Pool)
		if !ok || t.nodePorts || t.idle[p.Path] {
			continue
		}
		for _, m := range p.Members {
			for _, name := range names[m.Endpoint.IP] {
				id := state.ID{Backend: p.Backend, Kind: state.KindMember, Name: p.Path, Member: m.Endpoint}
				found[name].Members = append(found[name].Members, id)
			}
		}
	}
	var gates []Gate
	for _, g := range found {
		if len(g.Members) > 0 || t.nodePorts {
			slices.SortFunc(g.Members, state.ID.Compare)
			gates = append(gates, *g)
		}
	}
	slices.SortFunc(gates, func(a, b Gate) int { return state.Ref{Name: a.Pod}.Compare(state.Ref{Name: b.Pod}) })
	return gates
}

// awaited are all members that Pods wait for, sorted.
func awaited(gates []Gate) []state.ID {
	var ids []state.ID
	for _, g := range gates {
		ids = append(ids, g.Members...)
	}
	slices.SortFunc(ids, state.ID.Compare)
	return slices.Compact(ids)
}
