package translate_test

import (
	"slices"
	"strings"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"

	"landbridge.dev/sync/translate"
)

// Two ports cannot have one pool of others: each would take the other's members
// out. Nothing is asked of it then, so that neither does.
func TestDoubled(t *testing.T) {
	t.Parallel()
	const (
		several  = "the Service has several ports; write "
		oneAlone = " already, and one port alone has its members there; name another, or take one of them away"
	)
	for _, test := range []struct {
		name     string
		options  []serviceOption
		problems []string
		objects  []string
	}{
		{
			name:    "two ports join one pool",
			options: []serviceOption{with("join-pool.http", "/web/legacy_admin"), with("join-pool.admin", "/web/legacy_admin")},
			problems: []string{
				"BadAnnotation: landbridge.dev/join-pool.admin: /web/legacy_admin is that of landbridge.dev/join-pool.http" + oneAlone,
			},
		},
		{
			name:    "two ports adopt one virtual server",
			options: []serviceOption{with("adopt.http", "/web/shop_vs"), with("adopt.admin", "/web/shop_vs")},
			problems: []string{
				"BadAnnotation: landbridge.dev/adopt.admin: /web/shop_vs is that of landbridge.dev/adopt.http" + oneAlone,
			},
		},
		{
			name:     "several ports, and no word which",
			options:  []serviceOption{with("join-pool", "/web/legacy_admin")},
			problems: []string{"BadAnnotation: landbridge.dev/join-pool: " + several + "landbridge.dev/join-pool.http and the like"},
		},
		{
			name:    "a third port goes on",
			options: []serviceOption{with("join-pool.http", "/web/legacy_admin"), with("join-pool.admin", "/web/legacy_admin"), with("join-pool.more", "/web/legacy_more")},
			problems: []string{
				"BadAnnotation: landbridge.dev/join-pool.admin: /web/legacy_admin is that of landbridge.dev/join-pool.http" + oneAlone,
			},
			objects: []string{"pool /web/legacy_more, 10.0.0.1:8082"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			of := ports(port("http", 80, "TCP"), port("admin", 81, "TCP"), port("more", 82, "TCP"))
			endpoints := slicePorts(slicePort("http", 8080, "TCP"), slicePort("admin", 8081, "TCP"), slicePort("more", 8082, "TCP"))
			endpoints.Endpoints = []discoveryv1.Endpoint{pod("10.0.0.1", isReady)}
			got := told(translate.Service(translate.Input{
				Service: lent(slices.Concat([]serviceOption{of}, test.options)...), Slices: []*discoveryv1.EndpointSlice{endpoints},
			}, policy(t, lending)))
			if got.Mode != "hold" {
				t.Errorf("mode %s", got.Mode)
			}
			same(t, test.problems, got.Problems)
			same(t, strings.Join(test.objects, "; "), strings.Join(got.Objects, "; "))
		})
	}
}
