package translate_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/config"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// Every mistake holds or freezes the Service, and the message names the
// annotation, the value and what is allowed.
const noAddress = "NoAddress: no virtual address is given, and no granted address pool with autoAssign has addresses of the Service's families; " +
	"add landbridge.dev/virtual-address or landbridge.dev/address-pool"

// What a Service is told that is served by the broker alone.
const (
	brokered1 = "NotOptedIn: landbridge.dev/"
	brokered2 = ", since the Service does not say where on a BIG-IP it is to be served: take it away, or add landbridge.dev/partition, landbridge.dev/class, landbridge.dev/join-pool or landbridge.dev/adopt"
)

func TestMistakes(t *testing.T) {
	t.Parallel()
	dns := ports(port("dns", 53, "UDP"), port("dns-tcp", 53, "TCP"))
	web := ports(port("http", 80, "TCP"), port("https", 443, "TCP"))
	const granted = "; granted are: public 2001:db8:1::-2001:db8:1::ff, public 203.0.113.16-203.0.113.31"
	for _, test := range []struct {
		name    string
		svc     *corev1.Service
		mode    string
		problem string
	}{
		{
			name: "a misspelt key", svc: service(with("virtualaddress", "203.0.113.20")), mode: "hold",
			problem: "UnknownAnnotation: landbridge.dev/virtualaddress is no annotation of Landbridge; the reference lists them",
		},
		{
			name: "a misspelt key with a port", svc: service(with("drain.80", "5s")), mode: "hold",
			problem: "UnknownAnnotation: landbridge.dev/drain.80 is no annotation of Landbridge; the reference lists them",
		},
		{
			name: "a key that Landbridge writes, with a port", svc: service(with("address.80", "5s")), mode: "hold",
			problem: "UnknownAnnotation: landbridge.dev/address.80 is no annotation of Landbridge; the reference lists them",
		},
		{
			name: "a suffix on a key of the whole Service", svc: service(with("partition.80", "web")), mode: "hold",
			problem: "BadAnnotation: landbridge.dev/partition.80: partition holds for the whole Service and takes no port",
		},
		{
			name: "a port that the Service lacks", svc: service(with("drain-timeout.8443", "5s")), mode: "hold",
			problem: `BadAnnotation: landbridge.dev/drain-timeout.8443: the Service has no port "8443"`,
		},
		{
			name: "a number that two protocols share", svc: service(dns, with("drain-timeout.53", "5s")), mode: "hold",
			problem: "BadAnnotation: landbridge.dev/drain-timeout.53: the Service has port 53 for TCP and for UDP; write 53-tcp or 53-udp",
		},
		{
			name: "two keys for one port", svc: service(web, with("drain-timeout.http", "5s"), with("drain-timeout.80", "5s")), mode: "hold",
			problem: "BadAnnotation: landbridge.dev/drain-timeout.80 and landbridge.dev/drain-timeout.http name the same port; keep one",
		},
		{
			name: "a drain that is no duration", svc: service(with("drain-timeout", "60")), mode: "hold",
			problem: `BadAnnotation: landbridge.dev/drain-timeout: "60" must be a duration such as 60s or 5m, at most 24h, or none`,
		},
		{
			name: "a negative drain", svc: service(with("drain-timeout", "-1s")), mode: "hold",
			problem: `BadAnnotation: landbridge.dev/drain-timeout: "-1s" must be a duration such as 60s or 5m, at most 24h, or none`,
		},
		{
			name: "a drain of days", svc: service(with("drain-timeout", "24h1s")), mode: "hold",
			problem: `BadAnnotation: landbridge.dev/drain-timeout: "24h1s" must be a duration such as 60s or 5m, at most 24h, or none`,
		},
		{
			name: "no address", svc: service(with("virtual-address", "-")), mode: "hold",
			problem: noAddress + granted,
		},
		{
			name: "no address for one of two ports", svc: service(web, with("virtual-address", "-"), with("virtual-address.http", "203.0.113.20")), mode: "hold",
			problem: noAddress + granted,
		},
		{
			name: "a name for an address", svc: service(with("virtual-address", "cart.example.com")), mode: "hold",
			problem: `BadAnnotation: landbridge.dev/virtual-address: "cart.example.com" is not an IP address`,
		},
		{
			name: "a comma too many", svc: service(with("virtual-address", "203.0.113.20,")), mode: "hold",
			problem: `BadAnnotation: landbridge.dev/virtual-address: "" is not an IP address`,
		},
		{
			name: "two addresses of one family", svc: service(with("virtual-address", "203.0.113.20,203.0.113.21")), mode: "hold",
			problem: `BadAnnotation: landbridge.dev/virtual-address: "203.0.113.20,203.0.113.21" has two addresses of one family; give one of each at most`,
		},
		{
			name: "a route domain that no range carries", svc: service(with("virtual-address", "203.0.113.20%2")), mode: "hold",
			problem: "AddressNotGranted: landbridge.dev/virtual-address: 203.0.113.20%2 is in no address pool granted to namespace shop for partition web on device dc1" + granted,
		},
		{
			name: "an address outside of what is granted", svc: service(with("virtual-address", "203.0.113.32")), mode: "hold",
			problem: "AddressNotGranted: landbridge.dev/virtual-address: 203.0.113.32 is in no address pool granted to namespace shop for partition web on device dc1" + granted,
		},
		{
			name: "one of two addresses outside", svc: service(with("virtual-address", "203.0.113.20,2001:db8:2::1")), mode: "hold",
			problem: "AddressNotGranted: landbridge.dev/virtual-address: 203.0.113.20,2001:db8:2::1 is in no address pool granted to namespace shop for partition web on device dc1" + granted,
		},
		{
			name: "a port's address outside", svc: service(web, with("virtual-address.https", "10.99.0.1")), mode: "hold",
			problem: "AddressNotGranted: landbridge.dev/virtual-address.https: 10.99.0.1 is in no address pool granted to namespace shop for partition web on device dc1" + granted,
		},
		{
			name: "spec.loadBalancerIP outside", mode: "hold",
			svc:     service(with("virtual-address", "-"), func(s *corev1.Service) { s.Spec.LoadBalancerIP = "10.99.0.1" }),
			problem: "AddressNotGranted: spec.loadBalancerIP: 10.99.0.1 is in no address pool granted to namespace shop for partition web on device dc1" + granted,
		},
		{
			name: "keys for a BIG-IP beside a queue", svc: service(queued("mq-consume=orders", "snat=none", "pod-share=10", "monitor=tcp")), mode: "freeze",
			problem: brokered1 + "monitor, landbridge.dev/pod-share, landbridge.dev/snat: has no effect" + brokered2,
		},
		{
			name: "keys for a BIG-IP beside a registry", svc: service(queued("vm-registry=orders-vm", "vm-members=10.20.0.5", "drain-timeout=5s")), mode: "freeze",
			problem: brokered1 + "vm-members: has no effect" + brokered2,
		},
		{
			name: "an unknown device", svc: service(with("device", "dc9")), mode: "freeze",
			problem: `UnknownDevice: landbridge.dev/device: "dc9" is not configured; configured are: dc1, dc2`,
		},
		{
			name: "a device that is not granted", svc: service(with("device", "dc2")), mode: "freeze",
			problem: `NotGranted: landbridge.dev/partition: "web" on device dc2 is not granted to namespace shop; granted are: none`,
		},
		{
			name: "a partition that is not granted", svc: service(with("partition", "Common")), mode: "freeze",
			problem: `NotGranted: landbridge.dev/partition: "Common" on device dc1 is not granted to namespace shop; granted are: api, web`,
		},
		{
			name: "an empty partition", svc: service(with("partition", "")), mode: "freeze",
			problem: "BadAnnotation: landbridge.dev/partition: is empty; write a name, or take it away",
		},
		{
			name: "an empty device", svc: service(with("device", "")), mode: "freeze",
			problem: "BadAnnotation: landbridge.dev/device: is empty; write a name, or take it away",
		},
		{
			name: "a namespace that no tenant covers", svc: service(in("other")), mode: "freeze",
			problem: "NotGranted: no tenant in the configuration covers namespace other; ask the platform team for one",
		},
		{
			name: "a tenant without partitions", svc: service(in("bare"), class(translate.ClassBIGIP), with("partition", "-")), mode: "freeze",
			problem: "NotGranted: namespace bare is granted no partition on device dc1",
		},
		{
			name: "a member type of nobody's", svc: service(with("member-type", "node")), mode: "freeze",
			problem: `BadAnnotation: landbridge.dev/member-type: "node" must be pod or nodeport`,
		},
		{
			name: "annotations, and none that opts in", svc: service(with("partition", "-")), mode: "freeze",
			problem: "NotOptedIn: the Service has annotations of Landbridge, but does not say where it is to be served: add landbridge.dev/partition, landbridge.dev/class, landbridge.dev/join-pool or landbridge.dev/adopt",
		},
		{
			name: "paused, in a word of nobody's", svc: service(with("paused", "yes")), mode: "hold",
			problem: `BadAnnotation: landbridge.dev/paused: "yes" must be config or all`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := translate.Service(translate.Input{
				Service: test.svc, Slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", isReady), pod("10.0.0.2", leaves))},
			}, policy(t))
			got := told(r)
			if got.Mode != test.mode || !r.Addressed {
				t.Errorf("mode %s, addressed %t", got.Mode, r.Addressed)
			}
			if !slices.Contains(got.Problems, test.problem) {
				t.Errorf("problems %q\nlack %q", got.Problems, test.problem)
			}
			if test.mode == "freeze" && len(got.Objects) > 0 {
				t.Errorf("frozen, it wants %q", got.Objects)
			}
			// By these a plan knows which members have lost their endpoints.
			want := []string{"10.0.0.1", "10.0.0.2"}
			var live []string
			for a := range r.Want.Live {
				live = append(live, a.String())
			}
			slices.Sort(live)
			same(t, want, live)
		})
	}
}

func TestTenants(t *testing.T) {
	t.Parallel()
	payments := map[string]string{"team": "payments"}
	for _, test := range []struct {
		name   string
		svc    *corev1.Service
		labels map[string]string
		path   string // of the pool, with its backend; "" for refused
		reason string
	}{
		{name: "granted", svc: service(), path: "bigip/dc1 /web/lb_prod_shop_cart_80"},
		{name: "another partition of the entry", svc: service(with("partition", "api")), path: "bigip/dc1 /api/lb_prod_shop_cart_80"},
		{
			name: "by a glob, the second device", path: "bigip/dc2 /edge/lb_prod_shop-eu_cart_80",
			svc: service(in("shop-eu"), with("partition", "edge"), with("device", "dc2"), with("member-type", "pod")),
		},
		{name: "a glob is not its beginning", svc: service(in("shop-eu")), reason: "NotGranted"},
		{
			name:   "one entry alone allows device, partition and pool: the pool is of another",
			svc:    service(in("shop-eu"), with("partition", "edge"), with("device", "dc2"), with("member-type", "pod"), with("virtual-address", "10.99.0.1")),
			reason: "AddressNotGranted",
		},
		{
			name:   "one entry alone allows device, partition and pool: the device is of another",
			svc:    service(in("shop-eu"), with("partition", "inside"), with("device", "dc1"), with("virtual-address", "10.99.0.1")),
			reason: "NotGranted",
		},
		{
			name: "that entry, whole", path: "bigip/dc2 /inside/lb_prod_shop-eu_cart_80",
			svc: service(in("shop-eu"), with("partition", "inside"), with("device", "dc2"), with("member-type", "pod"), with("virtual-address", "10.99.0.1")),
		},
		{
			name: "by the namespace's labels; without a list of devices every one", labels: payments, path: "bigip/dc2 /pay/lb_prod_till_cart_80",
			svc: service(in("till"), with("partition", "pay"), with("device", "dc2"), with("member-type", "pod"), with("virtual-address", "10.99.0.1")),
		},
		{
			name: "without the labels", reason: "NotGranted",
			svc: service(in("till"), with("partition", "pay"), with("virtual-address", "10.99.0.1")),
		},
		{
			name: "with our class the tenant's first partition, device and all",
			svc:  service(with("partition", "-"), class(translate.ClassBIGIP)), path: "bigip/dc1 /web/lb_prod_shop_cart_80",
		},
		{
			name: "with our class, another partition written", path: "bigip/dc1 /api/lb_prod_shop_cart_80",
			svc: service(with("partition", "api"), class(translate.ClassBIGIP)),
		},
		{
			name: "spec.loadBalancerIP where no annotation says otherwise", path: "bigip/dc1 /web/lb_prod_shop_cart_80",
			svc: service(with("virtual-address", "-"), func(s *corev1.Service) { s.Spec.LoadBalancerIP = "203.0.113.21" }),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := translate.Service(translate.Input{Service: test.svc, NamespaceLabels: test.labels}, policy(t))
			if test.reason != "" {
				if len(r.Problems) != 1 || r.Problems[0].Reason != test.reason {
					t.Errorf("problems %v, want %s", r.Problems, test.reason)
				}
				return
			}
			if len(r.Want.Objects) == 0 {
				t.Fatalf("problems: %v", r.Problems)
			}
			id := r.Want.Objects[0].ID()
			same(t, test.path, id.Backend+" "+id.Name)
		})
	}
}

func TestKeysOfOnePort(t *testing.T) {
	t.Parallel()
	svc := service(
		ports(port("http", 80, "TCP"), port("dns", 53, "UDP"), port("dns-tcp", 53, "TCP"), port("admin", 9000, "TCP")),
		with("drain-timeout", "30s"), with("drain-timeout.http", "0s"), with("drain-timeout.53-udp", "none"), with("drain-timeout.9000", "5m"),
		with("virtual-address.admin", " 203.0.113.31 "),
	)
	r := translate.Service(translate.Input{Service: svc}, policy(t))
	if len(r.Problems) > 0 {
		t.Fatal(r.Problems)
	}
	drains, destinations := map[string]time.Duration{}, map[string]string{}
	for _, o := range r.Want.Objects {
		switch o := o.(type) {
		case *state.Pool:
			drains[o.Path] = o.DrainTimeout
		case *state.VirtualServer:
			destinations[o.Path] = o.Frontend().String()
		}
	}
	same(t, map[string]time.Duration{
		"/web/lb_prod_shop_cart_80": 0, "/web/lb_prod_shop_cart_53_udp": -1, "/web/lb_prod_shop_cart_53": 30 * time.Second, "/web/lb_prod_shop_cart_9000": 5 * time.Minute,
	}, drains)
	same(t, map[string]string{
		"/web/lb_prod_shop_cart_80": "203.0.113.20:80/tcp", "/web/lb_prod_shop_cart_53_udp": "203.0.113.20:53/udp",
		"/web/lb_prod_shop_cart_53": "203.0.113.20:53/tcp", "/web/lb_prod_shop_cart_9000": "203.0.113.31:9000/tcp",
	}, destinations)
	if r.Want.Drain != 30*time.Second {
		t.Errorf("what is left is drained for %s", r.Want.Drain)
	}
}

// Without one for the whole Service, an address for each port will do.
func TestAddressesOfPortsAlone(t *testing.T) {
	t.Parallel()
	svc := service(ports(port("http", 80, "TCP"), port("https", 443, "TCP")),
		with("virtual-address", "-"), with("virtual-address.http", "203.0.113.30"), with("virtual-address.443", "2001:db8:1::30"))
	r := translate.Service(translate.Input{Service: svc}, policy(t))
	same(t, expect{Mode: "follow", Objects: []string{
		"pool /web/lb_prod_shop_cart_443_v6", "pool /web/lb_prod_shop_cart_80",
		"virtual /web/lb_prod_shop_cart_443_v6 on [2001:db8:1::30]:443/tcp of bigip/dc1",
		"virtual /web/lb_prod_shop_cart_80 on 203.0.113.30:80/tcp of bigip/dc1",
	}}, told(r))
}

func TestWhoIsAddressed(t *testing.T) {
	t.Parallel()
	bare := func(s *corev1.Service) { s.Annotations = map[string]string{"example.com/x": "y"} }
	for _, test := range []struct {
		name string
		svc  *corev1.Service
		want bool
	}{
		{"no annotation of ours", service(bare), false},
		{"a partition", service(), true},
		{"our class", service(bare, class(translate.ClassBIGIP)), true},
		{"somebody's class", service(bare, class("example.com/lb")), false},
		{"a misspelt key, whose writer wants to be told", service(bare, with("particion", "web")), true},
		{"what we wrote ourselves, when it has opted out", service(bare, with("address", "203.0.113.20"), with("observed", "x"), with("last-good", "y")), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := translate.Service(translate.Input{Service: test.svc}, policy(t))
			if r.Addressed != test.want {
				t.Errorf("addressed: %t", r.Addressed)
			}
			if !test.want && (len(r.Want.Objects) > 0 || len(r.Problems) > 0 || r.Want.Mode != state.Follow) {
				t.Errorf("it wants %+v, problems %v", told(r), r.Problems)
			}
		})
	}
}

// A Service that goes wants nothing, whatever is wrong with it; what stands is
// drained as it says.
func TestDeleted(t *testing.T) {
	t.Parallel()
	svc := service(with("drain-timeout", "5s"), with("member-type", "node"), with("device", "dc9"))
	svc.DeletionTimestamp = &metav1.Time{}
	r := translate.Service(translate.Input{Service: svc, Slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", leaves))}}, policy(t))
	a, _ := state.ParseAddress("10.0.0.1")
	want := state.Want{
		Service: state.Ref{Namespace: "shop", Name: "cart"}, Drain: 5 * time.Second, Deleted: true, Live: map[state.Address]bool{a: true},
	}
	if !r.Want.Same(want) || len(r.Problems) > 0 {
		t.Errorf("got %+v, problems %v", r.Want, r.Problems)
	}
	svc.Annotations[translate.Prefix+"drain-timeout"] = "soon"
	if r := translate.Service(translate.Input{Service: svc}, policy(t)); r.Want.Drain != translate.DefaultDrain {
		t.Errorf("with a bad drain-timeout it drains for %s", r.Want.Drain)
	}
}

func TestPaused(t *testing.T) {
	t.Parallel()
	on := func(f func(*config.Config)) translate.Policy { return policy(t, f) }
	for _, test := range []struct {
		name    string
		policy  translate.Policy
		svc     *corev1.Service
		deleted bool
		mode    string
		problem string
	}{
		{
			name: "config: settings stay and members follow", policy: policy(t), svc: service(with("paused", "config")), mode: "hold",
			problem: "Paused: landbridge.dev/paused is config: settings stay as they stand, and members follow",
		},
		{
			name: "all: nothing at all", policy: policy(t), svc: service(with("paused", "all")), mode: "still",
			problem: "Paused: landbridge.dev/paused is all: nothing is changed outside; see `landbridge plan`",
		},
		{
			name: "all, whatever else is wrong", policy: policy(t), svc: service(with("paused", "all"), with("device", "dc9")), mode: "still",
			problem: "Paused: landbridge.dev/paused is all: nothing is changed outside; see `landbridge plan`",
		},
		{
			name: "all: deletion waits", policy: policy(t), svc: service(with("paused", "all")), deleted: true, mode: "still",
			problem: "Paused: landbridge.dev/paused is all: what stands outside stays, and cleaning up waits",
		},
		{
			name: "the configuration", policy: on(func(c *config.Config) { c.Paused = true }), svc: service(), mode: "still",
			problem: "Paused: the configuration says paused: true: nothing is changed outside; see `landbridge plan`",
		},
		{
			name: "mode plan", policy: on(func(c *config.Config) { c.Mode = config.ModePlan }), svc: service(), mode: "still",
			problem: "PlanOnly: the configuration says mode: plan: nothing is changed outside; see `landbridge plan`",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.deleted {
				test.svc.DeletionTimestamp = &metav1.Time{}
			}
			got := told(translate.Service(translate.Input{Service: test.svc}, test.policy))
			if got.Mode != test.mode {
				t.Errorf("mode %s, want %s", got.Mode, test.mode)
			}
			same(t, []string{test.problem}, got.Problems)
		})
	}
}

// The hash speaks of what decides what is made outside, and of nothing that we
// write ourselves: else each report would ask for the next.
func TestObserved(t *testing.T) {
	t.Parallel()
	hash := func(options ...serviceOption) string {
		t.Helper()
		h, err := translate.Observed(service(options...))
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	for name, o := range map[string]serviceOption{
		"our own annotations": func(s *corev1.Service) {
			maps.Copy(s.Annotations, map[string]string{translate.AnnotationAddress: "x", translate.AnnotationObserved: "y", translate.AnnotationLastGood: "z"})
		},
		"others' annotations":  func(s *corev1.Service) { s.Annotations["example.com/x"] = "y" },
		"labels and the state": func(s *corev1.Service) { s.Labels = map[string]string{"a": "b"}; s.ResourceVersion = "9" },
	} {
		if hash(o) != hash() {
			t.Errorf("%s change it", name)
		}
	}
	for name, o := range map[string]serviceOption{
		"a value":     with("partition", "api"),
		"another key": with("drain-timeout", "5s"),
		"the spec":    ports(port("", 81, "TCP")),
	} {
		if hash(o) == hash() {
			t.Errorf("%s does not change it", name)
		}
	}
	if h := hash(); len(h) != 16 {
		t.Errorf("%q has not 16 digits", h)
	}
}
