package translate_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"landbridge.dev/config"
	"landbridge.dev/sync/allocate"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// The routers of the tests, and who may speak to them.
const routed = `
apiVersion: landbridge.dev/v1
kind: Config
cluster: prod
bigip:
  - {name: dc1, hosts: [https://bigip1.example.com], credentialsDir: /etc/landbridge/dc1, floatingSelfIPs: [198.51.100.10, 198.51.100.11]}
addressPools:
  - {name: public, ranges: [203.0.113.16-203.0.113.31, 2001:db8:1::/120]}
  - {name: internal, ranges: [10.99.0.0/24]}
bgp:
  asn: 64512
  neverAnnounce: [203.0.113.30/32]
  peers:
    - {name: tor-a, address: 198.51.100.1, asn: 64513}
    - {name: tor-b, address: 198.51.100.2, asn: 64513}
    - {name: core, address: 198.51.100.3, asn: 64512}
tenants:
  - {namespaces: [shop], partitions: [web], addressPools: [public], bgpPeers: [tor-b, tor-a], bgpCommunities: ['64512:*', no-export],
     joinPools: [/web/legacy_shop], adopt: [/web/shop_vs]}
  - {namespaces: [shop], addressPools: [internal], bgpPeers: [core]}
  - {namespaces: [mute], partitions: [web], addressPools: [public]}
`

func routing(tb testing.TB, more ...func(*config.Config)) translate.Policy {
	tb.Helper()
	c, err := config.Parse([]byte(routed))
	if err != nil {
		tb.Fatal(err)
	}
	for _, change := range more {
		change(c)
	}
	return translate.Policy{Config: c, Identity: state.Identity{Cluster: "prod", UID: "0123abcd"}}
}

// onNodes is a Service of the class of those.
func onNodes(options ...serviceOption) *corev1.Service {
	return service(append([]serviceOption{
		with("partition", "-"), class(translate.ClassBGP),
		func(s *corev1.Service) { s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol} },
	}, options...)...)
}

func dual(s *corev1.Service) {
	s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
}

// routesOf are the routes of a result, in words.
func routesOf(r translate.Result) []string {
	var lines []string
	for _, o := range r.Want.Objects {
		route, ok := o.(*state.Route)
		if !ok {
			continue
		}
		var words []string
		for _, line := range route.Lines() {
			if !strings.HasPrefix(line, "owner ") {
				words = append(words, line)
			}
		}
		for _, id := range route.Follows {
			words = append(words, "after "+id.Name)
		}
		lines = append(lines, route.Prefix.String()+": "+strings.Join(words, ", "))
	}
	return lines
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	two := []*corev1.Node{node("n1", "172.18.0.2", six("fd00::2")), node("n2", "172.18.0.3", six("fd00::3"))}
	pods := []*discoveryv1.EndpointSlice{slice(podOn("n1", "10.0.0.1", isReady))}
	for _, test := range []struct {
		name   string
		svc    *corev1.Service
		nodes  []*corev1.Node
		slices []*discoveryv1.EndpointSlice
		change func(*config.Config)
		want   []string
		warns  []string // reasons
	}{
		{
			name: "nodes are the next hops", svc: onNodes(),
			want: []string{"203.0.113.20/32: next-hop 172.18.0.2 node n1, next-hop 172.18.0.3 node n2, peer tor-a, peer tor-b"},
		},
		{
			name: "both families", svc: onNodes(dual, with("virtual-address", "203.0.113.20,2001:db8:1::5")),
			slices: []*discoveryv1.EndpointSlice{slice(podOn("n1", "10.0.0.1", isReady)), slice(podOn("n1", "fd00:1::1", isReady))},
			want: []string{
				"2001:db8:1::5/128: next-hop fd00::2 node n1, next-hop fd00::3 node n2, peer tor-a, peer tor-b",
				"203.0.113.20/32: next-hop 172.18.0.2 node n1, next-hop 172.18.0.3 node n2, peer tor-a, peer tor-b",
			},
		},
		{
			name: "the address of the spec", svc: onNodes(with("virtual-address", "-"), func(s *corev1.Service) { s.Spec.LoadBalancerIP = "203.0.113.21" }),
			want: []string{"203.0.113.21/32: next-hop 172.18.0.2 node n1, next-hop 172.18.0.3 node n2, peer tor-a, peer tor-b"},
		},
		{
			name: "where traffic is local, nodes with an endpoint", svc: onNodes(local),
			want: []string{"203.0.113.20/32: next-hop 172.18.0.2 node n1, peer tor-a, peer tor-b"},
		},
		{
			name: "local, and the only endpoints leave and still serve", svc: onNodes(local),
			slices: []*discoveryv1.EndpointSlice{slice(podOn("n2", "10.0.0.1", leaves), podOn("n1", "10.0.0.2", left))},
			want:   []string{"203.0.113.20/32: next-hop 172.18.0.3 node n2, peer tor-a, peer tor-b"},
		},
		{
			name: "no endpoint takes clients", svc: onNodes(), slices: []*discoveryv1.EndpointSlice{slice(podOn("n1", "10.0.0.1", notReady))},
			want: []string{"203.0.113.20/32: peer tor-a, peer tor-b"}, warns: []string{"NoEndpoints"},
		},
		{
			name: "not ready, being deleted, excluded", svc: onNodes(),
			nodes: append([]*corev1.Node{node("n3", "172.18.0.4", unready), node("n4", "172.18.0.5", deleted), node("n5", "172.18.0.6", excluded), node("n6", "172.18.0.7", cordoned)}, two...),
			want:  []string{"203.0.113.20/32: next-hop 172.18.0.2 node n1, next-hop 172.18.0.3 node n2, next-hop 172.18.0.7 node n6, peer tor-a, peer tor-b"},
			warns: []string{"NodesLeftOut"},
		},
		{
			name: "cordoned ones, if the configuration says so", svc: onNodes(), nodes: append([]*corev1.Node{node("n6", "172.18.0.7", cordoned)}, two...),
			change: func(c *config.Config) { c.BGP.ExcludeCordoned = true },
			want:   []string{"203.0.113.20/32: next-hop 172.18.0.2 node n1, next-hop 172.18.0.3 node n2, peer tor-a, peer tor-b"},
			warns:  []string{"NodesLeftOut"},
		},
		{
			name: "no node is ready: the cluster has lost sight of them", svc: onNodes(),
			nodes: []*corev1.Node{node("n1", "172.18.0.2", unready), node("n2", "172.18.0.3", unready)},
			want:  []string{"203.0.113.20/32: next-hop 172.18.0.2 node n1, next-hop 172.18.0.3 node n2, peer tor-a, peer tor-b"},
		},
		{
			name: "all attributes",
			svc: onNodes(with("bgp-peers", "tor-b"), with("bgp-communities", "no-export, 64512:0100"), with("bgp-local-preference", "200"),
				with("bgp-med", "0"), with("bgp-prepend", "2")),
			want: []string{"203.0.113.20/32: community 64512:100, community no-export, local-preference 200, med 0, next-hop 172.18.0.2 node n1, next-hop 172.18.0.3 node n2, peer tor-b, prepend 2"},
		},
		{
			name: "one entry alone allows address and peer", svc: onNodes(with("virtual-address", "10.99.0.7"), with("bgp-peers", "core")),
			want: []string{"10.99.0.7/32: next-hop 172.18.0.2 node n1, next-hop 172.18.0.3 node n2, peer core"},
		},
		{
			name: "an address on a BIG-IP", svc: service(with("bgp", "true"), ports(port("a", 80, corev1.ProtocolTCP), port("b", 81, corev1.ProtocolTCP))),
			want: []string{"203.0.113.20/32: next-hop 198.51.100.10 self IP of dc1, next-hop 198.51.100.11 self IP of dc1, peer tor-a, peer tor-b, after /web/lb_prod_shop_cart_80, after /web/lb_prod_shop_cart_81"},
		},
		{name: "a BIG-IP's, and not asked for", svc: service()},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			in := translate.Input{Service: test.svc, Nodes: test.nodes, Slices: test.slices}
			if in.Nodes == nil {
				in.Nodes = two
			}
			if in.Slices == nil {
				in.Slices = pods
			}
			change := test.change
			if change == nil {
				change = func(*config.Config) {}
			}
			r := translate.Service(in, routing(t, change))
			slices.Sort(test.want)
			got := routesOf(r)
			slices.Sort(got)
			same(t, test.want, got)
			if len(r.Problems) > 0 || r.Want.Routes != state.Follow || (r.LastGood != "") != (len(got) > 0) {
				t.Errorf("mode %s, problems %v, to remember %q", r.Want.Routes, r.Problems, r.LastGood)
			}
			var warns []string
			for _, w := range r.Warnings {
				warns = append(warns, w.Reason)
			}
			same(t, test.warns, warns)
		})
	}
}

// What is wrong with an announcement holds it as it was, and what else the
// Service asks for is followed.
func TestBadRoutesAreHeld(t *testing.T) {
	t.Parallel()
	nodes := []*corev1.Node{node("n1", "172.18.0.2")}
	pods := []*discoveryv1.EndpointSlice{slice(podOn("n1", "10.0.0.1", isReady))}
	good := translate.Service(translate.Input{Service: onNodes(with("bgp-med", "7")), Nodes: nodes, Slices: pods}, routing(t))
	before := with("last-good", translate.WithLastGoodRoutes(onNodes(), good.LastGood))
	const stays = "203.0.113.20/32: med 7, next-hop 172.18.0.2 node n1, peer tor-a, peer tor-b"
	for _, test := range []struct {
		name    string
		svc     *corev1.Service
		change  func(*config.Config)
		problem string
		mode    string
		nothing bool // stays as there is nothing to stay
	}{
		{name: "a bad metric", svc: onNodes(before, with("bgp-med", "low")), problem: `BadAnnotation: landbridge.dev/bgp-med: "low" must be a number from 0 to 4294967295`, mode: "hold"},
		{name: "a community that is not granted", svc: onNodes(before, with("bgp-communities", "65000:1")), problem: "CommunityNotGranted: landbridge.dev/bgp-communities: 65000:1 are not granted together to namespace shop; granted are: 64512:*, no-export", mode: "hold"},
		{name: "no community at all", svc: onNodes(before, with("bgp-communities", "65535:0")), problem: `BadAnnotation: landbridge.dev/bgp-communities: "65535:0" is reserved (RFC 1997): write no-export, no-advertise, blackhole`, mode: "hold"},
		{name: "a peer that is not granted", svc: onNodes(before, with("bgp-peers", "tor-a,core")), problem: "PeerNotGranted: landbridge.dev/bgp-peers: core, tor-a are not granted together to namespace shop; granted are: core, tor-a, tor-b", mode: "hold"},
		{name: "an address of another entry than the peers", svc: onNodes(before, with("virtual-address", "10.99.0.7")), problem: "AddressNotGranted: landbridge.dev/virtual-address: 10.99.0.7 is in no address pool granted to namespace shop together with its BGP peers; granted are: public 2001:db8:1::-2001:db8:1::ff, public 203.0.113.16-203.0.113.31", mode: "hold"},
		{name: "never announced", svc: onNodes(before, with("virtual-address", "203.0.113.30")), problem: "NeverAnnounced: 203.0.113.30/32 is never announced: bgp.neverAnnounce in the configuration has 203.0.113.30/32", mode: "hold"},
		{name: "an address of a family that the Service lacks", svc: onNodes(before, with("virtual-address", "2001:db8:1::5")), problem: "BadAnnotation: landbridge.dev/virtual-address: 2001:db8:1::5: the Service has no address of this family in the cluster, so that no node would take its traffic; see spec.ipFamilies", mode: "hold"},
		{name: "no address", svc: onNodes(before, with("virtual-address", "-")), problem: "NoAddress: no virtual address is given, and no granted address pool with autoAssign has addresses of the Service's families; add landbridge.dev/virtual-address or landbridge.dev/address-pool; granted are: public 2001:db8:1::-2001:db8:1::ff, public 203.0.113.16-203.0.113.31", mode: "hold"},
		{name: "a partition besides", svc: onNodes(before, with("partition", "web")), problem: "BadAnnotation: landbridge.dev/partition: a Service of the class landbridge.dev/bgp is served by its nodes and not by a BIG-IP; take the annotation or the class away", mode: "hold"},
		{name: "paused settings", svc: onNodes(before, with("paused", "config"), with("bgp-med", "8")), problem: "Paused: landbridge.dev/paused is config: settings stay as they stand, and members follow", mode: "hold"},
		{name: "paused altogether", svc: onNodes(before, with("paused", "all")), problem: "Paused: landbridge.dev/paused is all: nothing is changed outside; see `landbridge plan`", mode: "still"},
		{name: "an unknown annotation", svc: onNodes(before, with("bpg-med", "8")), problem: "UnknownAnnotation: landbridge.dev/bpg-med is no annotation of Landbridge; the reference lists them", mode: "hold"},
		{
			name: "the grant is taken away", svc: onNodes(before), change: func(c *config.Config) { c.Tenants = nil },
			problem: "NotGranted: namespace shop is granted no BGP peer; ask the platform team for one", mode: "freeze",
		},
		{
			name: "the section is taken away", svc: onNodes(before), change: func(c *config.Config) { c.BGP = nil }, nothing: true,
			problem: "NotConfigured: nothing is announced: the configuration has no section bgp", mode: "hold",
		},
		{name: "what was never announced is not for its mistakes", svc: onNodes(with("bgp-med", "low")), nothing: true, problem: `BadAnnotation: landbridge.dev/bgp-med: "low" must be a number from 0 to 4294967295`, mode: "hold"},
		{
			name: "a Service that is on nothing", svc: service(with("partition", "-"), with("virtual-address", "-"), with("bgp", "true")), nothing: true, mode: "freeze",
			problem: "NotOptedIn: landbridge.dev/bgp announces addresses on a BIG-IP, or those of Services of the class landbridge.dev/bgp: add landbridge.dev/partition, or make the Service one of that class (kube-proxy takes no traffic for an address that it does not know)",
		},
		{
			name: "a virtual server of others", svc: lent(with("adopt", "/web/shop_vs"), with("bgp", "true")), nothing: true, mode: "hold",
			problem: "BadAnnotation: landbridge.dev/bgp has no effect: no virtual server is made for this Service, and the address of one that others made is theirs to announce; take the annotation away",
		},
		{
			name: "a pool of others", svc: lent(with("join-pool", "/web/legacy_shop"), with("bgp", "true")), nothing: true, mode: "hold",
			problem: "BadAnnotation: landbridge.dev/bgp has no effect: no virtual server is made for this Service, and the address of one that others made is theirs to announce; take the annotation away",
		},
		{
			name: "what stays when a Service goes", svc: onNodes(before, with("deletion-policy", "orphan")), mode: "hold",
			problem: "BadAnnotation: landbridge.dev/deletion-policy: orphan has no effect on a Service of the class landbridge.dev/bgp: no route outlasts its Service; take the annotation away",
		},
		{
			name: "a Service of a queue alone", svc: service(queued("mq-consume=orders", "bgp=true")), nothing: true, mode: "freeze",
			problem: "NotOptedIn: landbridge.dev/bgp announces addresses on a BIG-IP, or those of Services of the class landbridge.dev/bgp: add landbridge.dev/partition, or make the Service one of that class (kube-proxy takes no traffic for an address that it does not know)",
		},
		{name: "keys without an announcement", svc: service(with("bgp-med", "7")), nothing: true, problem: `BadAnnotation: landbridge.dev/bgp-med has no effect without landbridge.dev/bgp: "true"`, mode: "hold"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			change := test.change
			if change == nil {
				change = func(*config.Config) {}
			}
			r := translate.Service(translate.Input{Service: test.svc, Nodes: nodes, Slices: pods}, routing(t, change))
			var problems []string
			for _, p := range r.Problems {
				problems = append(problems, p.Reason+": "+p.Message)
			}
			if !slices.Contains(problems, test.problem) || r.Want.Routes.String() != test.mode {
				t.Errorf("mode %s, problems %q", r.Want.Routes, problems)
			}
			want := []string{stays}
			if test.nothing {
				want = nil
			}
			same(t, want, routesOf(r))
			if r.LastGood != translate.LastGoodRoutes(test.svc) {
				t.Errorf("remembers %q", r.LastGood)
			}
		})
	}
}

// An announcement on a BIG-IP that is spelt wrong stays as it was, with the next
// hops of now, and so it does over a restart: it goes on being remembered.
func TestMisspeltRoutesAreHeld(t *testing.T) {
	t.Parallel()
	pods := []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", isReady))}
	good := translate.Service(translate.Input{Service: service(with("bgp", "true")), Slices: pods}, routing(t))
	before := with("last-good", translate.WithLastGoodRoutes(service(), good.LastGood))
	moved := func(c *config.Config) { c.BIGIP[0].FloatingSelfIPs = []string{"198.51.100.12"} }
	const stays = "203.0.113.20/32: next-hop 198.51.100.12 self IP of dc1, peer tor-a, peer tor-b, after /web/lb_prod_shop_cart_80"
	for _, test := range []struct {
		name string
		svc  *corev1.Service
		gone bool
	}{
		{name: "in capitals", svc: service(before, with("bgp", "True"))},
		{name: "yes", svc: service(before, with("bgp", "yes"))},
		{name: "empty", svc: service(before, with("bgp", ""))},
		{name: "taken away, and what goes with it left", svc: service(before, with("bgp-med", "7"))},
		{name: "taken away while settings are paused", svc: service(before, with("paused", "config"))},
		{name: "taken away", svc: service(before), gone: true},
	} {
		r := translate.Service(translate.Input{Service: test.svc, Slices: pods}, routing(t, moved))
		if test.gone {
			if len(routesOf(r)) > 0 || r.LastGood != "" || r.Want.Routes != state.Follow {
				t.Errorf("%s: mode %s, routes %q, remembers %q", test.name, r.Want.Routes, routesOf(r), r.LastGood)
			}
			continue
		}
		if !slices.Equal(routesOf(r), []string{stays}) || r.LastGood != good.LastGood || r.Want.Routes != state.Hold || len(r.Problems) == 0 {
			t.Errorf("%s: mode %s, routes %q, remembers %q, problems %v", test.name, r.Want.Routes, routesOf(r), r.LastGood, r.Problems)
		}
	}
}

// Without its address yet, or with a bad one, a Service has no virtual server,
// and that is no reason to take the announcement away.
func TestRoutesOfAServiceWithoutItsAddress(t *testing.T) {
	t.Parallel()
	single := func(s *corev1.Service) { s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol} }
	for name, test := range map[string]struct {
		svc    *corev1.Service
		given  allocate.Answer
		reason string
	}{
		"nobody has answered yet": {svc: service(single, with("bgp", "true"), with("virtual-address", "-"))},
		"the book is not open":    {svc: service(single, with("bgp", "true"), with("virtual-address", "-")), given: allocate.Answer{Pending: true}},
		"a bad one":               {svc: service(single, with("bgp", "true"), with("virtual-address", "192.0.2.1")), reason: "AddressNotGranted"},
	} {
		r := translate.Service(translate.Input{Service: test.svc, Slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", isReady))}, Given: test.given},
			routing(t, func(c *config.Config) { c.AddressPools[0].AutoAssign = true }))
		var reasons []string
		for _, p := range r.Problems {
			reasons = append(reasons, p.Reason)
		}
		if strings.Join(reasons, " ") != test.reason || r.Want.Routes != state.Hold {
			t.Errorf("%s: mode %s, problems %v", name, r.Want.Routes, r.Problems)
		}
	}
}

// A bad announcement leaves the BIG-IP's part alone, and a bad BIG-IP's part
// holds the announcement, which follows where it is.
func TestPartsAreHeldApart(t *testing.T) {
	t.Parallel()
	pods := []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", isReady))}
	r := translate.Service(translate.Input{Service: service(with("bgp", "true"), with("bgp-peers", "core")), Slices: pods}, routing(t))
	if r.Want.Mode != state.Follow || r.Want.Routes != state.Hold || len(r.Want.Objects) != 2 {
		t.Errorf("a bad announcement: the device %s, the routes %s, %d objects", r.Want.Mode, r.Want.Routes, len(r.Want.Objects))
	}
	r = translate.Service(translate.Input{Service: service(with("bgp", "true"), with("drain-timeout", "soon")), Slices: pods}, routing(t))
	if r.Want.Mode != state.Hold || r.Want.Routes != state.Hold {
		t.Errorf("a bad setting of the device: the device %s, the routes %s", r.Want.Mode, r.Want.Routes)
	}
}

// An empty list of nodes is that of a cache without sight, and not a cluster
// without nodes.
func TestNoNodesAtAll(t *testing.T) {
	t.Parallel()
	pods := []*discoveryv1.EndpointSlice{slice(podOn("n1", "10.0.0.1", isReady))}
	r := translate.Service(translate.Input{Service: onNodes(), Slices: pods}, routing(t))
	if r.Want.Routes != state.Still || len(r.Problems) != 1 || r.Problems[0].Reason != "NoNodes" {
		t.Errorf("mode %s, problems %v", r.Want.Routes, r.Problems)
	}
}
