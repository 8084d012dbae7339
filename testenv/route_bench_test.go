package testenv_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"landbridge.dev/sync/translate"
	"landbridge.dev/testenv/router"
	"landbridge.dev/testenv/world"
)

const announcing = `apiVersion: landbridge.dev/v1
kind: Config
cluster: bench
addressPools: [{name: many, ranges: [198.18.0.0/16]}]
bgp:
  asn: 64512
  peers: [{name: tor-a, address: $TOR_A, port: 1790, asn: 64513, multihop: 4, connectRetry: 1s}]
tenants: [{namespaces: [shop], addressPools: [many], bgpPeers: [tor-a]}]
`

// BenchmarkServiceToRoute creates Services of the class landbridge.dev/bgp whose
// endpoints are there, one after the other: from the write until a bare watch on
// the same API server has the Service, and until BIRD has its route. Between the
// two lies one write of ours to the Service, before it is announced; "write" is
// how long the same write takes a bare client, and "ours" what is left: the
// route's time without the watch's and the write's.
func BenchmarkServiceToRoute(b *testing.B) {
	ctx := b.Context()
	w, err := world.Start(ctx, world.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := w.Stop(); err != nil {
			b.Error(err)
		}
	})
	if err := os.WriteFile(w.Config(), []byte(strings.ReplaceAll(announcing, "$TOR_A", w.Vars()["TOR_A"])), 0o644); err != nil {
		b.Fatal(err)
	}
	if err := furnish(ctx, w); err != nil {
		b.Fatal(err)
	}
	tor, err := w.StartRouter(ctx, "tor-a", nil)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := w.StartController("bench"); err != nil {
		b.Fatal(err)
	}
	seen, err := w.Kube.Client().CoreV1().Services("shop").Watch(ctx, metav1.ListOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer seen.Stop()
	address := netip.MustParseAddr("198.18.0.1")
	announce(b, w, tor, seen, address) // the session comes up
	var watched, routed, written, ours []time.Duration
	for b.Loop() {
		address = address.Next()
		atWatch, atRouter := announce(b, w, tor, seen, address)
		write := claim(b, w, address)
		watched, routed, written = append(watched, atWatch), append(routed, atRouter), append(written, write)
		ours = append(ours, atRouter-atWatch-write)
	}
	at := func(times []time.Duration, p int) float64 {
		slices.Sort(times)
		return float64(times[(len(times)-1)*p/100].Microseconds()) / 1000
	}
	for _, p := range []int{50, 99} {
		for name, times := range map[string][]time.Duration{"watch": watched, "route": routed, "write": written, "ours": ours} {
			b.ReportMetric(at(times, p), fmt.Sprintf("%s-p%d-ms", name, p))
		}
		b.ReportMetric(at(routed, p)-at(watched, p), fmt.Sprintf("more-p%d-ms", p))
	}
}

// announce creates a Service, and says after how long it was seen, and routed.
func announce(b *testing.B, w *world.World, tor *router.BIRD, seen watch.Interface, address netip.Addr) (atWatch, atRouter time.Duration) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	name := "s-" + strings.ReplaceAll(address.String(), ".", "-")
	yes, node, port, portName := true, "node-a", int32(8080), "http"
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.244.11.200"}, NodeName: &node, Conditions: discoveryv1.EndpointConditions{Ready: &yes}}},
		Ports:       []discoveryv1.EndpointPort{{Name: &portName, Port: &port}},
	}
	if _, err := w.Kube.Client().DiscoveryV1().EndpointSlices("shop").Create(ctx, slice, metav1.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
	class := translate.ClassBGP
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{translate.Prefix + "virtual-address": address.String()}},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, LoadBalancerClass: &class, Ports: []corev1.ServicePort{{Name: portName, Port: 80}}},
	}
	began := time.Now()
	watched := make(chan time.Duration, 1)
	go func() {
		for e := range seen.ResultChan() {
			if o, ok := e.Object.(*corev1.Service); ok && o.Name == name {
				watched <- time.Since(began)
				return
			}
		}
	}()
	if _, err := w.Kube.Client().CoreV1().Services("shop").Create(ctx, svc, metav1.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
	tick := time.NewTicker(200 * time.Microsecond)
	defer tick.Stop()
	for {
		answer, err := tor.Do("show route for " + address.String())
		if err == nil && strings.Contains(answer, address.String()+"/32") {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.Fatalf("%s is not announced: %s, %v", address, answer, err)
		}
	}
	atRouter = time.Since(began)
	return <-watched, atRouter
}

// claim is how long a bare client takes to put onto a Service what the
// controller does before it announces it. The Service is none of the
// controller's, and made for this.
func claim(b *testing.B, w *world.World, address netip.Addr) time.Duration {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	services := w.Kube.Client().CoreV1().Services("default")
	name := "w-" + strings.ReplaceAll(address.String(), ".", "-")
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, LoadBalancerClass: new("example.com/none"), Ports: []corev1.ServicePort{{Port: 80}}},
	}
	if _, err := services.Create(ctx, svc, metav1.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
	patch := []byte(`{"metadata":{"finalizers":["example.com/cleanup"],"annotations":{"example.com/stands-on":"bgp","example.com/address":"` + address.String() + `"}}}`)
	began := time.Now()
	if _, err := services.Patch(ctx, name, types.StrategicMergePatchType, patch, metav1.PatchOptions{FieldManager: "bare"}); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}
