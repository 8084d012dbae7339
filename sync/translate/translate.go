// Package translate turns one Service, with its EndpointSlices, the nodes and
// the configuration, into the objects that it asks for outside, or into the
// reasons why it cannot have them. It is pure: no client, no clock, no log.
package translate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"landbridge.dev/config"
	"landbridge.dev/config/annotation"
	"landbridge.dev/sync/allocate"
	"landbridge.dev/sync/state"
)

// ClassBIGIP is the load-balancer class of Services served by a BIG-IP.
const ClassBIGIP = "landbridge.dev/bigip"

// Finalizer is on a Service for as long as anything of it may stand outside.
const Finalizer = Prefix + "cleanup"

// ClassBGP is that of Services whose address is announced with nodes for next
// hops.
const ClassBGP = "landbridge.dev/bgp"

// isClass says whether a Service is of a load-balancer class.
func isClass(svc *corev1.Service, class string) bool {
	return svc.Spec.LoadBalancerClass != nil && *svc.Spec.LoadBalancerClass == class
}

// OnNodes says whether a Service is one whose address is announced with nodes
// for next hops.
func OnNodes(svc *corev1.Service) bool { return isClass(svc, ClassBGP) }

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
	// Pods are the Pods with PodGate behind the endpoints, by name, whose
	// gate is not open, or which their slices do not call ready.
	Pods map[string]Pod
	// Now is what time it is; the zero Time is long after everything.
	Now time.Time
	// Given is what came of the last claim that the Service made to
	// addresses. Where Result.Ask asks for some and it has none, the Service
	// is held until it has.
	Given allocate.Answer
}

// Ref names the Service.
func (in Input) Ref() state.Ref {
	return state.Ref{Namespace: in.Service.Namespace, Name: in.Service.Name}
}

// Policy is what holds for every Service.
type Policy struct {
	Config   *config.Config
	Identity state.Identity
	// Ahead looks at what is announced as if it were approved: for a plan,
	// which shows what there is to approve.
	Ahead bool
}

// Result is what a Service asks for.
type Result struct {
	// Addressed says whether the Service speaks to Landbridge at all.
	Addressed bool
	Want      state.Want
	// Addresses are those of its virtual servers, as asked for, sorted; empty
	// when they are bad. Those of adopted ones are not among them.
	Addresses []state.Address
	// Given are those of them that it was given, and does not name itself.
	Given []state.Address
	// Ask is what it asks for of addresses; nil where that cannot be told,
	// or it asks for nothing any more.
	Ask *allocate.Ask
	// OptedIn says whether it says what it wants.
	OptedIn bool
	// Gates are the Pods that wait for its members.
	Gates []Gate
	// LastGood is what the Service has to remember before it is followed: by
	// it the routes stay when it is held, also over a restart. Empty for
	// nothing to announce.
	LastGood string
	// Problems are what is wrong with it. With any, Want is held or frozen.
	Problems []state.Problem
	// Warnings are what is as asked and will not do what it seems to. They
	// hold nothing.
	Warnings []state.Problem
	// Again is when the clock alone makes for another result; the zero Time:
	// never.
	Again time.Time
}

// BackendOf is the name of the backend of a configured BIG-IP.
func BackendOf(device string) string { return "bigip/" + device }

// deviceOf is the BIG-IP of a backend.
func deviceOf(backend string) string { return strings.TrimPrefix(backend, "bigip/") }

// Service translates a Service. A Service that is being deleted, or does not
// speak to Landbridge, wants nothing.
func Service(in Input, p Policy) Result {
	ref := in.Ref()
	t := &translation{Input: in, Policy: p, ref: ref, listed: map[state.Endpoint]bool{}}
	result := Result{
		Addressed: Addressed(in.Service),
		Want:      state.Want{Service: ref, Drain: DefaultDrain},
	}
	s := t.settings()
	result.OptedIn = t.optedIn
	result.Want.Drain = s.drain(wholeService)
	result.Want.Deleted = in.Service.DeletionTimestamp != nil
	brokerOnly := !asksBIGIP(in.Service) && !AsksRoutes(in.Service) && (AsksQueue(in.Service) || asksVMs(in.Service)) // what is wrong with that Queue and VMs say
	leaves := !result.Addressed || in.Service.DeletionTimestamp != nil || brokerOnly
	if t.paused(s, leaves) {
		result.Want.Mode, result.Want.Routes = t.mode, state.Still
		result.Want.Objects, result.LastGood = t.lastGood()
		if !brokerOnly {
			result.Problems = t.problems
		}
		return result
	}
	if leaves {
		result.Want.Live = t.live()
		result.Want.Orphan = s.orphan
		t.approve(&result, nil)
		return result
	}
	if t.unknownEndpoints() {
		result.Want.Mode, result.Want.Routes = state.Still, state.Still
		result.Want.Objects, result.LastGood = t.lastGood()
		if handled(in.Service) {
			t.fault(state.Still, "NoEndpointSlices", "the cluster shows no EndpointSlice of this Service, although it has a selector; what stands outside stays until it does")
		}
		result.Problems = t.problems
		result.Want.Approval = t.pending(nil, result.LastGood)
		return result
	}
	var objects []state.Object
	if !OnNodes(in.Service) && !t.stray {
		t.grant(&s)
		t.grantUses(&s)
		t.grantVMs(&s)
		t.granted = s.grants
		if t.ownPorts(&s) {
			t.addresses(&s)
		}
		objects = t.objects(s)
	}
	routes := t.routes(s, objects)
	result.Ask = t.ask
	result.Again = t.again
	result.Gates = t.gates(objects)
	result.Want.Awaited = awaited(result.Gates)
	result.Problems, result.Warnings = t.problems, t.warned
	result.Want.Mode, result.Want.Routes, result.LastGood = t.mode, t.routing, routes.remember
	switch t.mode {
	case state.Follow:
		result.Want.Objects = objects
	case state.Hold:
		// The VMs that an annotation names are a setting, and settings are held.
		result.Want.Objects = state.WithoutVMs(objects, func(e state.Endpoint) bool { return t.listed[e] })
		result.Want.Live, result.Want.KeepVMs = t.live(), true
	case state.Freeze:
		result.Want.Live, result.Want.KeepVMs = t.live(), true
	case state.Still: // has returned
	}
	result.Want.Objects = append(result.Want.Objects, routes.objects...)
	result.Addresses = append(addressesOf(objects), routes.addresses...)
	t.approve(&result, objects)
	slices.SortFunc(result.Problems, state.Problem.Compare)
	for _, a := range t.Given.Addresses { // one that is held elsewhere does not use them
		if slices.Contains(result.Addresses, a) {
			result.Given = append(result.Given, a)
		}
	}
	return result
}

// addressesOf are the addresses of virtual servers, sorted, each once. That of an
// adopted one is the device's to say.
func addressesOf(objects []state.Object) []state.Address {
	var addresses []state.Address
	for _, o := range objects {
		if v, ok := o.(*state.VirtualServer); ok && v.Use != state.Adopted {
			addresses = append(addresses, v.Destination.Address)
		}
	}
	return state.SortAddresses(addresses)
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
		if !slices.ContainsFunc(t.Slices, func(s *discoveryv1.EndpointSlice) bool {
			return string(s.AddressType) == string(family) && !Registered(s)
		}) {
			return true
		}
	}
	return !slices.ContainsFunc(t.Slices, func(s *discoveryv1.EndpointSlice) bool { return !Registered(s) })
}

// handled says whether the Service has been reported on, or its slices have
// been seen and something made for it. A new one whose slice comes in a moment
// needs no word about it.
func handled(svc *corev1.Service) bool {
	return svc.Annotations[AnnotationObserved] != "" || slices.Contains(svc.Finalizers, Finalizer)
}

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
	routing  state.Mode // that of what is announced
	stray    bool       // asks for an announcement alone, and has nothing to announce
	problems []state.Problem
	warned   []state.Problem
	again    time.Time
	ask      *allocate.Ask
	granted  []grant                 // entries that allow all of the request
	listed   map[state.Endpoint]bool // VMs that an annotation names
	optedIn  bool
	// nodePorts says that the members are node ports, and idle which pools
	// are wanted only as far as they stand.
	nodePorts bool
	idle      map[string]bool
}

// warn tells of what works as asked, and not as it seems.
func (t *translation) warn(reason, format string, args ...any) {
	t.warned = append(t.warned, state.Problem{Service: t.ref, Reason: reason, Message: fmt.Sprintf(format, args...), Notice: true})
}

// faultOf finds fault with what a part of the Service asks for. What is common
// to all parts holds them all.
func (t *translation) faultOf(part annotation.Part, mode state.Mode, reason, format string, args ...any) {
	switch part {
	case annotation.BGP:
		t.fault(state.Follow, reason, format, args...)
		t.routing = max(t.routing, mode)
	case annotation.Service:
		t.fault(mode, reason, format, args...)
		t.routing = max(t.routing, mode)
	default:
		t.fault(mode, reason, format, args...)
	}
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
	covered, own := false, t.ownPorts(s)
	for i, entry := range t.Config.Tenants {
		if !entry.Covers(t.ref.Namespace, t.NamespaceLabels) {
			continue
		}
		covered = true
		if !entry.GrantsDevice(s.device) {
			continue
		}
		if own && s.partition == "" && len(entry.Partitions) > 0 {
			s.partition = entry.Partitions[0]
		}
		if !own || entry.GrantsPartition(s.partition) {
			s.grants = append(s.grants, grant{entry, i})
		}
		partitions = append(partitions, entry.Partitions...)
	}
	switch {
	case !covered:
		t.freeze("NotGranted", "no tenant in the configuration covers namespace %s; ask the platform team for one", t.ref.Namespace)
	case s.partition == "" && own:
		t.freeze("NotGranted", "namespace %s is granted no partition on device %s", t.ref.Namespace, s.device)
	case len(s.grants) == 0 && !own:
		t.freeze("NotGranted", "device %s is not granted to namespace %s", s.device, t.ref.Namespace)
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
