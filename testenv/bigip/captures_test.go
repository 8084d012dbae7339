package bigip_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/testenv/bigip"
	"landbridge.dev/testenv/bigip/mcp"
)

// captureDir is where captures of real devices lie when they are at hand; they
// are not part of the repository.
const captureDir = "../../../shared/captures/bigip/genieparser"

// readCapture reads one captured answer; false when it is not at hand.
func readCapture(t *testing.T, name string) (map[string]any, bool) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(captureDir, name+".json"))
	if os.IsNotExist(err) {
		return nil, false
	}
	if err != nil {
		t.Fatal(err)
	}
	v, err := mcp.DecodeJSON(data)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v.(map[string]any), true
}

func itemsOf(answer map[string]any) []map[string]any {
	list, _ := answer["items"].([]any)
	out := make([]map[string]any, 0, len(list))
	for _, e := range list {
		out = append(out, e.(map[string]any))
	}
	return out
}

// TestCapturedCollections builds every captured object through the API and
// compares each key, type and value of what a GET then shows.
func TestCapturedCollections(t *testing.T) {
	t.Parallel()
	d := device(t, bigip.Options{})
	for _, r := range []string{"SNAT-39", "SNAT-10-197-225.tcl"} {
		must(t, d, "POST", "/mgmt/tm/ltm/rule", m{"name": r, "apiAnonymous": "when CLIENT_ACCEPTED { }"})
	}
	for _, c := range []struct {
		file, kind string
		ignore     []string // what differs from box to box
	}{
		{file: "net_vlan", kind: "net/vlan", ignore: []string{"ifIndex"}},
		{file: "net_self", kind: "net/self"},
		{file: "net_route", kind: "net/route"},
		{file: "ltm_monitorhttp", kind: "ltm/monitor/http"},
		{file: "ltm_monitorhttps", kind: "ltm/monitor/https"},
		{file: "ltm_monitortcp", kind: "ltm/monitor/tcp"},
		{file: "ltm_monitortcp_half_open", kind: "ltm/monitor/tcp-half-open"},
		{file: "ltm_monitortcp_echo", kind: "ltm/monitor/tcp-echo"},
		{file: "ltm_monitorudp", kind: "ltm/monitor/udp"},
		{file: "ltm_monitoricmp", kind: "ltm/monitor/icmp"},
		{file: "ltm_monitorgateway_icmp", kind: "ltm/monitor/gateway-icmp"},
		{file: "ltm_monitorexternal", kind: "ltm/monitor/external"},
		{file: "ltm_monitorinband", kind: "ltm/monitor/inband"},
		{file: "ltm_monitornone", kind: "ltm/monitor/none"},
		{file: "ltm_profiletcp", kind: "ltm/profile/tcp"},
		{file: "ltm_profileudp", kind: "ltm/profile/udp"},
		{file: "ltm_profilefastl4", kind: "ltm/profile/fastl4"},
		{file: "ltm_profilehttp", kind: "ltm/profile/http"},
		{file: "ltm_profileone_connect", kind: "ltm/profile/one-connect"},
		{file: "ltm_profileclient_ssl", kind: "ltm/profile/client-ssl"},
		{file: "ltm_profileserver_ssl", kind: "ltm/profile/server-ssl"},
		{file: "ltm_profilesctp", kind: "ltm/profile/sctp"},
		{file: "ltm_persistencesource_addr", kind: "ltm/persistence/source-addr"},
		{file: "ltm_persistencecookie", kind: "ltm/persistence/cookie"},
		{file: "ltm_persistencedest_addr", kind: "ltm/persistence/dest-addr"},
		{file: "ltm_data_groupinternal", kind: "ltm/data-group/internal"},
		{file: "ltm_node", kind: "ltm/node"},
		{file: "ltm_pool", kind: "ltm/pool"},
		{file: "ltm_virtual", kind: "ltm/virtual", ignore: []string{"creationTime", "lastModifiedTime", "vsIndex"}},
		{file: "ltm_virtual_address", kind: "ltm/virtual-address"},
		{file: "ltm_snatpool", kind: "ltm/snatpool"},
		{file: "ltm_policy_strategy", kind: "ltm/policy-strategy"},
		{file: "ltm_policy", kind: "ltm/policy"},
		{file: "ltm_snat", kind: "ltm/snat"},
		{file: "net_fdbtunnel", kind: "net/fdb/tunnel"},
		{file: "net_arp", kind: "net/arp"},
		{file: "sys_folder", kind: "sys/folder"},
		{file: "auth_partition", kind: "auth/partition"},
		{file: "cm_traffic_group", kind: "cm/traffic-group"},
		{file: "cm_device_group", kind: "cm/device-group"},
		{file: "cm_device", kind: "cm/device", ignore: []string{"activeModules", "optionalModules", "baseMac", "chassisId", "edition", "managementIp"}},
		{file: "net_route_domain", kind: "net/route-domain", ignore: []string{"vlans", "vlansReference"}},
		{file: "net_tunnelstunnel", kind: "net/tunnels/tunnel", ignore: []string{"profile", "profileReference", "description"}},
		{file: "sys_provision", kind: "sys/provision", ignore: []string{"level"}},
	} {
		captured, ok := readCapture(t, c.file)
		if !ok {
			continue
		}
		answer := must(t, d, "GET", "/mgmt/tm/"+c.kind, nil)
		if answer["kind"] != captured["kind"] || answer["selfLink"] != captured["selfLink"] {
			t.Errorf("%s: %v %v, captured %v %v", c.kind, answer["kind"], answer["selfLink"], captured["kind"], captured["selfLink"])
		}
		for _, want := range itemsOf(captured) {
			compareCaptured(t, d, c.kind, want, c.ignore)
		}
	}
}

func compareCaptured(t *testing.T, d *bigip.Device, kind string, want map[string]any, ignore []string) {
	t.Helper()
	path, _ := want["fullPath"].(string)
	got, ok := d.Object(kind, path)
	if !ok {
		must(t, d, "POST", "/mgmt/tm/"+kind, writable(want))
		if want["state"] == "down" {
			d.SetMonitor("", path, "down")
		}
		got, _ = d.Object(kind, path)
	}
	strip := func(in map[string]any) map[string]any {
		out := make(map[string]any)
		for k, v := range in {
			if k != "generation" && !slices.Contains(ignore, k) {
				out[k] = withoutLinks(v)
			}
		}
		return out
	}
	if diff := cmp.Diff(strip(want), strip(got)); diff != "" {
		t.Errorf("%s %s (-captured +simulated):\n%s", kind, path, diff)
	}
}

// writable leaves out the states that a device shows and does not take.
func writable(in map[string]any) map[string]any {
	out := maps.Clone(in)
	for _, k := range []string{"state", "session"} {
		if v, ok := out[k].(string); ok && !strings.HasPrefix(v, "user-") {
			delete(out, k)
		}
	}
	return out
}

// withoutLinks drops references to objects that are no part of the simulation,
// such as certificate files.
func withoutLinks(v any) any {
	switch t := v.(type) {
	case map[string]any:
		out := make(map[string]any)
		for k, e := range t {
			if l, ok := e.(map[string]any); ok && strings.HasSuffix(k, "Reference") && isFileLink(l) {
				continue
			}
			out[k] = withoutLinks(e)
		}
		return out
	case []any:
		out := make([]any, len(t))
		for i, e := range t {
			out[i] = withoutLinks(e)
		}
		return out
	}
	return v
}

func isFileLink(l map[string]any) bool {
	to, _ := l["link"].(string)
	return strings.Contains(to, "/sys/file/") || strings.Contains(to, "/net/")
}

// TestCapturedSystem compares what is not configuration.
func TestCapturedSystem(t *testing.T) {
	t.Parallel()
	d := device(t, bigip.Options{})
	for file, path := range map[string]string{
		"cm_failover_status": "cm/failover-status", "cm_sync_status": "cm/sync-status", "sys_version": "sys/version",
		"sys_ready": "sys/ready", "sys_global_settings": "sys/global-settings", "sys_mcp_state": "sys/mcp-state", "ltm_default_node_monitor": "ltm/default-node-monitor",
		"ltm_global_settingsgeneral": "ltm/global-settings/general", "ltm_global_settingsconnection": "ltm/global-settings/connection",
		"ltm_global_settingstraffic_control": "ltm/global-settings/traffic-control", "net_fdb": "net/fdb",
		"ltm_profile": "ltm/profile", "ltm_monitor": "ltm/monitor", "ltm_persistence": "ltm/persistence",
	} {
		want, ok := readCapture(t, file)
		if !ok {
			continue
		}
		if diff := cmp.Diff(want, must(t, d, "GET", "/mgmt/tm/"+path, nil)); diff != "" {
			t.Errorf("%s (-captured +simulated):\n%s", path, diff)
		}
	}
}

// TestCapturedStats compares the rows of statistics, by name and type, with
// those of two versions.
func TestCapturedStats(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ version, file, pool, path string }{
		{"14.1.0", "f5-telemetry-streaming/extracted/collectPools.json", "/Common/test_pool_0", "/mgmt/tm/ltm/pool/~Common~test_pool_0/members/stats"},
		{"14.1.0", "f5-telemetry-streaming/extracted/collectPools.json", "/Common/test_pool_0", "/mgmt/tm/ltm/pool/~Common~test_pool_0/stats"},
		{"14.1.0", "f5-telemetry-streaming/extracted/collectVirtualServers.json", "/Common/test_pool_0", "/mgmt/tm/ltm/virtual/~Common~test_vs_0/stats"},
		{"16.1.2", "opentelemetry-collector-contrib/receiver/bigipreceiver/testdata/integration/mock_server/_Common_test-pool-1_pool_members_stats_response.json", "/Common/test-pool-1", "/mgmt/tm/ltm/pool/~Common~test-pool-1/members/stats"},
	} {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(captureDir), c.file))
		if os.IsNotExist(err) {
			continue
		}
		v, err := mcp.DecodeJSON(data)
		if err != nil {
			t.Fatal(err)
		}
		d := device(t, bigip.Options{TMOS: c.version})
		must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": c.pool, "members": []any{m{"name": "10.10.0.2:80"}}})
		must(t, d, "POST", "/mgmt/tm/ltm/virtual", m{"name": "test_vs_0", "destination": "10.11.0.2:80", "pool": c.pool})
		want, ok := findEntries(v, c.path)
		if !ok {
			t.Errorf("%s: not in the capture", c.path)
			continue
		}
		got, _ := findEntries(must(t, d, "GET", c.path, nil), c.path)
		if diff := cmp.Diff(shape(want), shape(got)); diff != "" {
			t.Errorf("%s (-captured +simulated):\n%s", c.path, diff)
		}
	}
}

// findEntries finds the innermost entries of the first statistics whose self
// link matches.
func findEntries(v any, path string) (map[string]any, bool) {
	switch t := v.(type) {
	case []any:
		for _, e := range t {
			if found, ok := findEntries(e, path); ok {
				return found, true
			}
		}
	case map[string]any:
		if link, _ := t["selfLink"].(string); strings.HasPrefix(link, "https://localhost"+path+"?") {
			entries, _ := t["entries"].(map[string]any)
			for _, e := range entries {
				if nested, ok := e.(map[string]any)["nestedStats"].(map[string]any); ok {
					inner, ok := nested["entries"].(map[string]any)
					return inner, ok
				}
			}
			return nil, false
		}
		for _, e := range t {
			if found, ok := findEntries(e, path); ok {
				return found, true
			}
		}
	}
	return nil, false
}

// shape keeps of each row whether it is a value or a description.
func shape(rows map[string]any) map[string]string {
	out := make(map[string]string)
	for name, row := range rows {
		for kind := range row.(map[string]any) {
			out[name] = kind
		}
	}
	return out
}
