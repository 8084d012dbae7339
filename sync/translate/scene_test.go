package translate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/config"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// The scene of the tests: two devices, two address pools, and namespace shop,
// which may use partition web and the first pool on dc1.
const scene = `
apiVersion: landbridge.dev/v1
kind: Config
cluster: prod
bigip:
  - {name: dc1, hosts: [https://bigip1.example.com], credentialsDir: /etc/landbridge/dc1}
  - {name: dc2, hosts: [https://bigip2.example.com], credentialsDir: /etc/landbridge/dc2, memberType: nodeport, nodePort: {nodeSelector: "edge=true", maxNodes: 2}}
addressPools:
  - {name: public, ranges: [203.0.113.16-203.0.113.31, 2001:db8:1::/120]}
  - {name: internal, ranges: [10.99.0.0/24]}
tenants:
  - {namespaces: [shop], devices: [dc1], partitions: [web, api], addressPools: [public]}
  - {namespaces: [shop-*], devices: [dc1, dc2], partitions: [edge], addressPools: [public]}
  - {namespaces: [shop-*], devices: [dc2], partitions: [inside], addressPools: [internal]}
  - {namespaceSelector: "team=payments", partitions: [pay], addressPools: [internal]}
  - {namespaces: [bare], devices: [dc1]}
`

func policy(tb testing.TB, more ...func(*config.Config)) translate.Policy {
	tb.Helper()
	c, err := config.Parse([]byte(scene))
	if err != nil {
		tb.Fatal(err)
	}
	for _, change := range more {
		change(c)
	}
	return translate.Policy{Config: c, Identity: state.Identity{Cluster: "prod", UID: "0123abcd"}}
}

// serviceOption changes the Service of a test.
type serviceOption func(*corev1.Service)

// service is shop/cart with port 80 in partition web at 203.0.113.20, changed
// as given.
func service(options ...serviceOption) *corev1.Service {
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "cart",
			Annotations: map[string]string{translate.Prefix + "partition": "web", translate.Prefix + "virtual-address": "203.0.113.20"},
		},
		Spec: corev1.ServiceSpec{
			Type:  corev1.ServiceTypeClusterIP,
			Ports: []corev1.ServicePort{{Port: 80, Protocol: corev1.ProtocolTCP}},
		},
	}
	for _, o := range options {
		o(svc)
	}
	return svc
}

// with sets an annotation; with "-" as its value it takes it away.
func with(key, value string) serviceOption {
	return func(s *corev1.Service) {
		if value == "-" {
			delete(s.Annotations, translate.Prefix+key)
			return
		}
		s.Annotations[translate.Prefix+key] = value
	}
}

func in(namespace string) serviceOption { return func(s *corev1.Service) { s.Namespace = namespace } }

func ports(list ...corev1.ServicePort) serviceOption {
	return func(s *corev1.Service) { s.Spec.Ports = list }
}

func port(name string, number int32, protocol corev1.Protocol) corev1.ServicePort {
	return corev1.ServicePort{Name: name, Port: number, Protocol: protocol}
}

func class(name string) serviceOption {
	return func(s *corev1.Service) {
		s.Spec.Type = corev1.ServiceTypeLoadBalancer
		s.Spec.LoadBalancerClass = &name
	}
}

func nodePorts(s *corev1.Service) {
	s.Spec.Type = corev1.ServiceTypeNodePort
	for i := range s.Spec.Ports {
		s.Spec.Ports[i].NodePort = 30000 + int32(i)
	}
}

func local(s *corev1.Service) {
	s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
}

// conditions are those of an endpoint: "?" nil, "t" true, "f" false, for
// ready, serving and terminating.
func conditions(s string) discoveryv1.EndpointConditions {
	read := func(c byte) *bool {
		if c == '?' {
			return nil
		}
		b := c == 't'
		return &b
	}
	return discoveryv1.EndpointConditions{Ready: read(s[0]), Serving: read(s[1]), Terminating: read(s[2])}
}

// Conditions as the EndpointSlice controller writes them.
const (
	isReady   = "ttf"
	notReady  = "fff"
	leaves    = "ftt" // terminating, and serves
	left      = "fft" // terminating, and serves no more
	published = "ttt" // terminating, and ready for publishNotReadyAddresses
)

// pod is an endpoint with a Pod behind it, on node n1.
func pod(address, how string) discoveryv1.Endpoint { return podOn("n1", address, how) }

func podOn(node, address, how string) discoveryv1.Endpoint {
	return discoveryv1.Endpoint{
		Addresses: []string{address}, Conditions: conditions(how), NodeName: &node,
		TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: "p"},
	}
}

// slice gives TCP 8080 for the port without a name.
func slice(endpoints ...discoveryv1.Endpoint) *discoveryv1.EndpointSlice {
	s := slicePorts(slicePort("", 8080, corev1.ProtocolTCP))
	s.Endpoints = endpoints
	if len(endpoints) > 0 && strings.Contains(endpoints[0].Addresses[0], ":") {
		s.AddressType = discoveryv1.AddressTypeIPv6
	}
	return s
}

func slicePorts(list ...discoveryv1.EndpointPort) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4, Ports: list}
}

func slicePort(name string, number int32, protocol corev1.Protocol) discoveryv1.EndpointPort {
	return discoveryv1.EndpointPort{Name: &name, Port: &number, Protocol: &protocol}
}

// node is a ready node with the label edge=true.
func node(name, address string, options ...func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"edge": "true"}},
		Status: corev1.NodeStatus{
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse}, {Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
			Addresses:  []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: name}, {Type: corev1.NodeExternalIP, Address: "198.51.100.1"}, {Type: corev1.NodeInternalIP, Address: address}},
		},
	}
	for _, o := range options {
		o(n)
	}
	return n
}

// expect is what a Service asks for, in words: pools with their members,
// virtual servers with what they listen on.
type expect struct {
	Mode     string
	Objects  []string
	Problems []string
}

func told(r translate.Result) expect {
	e := expect{Mode: r.Want.Mode.String()}
	for _, o := range r.Want.Objects {
		switch o := o.(type) {
		case *state.Pool:
			line := "pool " + o.Path
			for _, m := range o.Members {
				line += ", " + strings.TrimPrefix(m.Line(), "member ")
			}
			for _, m := range o.Beside {
				line += ", beside " + strings.TrimPrefix(m.Line(), "member ")
			}
			e.Objects = append(e.Objects, line)
		case *state.VirtualServer:
			e.Objects = append(e.Objects, "virtual "+o.Path+" on "+o.Frontend().String()+" of "+o.Backend)
		}
	}
	for _, p := range r.Problems {
		e.Problems = append(e.Problems, p.Reason+": "+p.Message)
	}
	return e
}

// members are what follows "pool …, " of the one pool that is wanted.
func members(t *testing.T, r translate.Result) []string {
	t.Helper()
	var pools []string
	for _, o := range told(r).Objects {
		if s, ok := strings.CutPrefix(o, "pool "); ok {
			pools = append(pools, s)
		}
	}
	if len(pools) != 1 {
		t.Fatalf("pools: %q; problems: %v", pools, r.Problems)
	}
	return strings.Split(pools[0], ", ")[1:]
}

func same(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func reversed[T any](list []T) []T {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}
