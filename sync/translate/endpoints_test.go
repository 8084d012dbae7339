package translate_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// What an endpoint's conditions make of its member, alone and beside one that
// is ready.
func TestConditions(t *testing.T) {
	t.Parallel()
	const gone = " offline terminating"
	for _, test := range []struct {
		name, how     string
		alone, beside string // what follows the address
		serves        bool   // takes clients while there is no other
	}{
		{name: "ready", how: isReady},
		{name: "nothing said is ready", how: "???"},
		{name: "ready not said, not serving: ready counts", how: "?f?"},
		{name: "ready, serving not said", how: "t?f"},
		{name: "not ready stays a member and takes nothing new", how: notReady, alone: " offline", beside: " offline"},
		{name: "not ready, serving not said", how: "f??", alone: " offline", beside: " offline"},
		{name: "not ready, though it serves", how: "ftf", alone: " offline", beside: " offline"},
		{name: "terminating and serving goes on while none is ready", how: leaves, alone: " terminating", beside: gone, serves: true},
		{name: "terminating drains even when ready (publishNotReadyAddresses)", how: published, alone: " terminating", beside: gone, serves: true},
		{name: "terminating, serving not said, ready", how: "t?t", alone: " terminating", beside: gone, serves: true},
		{name: "terminating, serving not said, not ready", how: "f?t", alone: gone, beside: gone},
		{name: "terminating and not serving", how: left, alone: gone, beside: gone},
		{name: "terminating, ready, not serving: a contradiction that ends", how: "tft", alone: gone, beside: gone},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := policy(t)
			alone := translate.Service(translate.Input{
				Service: service(), Slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", test.how))},
			}, p)
			same(t, []string{"10.0.0.1:8080" + test.alone}, members(t, alone))
			for _, o := range alone.Want.Objects {
				if p, ok := o.(*state.Pool); ok && p.Members[0].Serves != test.serves {
					t.Errorf("Serves is %t", p.Members[0].Serves)
				}
			}
			beside := translate.Service(translate.Input{
				Service: service(), Slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", test.how), pod("10.0.0.2", isReady))},
			}, p)
			same(t, []string{"10.0.0.1:8080" + test.beside, "10.0.0.2:8080"}, members(t, beside))
		})
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	empty := pod("10.0.0.1", isReady)
	empty.Addresses = nil
	several := pod("10.0.0.1", isReady)
	several.Addresses = append(several.Addresses, "10.0.0.7")
	fqdn := slice(discoveryv1.Endpoint{Addresses: []string{"vm.example.com"}, Conditions: conditions(isReady)})
	fqdn.AddressType = discoveryv1.AddressTypeFQDN
	for _, test := range []struct {
		name   string
		slices []*discoveryv1.EndpointSlice
		want   []string
	}{
		{name: "none", want: []string{}},
		{
			name:   "sorted, whichever slice comes first",
			slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.3", isReady), pod("10.0.0.1", isReady)), slice(pod("10.0.0.2", isReady))},
			want:   []string{"10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.3:8080"},
		},
		{
			name:   "one address in two slices counts once, and ready wins",
			slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", leaves)), slice(pod("10.0.0.1", isReady))},
			want:   []string{"10.0.0.1:8080"},
		},
		{
			name:   "not ready wins over terminating: the pod is alive",
			slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", leaves)), slice(pod("10.0.0.1", notReady))},
			want:   []string{"10.0.0.1:8080 offline"},
		},
		{
			name:   "none ready: those that leave and serve go on, the others do not",
			slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", leaves), pod("10.0.0.2", notReady), pod("10.0.0.3", left))},
			want:   []string{"10.0.0.1:8080 terminating", "10.0.0.2:8080 offline", "10.0.0.3:8080 offline terminating"},
		},
		{
			name:   "of an entry's addresses the first counts (they are fungible)",
			slices: []*discoveryv1.EndpointSlice{slice(several)},
			want:   []string{"10.0.0.1:8080"},
		},
		{name: "an entry without addresses", slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.2", isReady), empty)}, want: []string{"10.0.0.2:8080"}},
		{name: "slices of names are ignored", slices: []*discoveryv1.EndpointSlice{fqdn}, want: []string{}},
		{name: "slices of the other family are not of this pool", slices: []*discoveryv1.EndpointSlice{slice(pod("2001:db8::1", isReady))}, want: []string{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, order := range [][]*discoveryv1.EndpointSlice{test.slices, reversed(test.slices)} {
				r := translate.Service(translate.Input{Service: service(), Slices: order}, policy(t))
				same(t, test.want, members(t, r))
				if len(r.Problems) > 0 {
					t.Errorf("problems: %v", r.Problems)
				}
			}
		})
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	named := slicePorts(slicePort("http", 8080, "TCP"), slicePort("admin", 9090, "TCP"), slicePort("dns", 5353, "UDP"), slicePort("dns-tcp", 5354, "TCP"))
	named.Endpoints = []discoveryv1.Endpoint{pod("10.0.0.1", isReady)}
	// A named target port that two versions of a Deployment number otherwise
	// gives two slices.
	other := slicePorts(slicePort("http", 8081, "TCP"))
	other.Endpoints = []discoveryv1.Endpoint{pod("10.0.0.2", isReady)}
	odd := slicePorts(
		discoveryv1.EndpointPort{},                 // all ports: none that a member could have
		slicePort("http", 0, "TCP"),                //
		slicePort("http", 70000, "TCP"),            //
		slicePort("http", 8080, "UDP"),             // another protocol
		discoveryv1.EndpointPort{Port: new(int32)}, // no name
	)
	odd.Endpoints = named.Endpoints
	for _, test := range []struct {
		name   string
		svc    *corev1.Service
		slices []*discoveryv1.EndpointSlice
		want   expect
	}{
		{
			name: "each port has a virtual server and a pool, whose members have the target's port",
			svc:  service(ports(port("http", 80, "TCP"), port("admin", 81, "TCP"))), slices: []*discoveryv1.EndpointSlice{named},
			want: expect{Mode: "follow", Objects: []string{
				"pool /web/lb_prod_shop_cart_80, 10.0.0.1:8080",
				"pool /web/lb_prod_shop_cart_81, 10.0.0.1:9090",
				"virtual /web/lb_prod_shop_cart_80 on 203.0.113.20:80/tcp of bigip/dc1",
				"virtual /web/lb_prod_shop_cart_81 on 203.0.113.20:81/tcp of bigip/dc1",
			}},
		},
		{
			name: "a target port with two numbers",
			svc:  service(ports(port("http", 80, "TCP"))), slices: []*discoveryv1.EndpointSlice{other, named},
			want: expect{Mode: "follow", Objects: []string{
				"pool /web/lb_prod_shop_cart_80, 10.0.0.1:8080, 10.0.0.2:8081",
				"virtual /web/lb_prod_shop_cart_80 on 203.0.113.20:80/tcp of bigip/dc1",
			}},
		},
		{
			name: "TCP and UDP on one number",
			svc:  service(ports(port("dns", 53, "UDP"), port("dns-tcp", 53, "TCP"))), slices: []*discoveryv1.EndpointSlice{named},
			want: expect{Mode: "follow", Objects: []string{
				"pool /web/lb_prod_shop_cart_53, 10.0.0.1:5354",
				"pool /web/lb_prod_shop_cart_53_udp, 10.0.0.1:5353",
				"virtual /web/lb_prod_shop_cart_53 on 203.0.113.20:53/tcp of bigip/dc1",
				"virtual /web/lb_prod_shop_cart_53_udp on 203.0.113.20:53/udp of bigip/dc1",
			}},
		},
		{
			name: "slice ports that are no port of this one",
			svc:  service(ports(port("http", 80, "TCP"))), slices: []*discoveryv1.EndpointSlice{odd},
			want: expect{Mode: "follow", Objects: []string{
				"pool /web/lb_prod_shop_cart_80", "virtual /web/lb_prod_shop_cart_80 on 203.0.113.20:80/tcp of bigip/dc1",
			}},
		},
		{
			name: "a protocol left out is TCP",
			svc:  service(ports(port("http", 80, ""))), slices: []*discoveryv1.EndpointSlice{named},
			want: expect{Mode: "follow", Objects: []string{
				"pool /web/lb_prod_shop_cart_80, 10.0.0.1:8080", "virtual /web/lb_prod_shop_cart_80 on 203.0.113.20:80/tcp of bigip/dc1",
			}},
		},
		{
			name: "SCTP is refused, and what stands is held",
			svc:  service(ports(port("http", 80, "TCP"), port("sig", 81, "SCTP"))), slices: []*discoveryv1.EndpointSlice{named},
			want: expect{
				Mode:     "hold",
				Problems: []string{"BadProtocol: port sig: SCTP is not served; only TCP and UDP are"},
				Objects: []string{
					"pool /web/lb_prod_shop_cart_80, 10.0.0.1:8080", "virtual /web/lb_prod_shop_cart_80 on 203.0.113.20:80/tcp of bigip/dc1",
				},
			},
		},
		{
			name: "headless is served like any other",
			svc:  service(func(s *corev1.Service) { s.Spec.ClusterIP = corev1.ClusterIPNone }), slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", isReady))},
			want: expect{Mode: "follow", Objects: []string{
				"pool /web/lb_prod_shop_cart_80, 10.0.0.1:8080", "virtual /web/lb_prod_shop_cart_80 on 203.0.113.20:80/tcp of bigip/dc1",
			}},
		},
		{
			name: "a Service that no endpoint matches has an empty pool",
			svc:  service(),
			want: expect{Mode: "follow", Objects: []string{
				"pool /web/lb_prod_shop_cart_80", "virtual /web/lb_prod_shop_cart_80 on 203.0.113.20:80/tcp of bigip/dc1",
			}},
		},
		{
			name: "ExternalName has nothing to serve",
			svc: service(func(s *corev1.Service) {
				s.Spec.Type, s.Spec.ExternalName = corev1.ServiceTypeExternalName, "vm.example.com"
			}),
			want: expect{Mode: "hold", Problems: []string{"ExternalName: a Service of type ExternalName has no endpoints and cannot be served"}},
		},
		{
			name:   "both families: one virtual server and pool each",
			svc:    service(with("virtual-address", "203.0.113.20, 2001:db8:1::20")),
			slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", isReady)), slice(pod("2001:db8::1", isReady))},
			want: expect{Mode: "follow", Objects: []string{
				"pool /web/lb_prod_shop_cart_80, 10.0.0.1:8080",
				"pool /web/lb_prod_shop_cart_80_v6, [2001:db8::1]:8080",
				"virtual /web/lb_prod_shop_cart_80 on 203.0.113.20:80/tcp of bigip/dc1",
				"virtual /web/lb_prod_shop_cart_80_v6 on [2001:db8:1::20]:80/tcp of bigip/dc1",
			}},
		},
		{
			name: "UDP over IPv6 has both marks in its name",
			svc:  service(ports(port("", 53, "UDP")), with("virtual-address", "2001:db8:1::20")),
			want: expect{Mode: "follow", Objects: []string{
				"pool /web/lb_prod_shop_cart_53_udp_v6", "virtual /web/lb_prod_shop_cart_53_udp_v6 on [2001:db8:1::20]:53/udp of bigip/dc1",
			}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := translate.Service(translate.Input{Service: test.svc, Slices: test.slices}, policy(t))
			same(t, test.want, told(r))
		})
	}
}

// What objects are made with, beyond what tables of members show.
func TestObjectsInFull(t *testing.T) {
	t.Parallel()
	r := translate.Service(translate.Input{Service: service(ports(port("", 53, "UDP"), port("http", 80, "TCP")))}, policy(t))
	var lines []string
	for _, o := range r.Want.Objects {
		lines = append(lines, o.ID().String())
		lines = append(lines, o.Lines()...)
	}
	const tag = "owner landbridge cluster=prod uid=0123abcd service=shop/cart"
	same(t, []string{
		"bigip/dc1 pool /web/lb_prod_shop_cart_53_udp", "mode round-robin", tag, "reselect-tries 3", "slow-ramp 0",
		"bigip/dc1 pool /web/lb_prod_shop_cart_80", "mode round-robin", "monitor /Common/tcp", tag, "reselect-tries 3", "slow-ramp 0",
		"bigip/dc1 virtual-server /web/lb_prod_shop_cart_53_udp", "destination 203.0.113.20:53/udp", tag, "pool /web/lb_prod_shop_cart_53_udp", "profile /Common/udp all", "snat automap",
		"bigip/dc1 virtual-server /web/lb_prod_shop_cart_80", "destination 203.0.113.20:80/tcp", tag, "pool /web/lb_prod_shop_cart_80", "profile /Common/tcp all", "snat automap",
	}, lines)
	same(t, "[203.0.113.20]", fmt.Sprint(r.Addresses))
}

// Of what one event costs, before anything is sent.
func BenchmarkService(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("%d endpoints", n), func(b *testing.B) {
			var slices []*discoveryv1.EndpointSlice
			for i := range n {
				if i%100 == 0 {
					slices = append(slices, slice())
				}
				s := slices[len(slices)-1]
				s.Endpoints = append(s.Endpoints, pod(fmt.Sprintf("10.0.%d.%d", i/250, i%250+1), isReady))
			}
			in, p := translate.Input{Service: service(), Slices: slices}, policy(b)
			b.ReportAllocs()
			for b.Loop() {
				if r := translate.Service(in, p); len(r.Want.Objects) != 2 {
					b.Fatal(r.Problems)
				}
			}
		})
	}
}
