package translate

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"landbridge.dev/config/annotation"
	"landbridge.dev/sync/state"
)

// Of EndpointSlices with registered VMs.
const (
	// LabelService names their Service: kube-proxy and others look at
	// kubernetes.io/service-name, which they have only where callers inside
	// the cluster are to find them.
	LabelService = Prefix + "service"
	// AnnotationVMs says of each VM what an endpoint has no place for.
	AnnotationVMs = Prefix + "vms"
)

// Registered says whether a slice holds registered VMs.
func Registered(s *discoveryv1.EndpointSlice) bool { return s.Labels[LabelService] != "" }

// VMResult is what a Service says of VMs.
type VMResult struct {
	// Asked says whether the Service speaks of VMs on the broker at all.
	Asked bool
	// Registry is who may register; nil for nobody. With a problem it is
	// held.
	Registry *state.Registry
	// Announced says whether VMs are to be told of its endpoints.
	Announced bool
	// Still says that nothing is changed now, so that VMs are told nothing
	// else.
	Still    bool
	Problems []state.Problem
}

// asksVMs says whether a Service has an annotation of VMs on the broker.
func asksVMs(svc *corev1.Service) bool { return asks(svc, annotation.VMs) }

// VMs reads which VMs may register for a Service, and whether VMs are told of
// it. One that is being deleted has neither.
func VMs(in Input, p Policy) VMResult {
	t := &translation{Input: in, Policy: p, ref: in.Ref()}
	result := VMResult{Asked: asksVMs(in.Service)}
	if !result.Asked || in.Service.DeletionTimestamp != nil {
		return result
	}
	texts := t.vmTexts()
	if t.Config.MQ == nil {
		t.hold("NoBroker", "the configuration has no section mq")
	}
	for _, key := range []string{"vm-in-cluster", "vm-probe"} {
		if _, ok := texts[key]; ok && in.Service.Annotations[Prefix+"vm-registry"] == "" {
			t.hold("NotOptedIn", "%s%s is about registered VMs, and there is no %[1]svm-registry", Prefix, key)
		}
	}
	if texts["mq-announce"] == "true" && in.Service.Spec.Type == corev1.ServiceTypeExternalName {
		t.hold("ExternalName", "%smq-announce: a Service of type ExternalName has no endpoints that VMs could be told of", Prefix)
	}
	if users, ok := texts["vm-registry"]; ok {
		result.Registry = t.registry(users)
		result.Registry.InCluster = texts["vm-in-cluster"] == "true"
		result.Registry.Probe = texts["vm-probe"] == "tcp"
	}
	if result.Registry == nil && in.Service.Annotations[Prefix+"vm-registry"] != "" {
		result.Registry = &state.Registry{Service: t.ref}
	}
	slices.SortFunc(t.problems, state.Problem.Compare)
	result.Problems = t.problems
	if result.Registry != nil {
		result.Registry.Held = len(t.problems) > 0
	}
	result.Still = !t.Config.Applies() || strings.TrimSpace(in.Service.Annotations[Prefix+"paused"]) == "all"
	result.Announced = texts["mq-announce"] == "true" && t.Config.MQ != nil && in.Service.Spec.Type != corev1.ServiceTypeExternalName
	return result
}

// vmTexts are the annotations of VMs that are well formed, by key.
func (t *translation) vmTexts() map[string]string {
	texts := map[string]string{}
	for from, text := range t.Service.Annotations {
		name, _, hasPort, ok := annotation.Read(from)
		key, known := annotation.Find(name)
		if !ok || !known || key.Part != annotation.VMs {
			continue
		}
		if hasPort {
			t.hold("BadAnnotation", "%s: %s holds for the whole Service and takes no port", from, name)
			continue
		}
		text = strings.TrimSpace(text)
		if err := key.Check(text); err != nil {
			t.hold("BadAnnotation", "%s: %v", from, err)
			continue
		}
		texts[name] = text
	}
	return texts
}

// registry is who may register, by what tenants allow: one entry has to allow
// user and network together.
func (t *translation) registry(users string) *state.Registry {
	r := &state.Registry{Service: t.ref}
	asked, err := annotation.ParseUsers(users)
	if err != nil {
		return r // found fault with before
	}
	if t.Service.Spec.Type == corev1.ServiceTypeExternalName {
		t.hold("ExternalName", "a Service of type ExternalName has no endpoints, and VMs cannot be any")
	}
	if t.nodePorted() && t.Service.Annotations[Prefix+"vm-in-cluster"] != "" {
		t.hold("BadAnnotation", "%svm-in-cluster: a node port would then lead to VMs too; take pods as members, or take it away", Prefix)
	}
	var granted []string
	for _, entry := range t.Config.Tenants {
		if !entry.Covers(t.ref.Namespace, t.NamespaceLabels) {
			continue
		}
		granted = append(granted, entry.VMUsers...)
		var g state.RegistryGrant
		for _, u := range asked {
			if entry.GrantsVMUser(u) {
				g.Users = append(g.Users, u)
			}
		}
		for _, text := range entry.VMCIDRs {
			if p, err := netip.ParsePrefix(text); err == nil {
				g.Networks = append(g.Networks, p)
			}
		}
		if len(g.Users) > 0 && len(g.Networks) > 0 {
			r.Grants = append(r.Grants, g)
		}
	}
	for _, u := range asked {
		if !slices.ContainsFunc(r.Grants, func(g state.RegistryGrant) bool { return slices.Contains(g.Users, u) }) {
			t.hold("NotGranted", "%svm-registry: no tenant's entry allows namespace %s the user %s together with networks for VMs (vmUsers, vmCIDRs); vmUsers are: %s",
				Prefix, t.ref.Namespace, u, listed(granted))
		}
	}
	for _, p := range t.Service.Spec.Ports {
		if protocol, ok := protocolOf(p); ok {
			r.Ports = append(r.Ports, state.RegistryPort{Name: p.Name, Protocol: protocol, Number: uint16(p.Port)})
		}
	}
	return r
}

// nodePorted says whether the Service's members are node ports.
func (t *translation) nodePorted() bool {
	if !asksBIGIP(t.Service) {
		return false
	}
	s := settings{memberType: t.Service.Annotations[Prefix+"member-type"], device: t.Service.Annotations[Prefix+"device"]}
	if s.memberType != "" {
		return s.memberType == "nodeport"
	}
	if s.device == "" {
		s.device = t.firstDevice()
	}
	device, _ := t.Config.Device(s.device)
	return device.MemberType == "nodeport"
}
