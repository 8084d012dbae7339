package kubelet

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// The package's behaviour is tested against a real API server, beside package
// kube, which starts one. Here is what is pure.

func TestAllocateGoesRound(t *testing.T) {
	t.Parallel()
	n := &node{
		cidr4: netip.MustParsePrefix("10.244.11.0/24"),
		cidr6: netip.MustParsePrefix("fd00:10:244:b::/64"),
		used:  map[int]bool{},
		next:  firstPod,
	}
	first, err := n.allocate()
	if err != nil {
		t.Fatal(err)
	}
	want := []netip.Addr{netip.MustParseAddr("10.244.11.2"), netip.MustParseAddr("fd00:10:244:b::2")}
	if diff := cmp.Diff(want, first, cmp.Comparer(sameAddr)); diff != "" {
		t.Errorf("first addresses (-want +got):\n%s", diff)
	}
	n.free(first)
	for last := 3; last < 255; last++ {
		got, err := n.allocate()
		if err != nil {
			t.Fatal(err)
		}
		if got[0] == first[0] {
			t.Fatalf("address %s is taken again after %d others, want all others before", got[0], last-3)
		}
	}
	if again, err := n.allocate(); err != nil || again[0] != first[0] {
		t.Errorf("last free address = %v, %v; want %s", again, err, first[0])
	}
	if got, err := n.allocate(); err == nil {
		t.Errorf("one more address = %v, want an error", got)
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	endpoint := func(addr, node string, ready, serving, terminating *bool) discoveryv1.Endpoint {
		return discoveryv1.Endpoint{
			Addresses: []string{addr}, NodeName: &node,
			Conditions: discoveryv1.EndpointConditions{Ready: ready, Serving: serving, Terminating: terminating},
		}
	}
	slice := func(endpoints ...discoveryv1.Endpoint) []*discoveryv1.EndpointSlice {
		name, number := "http", int32(8080)
		return []*discoveryv1.EndpointSlice{{
			AddressType: discoveryv1.AddressTypeIPv4,
			Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &number}},
			Endpoints:   endpoints,
		}}
	}
	mixed := slice(
		endpoint("10.244.11.2", "a", &yes, &yes, &no),
		endpoint("10.244.12.2", "b", nil, nil, nil),
		endpoint("10.244.12.3", "b", &no, &no, &no),
		endpoint("10.244.12.4", "b", &no, &yes, &yes),
		endpoint("10.244.13.2", "c", &no, &yes, &yes),
		endpoint("10.244.13.3", "c", &no, &no, &yes),
	)
	for _, tt := range []struct {
		name   string
		port   string
		family corev1.IPFamily
		node   string
		want   []string
	}{
		{"everywhere, ready ones only; nil is ready", "http", corev1.IPv4Protocol, "", []string{"10.244.11.2:8080", "10.244.12.2:8080"}},
		{"on one node", "http", corev1.IPv4Protocol, "b", []string{"10.244.12.2:8080"}},
		{"none ready: those that terminate and serve", "http", corev1.IPv4Protocol, "c", []string{"10.244.13.2:8080"}},
		{"a node without any", "http", corev1.IPv4Protocol, "d", nil},
		{"another family", "http", corev1.IPv6Protocol, "", nil},
		{"another port", "dns", corev1.IPv4Protocol, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, a := range endpoints(mixed, tt.family, corev1.ServicePort{Name: tt.port}, tt.node) {
				got = append(got, a.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("endpoints (-want +got):\n%s", diff)
			}
		})
	}
}

func sameAddr(a, b netip.Addr) bool { return a == b }
