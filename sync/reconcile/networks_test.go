package reconcile_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/record"

	"landbridge.dev/backends/memory"
	"landbridge.dev/config"
	"landbridge.dev/sync/reconcile"
	"landbridge.dev/sync/state"
)

const announcingNetworks = `apiVersion: landbridge.dev/v1
kind: Config
cluster: prod
bgp:
  asn: 64512
  peers: [{name: tor-a, address: 198.51.100.1, asn: 64513}]
  podNetworks: {source: node}
`

// networks is a reconciler over an API server with one node, in a bubble of time.
type networks struct {
	t   *testing.T
	api *fake.Clientset
	run *reconcile.Reconciler
}

// start starts it, as a standby that comes to lead after a minute.
func startNetworks(t *testing.T, configuration string, on *memory.Backend) (n *networks, end func()) {
	t.Helper()
	conf, err := config.Parse([]byte(configuration))
	if err != nil {
		t.Fatal(err)
	}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "node-a", ResourceVersion: "1"},
		Spec:       corev1.NodeSpec{PodCIDRs: []string{"10.244.1.0/24"}},
		Status:     corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "172.18.0.2"}}},
	}
	n = &networks{t: t, api: fake.NewClientset(kubeSystem(uid), node)}
	n.run, err = reconcile.New(reconcile.Options{
		Client: n.api, Reader: n.api, Config: conf, Identity: us, Events: record.NewFakeRecorder(100), Log: zap.NewNop(),
		Backends: []reconcile.Backend{{Backend: on, NodePartition: "Common", Concurrency: 4, Resync: 5 * time.Minute}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.run.Run(ctx) }()
	pass(time.Minute)
	n.run.Lead(ctx)
	pass(time.Minute)
	return n, func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// The networks of pods belong to no Service; they follow nodes and endpoints.
func TestPodNetworks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		speaker := memory.New(state.Speaker)
		n, end := startNetworks(t, announcingNetworks, speaker)
		defer end()
		hops := func(when string, want int) {
			t.Helper()
			pass(time.Minute)
			o, ok := speaker.Set().Get(state.ID{Backend: state.Speaker, Kind: state.KindRoute, Name: "10.244.1.0/24"})
			if !ok {
				t.Errorf("%s: there is no route", when)
				return
			}
			if got := o.(*state.Route).NextHops; len(got) != want {
				t.Errorf("%s: next hops are %v, want %d", when, got, want)
			}
		}
		hops("in the beginning", 1)
		yes, elsewhere := true, "node-b"
		stray := &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: "stray"},
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.244.1.7"}, NodeName: &elsewhere, Conditions: discoveryv1.EndpointConditions{Ready: &yes}}},
		}
		if _, err := n.api.DiscoveryV1().EndpointSlices("shop").Create(t.Context(), stray, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		hops("with an endpoint elsewhere", 0)
		if err := n.api.DiscoveryV1().EndpointSlices("shop").Delete(t.Context(), "stray", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		hops("without it", 1)
		if err := n.api.CoreV1().Nodes().Delete(t.Context(), "node-a", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		hops("with no node at all", 1)
	})
}

// While others have a route to the only network nothing of ours stands; it is
// wanted all the same, and made when theirs has gone.
func TestNetworkOfOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New("bigip/dc1")
		theirs := &state.StaticRoute{Backend: device.Name(), Path: "/Common/by-hand", Network: netip.MustParsePrefix("10.244.1.0/24")}
		device.Put(theirs)
		_, end := startNetworks(t, strings.Replace(announcingNetworks, "source: node", "source: node, as: bigip-static-routes", 1)+
			"bigip: [{name: dc1, hosts: [https://bigip1], credentialsDir: /credentials}]\n", device)
		defer end()
		if got := device.Set().Len(); got != 1 {
			t.Errorf("%d routes stand, want theirs alone", got)
		}
		device.Remove(theirs.ID())
		pass(6 * time.Minute) // a resync
		if _, ok := device.Set().Get(state.ID{Backend: device.Name(), Kind: state.KindStaticRoute, Name: "/Common/lb_prod_pods_10.244.1.0-24"}); !ok {
			t.Error("theirs has gone, and ours does not come")
		}
	})
}
