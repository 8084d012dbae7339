package translate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"landbridge.dev/config"
	"landbridge.dev/sync/allocate"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// lending has namespace shop join pools /web/legacy_*, borrow one of them,
// adopt a virtual server, take a class, and have VMs in 10.20.0.0/16 and 2001:db8:20::/64.
func lending(c *config.Config) {
	c.Tenants[0].JoinPools, c.Tenants[0].Borrow = []string{"/web/legacy_*"}, []string{"/web/legacy_lent"}
	c.Tenants[0].Adopt = []string{"/web/shop_vs"}
	c.Classes = map[string]config.Class{"limited": {"connection-limit": "5"}}
	c.Tenants[0].Classes = []string{"limited"}
	c.Tenants[0].VMCIDRs = []string{"10.20.0.0/16", "2001:db8:20::/64"}
}

// lent is shop/cart without partition and address, changed as given.
func lent(options ...serviceOption) *corev1.Service {
	return service(slices.Concat([]serviceOption{with("partition", "-"), with("virtual-address", "-")}, options)...)
}

// idle and unserved are what is found fault with in keys without an effect.
func idle(key, beside string) string {
	what := map[string]string{"join-pool": "makes no virtual server and no pool", "adopt": "keeps the name and the address that the virtual server has"}[beside]
	return "BadAnnotation: landbridge.dev/" + key + " has no effect beside landbridge.dev/" + beside + ", which " + what + "; remove one of them"
}

func unserved(key string) string {
	return "BadAnnotation: landbridge.dev/" + key + " has no effect: port admin is not served; take it away, or add landbridge.dev/join-pool.admin or landbridge.dev/adopt.admin, " +
		"or landbridge.dev/partition for the ports that join or adopt nothing"
}

func target(p intstr.IntOrString) serviceOption {
	return func(s *corev1.Service) { s.Spec.Ports[0].TargetPort = p }
}

// shares are what each wanted pool says of its share: "/web/p own 25% vms".
func shares(r translate.Result) []string {
	var all []string
	for _, o := range r.Want.Objects {
		p, ok := o.(*state.Pool)
		if !ok {
			continue
		}
		s := p.Path + " " + p.Use.String()
		if p.Share.Given {
			s += fmt.Sprintf(" %d%%", p.Share.Percent)
		}
		s += " " + p.Share.Fallback.String()
		if p.Share.Borrow {
			s += " borrow"
		}
		if p.Mode != "" {
			s += " " + p.Mode
		}
		all = append(all, s)
	}
	return all
}

func TestLent(t *testing.T) {
	t.Parallel()
	vm := pod("10.20.0.9", isReady)
	vm.TargetRef = nil
	stray := pod("10.1.1.1", isReady)
	stray.TargetRef = &corev1.ObjectReference{Kind: "VirtualMachine", Name: "v"}
	several := ports(port("http", 80, "TCP"), port("admin", 81, "TCP"))
	adopt := []serviceOption{with("adopt", "/web/shop_vs"), with("snat", "none")}
	for _, test := range []struct {
		name   string
		svc    *corev1.Service
		slices []discoveryv1.Endpoint
		change func(*config.Config)
		want   expect
		shares []string
	}{
		{
			name: "VM members beside pods",
			svc:  service(with("vm-members", "10.20.0.5:9090, 10.20.0.6"), with("pod-share", "25")),
			want: expect{Objects: []string{
				"pool /web/lb_prod_shop_cart_80, 10.0.0.1:8080, 10.20.0.5:9090 vm, 10.20.0.6:80 vm",
				"virtual /web/lb_prod_shop_cart_80 on 203.0.113.20:80/tcp of bigip/dc1",
			}},
			shares: []string{"/web/lb_prod_shop_cart_80 own 25% vms ratio-member"},
		},
		{
			name: "an endpoint without a Pod is a VM", svc: service(), slices: []discoveryv1.Endpoint{vm},
			want: expect{Objects: []string{
				"pool /web/lb_prod_shop_cart_80, 10.20.0.9:8080 vm",
				"virtual /web/lb_prod_shop_cart_80 on 203.0.113.20:80/tcp of bigip/dc1",
			}},
			shares: []string{"/web/lb_prod_shop_cart_80 own vms ratio-member"},
		},
		{
			name: "one outside of the tenant's networks", svc: service(), slices: []discoveryv1.Endpoint{pod("10.0.0.1", isReady), stray},
			want: expect{Mode: "hold", Problems: []string{"VMNotGranted: endpoint 10.1.1.1 has no Pod behind it, so that it is a VM, and is in no network that a tenant of namespace shop has for VMs; vmCIDRs are: 10.20.0.0/16, 2001:db8:20::/64"}},
		},
		{
			name: "a VM that vm-members names outside of them", svc: service(with("vm-members", "10.20.0.5,192.0.2.7")),
			want: expect{Mode: "hold", Problems: []string{"VMNotGranted: landbridge.dev/vm-members: 192.0.2.7 is in no network that a tenant of namespace shop has for VMs; vmCIDRs are: 10.20.0.0/16, 2001:db8:20::/64"}},
		},
		{
			name: "VMs of another family", svc: service(with("vm-members", "2001:db8:20::5")),
			want: expect{Mode: "hold", Problems: []string{"BadAnnotation: landbridge.dev/vm-members: 2001:db8:20::5 is of another family than the port is served in"}},
		},
		{
			name: "a named target port", svc: service(target(intstr.FromString("web")), with("vm-members", "10.20.0.5")),
			want: expect{Mode: "hold", Problems: []string{"BadAnnotation: landbridge.dev/vm-members: 10.20.0.5 needs its port written, since target port web is a name"}},
		},
		{
			name: "a number as target port", svc: service(target(intstr.FromInt32(7070)), with("vm-members", "10.20.0.5")),
			want: expect{Objects: []string{
				"pool /web/lb_prod_shop_cart_80, 10.0.0.1:8080, 10.20.0.5:7070 vm",
				"virtual /web/lb_prod_shop_cart_80 on 203.0.113.20:80/tcp of bigip/dc1",
			}},
			shares: []string{"/web/lb_prod_shop_cart_80 own vms ratio-member"},
		},
		{
			name: "a port with several of the Service", svc: service(several, with("vm-members", "10.20.0.5:9090")),
			want: expect{Mode: "hold", Problems: []string{"BadAnnotation: landbridge.dev/vm-members: 10.20.0.5:9090 has a port, and the Service has several: write landbridge.dev/vm-members.http and the like"}},
		},
		{
			name: "a mode that ignores ratios", svc: service(with("vm-members", "10.20.0.5"), with("load-balancing-mode", "round-robin")),
			want: expect{Mode: "hold", Problems: []string{"BadAnnotation: landbridge.dev/load-balancing-mode: with VM members a pool needs a mode that looks at ratios: ratio-member or ratio-least-connections-member"}},
		},
		{
			name: "open connections divided", svc: service(with("vm-members", "10.20.0.5"), with("load-balancing-mode", "ratio-least-connections-member")),
			want: expect{Objects: []string{
				"pool /web/lb_prod_shop_cart_80, 10.0.0.1:8080, 10.20.0.5:80 vm",
				"virtual /web/lb_prod_shop_cart_80 on 203.0.113.20:80/tcp of bigip/dc1",
			}},
			shares: []string{"/web/lb_prod_shop_cart_80 own vms ratio-least-connections-member"},
		},
		{
			name: "a share of nobody's", svc: service(with("pod-share", "half")),
			want: expect{Mode: "hold", Problems: []string{`BadAnnotation: landbridge.dev/pod-share: "half" must be a whole number from 0 to 100`}},
		},
		{
			name: "joining a pool makes no virtual server", svc: lent(with("join-pool", "/web/legacy_shop"), with("pod-share", "5")),
			want:   expect{Objects: []string{"pool /web/legacy_shop, 10.0.0.1:8080"}},
			shares: []string{"/web/legacy_shop joined 5% vms"},
		},
		{
			name: "joining one that lends", svc: lent(with("join-pool", "/web/legacy_lent"), with("pod-share", "100"), with("fallback", "none")),
			want:   expect{Objects: []string{"pool /web/legacy_lent, 10.0.0.1:8080"}},
			shares: []string{"/web/legacy_lent joined 100% none borrow"},
		},
		{
			name: "100 with the VMs to stand by", svc: lent(with("join-pool", "/web/legacy_lent"), with("pod-share", "100")),
			want: expect{Mode: "hold", Problems: []string{"BadAnnotation: landbridge.dev/pod-share: 100 of a joined pool leaves nobody to stand by, since its priority groups are not ours; ask for 99, or write landbridge.dev/fallback: none"}},
		},
		{
			name: "both to stand by", svc: lent(with("join-pool", "/web/legacy_lent"), with("fallback", "both")),
			want: expect{Mode: "hold", Problems: []string{"BadAnnotation: landbridge.dev/fallback: both needs priority groups, and those of a joined pool are not ours"}},
		},
		{
			name: "a pool that is not granted", svc: lent(with("join-pool", "/web/other")),
			want: expect{Mode: "freeze", Problems: []string{"NotGranted: landbridge.dev/join-pool: /web/other is not granted to namespace shop on device dc1 beside all else that it asks for; granted are: /web/legacy_*"}},
		},
		{
			name: "a pool by half a path", svc: lent(with("join-pool", "legacy_shop")),
			want: expect{Mode: "freeze", Problems: []string{`BadAnnotation: landbridge.dev/join-pool: "legacy_shop" must be one full path on the device, such as /web/shop`}},
		},
		{
			name: "one port joins, the others are served", svc: service(several, with("join-pool.admin", "/web/legacy_admin")),
			want: expect{Objects: []string{
				"pool /web/lb_prod_shop_cart_80",
				"pool /web/legacy_admin",
				"virtual /web/lb_prod_shop_cart_80 on 203.0.113.20:80/tcp of bigip/dc1",
			}},
			shares: []string{"/web/lb_prod_shop_cart_80 own vms round-robin", "/web/legacy_admin joined vms"},
		},
		{
			name: "one port joins, and the others are not spoken of", svc: lent(several, with("join-pool.admin", "/web/legacy_admin")),
			want:   expect{Objects: []string{"pool /web/legacy_admin"}},
			shares: []string{"/web/legacy_admin joined vms"},
		},
		{
			name: "several ports, and no word which", svc: lent(several, with("join-pool", "/web/legacy_admin")),
			want: expect{Mode: "hold", Problems: []string{"BadAnnotation: landbridge.dev/join-pool: the Service has several ports; write landbridge.dev/join-pool.http and the like"}},
		},
		{
			name: "a monitor beside", svc: lent(with("join-pool", "/web/legacy_shop"), with("monitor", "tcp")),
			want: expect{Mode: "hold", Problems: []string{"BadAnnotation: landbridge.dev/monitor has no effect beside landbridge.dev/join-pool, which makes no virtual server and no pool; remove one of them"}},
		},
		{
			name: "joining and adopting", svc: lent(with("join-pool", "/web/legacy_shop"), with("adopt", "/web/shop_vs")),
			want: expect{Mode: "hold", Problems: []string{"BadAnnotation: landbridge.dev/adopt: port 80 also has landbridge.dev/join-pool; a port joins a pool or adopts a virtual server"}},
		},
		{
			name: "adopting asks for what is named", svc: lent(adopt...),
			want: expect{Objects: []string{
				"pool /web/shop_vs, 10.0.0.1:8080",
				"virtual /web/shop_vs on invalid IP:0/ of bigip/dc1",
			}},
			shares: []string{"/web/shop_vs adopted vms borrow round-robin"},
		},
		{
			name: "with another address", svc: lent(with("adopt", "/web/shop_vs"), with("virtual-address", "203.0.113.20")),
			want: expect{Mode: "hold", Problems: []string{"BadAnnotation: landbridge.dev/virtual-address has no effect beside landbridge.dev/adopt, which keeps the name and the address that the virtual server has; remove one of them"}},
		},
		{
			name: "with a partition, which may be a habit", svc: lent(with("adopt", "/web/shop_vs"), with("partition", "web")),
			want:   expect{Objects: []string{"pool /web/shop_vs, 10.0.0.1:8080", "virtual /web/shop_vs on invalid IP:0/ of bigip/dc1"}},
			shares: []string{"/web/shop_vs adopted vms borrow round-robin"},
		},
		{
			name: "adopting, and a class: the tenant needs no partition for it", svc: lent(with("adopt", "/web/shop_vs"), with("class", "limited")),
			change: func(c *config.Config) { c.Tenants[0].Partitions = nil },
			want:   expect{Objects: []string{"pool /web/shop_vs, 10.0.0.1:8080", "virtual /web/shop_vs on invalid IP:0/ of bigip/dc1"}},
			shares: []string{"/web/shop_vs adopted vms borrow round-robin"},
		},
		{
			name: "adopting with a class, and an address", svc: lent(with("adopt", "/web/shop_vs"), with("class", "limited"), with("virtual-address", "203.0.113.20")),
			want: expect{Mode: "hold", Problems: []string{idle("virtual-address", "adopt")}},
		},
		{
			name: "joining, and a partition with all that is for its virtual servers",
			svc:  lent(with("join-pool", "/web/legacy_shop"), with("partition", "web"), with("monitor", "tcp"), with("virtual-address", "203.0.113.20")),
			want: expect{Mode: "hold", Problems: []string{idle("monitor", "join-pool"), idle("virtual-address", "join-pool")}},
		},
		{
			name: "keys that another port takes", svc: lent(several, with("join-pool.http", "/web/legacy_shop"), with("adopt.admin", "/web/shop_vs"), with("snat", "none")),
			want:   expect{Objects: []string{"pool /web/legacy_shop", "pool /web/shop_vs", "virtual /web/shop_vs on invalid IP:0/ of bigip/dc1"}},
			shares: []string{"/web/legacy_shop joined vms", "/web/shop_vs adopted vms borrow round-robin"},
		},
		{
			name: "keys for a port that is not served", svc: lent(several, with("join-pool.http", "/web/legacy_shop"), with("snat.admin", "none"), with("pod-share.admin", "10")),
			want: expect{Mode: "hold", Problems: []string{unserved("pod-share.admin"), unserved("snat.admin")}},
		},
		{
			name: "an interval without a monitor", svc: lent(with("adopt", "/web/shop_vs"), with("monitor-interval", "10")),
			want: expect{Mode: "hold", Problems: []string{"BadAnnotation: landbridge.dev/monitor-interval has no effect: there is no monitor of ours to take it, and one given by its path has its own; remove it"}},
		},
		{
			name: "cookies for what stands, which knows its profiles", svc: lent(with("adopt", "/web/shop_vs"), with("persistence", "cookie")),
			want:   expect{Objects: []string{"pool /web/shop_vs, 10.0.0.1:8080", "virtual /web/shop_vs on invalid IP:0/ of bigip/dc1"}},
			shares: []string{"/web/shop_vs adopted vms borrow round-robin"},
		},
		{
			name: "cookies, and profiles that read none", svc: lent(with("adopt", "/web/shop_vs"), with("persistence", "cookie"), with("profiles", "/Common/tcp")),
			want: expect{Mode: "hold", Problems: []string{"BadAnnotation: landbridge.dev/persistence: cookie: Cookie persistence requires an HTTP or FastHTTP profile to be associated with the virtual server; add /Common/http to landbridge.dev/profiles"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			endpoints := test.slices
			if endpoints == nil && len(test.svc.Spec.Ports) == 1 {
				endpoints = []discoveryv1.Endpoint{pod("10.0.0.1", isReady)}
			}
			change := test.change
			if change == nil {
				change = func(*config.Config) {}
			}
			r := translate.Service(translate.Input{Service: test.svc, Slices: []*discoveryv1.EndpointSlice{slice(endpoints...)}}, policy(t, lending, change))
			got := told(r)
			if r.Ask != nil && slices.Contains(got.Problems, idle("virtual-address", "adopt")) {
				t.Errorf("asks for %v, of which nothing is served", r.Ask.Requested)
			}
			if test.want.Mode == "" {
				test.want.Mode = "follow"
			}
			if test.want.Mode != "follow" {
				got.Objects = nil // what is held follows its endpoints: other tests
			}
			same(t, test.want, got)
			if test.want.Mode == "follow" {
				same(t, test.shares, shares(r))
			} else if !r.Want.KeepVMs {
				t.Error("VM members would go")
			}
			for _, a := range r.Addresses {
				if !a.IP.IsValid() {
					t.Errorf("addresses %v, want valid ones alone", r.Addresses)
				}
			}
		})
	}
}

// Clients that a virtual server knows by their address are known so on when it
// is adopted: never is its persistence taken away for what was asked of it.
func TestAdoptedPersistence(t *testing.T) {
	t.Parallel()
	affine := func(s *corev1.Service) { s.Spec.SessionAffinity = corev1.ServiceAffinityClientIP }
	for _, test := range []struct {
		name string
		svc  *corev1.Service
		want string // "" for not named
	}{
		{"by address", lent(with("adopt", "/web/shop_vs"), with("persistence", "source-address")), "/Common/source_addr"},
		{"by address, as the Service has it in the cluster", lent(affine, with("adopt", "/web/shop_vs"), with("persistence", "source-address")), "/Common/source_addr"},
		{"in the cluster alone", lent(affine, with("adopt", "/web/shop_vs")), ""},
	} {
		r := translate.Service(translate.Input{Service: test.svc, Slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", isReady))}}, policy(t, lending))
		for _, o := range r.Want.Objects {
			switch o := o.(type) {
			case *state.Persistence:
				t.Errorf("%s: %s is made, which would stay referred to", test.name, o.Path)
			case *state.VirtualServer:
				if o.Persistence != test.want || slices.Contains(o.Named, state.NamedPersistence) != (test.want != "") {
					t.Errorf("%s: persistence %q, named %v", test.name, o.Persistence, o.Named)
				}
			}
		}
		if len(r.Problems) > 0 || len(r.Want.Objects) != 2 {
			t.Errorf("%s: %d objects, problems %v", test.name, len(r.Want.Objects), r.Problems)
		}
	}
}

// An address in the spec is for whom the Service's class names; where that is us,
// or nobody, it is said that an adopted virtual server has its own.
func TestAdoptingWithAnAddressInTheSpec(t *testing.T) {
	t.Parallel()
	addressed := func(s *corev1.Service) { s.Spec.LoadBalancerIP = "203.0.113.20" }
	for name, test := range map[string]struct {
		svc    *corev1.Service
		warned bool
	}{
		"adopting":         {lent(addressed, with("adopt", "/web/shop_vs")), true},
		"of our class":     {lent(addressed, class(translate.ClassBIGIP), with("adopt", "/web/shop_vs")), true},
		"of another class": {lent(addressed, class("example.com/lb"), with("adopt", "/web/shop_vs")), false},
		"joining":          {lent(addressed, with("join-pool", "/web/legacy_shop")), false},
		"beside a port of its own": {
			service(addressed, ports(port("http", 80, "TCP"), port("admin", 81, "TCP")), with("virtual-address", "-"), with("adopt.http", "/web/shop_vs")), false,
		},
	} {
		r := translate.Service(translate.Input{Service: test.svc}, policy(t, lending))
		if len(r.Problems) > 0 || r.Want.Mode != state.Follow || (len(r.Warnings) > 0) != test.warned || (r.Ask != nil && len(r.Ask.Requested) > 0) != (name == "beside a port of its own") {
			t.Errorf("%s: mode %s, asks %+v, problems %v, warnings %v", name, r.Want.Mode, r.Ask, r.Problems, r.Warnings)
		}
	}
}

// Which families a port has is not known before it has its addresses: until
// then nothing is wrong with its VMs.
func TestVMsOfAServiceThatWaitsForItsAddress(t *testing.T) {
	t.Parallel()
	svc := service(with("virtual-address", "-"), with("vm-members", "10.20.0.5"), func(s *corev1.Service) { s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol} })
	r := translate.Service(translate.Input{Service: svc, Given: allocate.Answer{Pending: true}}, policy(t, lending, func(c *config.Config) { c.AddressPools[0].AutoAssign = true }))
	if len(r.Problems) > 0 || r.Want.Mode != state.Hold {
		t.Errorf("mode %s, problems %v", r.Want.Mode, r.Problems)
	}
}

// A VM that an annotation names is a setting: it is held with the others.
func TestHeldVMsAreNotNamed(t *testing.T) {
	t.Parallel()
	vm := pod("10.20.0.9", isReady)
	vm.TargetRef = nil
	r := translate.Service(translate.Input{
		Service: service(with("vm-members", "10.20.0.5"), with("snat", "?")), Slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", isReady), vm)},
	}, policy(t, lending))
	var pools []string
	for _, o := range told(r).Objects {
		if strings.HasPrefix(o, "pool ") && strings.Contains(o, ", ") {
			pools = append(pools, o)
		}
	}
	same(t, []string{"pool /web/lb_prod_shop_cart_80, 10.0.0.1:8080, 10.20.0.9:8080 vm"}, pools)
}

func TestTooManyMembers(t *testing.T) {
	t.Parallel()
	endpoints := make([]discoveryv1.Endpoint, 0, 70000)
	for i := range 70000 {
		endpoints = append(endpoints, pod(fmt.Sprintf("10.%d.%d.%d", 1+i>>16, i>>8&255, i&255), isReady))
	}
	r := translate.Service(translate.Input{Service: service(), Slices: []*discoveryv1.EndpointSlice{slice(endpoints...)}}, policy(t))
	same(t, expect{Mode: "freeze", Problems: []string{"TooManyMembers: port 80 has 70000 endpoints, and a pool takes at most 65535 members"}}, told(r))
}
