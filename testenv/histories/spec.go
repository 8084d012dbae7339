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
	// Unknown adds an annotation that is none of ours.
	Unknown bool
	// Class sets loadBalancerClass landbridge.dev/bigip, and type LoadBalancer.
	Class bool
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
	add("member-type", s.MemberType)
	add("drain-timeout", s.Drain)
	add("drain-timeout.port", s.PortDrain)
	add("paused", s.Paused)
	if s.Unknown {
		words = append(words, "unknown-key")
	}
	if s.Class {
		words = append(words, "class")
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
	add("virtual-address", s.Address)
	if len(s.Ports) > 0 {
		first := ports()[s.Ports[0]].Name
		add("virtual-address."+first, s.PortAddress)
		add("drain-timeout."+first, s.PortDrain)
	}
	if s.Unknown {
		add("virtual-addresses", "203.0.113.1")
	}
	return all
}

// write brings a Service to the Spec, and leaves what others wrote.
func (s Spec) write(svc *corev1.Service) {
	svc.Annotations = s.annotations()
	svc.Spec = corev1.ServiceSpec{Type: s.Type}
	if s.Class {
		class := translate.ClassBIGIP
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

// slicesOf are a Service's EndpointSlices: one of each family, and second ones
// for what is there twice.
func slicesOf(svc *corev1.Service, pods [podCount]Condition) []*discoveryv1.EndpointSlice {
	var all []*discoveryv1.EndpointSlice
	for _, six := range []bool{false, true} {
		for _, second := range []bool{false, true} {
			slice := sliceOf(svc, pods, six, second)
			if len(slice.Endpoints) > 0 {
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
			e.TargetRef = nil
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
	Web, App  bool // the partitions granted to all namespaces
	Addresses bool // the address pool granted
	Paused    bool
	Plan      bool // mode: plan
}

// String writes what is granted.
func (g Grants) String() string {
	words := []string{}
	for _, w := range []struct {
		name string
		set  bool
	}{{"web", g.Web}, {"app", g.App}, {"addresses", g.Addresses}, {"paused", g.Paused}, {"mode: plan", g.Plan}} {
		if w.set {
			words = append(words, w.name)
		}
	}
	return "{" + strings.Join(words, ", ") + "}"
}

// yaml is the configuration file.
func (g Grants) yaml(cluster string) []byte {
	var partitions []string
	if g.Web {
		partitions = append(partitions, "web")
	}
	if g.App {
		partitions = append(partitions, "app")
	}
	pools, mode := "", "apply"
	if g.Addresses {
		pools = "public"
	}
	if g.Plan {
		mode = "plan"
	}
	tenants := ""
	if len(partitions) > 0 {
		tenants = fmt.Sprintf("tenants: [{namespaces: [shop, pay], partitions: [%s], addressPools: [%s]}]\n", strings.Join(partitions, ", "), pools)
	}
	return fmt.Appendf(nil, `apiVersion: landbridge.dev/v1
kind: Config
cluster: %s
mode: %s
paused: %t
bigip: [{name: dc1, hosts: ["https://bigip"], credentialsDir: /credentials, resyncInterval: %s}]
addressPools: [{name: public, ranges: ["203.0.113.0/24", "2001:db8:203::/64"]}]
%s`, cluster, mode, g.Paused, resync, tenants)
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
