package bigip_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/testenv/bigip"
)

// start runs a device for one test.
func start(t *testing.T, o bigip.Options) *bigip.Device {
	t.Helper()
	d, err := bigip.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return d
}

func device(t *testing.T, o bigip.Options) *bigip.Device {
	t.Helper()
	d, err := bigip.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// must makes a call that has to succeed.
func must(t *testing.T, d *bigip.Device, method, path string, body any) map[string]any {
	t.Helper()
	status, answer := d.Do(method, path, body)
	if status != http.StatusOK {
		t.Fatalf("%s %s: %d %v", method, path, status, answer["message"])
	}
	return answer
}

// refused makes a call that has to fail with a status and a message.
func refused(t *testing.T, d *bigip.Device, method, path string, body any, status int, message string) {
	t.Helper()
	got, answer := d.Do(method, path, body)
	text, _ := answer["message"].(string)
	if got != status || !strings.Contains(text, message) {
		t.Errorf("%s %s: got %d %q, want %d with %q", method, path, got, text, status, message)
	}
}

type m = map[string]any

func TestTLSAndLogin(t *testing.T) {
	t.Parallel()
	d := start(t, bigip.Options{})
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(d.CA()) {
		t.Fatal("CA is no PEM")
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer tr.CloseIdleConnections()
	c := &http.Client{Transport: tr}

	body, _ := json.Marshal(m{"username": "admin", "password": "admin", "loginProviderName": "tmos"})
	resp, err := c.Post(d.URL()+"/mgmt/shared/authn/login", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var login struct {
		Token struct {
			Token   string
			Timeout int
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&login); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if login.Token.Timeout != 1200 || len(login.Token.Token) != 26 {
		t.Errorf("token %+v", login.Token)
	}
	call := func(method, path, token, body string) int {
		r, _ := http.NewRequestWithContext(t.Context(), method, d.URL()+path, strings.NewReader(body))
		r.Header.Set("X-F5-Auth-Token", token)
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		io.Copy(io.Discard, resp.Body) //nolint:errcheck // status is what counts
		return resp.StatusCode
	}
	tok := "/mgmt/shared/authz/tokens/" + login.Token.Token
	for _, step := range []struct {
		name, method, path, token, body string
		want                            int
	}{
		{"a token opens", "GET", "/mgmt/tm/ltm/pool", login.Token.Token, "", 200},
		{"an unknown token does not", "GET", "/mgmt/tm/ltm/pool", "NOPE", "", 401},
		{"the timeout can be stretched to ten hours", "PATCH", tok, login.Token.Token, `{"timeout":36000}`, 200},
		{"and no further", "PATCH", tok, login.Token.Token, `{"timeout":36001}`, 406},
		{"a token can be read", "GET", tok, login.Token.Token, "", 200},
		{"logout", "DELETE", tok, login.Token.Token, "", 200},
		{"after which it is unknown", "GET", "/mgmt/tm/ltm/pool", login.Token.Token, "", 401},
	} {
		if got := call(step.method, step.path, step.token, step.body); got != step.want {
			t.Errorf("%s: %d, want %d", step.name, got, step.want)
		}
	}
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	d := start(t, bigip.Options{})
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer tr.CloseIdleConnections()
	r, _ := http.NewRequestWithContext(t.Context(), "GET", d.URL()+"/mgmt/tm/ltm/pool", nil)
	r.SetBasicAuth("admin", "wrong")
	resp, err := (&http.Client{Transport: tr}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestPoolAsCaptured(t *testing.T) {
	t.Parallel()
	d := device(t, bigip.Options{Partitions: []string{"web"}})
	got := must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "p", "partition": "web", "monitor": "/Common/http and /Common/tcp"})
	gen := got["generation"]
	want := m{
		"kind": "tm:ltm:pool:poolstate", "name": "p", "partition": "web", "fullPath": "/web/p", "generation": gen,
		"selfLink": "https://localhost/mgmt/tm/ltm/pool/~web~p?ver=14.1.2.1",
		"allowNat": "yes", "allowSnat": "yes", "ignorePersistedWeight": "disabled", "ipTosToClient": "pass-through",
		"ipTosToServer": "pass-through", "linkQosToClient": "pass-through", "linkQosToServer": "pass-through",
		"loadBalancingMode": "round-robin", "minActiveMembers": int64(0), "minUpMembers": int64(0),
		"minUpMembersAction": "failover", "minUpMembersChecking": "disabled", "monitor": "/Common/http and /Common/tcp",
		"queueDepthLimit": int64(0), "queueOnConnectionLimit": "disabled", "queueTimeLimit": int64(0),
		"reselectTries": int64(0), "serviceDownAction": "none", "slowRampTime": int64(10),
		"membersReference": m{"link": "https://localhost/mgmt/tm/ltm/pool/~web~p/members?ver=14.1.2.1", "isSubcollection": true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pool (-want +got):\n%s", diff)
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	d := device(t, bigip.Options{Partitions: []string{"web", "other"}})
	must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "p", "partition": "web", "monitor": "/Common/tcp"})
	members := "/mgmt/tm/ltm/pool/~web~p/members"
	got := must(t, d, "POST", members, m{"name": "/web/10.0.0.1:http", "address": "10.0.0.1"})
	want := m{
		"kind": "tm:ltm:pool:members:membersstate", "name": "10.0.0.1:80", "partition": "web", "fullPath": "/web/10.0.0.1:80",
		"generation": got["generation"],
		"selfLink":   "https://localhost/mgmt/tm/ltm/pool/~web~p/members/~web~10.0.0.1:80?ver=14.1.2.1",
		"address":    "10.0.0.1", "connectionLimit": int64(0), "dynamicRatio": int64(1), "ephemeral": "false",
		"fqdn": m{"autopopulate": "disabled"}, "inheritProfile": "enabled", "logging": "disabled", "monitor": "default",
		"priorityGroup": int64(0), "rateLimit": "disabled", "ratio": int64(1), "session": "monitor-enabled", "state": "checking",
	}
	if diff := cmp.Diff(want, got, cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "state" }, cmp.Ignore())); diff != "" && got["state"] != "up" {
		t.Errorf("member (-want +got):\n%s", diff)
	}
	for _, name := range []string{"10.0.0.2%10:80", "2001:db8::1.80"} {
		must(t, d, "POST", members, m{"name": name, "partition": "web"})
	}
	if diff := cmp.Diff([]string{"/web/10.0.0.1:80", "/web/10.0.0.2%10:80", "/web/2001:db8::1.80"}, d.Objects("ltm/pool/members", "/web/p")); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	rd := must(t, d, "GET", members+"/~web~10.0.0.2%2510:80", nil)
	if want := "https://localhost/mgmt/tm/ltm/pool/~web~p/members/~web~10.0.0.2%2510:80?ver=14.1.2.1"; rd["selfLink"] != want || rd["address"] != "10.0.0.2%10" {
		t.Errorf("route domain member: %v %v", rd["selfLink"], rd["address"])
	}
	one := members + "/~web~10.0.0.1:80"
	off := must(t, d, "PATCH", one, m{"session": "user-disabled", "state": "user-down"})
	if off["session"] != "user-disabled" || off["state"] != "user-down" {
		t.Errorf("forced offline reads %v %v", off["session"], off["state"])
	}
	must(t, d, "PATCH", one, m{"address": "10.0.0.1", "ratio": 2})
	refused(t, d, "PATCH", one, m{"address": "10.0.0.7"}, 400, `"address" may not be specified in the context of the "modify" command.`)
	refused(t, d, "PATCH", one, m{"state": "up"}, 400, `invalid property value "state":"up"`)
	refused(t, d, "GET", members+"/~web~9.9.9.9:80", nil, 404, "Object not found - /web/9.9.9.9:80")
	refused(t, d, "DELETE", members+"/~web~9.9.9.9:80", nil, 404, "01020036:3: The requested Pool Member (/web/p /web/9.9.9.9 80) was not found.")
	refused(t, d, "POST", members, m{"name": "10.0.0.1:80", "partition": "web"}, 409, "01020066:3: The requested Pool Member (/web/p /web/10.0.0.1:80) already exists in partition web.")
	refused(t, d, "POST", "/mgmt/tm/ltm/pool/~web~none/members", m{"name": "10.0.0.1:80"}, 404, "The requested pool (/web/none) was not found.")
	refused(t, d, "POST", "/mgmt/tm/ltm/node", m{"name": "x", "partition": "other", "address": "10.0.0.1"}, 400, "Invalid Node, the IP address 10.0.0.1 already exists.")
	refused(t, d, "DELETE", "/mgmt/tm/ltm/node/~web~10.0.0.1", nil, 400, "01070110:3: Node address '/web/10.0.0.1' is referenced by a member of pool '/web/p'.")

	must(t, d, "PUT", "/mgmt/tm/ltm/pool/~web~p", m{"members": []any{m{"name": "/web/10.0.0.1:80"}, m{"name": "/web/10.0.0.9:80", "address": "10.0.0.9"}}})
	if diff := cmp.Diff([]string{"/web/10.0.0.1:80", "/web/10.0.0.9:80"}, d.Objects("ltm/pool/members", "/web/p")); diff != "" {
		t.Errorf("after PUT (-want +got):\n%s", diff)
	}
	if p, _ := d.Object("ltm/pool", "/web/p"); p["monitor"] != nil {
		t.Errorf("PUT kept the monitor: %v", p["monitor"])
	}
}

func TestVirtualServer(t *testing.T) {
	t.Parallel()
	d := device(t, bigip.Options{Partitions: []string{"web"}})
	must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "/web/p"})
	vs := must(t, d, "POST", "/mgmt/tm/ltm/virtual", m{
		"name": "v", "partition": "web", "destination": "/web/203.0.113.10:80", "ipProtocol": "tcp", "pool": "/web/p",
		"profiles": []any{m{"name": "/Common/tcp", "context": "all"}}, "sourceAddressTranslation": m{"type": "automap"},
	})
	va, ok := d.Object("ltm/virtual-address", "/web/203.0.113.10")
	if !ok || va["generation"] != vs["generation"] || va["autoDelete"] != "true" || va["mask"] != "255.255.255.255" {
		t.Errorf("virtual address: %v", va)
	}
	if vs["enabled"] != true || vs["disabled"] != nil || vs["vlansDisabled"] != true || vs["source"] != "0.0.0.0/0" || vs["mask"] != "255.255.255.255" {
		t.Errorf("virtual server: %v", vs)
	}
	refused(t, d, "DELETE", "/mgmt/tm/ltm/pool/~web~p", nil, 400, "01070265:3: The Pool (/web/p) cannot be deleted because it is in use by a Virtual Server (/web/v).")
	refused(t, d, "POST", "/mgmt/tm/ltm/virtual", m{"name": "v2", "partition": "web", "destination": "/web/203.0.113.10:80", "ipProtocol": "tcp"}, 400, "01070333:3: Virtual Server /web/v2 illegally shares")
	refused(t, d, "POST", "/mgmt/tm/ltm/virtual", m{"name": "v3", "partition": "web", "destination": "/web/203.0.113.10:81", "pool": "/web/none"}, 404, "The requested Pool (/web/none) was not found.")
	refused(t, d, "DELETE", "/mgmt/tm/auth/partition/web", nil, 400, "0107082a")
	off := must(t, d, "PATCH", "/mgmt/tm/ltm/virtual/~web~v", m{"disabled": true})
	if off["enabled"] != nil || off["disabled"] != true {
		t.Errorf("disabled reads %v %v", off["enabled"], off["disabled"])
	}
	must(t, d, "DELETE", "/mgmt/tm/ltm/virtual/~web~v", nil)
	if got := d.Objects("ltm/virtual-address", ""); len(got) != 0 {
		t.Errorf("virtual addresses left: %v", got)
	}
	must(t, d, "DELETE", "/mgmt/tm/ltm/pool/~web~p", nil)
	must(t, d, "DELETE", "/mgmt/tm/auth/partition/web", nil)
	if _, ok := d.Object("sys/folder", "/web"); ok {
		t.Error("the folder outlived its partition")
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	d := device(t, bigip.Options{Partitions: []string{"web"}})
	must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "/web/p"})
	refused(t, d, "GET", "/mgmt/tm/ltm/pool/~web~x", nil, 404, "01020036:3: The requested Pool (/web/x) was not found.")
	refused(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "p", "partition": "web"}, 409, "01020066:3: The requested Pool (/web/p) already exists in partition web.")
	refused(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "p", "partition": "nope"}, 400, "The requested folder (/nope) was not found.")
	refused(t, d, "PATCH", "/mgmt/tm/ltm/pool/~web~p", m{}, 400, "one or more properties must be specified")
	refused(t, d, "PATCH", "/mgmt/tm/ltm/pool/~web~p", m{"colour": "red"}, 400, `"colour" unknown property`)
	refused(t, d, "PATCH", "/mgmt/tm/ltm/pool/~web~p", m{"loadBalancingMode": "fair"}, 400, `invalid property value "load-balancing-mode":"fair"`)
	refused(t, d, "POST", "/mgmt/tm/ltm/pool/~web~p/members", m{"name": "/web/10.0.0.1"}, 400, "HTML Tag-like Content in the Request URL/Body")
	refused(t, d, "POST", "/mgmt/tm/ltm/pool", []any{1}, 400, "Found invalid JSON body in the request.")
	refused(t, d, "GET", "/mgmt/tm/ltm/nothing", nil, 404, "Public URI path not registered")
}

func TestCollections(t *testing.T) {
	t.Parallel()
	d := device(t, bigip.Options{Partitions: []string{"a", "b"}})
	for _, p := range []string{"/a/1", "/a/2", "/a/3", "/b/1"} {
		must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": p})
	}
	items := func(answer map[string]any) []string {
		var out []string
		list, _ := answer["items"].([]any)
		for _, e := range list {
			out = append(out, fmt.Sprint(e.(map[string]any)["fullPath"]))
		}
		return out
	}
	if diff := cmp.Diff([]string{"/a/1", "/a/2", "/a/3"}, items(must(t, d, "GET", "/mgmt/tm/ltm/pool?$filter=partition+eq+a", nil))); diff != "" {
		t.Errorf("filter (-want +got):\n%s", diff)
	}
	page := must(t, d, "GET", "/mgmt/tm/ltm/pool?$top=2&$select=fullPath", nil)
	if diff := cmp.Diff([]string{"/a/1", "/a/2"}, items(page)); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
	if want := "https://localhost/mgmt/tm/ltm/pool?$top=2&$select=fullPath&$skip=2&ver=14.1.2.1"; page["nextLink"] != want || page["totalItems"] != int64(4) {
		t.Errorf("nextLink %v, totalItems %v", page["nextLink"], page["totalItems"])
	}
	if got := must(t, d, "GET", "/mgmt/tm/ltm/snatpool", nil); cmp.Diff([]any{}, got["items"]) != "" {
		t.Errorf("empty collection: %v", got)
	}
	must(t, d, "POST", "/mgmt/tm/ltm/pool/~a~1/members", m{"name": "/a/10.0.0.1:80"})
	one := must(t, d, "GET", "/mgmt/tm/ltm/pool/~a~1?expandSubcollections=true", nil)
	if ref, _ := one["membersReference"].(map[string]any); len(ref["items"].([]any)) != 1 {
		t.Errorf("expanded: %v", ref)
	}
}

func TestTransaction(t *testing.T) {
	t.Parallel()
	d := device(t, bigip.Options{Partitions: []string{"web"}})
	begin := func() string {
		return "/mgmt/tm/transaction/" + fmt.Sprint(must(t, d, "POST", "/mgmt/tm/transaction", m{})["transId"])
	}
	queue := func(tr, method, path string, body any) map[string]any {
		t.Helper()
		r, _ := json.Marshal(body)
		return send(t, d, method, path, r, strings.TrimPrefix(tr, "/mgmt/tm/transaction/"))
	}
	tr := begin()
	refused(t, d, "PATCH", tr, m{"state": "VALIDATING"}, 400, "there is no command to commit in the transaction")
	rec := queue(tr, "POST", "/mgmt/tm/ltm/pool", m{"name": "/web/p"})
	if rec["kind"] != "tm:transaction:commandsstate" || rec["commandId"] != int64(1) {
		t.Errorf("queued: %v", rec)
	}
	queue(tr, "POST", "/mgmt/tm/ltm/virtual", m{"name": "/web/v", "destination": "/web/203.0.113.1:80", "pool": "/web/p"})
	if _, ok := d.Object("ltm/pool", "/web/p"); ok {
		t.Error("a queued call had an effect")
	}
	must(t, d, "PATCH", tr, m{"validateOnly": true, "state": "VALIDATING"})
	if _, ok := d.Object("ltm/pool", "/web/p"); ok {
		t.Error("validation had an effect")
	}
	if got := must(t, d, "PATCH", tr, m{"validateOnly": false, "state": "VALIDATING"}); got["state"] != "COMPLETED" {
		t.Errorf("committed: %v", got)
	}
	before, _ := d.Snapshot()
	tr = begin()
	queue(tr, "POST", "/mgmt/tm/ltm/pool", m{"name": "/web/q"})
	queue(tr, "DELETE", "/mgmt/tm/ltm/pool/~web~p", nil)
	refused(t, d, "PATCH", tr, m{"state": "VALIDATING"}, 400, "transaction failed:01070265:3: The Pool (/web/p)")
	after, _ := d.Snapshot()
	if diff := cmp.Diff(string(before), string(after)); diff != "" {
		t.Errorf("a failed transaction changed something (-before +after):\n%s", diff)
	}
}

// send makes a call with a transaction's id, in-process.
func send(t *testing.T, d *bigip.Device, method, path string, body []byte, transaction string) map[string]any {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://device"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("admin", "admin")
	r.Header.Set("X-F5-REST-Coordination-Id", transaction)
	w := &answer{header: make(http.Header)}
	d.Handler().ServeHTTP(w, r)
	var out map[string]any
	dec := json.NewDecoder(&w.body)
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		t.Fatal(err)
	}
	for k, v := range out {
		if n, ok := v.(json.Number); ok {
			out[k], _ = n.Int64()
		}
	}
	return out
}

type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

func TestSnapshotAndRestore(t *testing.T) {
	t.Parallel()
	d := device(t, bigip.Options{Partitions: []string{"web"}})
	must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "/web/p", "members": []any{m{"name": "/web/10.0.0.1:80"}}})
	must(t, d, "POST", "/mgmt/tm/ltm/virtual", m{"name": "/web/v", "destination": "/web/203.0.113.1:80", "pool": "/web/p"})
	snap, err := d.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	must(t, d, "DELETE", "/mgmt/tm/ltm/virtual/~web~v", nil)
	if err := d.Restore(snap); err != nil {
		t.Fatal(err)
	}
	again, _ := d.Snapshot()
	if diff := cmp.Diff(string(snap), string(again)); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
}

// backend is a server that says its name on each line it is sent.
func backend(t *testing.T, name string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				sc := bufio.NewScanner(c)
				for sc.Scan() {
					fmt.Fprintln(c, name)
				}
			}()
		}
	}()
	return l.Addr().String()
}

// ask sends a line on a connection and returns the answer.
func ask(c net.Conn) (string, error) {
	c.SetDeadline(time.Now().Add(5 * time.Second)) //nolint:errcheck // a test connection
	if _, err := fmt.Fprintln(c, "hello"); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(line), err
}

// eventually waits for a condition that a running device will meet.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestDataPlane(t *testing.T) {
	t.Parallel()
	d := start(t, bigip.Options{DataPlane: true})
	a, b := backend(t, "a"), backend(t, "b")
	must(t, d, "POST", "/mgmt/tm/ltm/monitor/tcp", m{"name": "quick", "interval": 1, "timeout": 2})
	must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "p", "monitor": "/Common/quick", "members": []any{m{"name": a}, m{"name": b}}})
	vip := freePort(t)
	must(t, d, "POST", "/mgmt/tm/ltm/virtual", m{"name": "v", "destination": vip, "ipProtocol": "tcp", "pool": "p"})
	state := func(addr string) string {
		o, _ := d.Object("ltm/pool/members", "/Common/p /Common/"+addr)
		s, _ := o["state"].(string)
		return s
	}
	eventually(t, "members up", func() bool { return state(a) == "up" && state(b) == "up" })
	count := map[string]int{}
	for range 10 {
		count[once(t, vip)]++
	}
	if diff := cmp.Diff(map[string]int{"a": 5, "b": 5}, count); diff != "" {
		t.Errorf("round robin (-want +got):\n%s", diff)
	}

	old := hold(t, vip)
	name, err := ask(old)
	if err != nil {
		t.Fatal(err)
	}
	busy, idle := a, "b"
	if name == "b" {
		busy, idle = b, "a"
	}
	member := "/mgmt/tm/ltm/pool/~Common~p/members/~Common~" + busy
	must(t, d, "PATCH", member, m{"session": "user-disabled", "state": "user-down"})
	for range 4 {
		if got := once(t, vip); got != idle {
			t.Errorf("a new connection went to the member forced offline: %s", got)
		}
	}
	if got, err := ask(old); err != nil || got != name {
		t.Errorf("the old connection: %q %v", got, err)
	}
	eventually(t, "only the held connection is counted", func() bool { return connections(t, d, member) == 1 })
	must(t, d, "DELETE", member, nil)
	if _, err := ask(old); err == nil {
		t.Error("a connection to a deleted member lives on")
	}
	must(t, d, "DELETE", "/mgmt/tm/ltm/virtual/~Common~v", nil)
	if c, err := net.Dial("tcp", vip); err == nil {
		c.Close()
		t.Error("a deleted virtual server still listens")
	}
}

func hold(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func once(t *testing.T, addr string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	name, err := ask(c)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// connections reads serverside.curConns of a member.
func connections(t *testing.T, d *bigip.Device, member string) int64 {
	t.Helper()
	answer := must(t, d, "GET", member+"/stats", nil)
	entries, _ := answer["entries"].(map[string]any)
	for _, e := range entries {
		rows := e.(map[string]any)["nestedStats"].(map[string]any)["entries"].(map[string]any)
		n, _ := rows["serverside.curConns"].(map[string]any)["value"].(int64)
		return n
	}
	return -1
}

func TestMonitorMarksDown(t *testing.T) {
	t.Parallel()
	d := start(t, bigip.Options{DataPlane: true})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	must(t, d, "POST", "/mgmt/tm/ltm/monitor/tcp", m{"name": "quick", "interval": 1, "timeout": 2})
	must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "p", "monitor": "quick", "members": []any{m{"name": l.Addr().String()}}})
	state := func() any {
		o, _ := d.Object("ltm/pool/members", "/Common/p /Common/"+l.Addr().String())
		return o["state"]
	}
	eventually(t, "up", func() bool { return state() == "up" })
	l.Close()
	eventually(t, "down", func() bool { return state() == "down" })
}

func TestWaiting(t *testing.T) {
	t.Parallel()
	d := device(t, bigip.Options{})
	done := make(chan error, 1)
	go func() {
		done <- d.WaitRequest(t.Context(), func(r bigip.Request) bool { return r.Method == "POST" && r.Status == 200 })
	}()
	must(t, d, "GET", "/mgmt/tm/ltm/pool", nil)
	must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "p"})
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := d.WaitWrites(t.Context(), 1); err != nil || d.Writes() != 1 {
		t.Errorf("writes %d, %v", d.Writes(), err)
	}
}

// raw makes a call with any body, in-process.
func raw(d *bigip.Device, method, path, body string) int {
	r, err := http.NewRequest(method, "http://device"+path, strings.NewReader(body)) //nolint:noctx // in-process
	if err != nil {
		return 400
	}
	r.SetBasicAuth("admin", "admin")
	w := &answer{header: make(http.Header)}
	d.Handler().ServeHTTP(w, r)
	return w.status
}
