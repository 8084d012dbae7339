package histories

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"
)

// values are what people write for the annotations that say how a virtual
// server and a pool are to be, the usual ones first; the last of each is bad,
// not granted, or not on the device.
func values() map[string][]string {
	return map[string][]string{
		"load-balancing-mode": {"least-connections-member", "ratio-member", "roundrobin"},
		"monitor": {
			"http GET /healthz", "https GET /healthz 200 + tcp", "udp", "none", "/Common/http", "http GET / 2xx + http GET /ready", "/Common/gone_monitor",
		},
		"monitor-interval": {"7", "10", "5s"},
		"monitor-timeout":  {"31", "45", "1"},
		"profiles":         {"/Common/tcp-lan-optimized", "/Common/tcp, /Common/http", "/Common/http", "/web/secret"},
		"irules":           {"/Common/people_rule", "/Common/gone_rule"},
		"ltm-policies":     {"/Common/people_policy", "/Common/gone_policy"},
		"vlans":            {"/Common/people_vlan", "/Common/gone_vlan"},
		"persistence":      {"source-address", "none", "/Common/dest_addr", "cookie"},
		"snat":             {"none", "/Common/people_snat", "/Common/gone_snat"},
		"connection-limit": {"1000", "0", "many"},
		"class":            {"fast", "calm", "slow"},
		"vm-members":       {"10.20.0.1", "10.20.0.1, 10.20.0.2", "10.20.0.2, 10.20.0.3, 2001:db8:20::1", "192.0.2.9"},
		"pod-share":        {"0", "1", "25", "50", "99", "100", "200"},
		"fallback":         {"vms", "both", "none", "some"},
		"address-pool":     {"given", "public", "none"},
		"bgp-peers":        {"tor-a", "tor-b", "tor-a, tor-b", "tor-c"},
		"bgp-communities":  {"64512:1", "64512:1, 64512:2", "65000:1"},
		"bgp-med":          {"10", "20", "-1"},
	}
}

// personal is a call that a person makes: what is posted to a kind of iControl
// REST.
type personal struct {
	kind string
	body map[string]any
}

// theirs are the calls by which people have made what ours may refer to.
func theirs() []personal {
	return []personal{
		{"net/vlan", map[string]any{"name": "people_vlan", "tag": 100}}, // of which each unit has its own
		{"ltm/rule", map[string]any{"name": "people_rule", "apiAnonymous": "when CLIENT_ACCEPTED { }"}},
		{"ltm/snatpool", map[string]any{"name": "people_snat", "members": []any{"/Common/198.51.100.77"}}},
		{"ltm/policy", map[string]any{"name": "people_policy", "subPath": "Drafts", "strategy": "/Common/first-match"}},
		{"ltm/policy", map[string]any{"command": "publish", "name": "/Common/Drafts/people_policy"}},
	}
}

// classesYAML are the classes of the configuration, and uses what tenants may
// use besides addresses.
const (
	classesYAML = `classes:
  fast: {load-balancing-mode: least-connections-member, snat: none, monitor: http GET /fast}
  calm: {connection-limit: "500", drain-timeout: 30s, irules: /Common/people_rule}
`
	uses = `classes: ["*"], profiles: ["/Common/*"], irules: ["/Common/*"], ltmPolicies: ["/Common/*"], vlans: ["/Common/*"], snatPools: ["/Common/*"], ` +
		`monitors: ["/Common/*"], persistence: ["/Common/*"], vmCIDRs: [10.20.0.0/16, "2001:db8:20::/48"]`
)

// drawSettings draws some of values, each for the whole Service or for its
// first port.
func drawSettings(t *rapid.T) map[string]string {
	settings := map[string]string{}
	all := values()
	for range pick(t, "how many settings", 0, 0, 0, 1, 1, 2, 4) {
		key := pick(t, "setting", slices.Sorted(maps.Keys(all))...)
		of := all[key]
		value := mostly(t, "value", pick(t, "good value", of[:len(of)-1]...), of[len(of)-1])
		settings[key+pick(t, "of", "", "", "", firstPort)] = value
	}
	for _, key := range pick(t, "two sides", nil, nil, nil, []string{"vm-members"}, []string{"vm-members", "pod-share"}, []string{"vm-members", "pod-share", "fallback"}) {
		of := all[key]
		settings[key] = mostly(t, "value", pick(t, "good value", of[:len(of)-1]...), of[len(of)-1])
	}
	if len(settings) == 0 {
		return nil
	}
	return settings
}

// firstPort stands at the end of a key for the Service's first port.
const firstPort = ".port"

// settingsText writes settings in one line.
func settingsText(settings map[string]string) string {
	var words []string
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		words = append(words, key+"="+settings[key])
	}
	return strings.Join(words, " ")
}

// affinity is sessionAffinity: ClientIP with another timeout than usual.
func affinity(svc *corev1.Service) {
	svc.Spec.SessionAffinity = corev1.ServiceAffinityClientIP
	svc.Spec.SessionAffinityConfig = &corev1.SessionAffinityConfig{ClientIP: &corev1.ClientIPConfig{TimeoutSeconds: new(int32(600))}}
}
