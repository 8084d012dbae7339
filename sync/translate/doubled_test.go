package translate_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"landbridge.dev/sync/translate"
)

// Two ports cannot have one pool of others where they want different members:
// each would take the other's out. It is held then, and members of both follow
// that stand. Where they want the same, it is asked for once.
func TestDoubled(t *testing.T) {
	t.Parallel()
	const (
		several  = "the Service has several ports; write "
		oneAlone = " already, and one port alone has its members there; name another, or take one of them away"
	)
	var (
		of        = []corev1.ServicePort{port("http", 80, "TCP"), port("admin", 81, "TCP"), port("more", 82, "TCP")}
		endpoints = []discoveryv1.EndpointPort{slicePort("http", 8080, "TCP"), slicePort("admin", 8081, "TCP"), slicePort("more", 8082, "TCP")}
		dns       = []corev1.ServicePort{port("53-tcp", 53, "TCP"), port("53-udp", 53, "UDP"), port("alt", 54, "TCP"), port("metrics", 9153, "TCP")}
		dnsOf     = []discoveryv1.EndpointPort{slicePort("53-tcp", 5353, "TCP"), slicePort("53-udp", 5353, "UDP"), slicePort("alt", 5353, "TCP"), slicePort("metrics", 9153, "TCP")}
		dnsPool   = []serviceOption{with("join-pool.53-tcp", "/web/legacy_dns"), with("join-pool.53-udp", "/web/legacy_dns")}
	)
	for _, test := range []struct {
		name     string
		ports    []corev1.ServicePort // nil: of
		options  []serviceOption
		mode     string // "": hold
		problems []string
		objects  []string
	}{
		{
			name: "two ports want the same of the pool that they join", ports: dns, options: dnsPool, mode: "follow",
			objects: []string{"pool /web/legacy_dns, 10.0.0.1:5353"},
		},
		{
			name: "two ports want the same of the virtual server that they adopt", ports: dns, mode: "follow",
			options: []serviceOption{with("adopt.53-tcp", "/web/shop_vs"), with("adopt.alt", "/web/shop_vs")},
			objects: []string{"pool /web/shop_vs, 10.0.0.1:5353", "virtual /web/shop_vs on invalid IP:0/ of bigip/dc1"},
		},
		{
			name: "with different settings they do not", ports: dns, options: append(slices.Clone(dnsPool), with("drain-timeout.53-udp", "5s")),
			problems: []string{"BadAnnotation: landbridge.dev/join-pool.53-udp: /web/legacy_dns is that of landbridge.dev/join-pool.53-tcp" + oneAlone},
			objects:  []string{"pool /web/legacy_dns, 10.0.0.1:5353"},
		},
		{
			name: "a third wants something else", ports: dns, options: append(slices.Clone(dnsPool), with("join-pool.metrics", "/web/legacy_dns")),
			problems: []string{"BadAnnotation: landbridge.dev/join-pool.metrics: /web/legacy_dns is that of landbridge.dev/join-pool.53-tcp" + oneAlone},
			objects:  []string{"pool /web/legacy_dns, 10.0.0.1:5353, beside 10.0.0.1:9153"},
		},
		{
			name:    "two ports join one pool",
			options: []serviceOption{with("join-pool.http", "/web/legacy_admin"), with("join-pool.admin", "/web/legacy_admin")},
			problems: []string{
				"BadAnnotation: landbridge.dev/join-pool.admin: /web/legacy_admin is that of landbridge.dev/join-pool.http" + oneAlone,
			},
			objects: []string{"pool /web/legacy_admin, 10.0.0.1:8080, beside 10.0.0.1:8081"},
		},
		{
			name:    "two ports adopt one virtual server",
			options: []serviceOption{with("adopt.http", "/web/shop_vs"), with("adopt.admin", "/web/shop_vs")},
			problems: []string{
				"BadAnnotation: landbridge.dev/adopt.admin: /web/shop_vs is that of landbridge.dev/adopt.http" + oneAlone,
			},
			objects: []string{"pool /web/shop_vs, 10.0.0.1:8080, beside 10.0.0.1:8081", "virtual /web/shop_vs on invalid IP:0/ of bigip/dc1"},
		},
		{
			name:     "several ports, and no word which",
			options:  []serviceOption{with("join-pool", "/web/legacy_admin")},
			problems: []string{"BadAnnotation: landbridge.dev/join-pool: " + several + "landbridge.dev/join-pool.http and the like"},
			objects:  []string{"pool /web/legacy_admin, 10.0.0.1:8080, beside 10.0.0.1:8081, beside 10.0.0.1:8082"},
		},
		{
			name:    "a third port goes on",
			options: []serviceOption{with("join-pool.http", "/web/legacy_admin"), with("join-pool.admin", "/web/legacy_admin"), with("join-pool.more", "/web/legacy_more")},
			problems: []string{
				"BadAnnotation: landbridge.dev/join-pool.admin: /web/legacy_admin is that of landbridge.dev/join-pool.http" + oneAlone,
			},
			objects: []string{"pool /web/legacy_admin, 10.0.0.1:8080, beside 10.0.0.1:8081", "pool /web/legacy_more, 10.0.0.1:8082"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			mode, asked, list := cmp.Or(test.mode, "hold"), of, slicePorts(endpoints...)
			if test.ports != nil {
				asked, list = test.ports, slicePorts(dnsOf...)
			}
			list.Endpoints = []discoveryv1.Endpoint{pod("10.0.0.1", isReady)}
			got := told(translate.Service(translate.Input{
				Service: lent(slices.Concat([]serviceOption{ports(asked...)}, test.options)...), Slices: []*discoveryv1.EndpointSlice{list},
			}, policy(t, lending)))
			if got.Mode != mode {
				t.Errorf("mode %s, want %s", got.Mode, mode)
			}
			same(t, test.problems, got.Problems)
			same(t, strings.Join(test.objects, "; "), strings.Join(got.Objects, "; "))
		})
	}
}
