package f5

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/sync/state"
)

func TestObjectPath(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, want string }{
		{"/Common/web", "ltm/pool/~Common~web"},
		{"/Common/folder/web", "ltm/pool/~Common~folder~web"},
		{"/Common/10.10.0.2%10", "ltm/pool/~Common~10.10.0.2%2510"}, // a selfLink captured on TMOS 14.1.4
		{"/Common/a b?c#d", "ltm/pool/~Common~a%20b%3Fc%23d"},
		{"/mgmt/x", "ltm/pool/~mgmt~x"},
	} {
		if got := objectPath(poolsPath, test.name); got != test.want {
			t.Errorf("%s stands at %s, want %s", test.name, got, test.want)
		}
	}
}

func TestMemberNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		node string
		port uint16
		want string
	}{
		{"/Common/10.0.0.1", 80, "/Common/10.0.0.1:80"},
		{"/Common/10.0.0.1%2", 80, "/Common/10.0.0.1%2:80"},
		{"/web/2001:db8::1", 80, "/web/2001:db8::1.80"},
		{"/web/2001:db8::1%2", 80, "/web/2001:db8::1%2.80"},
		{"/web/vm-1", 80, "/web/vm-1:80"},
		{"/web/vm.example.com", 65535, "/web/vm.example.com:65535"},
		{"/web/folder/vm-1", 0, "/web/folder/vm-1:0"},
	} {
		name := memberName(test.node, test.port)
		if name != test.want {
			t.Errorf("the member of %s is named %s, want %s", test.node, name, test.want)
		}
		if node, port := splitMemberName(name); node != test.node || port != test.port {
			t.Errorf("%s splits into %s and %d", name, node, port)
		}
	}
}

func TestPlaceOf(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]place{
		"/web/p":     {Name: "p", Partition: "web"},
		"/web/a/p":   {Name: "p", Partition: "web", SubPath: "a"},
		"/web/a/b/p": {Name: "p", Partition: "web", SubPath: "a/b"},
	} {
		if diff := cmp.Diff(want, placeOf(path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestMonitorTexts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                                nil,
		"none":                            nil,
		"/Common/tcp":                     {"/Common/tcp"},
		"/Common/https and /Common/http ": {"/Common/http", "/Common/https"}, // with a blank at the end, as up to TMOS 13
		"min 1 of { /Common/http /Common/inband }": {"min 1 of { /Common/http /Common/inband }"},
	} {
		if diff := cmp.Diff(want, newDecoder("bigip/dc1").monitors(text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestAdminAndAvailable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		session, state string
		admin          state.Admin
		available      bool
	}{
		{"monitor-enabled", "up", state.Enabled, true},
		{"monitor-enabled", "down", state.Enabled, false},
		{"monitor-enabled", "checking", state.Enabled, false},
		{"user-enabled", "unchecked", state.Enabled, true},
		{"user-enabled", "fqdn-up", state.Enabled, true},
		{"user-disabled", "up", state.Disabled, true},
		{"user-disabled", "unchecked", state.Disabled, true},
		{"user-disabled", "down", state.Disabled, false},
		{"user-disabled", "user-down", state.Offline, false},
		{"user-enabled", "user-down", state.Offline, false},
	} {
		if got := admin(test.session, test.state); got != test.admin {
			t.Errorf("%s, %s is %s, want %s", test.session, test.state, got, test.admin)
		}
		if got := available(test.state); got != test.available {
			t.Errorf("%s is available: %t", test.state, got)
		}
	}
}

// TestMemberThatIsNotThere has the answer of versions that send 200 for it.
func TestMemberThatIsNotThere(t *testing.T) {
	t.Parallel()
	if m, ok := newDecoder("bigip/dc1").member(&memberWire{FullPath: "/Common/10.0.0.1:80"}); ok {
		t.Errorf("a member without an address reads as %+v", m)
	}
}

// FuzzDecode reads pools from any JSON: what comes from outside must not stop
// the process.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"fullPath":"/web/p","monitor":"min 1 of {","membersReference":{"items":[{"fullPath":"x","address":"10.0.0.1%2"},{"fullPath":"10.0.0.1:http","address":"10.0.0.1%2"}]}}`))
	f.Add([]byte(`{"fullPath":"p","destination":"/Common/any6.any","sourceAddressTranslation":{"type":"snat"},"description":"landbridge cluster=a uid=00000000 service=b/c drain-until=x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := newDecoder("bigip/dc1")
		var p poolWire
		if json.Unmarshal(data, &p) == nil {
			pool := d.pool(&p)
			for i := 1; i < len(pool.Members); i++ {
				if pool.Members[i-1].Endpoint.Compare(pool.Members[i].Endpoint) >= 0 {
					t.Errorf("members are out of order: %v", pool.Members)
				}
			}
			pool.Lines()
		}
		var v virtualWire
		if json.Unmarshal(data, &v) == nil {
			d.virtual(&v).Lines()
		}
	})
}
