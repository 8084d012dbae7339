package translate_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"landbridge.dev/config"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// settingsScene adds to the scene what Services may name: classes, and raw
// paths, the second entry other ones than the first.
const settingsScene = scene + `
  - {namespaces: [deli], partitions: [web], addressPools: [public, routed], classes: [secure, "plain-*"], profiles: [/Common/*, /web/*], irules: [/Common/a, /Common/b], ltmPolicies: [/Common/p, /Common/q], vlans: [/Common/*], snatPools: [/Common/pool], monitors: [/Common/m], persistence: [/Common/hash]}
  - {namespaces: [deli], partitions: [web], addressPools: [public], irules: [/Common/c]}
classes:
  secure: {profiles: [/Common/tcp, /Common/http, /Common/clientssl;client], persistence: cookie, monitor: https GET /ready, monitor-interval: 10, snat: none, drain-timeout: 5s}
  plain-tcp: {profiles: /Common/f5-tcp-lan, connection-limit: 100}
  hidden: {snat: none}
`

func settingsPolicy(t *testing.T) translate.Policy {
	t.Helper()
	text := strings.Replace(settingsScene, "addressPools:\n", "addressPools:\n  - {name: routed, ranges: [\"203.0.113.16%2-203.0.113.31%2\"]}\n", 1)
	c, err := config.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return translate.Policy{Config: c, Identity: state.Identity{Cluster: "prod", UID: "0123abcd"}}
}

// deli is a Service in the namespace that may name things.
func deli(options ...serviceOption) *corev1.Service {
	return service(append([]serviceOption{in("deli")}, options...)...)
}

// standing is what a virtual server and a pool have without a word, which the
// tests leave out.
var standing = []string{
	"destination 203.0.113.20:80/tcp", "mode round-robin", "monitor /Common/tcp", "pool /web/lb_prod_deli_cart_80",
	"profile /Common/tcp all", "reselect-tries 3", "slow-ramp 0", "snat automap",
}

// shape is what a Service asks for beside the standing lines, one object after
// the other without partition and the names' common beginning.
func shape(t *testing.T, r translate.Result) []string {
	t.Helper()
	if len(r.Problems) > 0 {
		t.Fatalf("problems: %v", r.Problems)
	}
	short := strings.NewReplacer("/web/lb_prod_deli_cart_", "")
	var all []string
	for _, o := range r.Want.Objects {
		what := string(o.ID().Kind) + " " + short.Replace(o.ID().Name) + ": "
		for _, line := range o.Lines() {
			if !slices.Contains(standing, line) && !strings.HasPrefix(line, "owner ") && !strings.HasPrefix(line, "member ") {
				all = append(all, what+short.Replace(line))
			}
		}
	}
	return all
}

func TestSettings(t *testing.T) {
	t.Parallel()
	udp := ports(port("", 80, "UDP"))
	web := ports(port("http", 80, "TCP"), port("https", 443, "TCP"))
	affinity := func(seconds int32) serviceOption {
		return func(s *corev1.Service) {
			s.Spec.SessionAffinity = corev1.ServiceAffinityClientIP
			if seconds > 0 {
				s.Spec.SessionAffinityConfig = &corev1.SessionAffinityConfig{ClientIP: &corev1.ClientIPConfig{TimeoutSeconds: &seconds}}
			}
		}
	}
	const request = ` HTTP/1.1\\r\\nHost: cart.deli.svc\\r\\nConnection: Close\\r\\n\\r\\n"`
	// monitored are the lines of an own monitor and of the pool that has it.
	monitored := func(lines ...string) []string {
		var all []string
		for _, l := range lines {
			all = append(all, "monitor 80_m1: "+l)
		}
		return append(all, "pool 80: monitor 80_m1")
	}
	for _, test := range []struct {
		name string
		svc  *corev1.Service
		want []string
	}{
		{name: "nothing", svc: deli()},
		{name: "UDP has no monitor", svc: deli(udp), want: []string{"virtual-server 80_udp: destination 203.0.113.20:80/udp", "virtual-server 80_udp: pool 80_udp", "virtual-server 80_udp: profile /Common/udp all"}},
		{name: "a mode", svc: deli(with("load-balancing-mode", "least-connections-member")), want: []string{"pool 80: mode least-connections-member"}},

		{name: "the monitor that the device has", svc: deli(with("monitor", "tcp"))},
		{name: "no monitor", svc: deli(with("monitor", "none")), want: nil},
		{name: "a monitor of the device", svc: deli(with("monitor", "/Common/m")), want: []string{"pool 80: monitor /Common/m"}},
		{
			name: "an HTTP monitor, 2xx or 3xx without a word", svc: deli(with("monitor", "http GET /healthz")),
			want: monitored("interval 5", `receive "^HTTP/1[.][01] [23][0-9][0-9]"`, `send "GET /healthz`+request, "timeout 16", "type http"),
		},
		{
			name: "an HTTPS monitor with a status", svc: deli(with("monitor", "https HEAD /a?b=c 204")),
			want: monitored("interval 5", `receive "^HTTP/1[.][01] 204"`, `send "HEAD /a?b=c`+request, "timeout 16", "type https"),
		},
		{
			name: "a status of a hundred", svc: deli(with("monitor", "http GET / 2xx")),
			want: monitored("interval 5", `receive "^HTTP/1[.][01] 2[0-9][0-9]"`, `send "GET /`+request, "timeout 16", "type http"),
		},
		{
			name: "an interval makes a monitor of our own", svc: deli(with("monitor-interval", "10")),
			want: monitored("interval 10", `receive ""`, `send ""`, "timeout 31", "type tcp"),
		},
		{
			name: "a timeout too", svc: deli(with("monitor-timeout", "7")),
			want: monitored("interval 5", `receive ""`, `send ""`, "timeout 7", "type tcp"),
		},
		{
			name: "a UDP monitor with times", svc: deli(with("monitor", "udp"), with("monitor-interval", "2"), with("monitor-timeout", "5")),
			want: monitored("interval 2", `receive ""`, `send "default send string"`, "timeout 5", "type udp"),
		},
		{
			name: "several monitors, numbered in their order", svc: deli(with("monitor", "/Common/m + http GET /a + tcp + http GET /b")),
			want: []string{
				"monitor 80_m1: interval 5", `monitor 80_m1: receive "^HTTP/1[.][01] [23][0-9][0-9]"`, `monitor 80_m1: send "GET /a` + request, "monitor 80_m1: timeout 16", "monitor 80_m1: type http",
				"monitor 80_m2: interval 5", `monitor 80_m2: receive "^HTTP/1[.][01] [23][0-9][0-9]"`, `monitor 80_m2: send "GET /b` + request, "monitor 80_m2: timeout 16", "monitor 80_m2: type http",
				"pool 80: monitor /Common/m", "pool 80: monitor 80_m1", "pool 80: monitor 80_m2",
			},
		},

		{
			name: "profiles", svc: deli(with("profiles", "/Common/http, /Common/tcp, /Common/clientssl;client, /web/x;server")),
			want: []string{
				"virtual-server 80: profile /Common/clientssl clientside", "virtual-server 80: profile /Common/http all",
				"virtual-server 80: profile /web/x serverside",
			},
		},
		{
			name: "the protocol's own beside others that carry none", svc: deli(with("profiles", "/Common/http, /Common/serverssl")),
			want: []string{"virtual-server 80: profile /Common/http all", "virtual-server 80: profile /Common/serverssl serverside"},
		},
		{
			name: "one for each side", svc: deli(with("profiles", "/Common/f5-tcp-wan;client, /Common/f5-tcp-lan;server")),
			want: []string{"virtual-server 80: profile /Common/f5-tcp-lan serverside", "virtual-server 80: profile /Common/f5-tcp-wan clientside"},
		},
		{name: "iRules in their order", svc: deli(with("irules", "/Common/b, /Common/a")), want: []string{"virtual-server 80: irules /Common/b, /Common/a"}},
		{
			name: "policies and VLANs in any", svc: deli(with("ltm-policies", "/Common/q,/Common/p"), with("vlans", "/Common/int, /Common/ext")),
			want: []string{"virtual-server 80: policy /Common/p", "virtual-server 80: policy /Common/q", "virtual-server 80: vlan /Common/ext", "virtual-server 80: vlan /Common/int"},
		},
		{name: "a SNAT pool", svc: deli(with("snat", "/Common/pool")), want: []string{"virtual-server 80: snat /Common/pool"}},
		{name: "a limit", svc: deli(with("connection-limit", "500")), want: []string{"virtual-server 80: connection-limit 500"}},

		{name: "the device's persistence by address", svc: deli(with("persistence", "source-address")), want: []string{"virtual-server 80: persistence /Common/source_addr"}},
		{
			name: "by cookie", svc: deli(with("persistence", "cookie"), with("profiles", "/Common/http")),
			want: []string{"virtual-server 80: persistence /Common/cookie", "virtual-server 80: profile /Common/http all"},
		},
		{name: "by a profile", svc: deli(with("persistence", "/Common/hash")), want: []string{"virtual-server 80: persistence /Common/hash"}},
		{name: "sessionAffinity, three hours without a word", svc: deli(affinity(0)), want: []string{"persistence 80_p: timeout 10800", "virtual-server 80: persistence 80_p"}},
		{name: "sessionAffinity with a timeout", svc: deli(affinity(60)), want: []string{"persistence 80_p: timeout 60", "virtual-server 80: persistence 80_p"}},
		{
			name: "source-address takes that timeout", svc: deli(affinity(60), with("persistence", "source-address")),
			want: []string{"persistence 80_p: timeout 60", "virtual-server 80: persistence 80_p"},
		},
		{name: "an annotation overrides it", svc: deli(affinity(60), with("persistence", "/Common/hash")), want: []string{"virtual-server 80: persistence /Common/hash"}},
		{name: "also to nothing", svc: deli(affinity(60), with("persistence", "none")), want: nil},

		{
			name: "a class", svc: deli(with("class", "secure")), want: []string{
				"monitor 80_m1: interval 10", `monitor 80_m1: receive "^HTTP/1[.][01] [23][0-9][0-9]"`, `monitor 80_m1: send "GET /ready` + request, "monitor 80_m1: timeout 31", "monitor 80_m1: type https",
				"pool 80: monitor 80_m1", "virtual-server 80: persistence /Common/cookie", "virtual-server 80: profile /Common/clientssl clientside",
				"virtual-server 80: profile /Common/http all", "virtual-server 80: snat none",
			},
		},
		{name: "a class granted by a glob opts in by itself", svc: deli(with("partition", "-"), with("class", "plain-tcp")), want: []string{"virtual-server 80: connection-limit 100", "virtual-server 80: profile /Common/f5-tcp-lan all"}},
		{
			name: "an annotation overrides a class", svc: deli(with("class", "plain-tcp"), with("connection-limit", "0"), with("profiles", "/Common/tcp")),
			want: nil,
		},
		{
			name: "key with port, key, class with port, class",
			svc: deli(web, with("class", "secure"), with("class.http", "plain-tcp"), with("snat.https", "automap"), with("connection-limit", "7"), with("connection-limit.https", "8"),
				with("monitor", "tcp"), with("monitor-interval", "5"), with("persistence", "none")),
			want: []string{
				"virtual-server 443: connection-limit 8", "virtual-server 443: destination 203.0.113.20:443/tcp", "virtual-server 443: pool 443",
				"virtual-server 443: profile /Common/clientssl clientside", "virtual-server 443: profile /Common/http all",
				"virtual-server 80: connection-limit 7", "virtual-server 80: profile /Common/f5-tcp-lan all", "virtual-server 80: snat none",
			},
		},
		{name: "a route domain that a granted range carries", svc: deli(with("virtual-address", "203.0.113.20%2")), want: []string{"virtual-server 80: destination 203.0.113.20%2:80/tcp"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			same(t, test.want, shape(t, translate.Service(translate.Input{Service: test.svc}, settingsPolicy(t))))
		})
	}
}

// Members behind an address in a route domain are reached through it.
func TestMembersTakeTheRouteDomain(t *testing.T) {
	t.Parallel()
	r := translate.Service(translate.Input{
		Service: deli(with("virtual-address", "203.0.113.20%2")), Slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", isReady))},
	}, settingsPolicy(t))
	same(t, []string{"10.0.0.1%2:8080"}, members(t, r))
}

// Each is refused before it is sent, with the device's own words where it has
// them.
func TestBadSettings(t *testing.T) {
	t.Parallel()
	web := ports(port("http", 80, "TCP"), port("https", 443, "TCP"))
	for _, test := range []struct {
		name    string
		svc     *corev1.Service
		problem string
	}{
		{"a bad value", deli(with("snat", "auto")), `BadAnnotation: landbridge.dev/snat: "auto" must be automap, none, or the full path of a SNAT pool`},
		{"also where a port's own key overrides it", deli(with("snat", "auto"), with("snat.80", "automap")), `BadAnnotation: landbridge.dev/snat: "auto" must be automap`},
		{"with a port", deli(web, with("monitor.https", "https")), `BadAnnotation: landbridge.dev/monitor.https: "https": must be https METHOD /PATH`},
		{"two keys for one port", deli(web, with("snat.https", "none"), with("snat.443", "none")), "BadAnnotation: landbridge.dev/snat.443 and landbridge.dev/snat.https name the same port; keep one"},
		{"a mode that needs what is not set", deli(with("load-balancing-mode", "weighted-least-connections-member")), `needs a connection limit on every member or node`},
		{"an interval that no monitor takes", deli(with("monitor", "/Common/m"), with("monitor-interval", "5")), "BadAnnotation: landbridge.dev/monitor-interval has no effect"},
		{"a timeout within the interval", deli(with("monitor-interval", "30"), with("monitor-timeout", "30")), "BadAnnotation: landbridge.dev/monitor-timeout: the timeout of 30 s must be more than the interval of 30 s"},
		{"a timeout within the interval that every monitor has", deli(with("monitor-timeout", "5")), "BadAnnotation: landbridge.dev/monitor-timeout: the timeout of 5 s must be more than the interval of 5 s"},
		{"another protocol's profile", deli(with("profiles", "/Common/udp")), "BadAnnotation: landbridge.dev/profiles: /Common/udp: the virtual server lists profiles incompatible with its protocol: /Common/udp on a TCP port"},
		{"two of a kind", deli(with("profiles", "/Common/tcp, /Common/f5-tcp-lan")), "the virtual server lists duplicate profiles: /Common/tcp and /Common/f5-tcp-lan"},
		{"fast beside another protocol", deli(with("profiles", "/Common/fastL4, /Common/tcp")), "found disallowed profile: not any of (FastL4 Profile, FastHTTP Profile)"},
		{"one side alone", deli(with("profiles", "/Common/tcp;client, /Common/http")), "less than the required minimum number of profiles found: exactly 1 of (TCP Profile (serverside))"},
		{"a TLS profile on the wrong side", deli(with("profiles", "/Common/tcp, /Common/clientssl;server")), "/Common/clientssl serves the other side"},
		{"cookies without HTTP", deli(with("persistence", "cookie")), "BadAnnotation: landbridge.dev/persistence: cookie: Cookie persistence requires an HTTP or FastHTTP profile"},
		{"cookies with profiles that are all known", deli(with("persistence", "cookie"), with("profiles", "/Common/tcp")), "Cookie persistence requires an HTTP or FastHTTP profile"},
		{"cookies of a class without HTTP", deli(with("class", "secure"), with("profiles", "/Common/tcp")), "BadAnnotation: class secure: persistence: cookie: Cookie persistence requires"},
		{"a class that does not exist", deli(with("class", "gold")), `UnknownClass: landbridge.dev/class: there is no class "gold" in the configuration`},
		{"a class that is not granted", deli(with("class", "hidden")), "NotGranted: landbridge.dev/class: hidden is not granted to namespace deli for partition web on device dc1 beside all else that it asks for; granted are: plain-*, secure"},
		{"a class of a port that is not granted", deli(web, with("class.https", "hidden")), "NotGranted: landbridge.dev/class.https: hidden is not granted"},
		{"a path that is not granted", deli(with("irules", "/Common/x")), "NotGranted: landbridge.dev/irules: /Common/x is not granted to namespace deli for partition web on device dc1 beside all else that it asks for; granted are: /Common/a, /Common/b, /Common/c"},
		{"paths of two entries", deli(with("irules", "/Common/a, /Common/c")), "NotGranted: landbridge.dev/irules: /Common/c is not granted"},
		{"a path and a class of two entries", deli(with("irules", "/Common/c"), with("class", "secure")), "NotGranted: landbridge.dev/irules: /Common/c is not granted"},
		{"a path and an address of two entries", deli(with("irules", "/Common/c"), with("virtual-address", "203.0.113.20%2")), "AddressNotGranted: landbridge.dev/virtual-address: 203.0.113.20%2"},
		{"a monitor that is not granted", deli(with("monitor", "tcp + /Common/x")), "NotGranted: landbridge.dev/monitor: /Common/x"},
		{"a SNAT pool that is not granted", deli(with("snat", "/Common/x")), "NotGranted: landbridge.dev/snat: /Common/x"},
		{"a VLAN that is not granted", deli(with("vlans", "/web/x")), "NotGranted: landbridge.dev/vlans: /web/x"},
		{"a policy that is not granted", deli(with("ltm-policies", "/Common/x")), "NotGranted: landbridge.dev/ltm-policies: /Common/x"},
		{"a persistence profile that is not granted", deli(with("persistence", "/Common/x")), "NotGranted: landbridge.dev/persistence: /Common/x"},
		{"a port's path that is not granted", deli(web, with("irules.https", "/Common/x")), "NotGranted: landbridge.dev/irules.https: /Common/x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := told(translate.Service(translate.Input{Service: test.svc}, settingsPolicy(t)))
			if got.Mode != "hold" {
				t.Errorf("mode %s", got.Mode)
			}
			if len(got.Problems) != 1 || !strings.Contains(got.Problems[0], test.problem) {
				t.Errorf("problems %q\nwant one with %q", got.Problems, test.problem)
			}
		})
	}
}

// What an object of a class cannot refer to is found out before the device is
// asked (01070726).
func TestPartitionsThatCannotReferToEachOther(t *testing.T) {
	t.Parallel()
	p := settingsPolicy(t)
	p.Config.Classes["secure"]["irules"] = "/api/x"
	got := told(translate.Service(translate.Input{Service: deli(with("class", "secure"))}, p))
	same(t, []string{"BadAnnotation: class secure: irules: /api/x: an object in partition web cannot reference one in partition api; use one in web or Common"}, got.Problems)
}

func TestSourceRanges(t *testing.T) {
	t.Parallel()
	from := func(ranges ...string) serviceOption {
		return func(s *corev1.Service) {
			s.Spec.Type, s.Spec.LoadBalancerSourceRanges = corev1.ServiceTypeLoadBalancer, ranges
		}
	}
	const both = "203.0.113.20,2001:db8:1::20"
	rule := func(path string) []string {
		return []string{
			"irule " + path + ": text 001 when CLIENT_ACCEPTED {",
			`irule ` + path + `: text 002     if { ![class match -- [getfield [IP::client_addr] "%" 1] equals ` + path + `] } {`,
			"irule " + path + ": text 003         reject",
			"irule " + path + ": text 004     }",
			"irule " + path + ": text 005 }",
		}
	}
	six := []string{
		"virtual-server 80_v6: destination [2001:db8:1::20]:80/tcp", "virtual-server 80_v6: pool 80_v6",
	}
	for _, test := range []struct {
		name string
		svc  *corev1.Service
		want []string
	}{
		{"one prefix is the virtual server's source", deli(from("192.0.2.77/24")), []string{"virtual-server 80: source 192.0.2.0/24"}},
		{
			"several are a data group and an iRule before all others", deli(from("198.51.100.0/24", "192.0.2.0/24"), with("irules", "/Common/a")),
			slices.Concat([]string{"data-group 80_src: prefix 192.0.2.0/24", "data-group 80_src: prefix 198.51.100.0/24"}, rule("80_src"), []string{"virtual-server 80: irules 80_src, /Common/a"}),
		},
		{"one written twice is one", deli(from("192.0.2.0/24", " 192.0.2.1/24 ")), []string{"virtual-server 80: source 192.0.2.0/24"}},
		{"everybody among them", deli(from("192.0.2.0/24", "0.0.0.0/0")), nil},
		{
			"each family has its own", deli(from("192.0.2.0/24", "2001:db8::/32"), with("virtual-address", both)),
			slices.Concat([]string{"virtual-server 80: source 192.0.2.0/24"}, six, []string{"virtual-server 80_v6: source 2001:db8::/32"}),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			same(t, test.want, shape(t, translate.Service(translate.Input{Service: test.svc}, settingsPolicy(t))))
		})
	}
	for name, test := range map[string]struct {
		svc     *corev1.Service
		problem string
	}{
		"no prefix of a family": {
			deli(from("192.0.2.0/24"), with("virtual-address", both)),
			"BadSourceRange: spec.loadBalancerSourceRanges names no IPv6 prefix, and the Service has an IPv6 address: add one, ::/0 for everybody",
		},
		"no prefix": {deli(from("192.0.2.1")), "BadSourceRange: spec.loadBalancerSourceRanges: 192.0.2.1 is not a prefix such as 192.0.2.0/24"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := told(translate.Service(translate.Input{Service: test.svc}, settingsPolicy(t)))
			if got.Mode != "hold" {
				t.Errorf("mode %s", got.Mode)
			}
			same(t, []string{test.problem}, got.Problems)
		})
	}
}

// Node ports that answer for their own pods alone: nodes count for as many as
// they have, and kube-proxy's health check is asked.
func TestLocalNodePorts(t *testing.T) {
	t.Parallel()
	check := func(s *corev1.Service) { s.Spec.HealthCheckNodePort = 32000 }
	in := func(options ...serviceOption) translate.Input {
		return translate.Input{
			Service: deli(append([]serviceOption{with("member-type", "nodeport"), nodePorts, local}, options...)...),
			Slices:  []*discoveryv1.EndpointSlice{slice(podOn("n1", "10.0.0.1", isReady), podOn("n1", "10.0.0.2", isReady), podOn("n2", "10.0.0.3", isReady), podOn("n2", "10.0.0.4", notReady))},
			Nodes:   []*corev1.Node{node("n1", "192.0.2.1"), node("n2", "192.0.2.2"), node("n3", "192.0.2.3")},
		}
	}
	for _, test := range []struct {
		name    string
		options []serviceOption
		want    []string // settings
		members []string
	}{
		{
			name: "by ratio", want: []string{"pool 80: mode ratio-member"},
			members: []string{"192.0.2.1:30000 ratio 2", "192.0.2.2:30000"},
		},
		{
			name: "another mode looks at no ratio", options: []serviceOption{with("load-balancing-mode", "round-robin")},
			members: []string{"192.0.2.1:30000", "192.0.2.2:30000"},
		},
		{
			name: "a health check of the Service", options: []serviceOption{check}, want: []string{
				"monitor 80_m1: interval 5", "monitor 80_m1: port 32000", `monitor 80_m1: receive "^HTTP/1[.][01] 200"`,
				`monitor 80_m1: send "GET /healthz HTTP/1.1\\r\\nHost: cart.deli.svc\\r\\nConnection: Close\\r\\n\\r\\n"`, "monitor 80_m1: timeout 16", "monitor 80_m1: type http",
				"pool 80: mode ratio-member", "pool 80: monitor 80_m1",
			},
			members: []string{"192.0.2.1:30000 ratio 2", "192.0.2.2:30000"},
		},
		{
			name: "another monitor is written", options: []serviceOption{check, with("monitor", "tcp")}, want: []string{"pool 80: mode ratio-member"},
			members: []string{"192.0.2.1:30000 ratio 2", "192.0.2.2:30000"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := translate.Service(in(test.options...), settingsPolicy(t))
			same(t, test.want, shape(t, r))
			same(t, test.members, members(t, r))
		})
	}
	// With pods as members the policy has no effect.
	pods := in(check, with("member-type", "pod"))
	same(t, []string(nil), shape(t, translate.Service(pods, settingsPolicy(t))))
}

func TestAffinityBehindSNAT(t *testing.T) {
	t.Parallel()
	affine := func(s *corev1.Service) { s.Spec.SessionAffinity = corev1.ServiceAffinityClientIP }
	for _, test := range []struct {
		name    string
		options []serviceOption
		warned  bool
	}{
		{"node ports and SNAT", []serviceOption{with("member-type", "nodeport"), affine}, true},
		{"without SNAT", []serviceOption{with("member-type", "nodeport"), affine, with("snat", "none")}, false},
		{"without affinity", []serviceOption{with("member-type", "nodeport")}, false},
		{"pods", []serviceOption{affine}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := translate.Service(translate.Input{
				Service: deli(append([]serviceOption{nodePorts}, test.options...)...), Nodes: []*corev1.Node{node("n1", "192.0.2.1")},
			}, settingsPolicy(t))
			if r.Want.Mode != state.Follow || len(r.Problems) > 0 {
				t.Errorf("mode %s, problems %v", r.Want.Mode, r.Problems)
			}
			if warned := len(r.Warnings) == 1 && r.Warnings[0].Reason == "AffinityBehindSNAT"; warned != test.warned {
				t.Errorf("warnings %v", r.Warnings)
			}
		})
	}
}
