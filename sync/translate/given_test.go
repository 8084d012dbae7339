package translate_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"landbridge.dev/config"
	"landbridge.dev/sync/allocate"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// pools are the granted pools of namespace shop in these tests: two entries for
// partition web, of which the second has both families.
func pools(c *config.Config) {
	c.AddressPools = nil
	for _, p := range []struct {
		name, ranges string
		auto         bool
	}{
		{"vips", "203.0.113.0/28", false}, {"four", "203.0.113.16/28", true}, {"six", "2001:db8:1::/120", true},
		{"more", "203.0.113.32/28", true}, {"secret", "10.99.0.0/24", true},
	} {
		r, err := config.ParseRange(p.ranges)
		if err != nil {
			panic(err)
		}
		c.AddressPools = append(c.AddressPools, config.AddressPool{Name: p.name, Ranges: []config.Range{r}, AutoAssign: p.auto})
	}
	shop := func(pools ...string) config.Tenant {
		return config.Tenant{Namespaces: []string{"shop"}, Devices: []string{"dc1"}, Partitions: []string{"web"}, AddressPools: pools}
	}
	c.Tenants = append([]config.Tenant{{Namespaces: []string{"bank"}, Partitions: []string{"web"}, AddressPools: []string{"secret"}}},
		shop("vips", "four"), shop("six", "more"))
}

func families(list ...corev1.IPFamily) serviceOption {
	return func(s *corev1.Service) { s.Spec.IPFamilies = list }
}

// asked is an Ask in words: "IPv4 from four, may stay in vips four …".
func asked(a *allocate.Ask) []string {
	if a == nil {
		return nil
	}
	words := []string{}
	for _, r := range a.Requested {
		words = append(words, "requests "+r.String())
	}
	for _, g := range a.Give {
		word := map[bool]string{false: "IPv4", true: "IPv6"}[g.Six] + " from " + g.Pool.Name + ", stays in"
		for _, p := range g.Stay {
			word += " " + p.Name
		}
		words = append(words, word)
	}
	return words
}

func TestAsk(t *testing.T) {
	t.Parallel()
	none := with("virtual-address", "-")
	four, six := families(corev1.IPv4Protocol), families(corev1.IPv6Protocol)
	both := families(corev1.IPv4Protocol, corev1.IPv6Protocol)
	for _, test := range []struct {
		name    string
		svc     *corev1.Service
		want    []string
		problem string // its reason
	}{
		{name: "requested", svc: service(four), want: []string{"requests 203.0.113.20"}},
		{name: "the first with autoAssign", svc: service(none, four), want: []string{"IPv4 from four, stays in vips four six more"}},
		{name: "of the other family", svc: service(none, six), want: []string{"IPv6 from six, stays in vips four six more"}},
		{
			name: "both families of the one entry that has them", svc: service(none, both),
			want: []string{"IPv4 from more, stays in vips four six more", "IPv6 from six, stays in vips four six more"},
		},
		{name: "by name, also without autoAssign", svc: service(none, four, with("address-pool", "vips")), want: []string{"IPv4 from vips, stays in vips"}},
		{name: "by name, the family that it has", svc: service(none, both, with("address-pool", "six")), want: []string{"IPv6 from six, stays in six"}},
		{name: "by name, without the family", svc: service(none, four, with("address-pool", "six")), problem: "NoAddress"},
		{name: "by name, of another tenant", svc: service(none, four, with("address-pool", "secret")), problem: "AddressPoolNotGranted"},
		{name: "by name, and there is none", svc: service(none, four, with("address-pool", "blue")), problem: "AddressPoolNotGranted"},
		{name: "by name, empty", svc: service(none, four, with("address-pool", "")), problem: "BadAnnotation"},
		{name: "requested of the named pool", svc: service(four, with("address-pool", "four")), want: []string{"requests 203.0.113.20"}},
		{name: "requested, and not of the named pool", svc: service(four, with("address-pool", "vips")), problem: "AddressNotGranted"},
		{
			name: "requested for one port, given for the other", svc: service(none, four, ports(port("a", 80, "TCP"), port("b", 81, "TCP")), with("virtual-address.a", "203.0.113.17")),
			want: []string{"requests 203.0.113.17", "IPv4 from four, stays in vips four six more"},
		},
		{name: "frozen: what it might have cannot be told", svc: service(none, four, with("partition", "mail")), problem: "NotGranted"},
		{name: "frozen, and granted", svc: service(none, four, with("member-type", "vm")), problem: "BadAnnotation"},
		{name: "held for something else", svc: service(none, four, with("drain-timeout", "x")), problem: "BadAnnotation", want: []string{"IPv4 from four, stays in vips four six more"}},
		{name: "paused", svc: service(none, four, with("paused", "all")), problem: "Paused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := translate.Service(translate.Input{Service: test.svc}, policy(t, pools))
			same(t, test.want, asked(r.Ask))
			reason := ""
			if len(r.Problems) > 0 {
				reason = r.Problems[0].Reason
			}
			if reason != test.problem {
				t.Errorf("problems %v, want %s", r.Problems, test.problem)
			}
		})
	}
}

func TestTenantsThatMayShareAreByTheirPlace(t *testing.T) {
	t.Parallel()
	r := translate.Service(translate.Input{Service: service(with("virtual-address", "203.0.113.20"))}, policy(t, pools))
	same(t, []int{1, 2}, r.Ask.Tenants)
	same(t, []string{"bigip/dc1"}, r.Ask.Backends)
}

func TestGiven(t *testing.T) {
	t.Parallel()
	four, _ := state.ParseAddress("203.0.113.17")
	gone, _ := state.ParseAddress("198.51.100.1")
	const pool = "pool /web/lb_prod_shop_cart_80, 10.0.0.1:8080"
	for _, test := range []struct {
		name  string
		given allocate.Answer
		want  expect
	}{
		{name: "nobody has answered", want: expect{Mode: "hold", Objects: []string{pool, pool6}}},
		{name: "it cannot be told yet", given: allocate.Answer{Pending: true}, want: expect{Mode: "hold", Objects: []string{pool, pool6}}},
		{
			name: "given", given: allocate.Answer{Addresses: []state.Address{four}},
			want: expect{Mode: "follow", Objects: []string{pool, "virtual /web/lb_prod_shop_cart_80 on 203.0.113.17:80/tcp of bigip/dc1"}},
		},
		{
			name: "refused", given: allocate.Answer{Problems: []state.Problem{{Reason: "AddressesExhausted", Message: "100% are used"}}},
			want: expect{Mode: "hold", Objects: []string{pool, pool6}, Problems: []string{"AddressesExhausted: 100% are used"}},
		},
		{
			name: "of a pool that is not granted any more", given: allocate.Answer{Addresses: []state.Address{gone}},
			want: expect{Mode: "hold", Objects: []string{pool, pool6}, Problems: []string{
				"AddressNotGranted: 198.51.100.1, which this Service was given, is in no address pool granted to namespace shop for partition web on device dc1 any more, and stays; " +
					"put it into one, or ask for another with landbridge.dev/virtual-address; granted are: " +
					"four 203.0.113.16-203.0.113.31, more 203.0.113.32-203.0.113.47, six 2001:db8:1::-2001:db8:1::ff, vips 203.0.113.0-203.0.113.15",
			}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := translate.Service(translate.Input{
				Service: service(with("virtual-address", "-"), families(corev1.IPv4Protocol)), Given: test.given,
				Slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", isReady))},
			}, policy(t, pools))
			same(t, test.want, told(r))
		})
	}
}

const pool6 = "pool /web/lb_prod_shop_cart_80_v6"

func TestNoted(t *testing.T) {
	t.Parallel()
	ingress := func(s *corev1.Service) {
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "203.0.113.18"}, {Hostname: "lb.example.com"}}
	}
	for _, test := range []struct {
		name string
		svc  *corev1.Service
		want []string
	}{
		{name: "nothing", svc: service()},
		{name: "by the annotation", svc: service(class(translate.ClassBIGIP), ingress, with("address", "203.0.113.17,2001:db8:1::1")), want: []string{"203.0.113.17", "2001:db8:1::1"}},
		{name: "what cannot be read is left out", svc: service(with("address", ",x, 203.0.113.17")), want: []string{"203.0.113.17"}},
		{name: "by the ingress of our class", svc: service(class(translate.ClassBIGIP), ingress), want: []string{"203.0.113.18"}},
		{name: "not by that of another", svc: service(class("example.com/other"), ingress)},
		{name: "nor by one without a class, which may be anybody's", svc: service(ingress)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, a := range translate.Noted(test.svc) {
				got = append(got, a.String())
			}
			same(t, test.want, got)
		})
	}
}
