package roster_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/sync/roster"
	"landbridge.dev/sync/state"
)

func svc() *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders", UID: "u"}}
}

func vms(n int) []state.VM {
	var all []state.VM
	for i := range n {
		all = append(all, state.VM{
			Instance: fmt.Sprintf("vm-%03d", i), User: "orders-vm", Boot: "a", Lease: 30 * time.Second,
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 20, byte(i / 250), byte(i%250 + 1)})},
			Ports:     []state.RegistryPort{{Name: "http", Protocol: state.TCP, Number: 8080}},
		})
	}
	return all
}

// What stands in slices is what was registered.
func TestSlicesRemember(t *testing.T) {
	t.Parallel()
	want := vms(3)
	want[0].Addresses = append(want[0].Addresses, netip.MustParseAddr("2001:db8::5"))
	want[1].Ports = []state.RegistryPort{{Name: "http", Protocol: state.TCP, Number: 9090}}
	want[1].Condition, want[2].Condition = state.VMDraining, state.VMUnready
	want[2].Zone = "dc1"
	have := roster.Slices(svc(), want, true, nil)
	if len(have) != 3 {
		t.Errorf("%d slices, want one of each family and port", len(have))
	}
	for _, s := range have {
		if s.Labels[discoveryv1.LabelServiceName] != "orders" {
			t.Errorf("%s is not seen by kube-proxy", s.Name)
		}
	}
	equal := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	if diff := cmp.Diff(want, roster.VMs(have), equal); diff != "" {
		t.Errorf("(-registered +read):\n%s", diff)
	}
}

// A VM stays in the slice that it is in: one that comes or goes changes one.
func TestOneVMChangesOneSlice(t *testing.T) {
	t.Parallel()
	all := vms(250)
	have := roster.Slices(svc(), all, false, nil)
	if len(have) != 3 {
		t.Fatalf("%d slices of 250 VMs, want 3", len(have))
	}
	changed := func(next []state.VM) int {
		n := 0
		for _, s := range roster.Slices(svc(), next, false, have) {
			if !slices.ContainsFunc(have, func(o *discoveryv1.EndpointSlice) bool { return cmp.Equal(s, o) }) {
				n++
			}
		}
		return n
	}
	if n := changed(all); n != 0 {
		t.Errorf("%d slices change although no VM does", n)
	}
	if n := changed(slices.Delete(slices.Clone(all), 7, 8)); n != 1 {
		t.Errorf("%d slices change when a VM goes", n)
	}
	if n := changed(vms(251)); n != 1 {
		t.Errorf("%d slices change when a VM comes", n)
	}
	if got := roster.Slices(svc(), nil, false, have); len(got) != 0 {
		t.Errorf("%d slices are left of nobody", len(got))
	}
}
