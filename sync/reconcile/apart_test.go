package reconcile_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/record"

	"landbridge.dev/backends/memory"
	"landbridge.dev/config"
	"landbridge.dev/sync/reconcile"
	"landbridge.dev/sync/report"
	"landbridge.dev/sync/state"
)

const announcingServices = `apiVersion: landbridge.dev/v1
kind: Config
cluster: prod
bigip:
  - {name: dc1, hosts: [https://bigip1], credentialsDir: /credentials, floatingSelfIPs: [198.51.100.10]}
bgp:
  asn: 64512
  peers: [{name: tor-a, address: 198.51.100.1, asn: 64513}]
addressPools: [{name: public, ranges: [203.0.113.0/24], autoAssign: true}]
tenants: [{namespaces: [shop], partitions: [web], addressPools: [public], bgpPeers: [tor-a], vmCIDRs: [10.20.0.0/16]}]
`

// apart is the Service cart of type LoadBalancer on a device and a speaker, in a
// bubble of time. What leads may be started several times.
type apart struct {
	t            *testing.T
	api          *fake.Clientset
	dc1, speaker *memory.Backend
	events       *record.FakeRecorder
}

// apartWith has cart with these annotations, "key=value".
func apartWith(t *testing.T, annotations ...string) *apart {
	t.Helper()
	svc := cart()
	svc.Spec.Type = corev1.ServiceTypeLoadBalancer
	svc.Annotations = map[string]string{}
	for _, a := range annotations {
		key, value, _ := strings.Cut(a, "=")
		svc.Annotations["landbridge.dev/"+key] = value
	}
	return &apart{
		t: t, dc1: memory.New("bigip/dc1"), speaker: memory.New(state.Speaker), events: record.NewFakeRecorder(100),
		api: fake.NewClientset(kubeSystem(uid), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, svc, pods("10.0.0.1")),
	}
}

// lead has a process lead for some time.
func (a *apart) lead(during ...func()) {
	a.t.Helper()
	conf, err := config.Parse([]byte(announcingServices))
	if err != nil {
		a.t.Fatal(err)
	}
	led(a.t, reconcile.Options{
		Client: a.api, Reader: a.api, Config: conf, Identity: us, Events: a.events, Log: zap.NewNop(),
		Backends: []reconcile.Backend{
			{Backend: a.dc1, NodePartition: "Common", Concurrency: 4, Resync: 5 * time.Minute},
			{Backend: a.speaker, Concurrency: 4, Resync: 5 * time.Minute},
		},
	}, time.Minute, during...)
}

func (a *apart) cart() *corev1.Service {
	a.t.Helper()
	svc, err := a.api.CoreV1().Services("shop").Get(a.t.Context(), "cart", metav1.GetOptions{})
	if err != nil {
		a.t.Fatal(err)
	}
	return svc
}

// stands are the addresses in the Service's ingress, and its conditions but for
// their messages.
func (a *apart) stands() (stands []string) {
	a.t.Helper()
	svc := a.cart()
	for _, i := range svc.Status.LoadBalancer.Ingress {
		stands = append(stands, i.IP)
	}
	if address := svc.Annotations["landbridge.dev/address"]; address != strings.Join(stands, ",") {
		a.t.Errorf("the address is noted as %q, and the ingress %q", address, stands)
	}
	for _, c := range svc.Status.Conditions {
		stands = append(stands, strings.TrimPrefix(c.Type, "landbridge.dev/")+" "+string(c.Status)+" "+c.Reason)
	}
	return stands
}

// A mistake of one part of a Service leaves the others as they are: the address
// that serves is told, and nothing is said of routes that nobody asked for.
func TestPartsOfAServiceAreToldApart(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		annotations []string
		want        []string
	}{
		{
			"bad routes", []string{"partition=web", "virtual-address=203.0.113.10", "bgp=True"},
			[]string{"203.0.113.10", "Programmed False BadAnnotation", "BGP False BadAnnotation"},
		},
		{
			"a queue without a broker", []string{"partition=web", "virtual-address=203.0.113.10", "mq-consume=orders"},
			[]string{"203.0.113.10", "Programmed False NoBroker", "Queue False NoBroker"},
		},
		{
			"a bad setting of what does not stand", []string{"partition=web", "virtual-address=203.0.113.10", "snat=?"},
			[]string{"Programmed False BadAnnotation"},
		},
		{
			"paused settings", []string{"partition=web", "virtual-address=203.0.113.10", "paused=config"},
			[]string{"Programmed False Paused"},
		},
		{
			"all is well", []string{"partition=web", "virtual-address=203.0.113.10", "bgp=true"},
			[]string{"203.0.113.10", "Programmed True Programmed", "BGP True Announced"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := apartWith(t, test.annotations...)
				a.lead()
				if got := a.stands(); !slices.Equal(got, test.want) {
					t.Errorf("there is %q, want %q", got, test.want)
				}
			})
		})
	}
}

// An announcement that is spelt wrong stays, also where the speaker starts anew
// and knows of none.
func TestMisspeltAnnouncementIsHeldOverARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apartWith(t, "partition=web", "virtual-address=203.0.113.10", "bgp=true")
		a.lead(func() {
			svc := a.cart()
			svc.Annotations["landbridge.dev/bgp"] = "True"
			if _, err := a.api.CoreV1().Services("shop").Update(t.Context(), svc, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
		})
		if n := a.speaker.Set().Len(); n != 1 {
			t.Errorf("%d routes are announced, want the one that was", n)
		}
		a.speaker = memory.New(state.Speaker)
		a.lead()
		if n := a.speaker.Set().Len(); n != 1 {
			t.Errorf("%d routes are announced after a restart, want the one that was", n)
		}
		if svc := a.cart(); svc.Annotations["landbridge.dev/last-good"] == "" || !report.Claimed(svc, "bigip/dc1", state.Speaker) {
			t.Errorf("annotations %v", svc.Annotations)
		}
	})
}

// A restart in a settled world writes nothing and tells nothing, also of a
// Service that has to wait for the address that it was given before.
func TestRestartWithAGivenAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apartWith(t, "partition=web", "bgp=true", "vm-members=10.20.0.5")
		a.lead()
		const settled = "Programmed True Programmed"
		if got := a.stands(); !slices.Contains(got, settled) {
			t.Fatalf("there is %q", got)
		}
		for len(a.events.Events) > 0 {
			if e := <-a.events.Events; strings.HasPrefix(e, corev1.EventTypeWarning) {
				t.Errorf("at the first start: %s", e)
			}
		}
		a.api.ClearActions()
		a.lead()
		for _, action := range a.api.Actions() {
			if action.GetVerb() == "patch" {
				t.Errorf("at a restart %s %s is written", action.GetResource().Resource, action.GetSubresource())
			}
		}
		if len(a.events.Events) > 0 {
			t.Errorf("at a restart: %s", <-a.events.Events)
		}
	})
}
