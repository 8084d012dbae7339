package f5_test

import (
	"crypto/x509"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"landbridge.dev/backends/backendtest"
	"landbridge.dev/backends/f5"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/bigip"
)

// startDevice starts a simulated BIG-IP with a partition web.
func startDevice(t testing.TB, o bigip.Options) *bigip.Device {
	t.Helper()
	o.Partitions = append(o.Partitions, "web")
	d, err := bigip.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// optionsFor are those of a Backend that speaks to the device as its
// administrator.
func optionsFor(d *bigip.Device) f5.Options {
	return f5.Options{
		Name: "bigip/dc1", Hosts: []string{d.URL()}, Identity: identity(),
		Credentials: func() (string, string, error) { return "admin", "admin", nil },
		RootCAs: func() (*x509.CertPool, error) {
			pool := x509.NewCertPool()
			pool.AppendCertsFromPEM(d.CA())
			return pool, nil
		},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, tmos := range []string{"14.1.2.1", "17.1.0"} {
		t.Run(tmos, func(t *testing.T) {
			t.Parallel()
			backendtest.Run(t, func(t *testing.T) backendtest.Fixture {
				d := startDevice(t, bigip.Options{TMOS: tmos})
				o := optionsFor(d)
				o.StaticRoutes = true
				return backendtest.Fixture{
					Backend:  open(t, o),
					Identity: identity(),
					Kinds: []state.Kind{
						state.KindNode, state.KindMonitor, state.KindDataGroup, state.KindIRule, state.KindPersistence, state.KindPool, state.KindVirtualServer,
						state.KindStaticRoute,
					},
					Partition:    "web",
					PlaceForeign: func(t *testing.T, o state.Object) { placeForeign(t, d, o) },
					Raw:          func(t *testing.T, id state.ID) string { return raw(t, d, id) },
				}
			})
		})
	}
}

// mustPost makes an object as the network team would.
func mustPost(t testing.TB, d *bigip.Device, path string, body any) {
	t.Helper()
	if status, answer := d.Do(http.MethodPost, path, body); status != http.StatusOK {
		t.Fatalf("POST %s: %d %v", path, status, answer)
	}
}

func placeForeign(t *testing.T, d *bigip.Device, o state.Object) {
	t.Helper()
	switch o := o.(type) {
	case *state.Node:
		mustPost(t, d, "/mgmt/tm/ltm/node", map[string]any{"name": o.Path, "address": o.Address.String(), "description": "by hand"})
	case *state.Monitor:
		mustPost(t, d, "/mgmt/tm/ltm/monitor/"+o.Type, map[string]any{
			"name": o.Path, "interval": o.Interval, "timeout": o.Timeout, "send": o.Send, "recv": o.Receive,
		})
	case *state.DataGroup:
		mustPost(t, d, "/mgmt/tm/ltm/data-group/internal", map[string]any{
			"name": o.Path, "type": "string", "records": []map[string]any{{"name": "key", "data": "value"}}, "description": "by hand",
		})
	case *state.IRule:
		mustPost(t, d, "/mgmt/tm/ltm/rule", map[string]any{"name": o.Path, "apiAnonymous": "# by hand\nwhen RULE_INIT { }"})
	case *state.Persistence:
		mustPost(t, d, "/mgmt/tm/ltm/persistence/source-addr", map[string]any{"name": o.Path, "timeout": strconv.Itoa(o.Timeout)})
	case *state.StaticRoute:
		mustPost(t, d, "/mgmt/tm/net/route", map[string]any{"name": o.Path, "network": o.Network.String(), "gw": "192.0.2.1"})
	case *state.Pool:
		mustPost(t, d, "/mgmt/tm/ltm/pool", map[string]any{
			"name": o.Path, "loadBalancingMode": o.Mode, "monitor": strings.Join(o.Monitors, " and "),
			"reselectTries": o.ReselectTries, "slowRampTime": o.SlowRamp,
		})
	case *state.VirtualServer:
		mustPost(t, d, "/mgmt/tm/ltm/virtual", map[string]any{
			"name": o.Path, "destination": "/web/" + o.Destination.String(), "ipProtocol": string(o.Protocol),
			"sourceAddressTranslation": map[string]any{"type": o.SNAT}, "description": "by hand",
			"profiles": []map[string]any{{"name": "/Common/tcp", "context": "all"}},
		})
	default:
		t.Fatalf("a BIG-IP holds no %s", o.ID().Kind)
	}
}

// raw is an object in JSON, a node found by its address.
func raw(t *testing.T, d *bigip.Device, id state.ID) string {
	t.Helper()
	var found map[string]any
	switch id.Kind {
	case state.KindNode:
		for _, path := range d.Objects("ltm/node", "") {
			if n, ok := d.Object("ltm/node", path); ok && n["address"] == id.Name {
				found = n
			}
		}
	case state.KindMonitor:
		found, _ = d.Object("ltm/monitor/http", id.Name)
	case state.KindDataGroup:
		found, _ = d.Object("ltm/data-group/internal", id.Name)
	case state.KindIRule:
		found, _ = d.Object("ltm/rule", id.Name)
	case state.KindPersistence:
		found, _ = d.Object("ltm/persistence/source-addr", id.Name)
	case state.KindStaticRoute:
		found, _ = d.Object("net/route", id.Name)
	case state.KindPool:
		found, _ = d.Object("ltm/pool", id.Name)
	case state.KindVirtualServer:
		found, _ = d.Object("ltm/virtual", id.Name)
	}
	data, err := json.MarshalIndent(found, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
