package bigip_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"landbridge.dev/testenv/bigip"
)

// as makes a call as another user, whose password is its name.
func as(d *bigip.Device, user, method, path, body string) (int, string) {
	r, err := http.NewRequest(method, "http://device"+path, strings.NewReader(body)) //nolint:noctx // in-process
	if err != nil {
		return 0, err.Error()
	}
	r.SetBasicAuth(user, user)
	w := &answer{header: make(http.Header)}
	d.Handler().ServeHTTP(w, r)
	return w.status, w.body.String()
}

func TestRoles(t *testing.T) {
	t.Parallel()
	d := device(t, bigip.Options{Partitions: []string{"web", "other"}})
	for user, access := range map[string]m{
		"mgr":   {"name": "web", "role": "manager"},
		"op":    {"name": "web", "role": "operator"},
		"guest": {"name": "all-partitions", "role": "guest"},
	} {
		must(t, d, "POST", "/mgmt/tm/auth/user", m{"name": user, "password": user, "partitionAccess": []any{access}})
	}
	must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "/web/p", "members": []any{"/web/10.0.0.1:80"}})
	must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "/other/p"})
	member := "/mgmt/tm/ltm/pool/~web~p/members/~web~10.0.0.1:80"
	for _, c := range []struct {
		name, user, method, path, body string
		want                           int
	}{
		{"a manager makes pools in its partition", "mgr", "POST", "/mgmt/tm/ltm/pool", `{"name":"q","partition":"web"}`, 200},
		{"and nowhere else", "mgr", "POST", "/mgmt/tm/ltm/pool", `{"name":"q","partition":"other"}`, 400},
		{"not in Common", "mgr", "POST", "/mgmt/tm/ltm/pool", `{"name":"q"}`, 400},
		{"and writes no metadata", "mgr", "PATCH", "/mgmt/tm/ltm/pool/~web~q", `{"metadata":[{"name":"a","value":"b"}]}`, 400},
		{"nor partitions", "mgr", "POST", "/mgmt/tm/auth/partition", `{"name":"x"}`, 401},
		{"and reads no self IPs", "mgr", "GET", "/mgmt/tm/net/self", ``, 401},
		{"but what is in Common", "mgr", "GET", "/mgmt/tm/ltm/monitor/tcp/~Common~tcp", ``, 200},
		{"and nothing of other partitions", "mgr", "GET", "/mgmt/tm/ltm/pool/~other~p", ``, 400},
		{"an operator forces members offline", "op", "PATCH", member, `{"session":"user-disabled","state":"user-down"}`, 200},
		{"and changes nothing else", "op", "PATCH", member, `{"ratio":2}`, 400},
		{"a guest reads", "guest", "GET", "/mgmt/tm/ltm/pool/~other~p", ``, 200},
		{"and does not write", "guest", "PATCH", "/mgmt/tm/ltm/pool/~other~p", `{"description":"x"}`, 400},
		{"everybody changes the own password", "op", "PATCH", "/mgmt/tm/auth/user/op", `{"password":"op"}`, 200},
	} {
		if got, body := as(d, c.user, c.method, c.path, c.body); got != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, got, body, c.want)
		}
	}
	if _, body := as(d, "mgr", "GET", "/mgmt/tm/ltm/pool", ""); strings.Contains(body, "/other/p") || !strings.Contains(body, "/web/p") {
		t.Errorf("a manager's list: %s", body)
	}
	if _, body := as(d, "guest", "GET", "/mgmt/tm/auth/user/guest", ""); strings.Contains(body, `"password"`) {
		t.Errorf("a password is shown: %s", body)
	}
}

func TestAccess(t *testing.T) {
	t.Parallel()
	d := device(t, bigip.Options{Partitions: []string{"web"}})
	for _, c := range []struct {
		name   string
		access []any
		want   string // in the refusal; "" is taken
	}{
		{"roles differ by partition", []any{m{"name": "web", "role": "manager"}, m{"name": "Common", "role": "guest"}}, ""},
		{"an auditor audits everything", []any{m{"name": "all-partitions", "role": "auditor"}}, ""},
		{"and not a part", []any{m{"name": "web", "role": "auditor"}}, "01070821"},
		{"an administrator has no other role", []any{m{"name": "all-partitions", "role": "admin"}, m{"name": "web", "role": "guest"}}, "01070821"},
		{"a resource administrator is one everywhere", []any{m{"name": "web", "role": "resource-admin"}}, "01070821"},
		{"no such role", []any{m{"name": "web", "role": "boss"}}, "invalid property value"},
		{"no such partition", []any{m{"name": "nowhere", "role": "guest"}}, "01020036"},
	} {
		status, answer := d.Do("POST", "/mgmt/tm/auth/user", m{"name": "u", "password": "u", "partitionAccess": c.access})
		message, _ := answer["message"].(string)
		if (status == 200) != (c.want == "") || !strings.Contains(message, c.want) {
			t.Errorf("%s: %d %s", c.name, status, message)
		}
		d.Do("DELETE", "/mgmt/tm/auth/user/u", nil)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	d := device(t, bigip.Options{MaxTokens: 2, Clock: func() time.Time { return now }})
	must(t, d, "POST", "/mgmt/tm/auth/user", m{"name": "u", "password": "u", "partitionAccess": []any{m{"name": "all-partitions", "role": "admin"}}})
	login := func() (int, string) {
		return as(d, "u", "POST", "/mgmt/shared/authn/login", `{"username":"u","password":"u","loginProviderName":"tmos"}`)
	}
	login()
	login()
	if status, body := login(); status != 400 || !strings.Contains(body, "maximum active login tokens") {
		t.Errorf("a third token: %d %s", status, body)
	}
	now = now.Add(1200 * time.Second)
	if status, body := login(); status != 200 {
		t.Errorf("after the others expired: %d %s", status, body)
	}
}

func TestTransactionExpiry(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	d := device(t, bigip.Options{Clock: func() time.Time { return now }})
	must(t, d, "POST", "/mgmt/tm/transaction", m{})
	list := func() int {
		items, _ := must(t, d, "GET", "/mgmt/tm/transaction", nil)["items"].([]any)
		return len(items)
	}
	now = now.Add(119 * time.Second)
	if n := list(); n != 1 {
		t.Errorf("%d transactions before the timeout", n)
	}
	now = now.Add(time.Second)
	if n := list(); n != 0 {
		t.Errorf("%d transactions after it", n)
	}
}
