// Package roster keeps registered VMs in EndpointSlices: it is the only writer
// to them. What a Service's VMs make of its slices is pure (Slices); what
// differs from those that stand is written, and nothing else, so that a VM that
// stays where it is costs no write.
package roster

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

const (
	// ManagedBy is what our slices say of who writes them.
	ManagedBy = "vm-registry.landbridge.dev"
	// mostEndpoints is how many VMs a slice has: as many as Kubernetes' own
	// controller puts into one.
	mostEndpoints = 100
	// kindVM is the kind that an endpoint refers to.
	kindVM = "VM"
)

// note is what AnnotationVMs says of one VM, by instance.
type note struct {
	User  string            `json:"user"`
	Boot  string            `json:"boot"`
	Lease string            `json:"lease"`
	State state.VMCondition `json:"state"`
	Zone  string            `json:"zone,omitempty"`
}

// kindred is what all VMs of a slice have in common.
type kindred struct {
	six   bool
	ports string // canonical
}

// Slices are the EndpointSlices that a Service with these VMs should have, the
// standing ones among them where they are to stay: a VM stays in the slice that
// it is in. have are those that stand.
func Slices(svc *corev1.Service, vms []state.VM, inCluster bool, have []*discoveryv1.EndpointSlice) []*discoveryv1.EndpointSlice {
	groups := map[kindred]map[string]state.VM{}
	ports := map[kindred][]state.RegistryPort{}
	for _, vm := range vms {
		for _, a := range vm.Addresses {
			k := kindred{six: a.Is6(), ports: portsText(vm.Ports)}
			if groups[k] == nil {
				groups[k], ports[k] = map[string]state.VM{}, vm.Ports
			}
			groups[k][vm.Instance] = vm
		}
	}
	var wanted []*discoveryv1.EndpointSlice
	for _, k := range slices.SortedFunc(maps.Keys(groups), func(a, b kindred) int {
		return cmp.Or(strings.Compare(a.ports, b.ports), strings.Compare(strconv.FormatBool(a.six), strconv.FormatBool(b.six)))
	}) {
		for name, members := range place(svc, k, groups[k], have) {
			wanted = append(wanted, slice(svc, name, k.six, ports[k], members, inCluster))
		}
	}
	slices.SortFunc(wanted, func(a, b *discoveryv1.EndpointSlice) int { return strings.Compare(a.Name, b.Name) })
	return wanted
}

// place divides VMs among slices by name: each stays where it is, and the
// others fill up what has room.
func place(svc *corev1.Service, k kindred, vms map[string]state.VM, have []*discoveryv1.EndpointSlice) map[string][]state.VM {
	placed := map[string][]state.VM{}
	left := maps.Clone(vms)
	for _, s := range have {
		if s.AddressType != addressType(k.six) || portsText(portsOf(s)) != k.ports {
			continue
		}
		for _, e := range s.Endpoints {
			if e.TargetRef == nil {
				continue
			}
			if vm, ok := left[e.TargetRef.Name]; ok && len(placed[s.Name]) < mostEndpoints {
				placed[s.Name] = append(placed[s.Name], vm)
				delete(left, vm.Instance)
			}
		}
	}
	names := slices.Sorted(maps.Keys(placed))
	for _, instance := range slices.Sorted(maps.Keys(left)) {
		i := slices.IndexFunc(names, func(n string) bool { return len(placed[n]) < mostEndpoints })
		if i < 0 {
			names = append(names, freeName(svc, k, names))
			i = len(names) - 1
		}
		placed[names[i]] = append(placed[names[i]], left[instance])
	}
	return placed
}

// freeName is the name of one more slice.
func freeName(svc *corev1.Service, k kindred, taken []string) string {
	sum := sha256.Sum256([]byte(svc.Name + "\n" + strconv.FormatBool(k.six) + "\n" + k.ports))
	for n := 0; ; n++ {
		name := fmt.Sprintf("%s-vms-%s-%d", svc.Name[:min(len(svc.Name), 40)], hex.EncodeToString(sum[:4]), n)
		if !slices.Contains(taken, name) {
			return name
		}
	}
}

// slice is one EndpointSlice.
func slice(svc *corev1.Service, name string, six bool, ports []state.RegistryPort, vms []state.VM, inCluster bool) *discoveryv1.EndpointSlice {
	slices.SortFunc(vms, func(a, b state.VM) int { return strings.Compare(a.Instance, b.Instance) })
	notes := map[string]note{}
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: svc.Namespace, Name: name,
			Labels: map[string]string{translate.LabelService: svc.Name, discoveryv1.LabelManagedBy: ManagedBy},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "v1", Kind: "Service", Name: svc.Name, UID: svc.UID,
			}},
		},
		AddressType: addressType(six),
	}
	if inCluster {
		s.Labels[discoveryv1.LabelServiceName] = svc.Name
	}
	for _, p := range ports {
		protocol, number := corev1.Protocol(strings.ToUpper(string(p.Protocol))), int32(p.Number)
		s.Ports = append(s.Ports, discoveryv1.EndpointPort{Name: &p.Name, Protocol: &protocol, Port: &number})
	}
	for _, vm := range vms {
		notes[vm.Instance] = note{User: vm.User, Boot: vm.Boot, Lease: vm.Lease.String(), State: vm.Condition, Zone: vm.Zone}
		s.Endpoints = append(s.Endpoints, endpoint(vm, six))
	}
	text, err := json.Marshal(notes)
	if err == nil { // of such maps there is none
		s.Annotations = map[string]string{translate.AnnotationVMs: string(text)}
	}
	return s
}

// endpoint is a VM's. One that is silent still serves, for all that is known;
// one that drains is terminating.
func endpoint(vm state.VM, six bool) discoveryv1.Endpoint {
	e := discoveryv1.Endpoint{TargetRef: &corev1.ObjectReference{Kind: kindVM, Name: vm.Instance}}
	for _, a := range vm.Addresses {
		if a.Is6() == six {
			e.Addresses = []string{a.String()}
		}
	}
	ready, serving, terminating := vm.Condition == state.VMReady, vm.Condition != state.VMUnready, vm.Condition == state.VMDraining
	e.Conditions = discoveryv1.EndpointConditions{Ready: &ready, Serving: &serving, Terminating: &terminating}
	if vm.Zone != "" {
		e.Zone = &vm.Zone
	}
	return e
}

// VMs are the VMs that a Service's slices hold, by instance: what a new leader
// takes over. What others wrote into them is left out.
func VMs(have []*discoveryv1.EndpointSlice) []state.VM {
	found := map[string]state.VM{}
	for _, s := range have {
		var notes map[string]note
		if json.Unmarshal([]byte(s.Annotations[translate.AnnotationVMs]), &notes) != nil {
			continue
		}
		for _, e := range s.Endpoints {
			if e.TargetRef == nil || len(e.Addresses) != 1 {
				continue
			}
			n, ok := notes[e.TargetRef.Name]
			a, err := netip.ParseAddr(e.Addresses[0])
			lease, bad := time.ParseDuration(n.Lease)
			if !ok || err != nil || bad != nil || lease <= 0 {
				continue
			}
			vm, known := found[e.TargetRef.Name]
			if !known {
				vm = state.VM{Instance: e.TargetRef.Name, User: n.User, Boot: n.Boot, Zone: n.Zone, Lease: lease, Condition: n.State, Ports: portsOf(s)}
			}
			vm.Addresses = append(vm.Addresses, a)
			slices.SortFunc(vm.Addresses, netip.Addr.Compare)
			found[vm.Instance] = vm
		}
	}
	vms := make([]state.VM, 0, len(found))
	for _, name := range slices.Sorted(maps.Keys(found)) {
		vms = append(vms, found[name])
	}
	return vms
}

func addressType(six bool) discoveryv1.AddressType {
	if six {
		return discoveryv1.AddressTypeIPv6
	}
	return discoveryv1.AddressTypeIPv4
}

// portsOf are a slice's ports, sorted.
func portsOf(s *discoveryv1.EndpointSlice) []state.RegistryPort {
	var ports []state.RegistryPort
	for _, p := range s.Ports {
		if p.Name != nil && p.Protocol != nil && p.Port != nil {
			ports = append(ports, state.RegistryPort{Name: *p.Name, Protocol: state.Protocol(strings.ToLower(string(*p.Protocol))), Number: uint16(*p.Port)})
		}
	}
	slices.SortFunc(ports, state.RegistryPort.Compare)
	return ports
}

func portsText(ports []state.RegistryPort) string {
	var words []string
	for _, p := range ports {
		words = append(words, fmt.Sprintf("%s/%s/%d", p.Name, p.Protocol, p.Number))
	}
	return strings.Join(words, " ")
}
