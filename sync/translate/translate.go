// Package translate turns one Service, with its EndpointSlices, the nodes and
// the configuration, into the objects that it asks for outside, or into the
// reasons why it cannot have them. It is pure: no client, no clock, no log.
package translate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"landbridge.dev/config"
	"landbridge.dev/sync/state"
)

// ClassBIGIP is the load-balancer class of Services served by a BIG-IP.
const ClassBIGIP = "landbridge.dev/bigip"

// DefaultDrain is how long a leaving member keeps its connections where no
// annotation says so.
const DefaultDrain = 60 * time.Second

// Input is what Kubernetes says about one Service.
type Input struct {
	Service *corev1.Service
	// Slices are the Service's EndpointSlices, in any order.
	Slices []*discoveryv1.EndpointSlice
	// Nodes are all nodes; they are looked at for node-port members alone.
	Nodes []*corev1.Node
	// NamespaceLabels are those of the Service's namespace.
	NamespaceLabels map[string]string
}

// Policy is what holds for every Service.
type Policy struct {
	Config   *config.Config
	Identity state.Identity
}

// Result is what a Service asks for.
type Result struct {
	// Addressed says whether the Service speaks to Landbridge at all.
	Addressed bool
	Want      state.Want
	// Addresses are those of its virtual servers, as asked for; empty when
	// they are bad.
	Addresses []netip.Addr
	// Problems are what is wrong with it. With any, Want is held or frozen.
	Problems []state.Problem
}

// BackendOf is the name of the backend of a configured BIG-IP.
func BackendOf(device string) string { return "bigip/" + device }

// Service translates a Service. A Service that is being deleted, or does not
// speak to Landbridge, wants nothing.
func Service(in Input, p Policy) Result {
	ref := state.Ref{Namespace: in.Service.Namespace, Name: in.Service.Name}
	t := &translation{Input: in, Policy: p, ref: ref}
	result := Result{
		Addressed: addressed(in.Service),
		Want:      state.Want{Service: ref, Drain: DefaultDrain},
	}
	s := t.settings()
	result.Want.Drain = s.drains.all
	result.Want.Deleted = in.Service.DeletionTimestamp != nil
	leaves := !result.Addressed || in.Service.DeletionTimestamp != nil
	if t.paused(s, leaves) {
		result.Want.Mode = t.mode
		result.Problems = t.problems
		return result
	}
	if leaves {
		result.Want.Live = t.live()
		result.Want.Orphan = s.orphan
		return result
	}
	if t.unknownEndpoints() {
		result.Want.Mode = state.Still
		if handled(in.Service) {
			t.fault(state.Still, "NoEndpointSlices", "the cluster shows no EndpointSlice of this Service, although it has a selector; what stands outside stays until it does")
		}
		result.Problems = t.problems
		return result
	}
	t.grant(&s)
	t.addresses(&s)
	objects := t.objects(s)
	slices.SortFunc(t.problems, state.Problem.Compare)
	result.Problems = t.problems
	result.Want.Mode = t.mode
	switch t.mode {
	case state.Follow:
		result.Want.Objects = objects
	case state.Hold:
		result.Want.Objects = objects
		result.Want.Live = t.live()
	case state.Freeze:
		result.Want.Live = t.live()
	case state.Still: // has returned
	}
	result.Addresses = addressesOf(objects)
	return result
}

// addressesOf are the addresses of virtual servers, sorted, each once.
func addressesOf(objects []state.Object) []netip.Addr {
	var addresses []netip.Addr
	for _, o := range objects {
		if v, ok := o.(*state.VirtualServer); ok {
			addresses = append(addresses, v.Destination.IP)
		}
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	return slices.Compact(addresses)
}

// unknownEndpoints says whether nothing is known of the Service's endpoints.
// The EndpointSlice controller keeps a slice for each family of a Service with
// a selector, if need be an empty one: that there is none means that the list
// is empty, not that all pods are gone.
func (t *translation) unknownEndpoints() bool {
	if len(t.Service.Spec.Selector) == 0 || t.Service.Spec.Type == corev1.ServiceTypeExternalName {
		return false
	}
	for _, family := range t.Service.Spec.IPFamilies {
		if !slices.ContainsFunc(t.Slices, func(s *discoveryv1.EndpointSlice) bool { return string(s.AddressType) == string(family) }) {
			return true
		}
	}
	return len(t.Slices) == 0
}

// handled says whether the Service has been reported on before. A new one
// whose slice comes in a moment needs no word about it.
func handled(svc *corev1.Service) bool { return svc.Annotations[AnnotationObserved] != "" }

// paused says whether nothing at all may change for the Service, and why.
func (t *translation) paused(s settings, leaves bool) bool {
	var why, reason string
	switch {
	case t.Config.Paused:
		reason, why = "Paused", "the configuration says paused: true"
	case t.Config.Mode == config.ModePlan:
		reason, why = "PlanOnly", "the configuration says mode: plan"
	case s.paused == "all":
		reason, why = "Paused", Prefix+"paused is all"
	default:
		return false
	}
	t.problems = nil // what else is wrong has no effect
	if leaves {
		t.fault(state.Still, reason, "%s: what stands outside stays, and cleaning up waits", why)
	} else {
		t.fault(state.Still, reason, "%s: nothing is changed outside; see `landbridge plan`", why)
	}
	return true
}

// translation is one call of Service: its input, and what was found wrong.
type translation struct {
	Input
	Policy
	ref      state.Ref
	mode     state.Mode
	problems []state.Problem
}

// hold finds fault with a setting.
func (t *translation) hold(reason, format string, args ...any) {
	t.fault(state.Hold, reason, format, args...)
}

// freeze finds fault with what decides where and who the members are.
func (t *translation) freeze(reason, format string, args ...any) {
	t.fault(state.Freeze, reason, format, args...)
}

func (t *translation) fault(mode state.Mode, reason, format string, args ...any) {
	t.mode = max(t.mode, mode)
	t.problems = append(t.problems, state.Problem{
		Service: t.ref, Reason: reason, Message: fmt.Sprintf(format, args...),
	})
}

// grant checks that one entry of the tenants' list allows the device and the
// partition together, and fills in the partition where a class asks for the
// tenant's first.
func (t *translation) grant(s *settings) {
	if s.device == "" {
		s.device = t.firstDevice()
	}
	if _, ok := t.Config.Device(s.device); !ok {
		t.freeze("UnknownDevice", "%sdevice: %q is not configured; configured are: %s", Prefix, s.device, t.deviceNames())
		return
	}
	var partitions []string
	covered := false
	for _, entry := range t.Config.Tenants {
		if !entry.Covers(t.ref.Namespace, t.NamespaceLabels) {
			continue
		}
		covered = true
		if !entry.GrantsDevice(s.device) {
			continue
		}
		if s.partition == "" && len(entry.Partitions) > 0 {
			s.partition = entry.Partitions[0]
		}
		if entry.GrantsPartition(s.partition) {
			s.grants = append(s.grants, entry)
		}
		partitions = append(partitions, entry.Partitions...)
	}
	switch {
	case !covered:
		t.freeze("NotGranted", "no tenant in the configuration covers namespace %s; ask the platform team for one", t.ref.Namespace)
	case s.partition == "":
		t.freeze("NotGranted", "namespace %s is granted no partition on device %s", t.ref.Namespace, s.device)
	case len(s.grants) == 0:
		t.freeze("NotGranted", "%spartition: %q on device %s is not granted to namespace %s; granted are: %s",
			Prefix, s.partition, s.device, t.ref.Namespace, listed(partitions))
	}
}

// firstDevice is the first that the Service's tenants name, or that is
// configured.
func (t *translation) firstDevice() string {
	for _, entry := range t.Config.Tenants {
		if entry.Covers(t.ref.Namespace, t.NamespaceLabels) && len(entry.Devices) > 0 {
			return entry.Devices[0]
		}
	}
	if len(t.Config.BIGIP) > 0 {
		return t.Config.BIGIP[0].Name
	}
	return ""
}

func (t *translation) deviceNames() string {
	var names []string
	for _, b := range t.Config.BIGIP {
		names = append(names, b.Name)
	}
	return listed(names)
}

// listed writes what is allowed, sorted, for a message.
func listed(names []string) string {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
