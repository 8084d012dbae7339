package translate_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/config"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

func TestPodNetworks(t *testing.T) {
	t.Parallel()
	networkNode := func(name, address string) *corev1.Node {
		return &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Status:     corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}}},
		}
	}
	leaving := networkNode("c", "172.18.0.4")
	leaving.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	of := func(pairs ...string) (all []translate.NodeNetwork) {
		for pair := range slices.Chunk(pairs, 2) {
			all = append(all, translate.NodeNetwork{Prefix: netip.MustParsePrefix(pair[0]), Node: pair[1]})
		}
		return all
	}
	nodes := []*corev1.Node{networkNode("a", "172.18.0.2"), networkNode("b", "172.18.0.3"), leaving}
	two := of("10.244.1.0/24", "a", "10.244.2.0/24", "b")
	for _, c := range []struct {
		name   string
		in     translate.Networks
		change func(*config.Config)
		want   []string // "prefix via next hop"
		mode   state.Mode
		reason string
	}{
		{name: "each by its node", in: translate.Networks{Nodes: nodes, Of: two, Known: true}, want: []string{"10.244.1.0/24 via 172.18.0.2", "10.244.2.0/24 via 172.18.0.3"}},
		{name: "off", in: translate.Networks{Nodes: nodes, Of: two, Known: true}, change: func(c *config.Config) { c.BGP.PodNetworks.Source = config.PodNetworksNone }},
		{
			name: "an endpoint elsewhere", reason: "NetworkElsewhere",
			in:   translate.Networks{Nodes: nodes, Of: two, Known: true, Astray: map[netip.Prefix]string{netip.MustParsePrefix("10.244.1.0/24"): "10.244.1.7 on b"}},
			want: []string{"10.244.1.0/24 via ", "10.244.2.0/24 via 172.18.0.3"},
		},
		{name: "two nodes have it", reason: "NetworkTwice", in: translate.Networks{Nodes: nodes, Of: of("10.244.1.0/24", "a", "10.244.1.0/24", "b"), Known: true}, want: []string{"10.244.1.0/24 via "}},
		{name: "the same said twice", in: translate.Networks{Nodes: nodes, Of: of("10.244.1.0/24", "a", "10.244.1.0/24", "a"), Known: true}, want: []string{"10.244.1.0/24 via 172.18.0.2"}},
		{name: "nodes that are gone or go", in: translate.Networks{Nodes: nodes, Of: of("10.244.3.0/24", "c", "10.244.4.0/24", "d"), Known: true}},
		{name: "no address of the family", reason: "NoNextHop", in: translate.Networks{Nodes: nodes, Of: of("fd00:244:1::/64", "a"), Known: true}, want: []string{"fd00:244:1::/64 via "}},
		{
			name: "never announced", reason: "NeverAnnounced", in: translate.Networks{Nodes: nodes, Of: two, Known: true},
			change: func(c *config.Config) {
				c.BGP.NeverAnnounce = []config.Prefix{{Prefix: netip.MustParsePrefix("10.244.1.0/24")}}
			},
			want: []string{"10.244.2.0/24 via 172.18.0.3"},
		},
		{name: "no node from a fresh cache", reason: "NoNodes", mode: state.Still, in: translate.Networks{Of: two, Known: true}},
		{name: "no network from a fresh cache", reason: "NoNodes", mode: state.Still, in: translate.Networks{Nodes: nodes, Known: true}},
		{name: "a source that is not there", reason: "NetworksUnknown", mode: state.Still, in: translate.Networks{Nodes: nodes}},
		{name: "only planned", reason: "PlanOnly", mode: state.Still, in: translate.Networks{Nodes: nodes, Of: two, Known: true}, change: func(c *config.Config) { c.Mode = config.ModePlan }},
		{
			name: "paused: as it was, also after a restart", mode: state.Still, in: translate.Networks{Nodes: nodes, Of: two, Known: true},
			change: func(c *config.Config) { c.Paused = true },
			want:   []string{"10.244.1.0/24 via 172.18.0.2", "10.244.2.0/24 via 172.18.0.3"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conf := &config.Config{Cluster: "prod", BGP: &config.BGP{Peers: []config.Peer{{Name: "tor-b"}, {Name: "tor-a"}}, PodNetworks: config.PodNetworks{Source: config.PodNetworksNode}}}
			if c.change != nil {
				c.change(conf)
			}
			got := translate.PodNetworks(c.in, translate.Policy{Config: conf, Identity: state.Identity{Cluster: "prod", UID: "0a1b2c3d"}})
			var lines []string
			for _, o := range got.Want.Objects {
				r := o.(*state.Route)
				line := r.Prefix.String() + " via "
				for _, h := range r.NextHops {
					line += h.Address.String()
				}
				lines = append(lines, line)
				if !slices.Equal(r.Peers, []string{"tor-a", "tor-b"}) {
					t.Errorf("%s is announced to %v", r.Prefix, r.Peers)
				}
			}
			if diff := cmp.Diff(c.want, lines); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			reason := ""
			if said := slices.Concat(got.Problems, got.Warnings); len(said) > 0 {
				reason = said[0].Reason
			}
			if reason != c.reason || got.Want.Mode != c.mode || got.Want.Routes != c.mode {
				t.Errorf("reason %q, mode %v, want %q, %v", reason, got.Want.Mode, c.reason, c.mode)
			}
		})
	}
}
