package reconcile

import (
	"context"
	"net/netip"
	"strings"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/sync/report"
	"landbridge.dev/sync/roster"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// VMs are those that register over the broker. What Services say of them it is
// told by Offer; it tells of a change by Recount.
type VMs interface {
	// Offer says which VMs may register for a Service; nil for none. It does
	// not wait.
	Offer(state.Ref, *state.Registry)
	// Registered are a Service's VMs; not known before those that stand have
	// been taken over, and while another leads.
	Registered(state.Ref) (vms []state.VM, known bool)
	// Braked says whether VMs of a Service are kept although their leases ran
	// out.
	Braked(state.Ref) bool
	// Announce says what VMs are told of a Service; nil for nothing. With held,
	// what they were told last stays. It does not wait.
	Announce(ref state.Ref, a *state.Announcement, held bool)
}

// rosterWait is how long changes of a Service's VMs are gathered: what VMs send
// does not make for more writes than one in that time.
const rosterWait = 500 * time.Millisecond

// Recount has the EndpointSlices of a Service's VMs looked at: they register
// otherwise now. It does not wait.
func (r *Reconciler) Recount(ref state.Ref) {
	r.rosters.AddAfter(ref, rosterWait)
	r.statuses.Add(ref)
}

// Standing are the VMs that stand in EndpointSlices, by Service: what whoever
// comes to lead takes over.
func (r *Reconciler) Standing() map[state.Ref][]state.VM {
	standing := map[state.Ref][]state.VM{}
	for _, ref := range r.watch.Services() {
		if vms := roster.VMs(registered(r.watch.Slices(ref))); len(vms) > 0 {
			standing[ref] = vms
		}
	}
	return standing
}

// Whose says whose an address is that no VM may have; "" for nobody's.
func (r *Reconciler) Whose(a netip.Addr) string {
	for _, p := range r.policy.Load().AddressPools {
		if p.Contains(a, 0) {
			return "in address pool " + p.Name
		}
	}
	return r.watch.Whose(a)
}

// registered are those of a Service's slices with registered VMs.
func registered(all []*discoveryv1.EndpointSlice) []*discoveryv1.EndpointSlice {
	var found []*discoveryv1.EndpointSlice
	for _, s := range all {
		if translate.Registered(s) {
			found = append(found, s)
		}
	}
	return found
}

// translateVMs finds out which VMs may register for a Service.
func (r *Reconciler) translateVMs(ref state.Ref, in translate.Input) translate.VMResult {
	policy := translate.Policy{Config: r.policy.Load(), Identity: r.Identity}
	result := translate.VMs(in, policy)
	if r.VMs != nil {
		r.VMs.Offer(ref, result.Registry)
		r.announce(ref, in, policy, result)
	}
	if result.Registry != nil || len(registered(in.Slices)) > 0 {
		r.rosters.Add(ref)
	}
	return result
}

// announce says what VMs are told of a Service. What is paused, or wrong, stays
// as it was told last.
func (r *Reconciler) announce(ref state.Ref, in translate.Input, policy translate.Policy, result translate.VMResult) {
	switch {
	case !result.Asked, in.Service.DeletionTimestamp != nil:
		r.VMs.Announce(ref, nil, false)
	case result.Still, !result.Announced && len(result.Problems) > 0:
		r.VMs.Announce(ref, nil, true)
	case result.Announced:
		r.VMs.Announce(ref, translate.Announcement(in, policy), false)
	default:
		r.VMs.Announce(ref, nil, false)
	}
}

// writeRoster brings the EndpointSlices of a Service's VMs up to date, if this
// is the leader.
func (r *Reconciler) writeRoster(ctx context.Context, ref state.Ref) error {
	if !r.leading.Load() || !r.policy.Load().Applies() {
		return nil
	}
	svc, exists := r.watch.Service(ref)
	if !exists || svc.DeletionTimestamp != nil {
		return nil // Kubernetes takes its slices away with it
	}
	var vms []state.VM
	if r.VMs != nil {
		var known bool
		if vms, known = r.VMs.Registered(ref); !known {
			return nil // it says so when it is
		}
	}
	r.mu.Lock()
	rec := r.records[ref]
	offered := rec != nil && rec.vms.Registry != nil
	inCluster := offered && rec.vms.Registry.InCluster
	r.mu.Unlock()
	if offered && r.VMs == nil {
		return nil // without a broker nobody knows who is there: that is not that nobody is
	}
	return roster.Write(ctx, r.Client, svc, vms, inCluster, registered(r.watch.Slices(ref)))
}

// vmParts is the condition that says which VMs may register; none for a Service
// that does not speak of VMs.
func (r *Reconciler) vmParts(ref state.Ref, result translate.VMResult) []metav1.Condition {
	if !result.Asked {
		return nil
	}
	c := metav1.Condition{Type: report.VMs, Status: metav1.ConditionFalse}
	switch {
	case len(result.Problems) > 0:
		var messages []string
		for _, p := range result.Problems {
			messages = append(messages, p.Message)
		}
		c.Reason, c.Message = result.Problems[0].Reason, strings.Join(messages, "; ")
	case r.VMs != nil && r.VMs.Braked(ref):
		c.Reason = "VMsSilent"
		c.Message = "too many VMs stopped renewing their leases together; they are kept, since more likely their messages do not get through"
	case result.Registry != nil:
		var users []string
		for _, g := range result.Registry.Grants {
			users = append(users, g.Users...)
		}
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, "Registering", "VMs may register as "+strings.Join(users, ", ")
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, "Telling", "VMs are told of its endpoints"
	}
	return []metav1.Condition{c}
}
