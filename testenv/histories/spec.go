package histories

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// The world is small, so that things meet.
const (
	podCount  = 6 // addresses that pods can have, shared by all Services
	nodeCount = 3 // of each cluster
	portCount = 4
)

// services are the names that Services can have.
func services() []state.Ref {
	return []state.Ref{
		{Namespace: "shop", Name: "cart"},
		{Namespace: "shop", Name: "web"},
		{Namespace: "pay", Name: "api"},
		{Namespace: "pay", Name: "old"},
	}
}

// Spec is what somebody writes into a Service.
type Spec struct {
	// Partition, Device, MemberType, Drain and Paused are annotations; empty
	// for none.
	Partition, Device, MemberType, Drain, Paused string
	// Address is the annotation virtual-address.
	Address string
	// PortAddress and PortDrain are the same with the first port.
	PortAddress, PortDrain string
	// Deletion is the annotation deletion-policy.
	Deletion string
	// LoadBalancerIP is the field of that name.
	LoadBalancerIP string
	// OnlyIPv4 is a Service of one family; others are of two.
	OnlyIPv4 bool
	// Selector says that a controller keeps the EndpointSlices.
	Selector bool
	// Settings are annotations besides, of values; a key may end in firstPort.
	Settings map[string]string
	// Affinity is sessionAffinity: ClientIP, and Sources are
	// loadBalancerSourceRanges.
	Affinity bool
	Sources  []string
	// Unknown adds an annotation that is none of ours.
	Unknown bool
	// Class sets loadBalancerClass landbridge.dev/bigip, and type LoadBalancer.
	Class bool
	// OnNodes sets loadBalancerClass landbridge.dev/bgp instead, and Announced
	// is the annotation bgp: "true".
	OnNodes, Announced bool
	// Local sets externalTrafficPolicy: Local.
	Local bool
	Type  corev1.ServiceType
	// Ports are indexes of ports, each once.
	Ports []int
}

// ports are those that a Service can have: named, of both protocols, and one
// number for two protocols.
func ports() [portCount]corev1.ServicePort {
	port := func(name string, protocol corev1.Protocol, number, target, node int32) corev1.ServicePort {
		return corev1.ServicePort{Name: name, Protocol: protocol, Port: number, TargetPort: intstr.FromInt32(target), NodePort: node}
	}
	return [portCount]corev1.ServicePort{
		port("http", corev1.ProtocolTCP, 80, 8080, 30080),
		port("https", corev1.ProtocolTCP, 443, 8443, 30443),
		port("dns", corev1.ProtocolUDP, 53, 5353, 30053),
		port("dns-tcp", corev1.ProtocolTCP, 53, 5353, 30054),
	}
}

// String writes a Spec in one line, without what is not set.
func (s Spec) String() string {
	var words []string
	add := func(name, value string) {
		if value != "" {
			words = append(words, name+"="+value)
		}
	}
	add("type", string(s.Type))
	add("partition", s.Partition)
	add("device", s.Device)
	add("virtual-address", s.Address)
	add("virtual-address.port", s.PortAddress)
	add("loadBalancerIP", s.LoadBalancerIP)
	add("member-type", s.MemberType)
	add("drain-timeout", s.Drain)
	add("drain-timeout.port", s.PortDrain)
	add("paused", s.Paused)
	add("deletion-policy", s.Deletion)
	add("sources", strings.Join(s.Sources, ","))
	if len(s.Settings) > 0 {
		words = append(words, settingsText(s.Settings))
	}
	if s.Affinity {
		words = append(words, "affinity")
	}
	if s.OnlyIPv4 {
		words = append(words, "only-ipv4")
	}
	if s.Selector {
		words = append(words, "selector")
	}
	if s.Unknown {
		words = append(words, "unknown-key")
	}
	if s.Class {
		words = append(words, "class")
	}
	if s.OnNodes {
		words = append(words, "on-nodes")
	}
	if s.Announced {
		words = append(words, "announced")
	}
	if s.Local {
		words = append(words, "local")
	}
	var names []string
	for _, i := range s.Ports {
		names = append(names, ports()[i].Name)
	}
	add("ports", strings.Join(names, ","))
	return strings.Join(words, " ")
}

// annotations are the Service's.
func (s Spec) annotations() map[string]string {
	all := map[string]string{}
	add := func(key, value string) {
		if value != "" {
			all[translate.Prefix+key] = value
		}
	}
	add("partition", s.Partition)
	add("device", s.Device)
	add("member-type", s.MemberType)
	add("drain-timeout", s.Drain)
	add("paused", s.Paused)
	add("deletion-policy", s.Deletion)
	add("virtual-address", s.Address)
	if len(s.Ports) > 0 {
		first := ports()[s.Ports[0]].Name
		add("virtual-address."+first, s.PortAddress)
		add("drain-timeout."+first, s.PortDrain)
		for key, value := range s.Settings {
			name, ofPort := strings.CutSuffix(key, firstPort)
			if ofPort {
				name += "." + first
			}
			add(name, value)
		}
	}
	if s.Announced {
		add("bgp", "true")
	}
	if s.Unknown {
		add("virtual-addresses", "203.0.113.1")
	}
	return all
}

// write brings a Service to the Spec, and leaves what others wrote.
func (s Spec) write(svc *corev1.Service) {
	annotations := s.annotations()
	for _, key := range written() {
		if value, there := svc.Annotations[key]; there {
			annotations[key] = value
		}
	}
	svc.Annotations = annotations
	svc.Spec = corev1.ServiceSpec{Type: s.Type, LoadBalancerIP: s.LoadBalancerIP, LoadBalancerSourceRanges: s.Sources}
	if s.Affinity {
		affinity(svc)
	}
	if s.Selector {
		svc.Spec.Selector = map[string]string{"app": svc.Name}
	}
	svc.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
	if s.OnlyIPv4 {
		svc.Spec.IPFamilies = svc.Spec.IPFamilies[:1]
	}
	if s.Class || s.OnNodes {
		class := translate.ClassBIGIP
		if s.OnNodes {
			class = translate.ClassBGP
		}
		svc.Spec.Type, svc.Spec.LoadBalancerClass = corev1.ServiceTypeLoadBalancer, &class
	}
	if s.Local {
		svc.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	}
	for _, i := range s.Ports {
		p := ports()[i]
		if svc.Spec.Type != corev1.ServiceTypeNodePort && svc.Spec.Type != corev1.ServiceTypeLoadBalancer {
			p.NodePort = 0
		}
		svc.Spec.Ports = append(svc.Spec.Ports, p)
	}
}

// Condition is how an endpoint stands.
type Condition int

// The conditions.
const (
	Absent Condition = iota
	Ready
	NotReady
	Leaving    // terminating, and still serving
	Gone       // terminating, and serving no more
	Handmade   // ready, without a Pod behind it
	ReadyTwice // in two slices: ready in one, not ready in the other
)

// String writes the condition's name.
func (c Condition) String() string {
	return [...]string{"absent", "ready", "not ready", "terminating and serving", "terminating", "handmade", "ready, and not ready in a second slice"}[c]
}

// podAddress is the address of a pod in one family.
func podAddress(i int, six bool) string {
	if six {
		return "2001:db8:10::" + strconv.Itoa(i+1)
	}
	return "10.0.0." + strconv.Itoa(i+1)
}

// vmAddress is the address of a VM in one family.
func vmAddress(i int, six bool) string {
	if six {
		return "2001:db8:20::" + strconv.Itoa(i+1)
	}
	return "10.20.0." + strconv.Itoa(i+1)
}

// slicesOf are a Service's EndpointSlices: one of each family, and second ones
// for what is there twice.
func slicesOf(svc *corev1.Service, pods [podCount]Condition) []*discoveryv1.EndpointSlice {
	var all []*discoveryv1.EndpointSlice
	for _, six := range []bool{false, true} {
		for _, second := range []bool{false, true} {
			slice := sliceOf(svc, pods, six, second)
			// The controller of a Service with a selector keeps an empty one.
			if len(slice.Endpoints) > 0 || (!second && len(svc.Spec.Selector) > 0) {
				all = append(all, slice)
			}
		}
	}
	return all
}

func sliceOf(svc *corev1.Service, pods [podCount]Condition, six, second bool) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4}
	if six {
		slice.AddressType = discoveryv1.AddressTypeIPv6
	}
	for _, p := range svc.Spec.Ports {
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{
			Name: new(p.Name), Protocol: new(p.Protocol), Port: new(p.TargetPort.IntVal),
		})
	}
	for i, c := range pods {
		if c == Absent || (second && c != ReadyTwice) {
			continue
		}
		e := discoveryv1.Endpoint{
			Addresses: []string{podAddress(i, six)}, NodeName: new(nodeName(i % nodeCount)),
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: "pod-" + strconv.Itoa(i)}, Conditions: c.of(),
		}
		if second {
			e.Conditions = NotReady.of()
		}
		if c == Handmade {
			e.TargetRef, e.Addresses = nil, []string{vmAddress(i, six)}
		}
		slice.Endpoints = append(slice.Endpoints, e)
	}
	return slice
}

// of are the conditions as they stand in an EndpointSlice.
func (c Condition) of() discoveryv1.EndpointConditions {
	switch c {
	case NotReady:
		return discoveryv1.EndpointConditions{Ready: new(false), Serving: new(false), Terminating: new(false)}
	case Leaving:
		return discoveryv1.EndpointConditions{Ready: new(false), Serving: new(true), Terminating: new(true)}
	case Gone:
		return discoveryv1.EndpointConditions{Ready: new(false), Serving: new(false), Terminating: new(true)}
	case Absent, Ready, Handmade, ReadyTwice:
	}
	return discoveryv1.EndpointConditions{} // ready, as the API defines nil
}

// NodeCondition is how a node stands.
type NodeCondition int

// The conditions of a node.
const (
	NodeReady NodeCondition = iota
	NodeNotReady
	NodeExcluded // by label
	NodeAbsent
)

// String writes the condition's name.
func (c NodeCondition) String() string {
	return [...]string{"ready", "not ready", "excluded by label", "absent"}[c]
}

func nodeName(i int) string { return fmt.Sprintf("node-%d", i) }

// nodesOf are the nodes of a cluster.
func nodesOf(cluster int, conditions [nodeCount]NodeCondition) []*corev1.Node {
	var nodes []*corev1.Node
	for i, c := range conditions {
		if c == NodeAbsent {
			continue
		}
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName(i)}}
		n.Status.Addresses = []corev1.NodeAddress{
			{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("192.168.%d.%d", cluster, i+1)},
			{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("2001:db8:192:%d::%d", cluster, i+1)},
		}
		ready := corev1.ConditionTrue
		if c == NodeNotReady {
			ready = corev1.ConditionFalse
		}
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}
		if c == NodeExcluded {
			n.Labels = map[string]string{corev1.LabelNodeExcludeBalancers: ""}
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// Grants are what a cluster's configuration says in this moment.
type Grants struct {
	Shop, Pay bool // the namespaces that tenants cover
	Web, App  bool // the partitions granted to them
	Addresses bool // the address pool granted
	Uses      bool // classes, and objects by their paths
	Peers     bool // routers granted
	TorB      bool // the second of the two routers that there are
	Paused    bool
	Plan      bool // mode: plan
	// Patience is finalizerTimeout; 0 for ever.
	Patience time.Duration
}

// allGrants is a configuration that allows all.
func allGrants() Grants {
	return Grants{Shop: true, Pay: true, Web: true, App: true, Addresses: true, Uses: true, Peers: true, TorB: true}
}

// String writes what is granted.
func (g Grants) String() string {
	words := []string{}
	for _, w := range []struct {
		name string
		set  bool
	}{{"shop", g.Shop}, {"pay", g.Pay}, {"web", g.Web}, {"app", g.App}, {"addresses", g.Addresses}, {"uses", g.Uses}, {"peers", g.Peers}, {"tor-b", g.TorB}, {"paused", g.Paused}, {"mode: plan", g.Plan}} {
		if w.set {
			words = append(words, w.name)
		}
	}
	if g.Patience > 0 {
		words = append(words, "finalizerTimeout: "+g.Patience.String())
	}
	return "{" + strings.Join(words, ", ") + "}"
}

// yaml is the configuration file.
func (g Grants) yaml(cluster string, index int) []byte {
	var partitions []string
	if g.Web {
		partitions = append(partitions, "web")
	}
	if g.App {
		partitions = append(partitions, "app")
	}
	pools, mode := "", "apply"
	if g.Addresses {
		pools = "public, given"
	}
	if g.Plan {
		mode = "plan"
	}
	peers, granted := "{name: tor-a, address: 192.0.2.11, asn: 64513}", "tor-a"
	if g.TorB {
		peers, granted = peers+", {name: tor-b, address: 192.0.2.12, asn: 64513}", granted+", tor-b"
	}
	tenants := ""
	for _, namespace := range []string{"shop", "pay"} {
		if covered := map[string]bool{"shop": g.Shop, "pay": g.Pay}[namespace]; covered && len(partitions) > 0 {
			tenants += fmt.Sprintf("- {namespaces: [%s], partitions: [%s], addressPools: [%s]", namespace, strings.Join(partitions, ", "), pools)
			if g.Uses {
				tenants += ", " + uses
			}
			if g.Peers {
				tenants += ", bgpPeers: [" + granted + `], bgpCommunities: ["64512:*"]`
			}
			tenants += "}\n"
		}
	}
	if tenants != "" {
		tenants = "tenants:\n" + tenants
	}
	return fmt.Appendf(nil, `apiVersion: landbridge.dev/v1
kind: Config
cluster: %s
mode: %s
paused: %t
finalizerTimeout: %s
bigip: [{name: dc1, hosts: ["https://bigip"], credentialsDir: /credentials, floatingSelfIPs: [198.51.100.10, "2001:db8:51::10"], resyncInterval: %s}]
bgp: {asn: 64512, peers: [%s]}
addressPools:
- {name: public, ranges: ["203.0.113.0/25", "2001:db8:203::/64"]}
- {name: given, ranges: ["203.0.113.%d/31", "2001:db8:204:%d::/127"], autoAssign: true}
%s%s`, cluster, mode, g.Paused, g.Patience, resync, peers, 200+2*index, index, classesYAML, tenants)
}

// resync is how often all is read anew.
const resync = 5 * time.Minute

// with is the list with one place changed.
func with(list [podCount]Condition, i int, value Condition) [podCount]Condition {
	list[i] = value
	return list
}

// sortedPorts are indexes in order, each once.
func sortedPorts(list []int) []int {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}
