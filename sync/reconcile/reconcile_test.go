package reconcile_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/record"

	"landbridge.dev/backends/memory"
	"landbridge.dev/config"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/reconcile"
	"landbridge.dev/sync/report"
	"landbridge.dev/sync/state"
)

const configuration = `apiVersion: landbridge.dev/v1
kind: Config
cluster: prod
bigip:
  - {name: dc1, hosts: [https://bigip1], credentialsDir: /credentials}
  - {name: dc2, hosts: [https://bigip2], credentialsDir: /credentials}
addressPools: [{name: public, ranges: [203.0.113.0/24]}]
tenants: [{namespaces: [shop], partitions: [web], addressPools: [public]}]
`

// uid is that of the cluster's kube-system namespace.
const uid = "0123abcd-0000-0000-0000-000000000000"

var us = state.Identity{Cluster: "prod", UID: "0123abcd"}

// bench is a reconciler that leads, over an API server with one Service in it
// and two devices, all in a bubble of time.
type bench struct {
	t        *testing.T
	api      *fake.Clientset
	config   *config.Config
	dc1, dc2 *memory.Backend
	run      *reconcile.Reconciler
	events   *record.FakeRecorder
	metrics  *prometheus.Registry
	away     atomic.Bool // the API server
	stop     context.CancelFunc
	ended    chan error

	mu      sync.Mutex
	watches []watch.Interface
}

func start(t *testing.T) *bench {
	t.Helper()
	conf, err := config.Parse([]byte(configuration))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{
		t: t, config: conf, dc1: memory.New("bigip/dc1"), dc2: memory.New("bigip/dc2"), events: record.NewFakeRecorder(100), ended: make(chan error, 1),
		metrics: prometheus.NewRegistry(),
		api:     fake.NewClientset(kubeSystem(uid), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, cart(), pods("10.0.0.1")),
	}
	b.api.PrependReactor("*", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
		return b.away.Load(), nil, syscall.ECONNREFUSED
	})
	b.api.PrependWatchReactor("*", func(a clienttesting.Action) (bool, watch.Interface, error) {
		if b.away.Load() {
			return true, nil, syscall.ECONNREFUSED
		}
		w, err := b.api.Tracker().Watch(a.GetResource(), a.GetNamespace())
		b.mu.Lock()
		defer b.mu.Unlock()
		b.watches = append(b.watches, w)
		return true, w, err
	})
	b.run, err = reconcile.New(reconcile.Options{
		Client: b.api, Reader: b.api, Config: conf, Identity: us, Events: b.events, Log: zap.NewNop(),
		Metrics: reconcile.NewMetrics(b.metrics), Workers: apply.NewMetrics(b.metrics),
		Backends: []reconcile.Backend{
			{Backend: b.dc1, NodePartition: "Common", Concurrency: 4, Resync: 5 * time.Minute},
			{Backend: b.dc2, NodePartition: "Common", Concurrency: 4, Resync: 5 * time.Minute},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	b.stop = stop
	go func() { b.ended <- b.run.Run(ctx) }()
	b.run.Lead(ctx)
	b.pass(time.Minute)
	if n := b.dc1.Set().Len(); n != 3 {
		t.Fatalf("%d objects stand on dc1 in the beginning, want a node, a pool, a virtual server", n)
	}
	return b
}

// end ends the reconciler, if it has not ended by itself.
func (b *bench) end() {
	b.stop()
	synctest.Wait()
}

func (*bench) pass(d time.Duration) { pass(d) }

// pass lets the bubble's time pass, and waits until nothing moves.
func pass(d time.Duration) {
	time.Sleep(d) // of the bubble
	synctest.Wait()
}

// led has a reconciler lead from its start, for so long at first and after each
// thing that happens, and end.
func led(t *testing.T, o reconcile.Options, long time.Duration, happens ...func()) {
	t.Helper()
	run, err := reconcile.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run.Run(ctx) }()
	run.Lead(ctx)
	pass(long)
	for _, happen := range happens {
		happen()
		pass(long)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// leave takes the API server away: watches break, and every call is refused.
func (b *bench) leave() {
	b.away.Store(true)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.watches {
		w.Stop()
	}
	b.watches = nil
}

func (b *bench) comeBack() { b.away.Store(false) }

// must is for calls to the API server by a person.
func (b *bench) must(_ any, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// told are the events so far.
func (b *bench) told() (events []string) {
	for {
		select {
		case e := <-b.events.Events:
			events = append(events, e)
		default:
			return events
		}
	}
}

// service is the Service as the API server has it.
func (b *bench) service() *corev1.Service {
	b.t.Helper()
	svc, err := b.api.CoreV1().Services("shop").Get(b.t.Context(), "cart", metav1.GetOptions{})
	b.must(svc, err)
	return svc
}

// interrupts are the changes of the plan that are marked so.
func (b *bench) interrupts() (marked []string) {
	b.t.Helper()
	v, err := reconcile.Look(b.t.Context(), reconcile.LookOptions{
		Client: b.api, Config: b.config, Identity: us,
		Backends: []reconcile.Backend{{Backend: b.dc1, NodePartition: "Common"}, {Backend: b.dc2, NodePartition: "Common"}},
	})
	b.must(v, err)
	for _, on := range v.Plan(time.Now()).Backends {
		for _, e := range on.Changes {
			if e.Interrupts {
				marked = append(marked, on.Name+" "+string(e.Op)+" "+e.Kind+": "+e.Why)
			}
		}
	}
	return marked
}

func kubeSystem(uid types.UID) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: metav1.NamespaceSystem, UID: uid}}
}

func cart() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart", UID: "1", Annotations: map[string]string{
			"landbridge.dev/partition": "web", "landbridge.dev/device": "dc1", "landbridge.dev/virtual-address": "203.0.113.10",
		}},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "cart"}, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
			Ports: []corev1.ServicePort{{Port: 80, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(8080)}},
		},
	}
}

// pods is the EndpointSlice of cart's ready pods.
func pods(addresses ...string) *discoveryv1.EndpointSlice {
	name, port, protocol := "", int32(8080), corev1.ProtocolTCP
	s := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: "cart-1", Labels: map[string]string{discoveryv1.LabelServiceName: "cart"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port, Protocol: &protocol}},
	}
	for _, a := range addresses {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{a}, TargetRef: &corev1.ObjectReference{Kind: "Pod"}})
	}
	return s
}

// A Service that is not there any more, and that nobody deleted, is cleaned up
// where the API server still speaks for the cluster that it was in.
func TestVanishedServiceIsCleanedUpInItsOwnClusterAlone(t *testing.T) {
	t.Parallel()
	for _, emptied := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := start(t)
			defer b.end()
			namespaces := b.api.CoreV1().Namespaces()
			if emptied {
				b.must(nil, namespaces.Delete(t.Context(), metav1.NamespaceSystem, metav1.DeleteOptions{}))
			}
			before := b.dc1.Writes()
			b.must(nil, b.api.CoreV1().Services("shop").Delete(t.Context(), "cart", metav1.DeleteOptions{}))
			b.pass(3 * time.Second)
			if emptied {
				if n := b.dc1.Writes() - before; n != 0 {
					t.Fatalf("%d changes while it was not known whose cluster this is", n)
				}
				b.must(namespaces.Create(t.Context(), kubeSystem("4567cdef-0000-0000-0000-000000000000"), metav1.CreateOptions{}))
			}
			b.pass(5 * time.Minute)
			switch left := b.dc1.Set().Len(); {
			case emptied && left != 3:
				t.Errorf("%d objects are left, want all 3", left)
			case !emptied && left != 0:
				t.Errorf("%d objects are left of a Service that is gone", left)
			}
			select {
			case err := <-b.ended:
				if !emptied || !errors.Is(err, reconcile.ErrAnotherCluster) {
					t.Errorf("store emptied: %t; it ended with %v", emptied, err)
				}
			default:
				if emptied {
					t.Error("it goes on in another cluster")
				}
			}
		})
	}
}

// The API server is away for minutes: members stay, and so does the process.
// What changes once it is back is followed.
func TestAPIServerAwayForMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		defer b.end()
		before := b.dc1.Writes()
		b.leave()
		b.pass(15 * time.Second)
		b.run.Follow() // the lease is lost
		b.pass(20 * time.Minute)
		if n := b.dc1.Writes() - before; n != 0 {
			t.Errorf("%d changes while the API server was away", n)
		}
		select {
		case err := <-b.ended:
			t.Fatalf("it ended: %v", err)
		default:
		}
		b.comeBack()
		b.run.Lead(t.Context())
		b.pass(2 * time.Minute) // until it is watched again
		if n := b.dc1.Writes() - before; n != 0 {
			t.Errorf("%d changes when it was back", n)
		}
		b.must(b.api.DiscoveryV1().EndpointSlices("shop").Update(t.Context(), pods("10.0.0.1", "10.0.0.2"), metav1.UpdateOptions{}))
		b.pass(time.Second)
		if n := b.dc1.Writes() - before; n != 2 {
			t.Errorf("%d changes for a pod that came, want its node and its member", n)
		}
	})
}

// A standby that wins the lease acts within a second, on a device that takes
// half of it for a full read: it has read and translated everything before.
func TestWarmStandbyActsWithinASecondOfTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		defer b.end()
		b.run.Follow()
		b.dc1.SetReadHook(func(context.Context, apply.Scope) error {
			time.Sleep(500 * time.Millisecond) // of the bubble
			return nil
		})
		before := b.dc1.Writes()
		b.must(b.api.DiscoveryV1().EndpointSlices("shop").Update(t.Context(), pods("10.0.0.1", "10.0.0.2"), metav1.UpdateOptions{}))
		b.pass(time.Minute)
		if n := b.dc1.Writes() - before; n != 0 {
			t.Fatalf("a standby made %d changes", n)
		}
		b.run.Lead(t.Context())
		b.pass(time.Second)
		if n := b.dc1.Writes() - before; n != 2 {
			t.Errorf("%d changes within a second of the lease, want the new pod's node and member", n)
		}
	})
}

// A Service moves to another device: it is made there before it is noted that
// nothing stands on the first one any more.
func TestServiceMovesToAnotherDevice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		defer b.end()
		if got := report.StandsOn(b.service()); !slices.Equal(got, []string{"bigip/dc1"}) {
			t.Errorf("stands on %v", got)
		}
		b.dc1.SetConnections(state.ID{
			Backend: "bigip/dc1", Kind: state.KindMember, Name: "/web/lb_prod_shop_cart_80",
			Member: state.Endpoint{Address: state.Address{IP: netip.MustParseAddr("10.0.0.1")}, Port: 8080},
		}, 1)
		svc := b.service()
		svc.Annotations["landbridge.dev/device"] = "dc2"
		b.run.Follow() // while somebody looks at the plan
		b.must(b.api.CoreV1().Services("shop").Update(t.Context(), svc, metav1.UpdateOptions{}))
		if got, want := b.interrupts(), []string{"bigip/dc1 update virtual-server: the address and port are served on bigip/dc2 from now on"}; !slices.Equal(got, want) {
			t.Errorf("interrupts: %q, want %q", got, want)
		}
		b.run.Lead(t.Context())
		b.pass(10 * time.Second)
		if got := report.StandsOn(b.service()); !slices.Equal(got, []string{"bigip/dc1", "bigip/dc2"}) {
			t.Errorf("stands on %v while the first device drains", got)
		}
		b.pass(2 * time.Minute)
		if got := report.StandsOn(b.service()); !slices.Equal(got, []string{"bigip/dc2"}) {
			t.Errorf("stands on %v in the end", got)
		}
		if one, two := b.dc1.Set().Len(), b.dc2.Set().Len(); one != 0 || two != 3 {
			t.Errorf("%d objects on dc1 and %d on dc2, want 0 and 3", one, two)
		}
		for _, e := range b.told() {
			if e != "Normal Programmed the outside holds what this Service asks for" {
				t.Errorf("event %q", e)
			}
		}
	})
}
