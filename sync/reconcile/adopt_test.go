package reconcile_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/record"

	"landbridge.dev/backends/memory"
	"landbridge.dev/config"
	"landbridge.dev/sync/reconcile"
	"landbridge.dev/sync/report"
	"landbridge.dev/sync/state"
)

const adopting = `apiVersion: landbridge.dev/v1
kind: Config
cluster: prod
bigip: [{name: dc1, hosts: [https://bigip1], credentialsDir: /credentials}]
addressPools: [{name: public, ranges: [203.0.113.0/24], autoAssign: true}]
tenants: [{namespaces: [shop], partitions: [web], addressPools: [public], adopt: [/web/*], joinPools: [/web/*]}]
`

// adoption is a device with virtual servers of others, and Services that adopt
// some of them.
type adoption struct {
	t   *testing.T
	api *fake.Clientset
	dc1 *memory.Backend
}

// theirs is a virtual server of others at an address, empty for one that is none
// to us, with its pool, which is called like it.
func theirs(name, address string, port uint16) []state.Object {
	path := "/web/" + name
	vm := state.Address{IP: netip.MustParseAddr("10.9.0.1")}
	v := &state.VirtualServer{Backend: "bigip/dc1", Path: path + "_vs", Pool: path, Protocol: state.TCP, Destination: state.Endpoint{Port: port}, SNAT: "automap"}
	if address != "" {
		v.Destination.IP = netip.MustParseAddr(address)
	}
	member := state.Member{Endpoint: state.Endpoint{Address: vm, Port: 80}, Node: "/Common/10.9.0.1", Ratio: 1, Available: true}
	return []state.Object{
		&state.Node{Backend: "bigip/dc1", Path: "/Common/10.9.0.1", Address: vm},
		&state.Pool{Backend: "bigip/dc1", Path: path, Mode: "round-robin", Members: []state.Member{member}}, v,
	}
}

// adopter is a Service with annotations, and ports that are named like "p80".
func adopter(name string, annotations map[string]string, ports ...int32) []runtime.Object {
	svc := cart()
	svc.Name, svc.UID, svc.Annotations = name, "u", map[string]string{}
	svc.Spec.Type = corev1.ServiceTypeLoadBalancer
	svc.Spec.Ports, svc.Spec.IPFamilies = nil, []corev1.IPFamily{corev1.IPv4Protocol}
	slice := pods("10.0.0.1")
	slice.Name, slice.Labels, slice.Ports = name+"-1", map[string]string{discoveryv1.LabelServiceName: name}, nil
	for key, value := range annotations {
		svc.Annotations["landbridge.dev/"+key] = value
	}
	for _, p := range ports {
		port, of, tcp := fmt.Sprintf("p%d", p), int32(8080), corev1.ProtocolTCP
		svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{Name: port, Port: p, Protocol: tcp})
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &port, Port: &of, Protocol: &tcp})
	}
	return []runtime.Object{svc, slice}
}

func newAdoption(t *testing.T, standing []state.Object, services ...[]runtime.Object) *adoption {
	t.Helper()
	objects := []runtime.Object{kubeSystem(uid), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}}
	for _, s := range services {
		objects = append(objects, s...)
	}
	return &adoption{t, fake.NewClientset(objects...), memory.New("bigip/dc1", standing...)}
}

// lead has a reconciler lead for some minutes, and end.
func (a *adoption) lead() {
	a.t.Helper()
	led(a.t, reconcile.Options{
		Client: a.api, Reader: a.api, Config: a.config(), Identity: us, Events: record.NewFakeRecorder(1000), Log: zap.NewNop(),
		Backends: []reconcile.Backend{{Backend: a.dc1, NodePartition: "Common", Concurrency: 4, Resync: 5 * time.Minute}},
	}, 3*time.Minute)
}

func (a *adoption) service(name string) *corev1.Service {
	a.t.Helper()
	svc, err := a.api.CoreV1().Services("shop").Get(a.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		a.t.Fatal(err)
	}
	return svc
}

// annotate changes annotations; an empty value takes one away.
func (a *adoption) annotate(name string, annotations map[string]string) {
	a.t.Helper()
	svc := a.service(name)
	for key, value := range annotations {
		if svc.Annotations["landbridge.dev/"+key] = value; value == "" {
			delete(svc.Annotations, "landbridge.dev/"+key)
		}
	}
	if _, err := a.api.CoreV1().Services("shop").Update(a.t.Context(), svc, metav1.UpdateOptions{}); err != nil {
		a.t.Fatal(err)
	}
}

// told is what a Service says of itself: reason, noted addresses and ingress.
func (a *adoption) told(name string) string {
	a.t.Helper()
	svc := a.service(name)
	var words []string
	for _, c := range svc.Status.Conditions {
		if c.Type == report.Programmed {
			words = append(words, c.Reason)
		}
	}
	words = append(words, "at "+svc.Annotations["landbridge.dev/address"])
	for _, i := range svc.Status.LoadBalancer.Ingress {
		words = append(words, i.IP)
	}
	return strings.Join(words, " ")
}

// says compares what Services say of themselves.
func (a *adoption) says(want map[string]string) {
	a.t.Helper()
	got := map[string]string{}
	for name := range want {
		got[name] = a.told(name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		a.t.Errorf("(-want +got):\n%s", diff)
	}
}

// status says what `landbridge status` shows of the addresses of all Services, and
// of what their pools are behind.
func (a *adoption) status() string {
	a.t.Helper()
	v, err := reconcile.Look(a.t.Context(), reconcile.LookOptions{
		Client: a.api, Config: a.config(), Identity: us, Backends: []reconcile.Backend{{Backend: a.dc1, NodePartition: "Common"}},
	})
	if err != nil {
		a.t.Fatal(err)
	}
	var words []string
	for _, s := range v.Status(time.Now()).Services {
		words = append(words, s.Addresses...)
		for _, p := range s.Pools {
			words = append(words, p.Frontend)
		}
	}
	return strings.Join(words, " ")
}

func (a *adoption) config() *config.Config {
	a.t.Helper()
	conf, err := config.Parse([]byte(adopting))
	if err != nil {
		a.t.Fatal(err)
	}
	return conf
}

// tags are the virtual servers and pools that carry our tag.
func (a *adoption) tags() (tagged []string) {
	for o := range a.dc1.Set().All() {
		if o.ID().Kind.Whole() && us.Owns(o.OwnedBy()) {
			tagged = append(tagged, o.ID().Name)
		}
	}
	return tagged
}

func TestAdoptedAtOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		standing [][]state.Object
		services [][]runtime.Object
		want     map[string]string
		status   string
	}{
		{
			name:     "by two Services",
			standing: [][]state.Object{theirs("a", "203.0.113.10", 80), theirs("b", "203.0.113.11", 80)},
			services: [][]runtime.Object{adopter("a", map[string]string{"adopt": "/web/a_vs"}, 80), adopter("b", map[string]string{"adopt": "/web/b_vs"}, 80)},
			want:     map[string]string{"a": "VMsOnly at 203.0.113.10 203.0.113.10", "b": "VMsOnly at 203.0.113.11 203.0.113.11"},
			status:   "203.0.113.10 203.0.113.10:80/tcp 203.0.113.11 203.0.113.11:80/tcp",
		},
		{
			name:     "by one, at one address, which is told once",
			standing: [][]state.Object{theirs("a", "203.0.113.10", 80), theirs("b", "203.0.113.10", 443)},
			services: [][]runtime.Object{adopter("a", map[string]string{"adopt.p80": "/web/a_vs", "adopt.p443": "/web/b_vs"}, 80, 443)},
			want:     map[string]string{"a": "VMsOnly at 203.0.113.10 203.0.113.10"},
			status:   "203.0.113.10 203.0.113.10:80/tcp 203.0.113.10:443/tcp",
		},
		{
			name:     "at what is no address to us",
			standing: [][]state.Object{theirs("a", "", 80), theirs("b", "", 443)},
			services: [][]runtime.Object{adopter("a", map[string]string{"adopt": "/web/a_vs"}, 80), adopter("b", map[string]string{"adopt": "/web/b_vs"}, 80)},
			want:     map[string]string{"a": "VMsOnly at ", "b": "VMsOnly at "},
			status:   " ", // the frontends of two pools, which none can be told
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var standing []state.Object
				for _, s := range test.standing {
					standing = append(standing, s...)
				}
				a := newAdoption(t, standing, test.services...)
				a.lead()
				a.says(test.want)
				if got := a.status(); got != test.status {
					t.Errorf("status shows %q, want %q", got, test.status)
				}
			})
		})
	}
}

// What a Service is given beside what it adopts stays its own over a restart.
func TestGivenBesideAdopted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAdoption(t, theirs("a", "203.0.113.0", 80), adopter("a", map[string]string{"adopt.p80": "/web/a_vs", "partition": "web"}, 80, 443))
		for range 2 {
			a.lead()
			a.says(map[string]string{"a": "Programmed at 203.0.113.0,203.0.113.1 203.0.113.0 203.0.113.1"})
		}
	})
	synctest.Test(t, func(t *testing.T) {
		a := newAdoption(t, theirs("a", "198.51.100.7", 80), adopter("a", map[string]string{"adopt.p80": "/web/a_vs"}, 80, 443))
		a.lead()
		a.says(map[string]string{"a": "VMsOnly at 198.51.100.7 198.51.100.7"})
		a.annotate("a", map[string]string{"partition": "web"})
		a.lead()
		a.says(map[string]string{"a": "Programmed at 198.51.100.7,203.0.113.0 198.51.100.7 203.0.113.0"})
	})
}

// A Service may go on from adopting a virtual server to joining its pool.
func TestFromAdoptedToJoined(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAdoption(t, theirs("a", "203.0.113.10", 80), adopter("a", map[string]string{"adopt": "/web/a_vs"}, 80))
		a.lead()
		if diff := cmp.Diff([]string{"/web/a", "/web/a_vs"}, a.tags()); diff != "" {
			t.Errorf("adopted (-want +got):\n%s", diff)
		}
		a.annotate("a", map[string]string{"adopt": "", "join-pool": "/web/a"})
		a.lead()
		if tags := a.tags(); tags != nil {
			t.Errorf("joined: still tagged: %s", tags)
		}
		if pool, _ := a.dc1.Set().Pool("bigip/dc1", "/web/a"); len(pool.Members) != 2 {
			t.Errorf("members are %v", pool.Members)
		}
		if got := a.told("a"); !strings.HasPrefix(got, "VMsOnly ") {
			t.Error(got)
		}
	})
}

// A second port that comes to a Service with join-pool is a mistake, and the pods
// of the first one go on: a rollout replaces them, wherever the port was put.
func TestRolloutWhileTwoPortsJoinOnePool(t *testing.T) {
	t.Parallel()
	for _, ahead := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a := newAdoption(t, theirs("a", "203.0.113.10", 80), adopter("a", map[string]string{"join-pool": "/web/a"}, 80))
			a.lead()
			svc, name, metrics := a.service("a"), "metrics", int32(9100)
			svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{Name: name, Port: 9100, Protocol: corev1.ProtocolTCP})
			if ahead {
				slices.Reverse(svc.Spec.Ports)
			}
			slice, err := a.api.DiscoveryV1().EndpointSlices("shop").Get(t.Context(), "a-1", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &name, Port: &metrics, Protocol: slice.Ports[0].Protocol})
			slice.Endpoints = pods("10.0.0.2", "10.0.0.3").Endpoints
			if _, err := a.api.CoreV1().Services("shop").Update(t.Context(), svc, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, err := a.api.DiscoveryV1().EndpointSlices("shop").Update(t.Context(), slice, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			a.lead()
			if got := a.told("a"); !strings.HasPrefix(got, "BadAnnotation ") {
				t.Error(got)
			}
			pool, _ := a.dc1.Set().Pool("bigip/dc1", "/web/a")
			var got []string
			for _, m := range pool.Members {
				got = append(got, m.Endpoint.String())
			}
			if diff := cmp.Diff([]string{"10.0.0.2:8080", "10.0.0.3:8080", "10.9.0.1:80"}, got); diff != "" {
				t.Errorf("with the new port ahead: %t (-want +got):\n%s", ahead, diff)
			}
		})
	}
}
