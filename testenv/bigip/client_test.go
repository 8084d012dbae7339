package bigip_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	f5 "github.com/f5devcentral/go-bigip"

	"landbridge.dev/testenv/bigip"
)

// TestGoBigIP drives the device with F5's own Go client, unmodified: what it
// finds on a real device it has to find here.
func TestGoBigIP(t *testing.T) {
	t.Parallel()
	d := start(t, bigip.Options{Partitions: []string{"web"}})
	u, err := url.Parse(d.URL())
	if err != nil {
		t.Fatal(err)
	}
	b, err := f5.NewTokenSession(&f5.Config{
		Address: "https://" + u.Hostname(), Port: u.Port(), Username: "admin", Password: "admin",
		LoginReference: "tmos", CertVerifyDisable: true,
		ConfigOptions: &f5.ConfigOptions{APICallTimeout: 10e9, TokenTimeout: 1200e9, APICallRetries: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	check("ValidateConnection", b.ValidateConnection())

	check("CreateNode", b.CreateNode("/web/n1", "10.0.0.1", "disabled", 0, 1, "/Common/none", "user-up", "node one", 1))
	nodes, err := b.Nodes()
	if err != nil || len(nodes.Nodes) != 1 || nodes.Nodes[0].Address != "10.0.0.1" {
		t.Errorf("Nodes: %+v %v", nodes, err)
	}
	check("NodeStatus", b.NodeStatus("/web/n1", "disable"))
	check("NodeStatus", b.NodeStatus("/web/n1", "enable"))

	check("CreateMonitor", b.CreateMonitor(&f5.Monitor{Name: "m1", Partition: "web", Interval: 5, Timeout: 16, SendString: `GET /healthz HTTP/1.0\r\n\r\n`, ReceiveString: "200"}, "http"))
	if mons, err := b.Monitors(); err != nil || len(mons) == 0 {
		t.Errorf("Monitors: %d %v", len(mons), err)
	}
	check("AddPool", b.AddPool(&f5.Pool{Name: "p1", Partition: "web", LoadBalancingMode: "round-robin"}))
	check("AddMonitorToPool", b.AddMonitorToPool("/web/m1", "/web/p1"))
	check("AddPoolMember", b.AddPoolMember("/web/p1", &f5.PoolMember{Name: "/web/n1:80"}))
	check("CreatePoolMember", b.CreatePoolMember("/web/p1", &f5.PoolMember{Name: "10.0.0.2:80", Partition: "web", Address: "10.0.0.2"}))
	members, err := b.PoolMembers("/web/p1")
	if err != nil || len(members.PoolMembers) != 2 {
		t.Fatalf("PoolMembers: %+v %v", members, err)
	}
	check("PoolMemberStatus", b.PoolMemberStatus("/web/p1", "/web/n1:80", "disable"))
	if pm, err := b.GetPoolMember("/web/p1", "/web/n1:80"); err != nil || pm.Session != "user-disabled" {
		t.Errorf("GetPoolMember: %+v %v", pm, err)
	}
	if p, err := b.GetPool("/web/p1"); err != nil || p.FullPath != "/web/p1" {
		t.Errorf("GetPool: %+v %v", p, err)
	}
	if p, err := b.GetPool("/web/none"); err == nil || p != nil || !strings.Contains(err.Error(), "01020036") {
		t.Errorf("GetPool of a missing one: %v %v", p, err)
	}

	check("AddVirtualServer", b.AddVirtualServer(&f5.VirtualServer{
		Name: "v1", Partition: "web", Destination: "/web/203.0.113.1:80", Pool: "/web/p1", IPProtocol: "tcp",
		Mask: "255.255.255.255", Profiles: []f5.Profile{{Name: "/Common/tcp", Context: "all"}},
	}))
	vs, err := b.GetVirtualServer("/web/v1")
	if err != nil || vs.Destination != "/web/203.0.113.1:80" || len(vs.Profiles) != 1 {
		t.Errorf("GetVirtualServer: %+v %v", vs, err)
	}
	if vas, err := b.VirtualAddresses(); err != nil || len(vas.VirtualAddresses) != 1 {
		t.Errorf("VirtualAddresses: %+v %v", vas, err)
	}
	check("ModifyVirtualServer", b.ModifyVirtualServer("/web/v1", &f5.VirtualServer{Pool: "/web/p1", Description: "changed"}))
	check("DeleteVirtualServer", b.DeleteVirtualServer("/web/v1"))
	check("DeletePoolMember", b.DeletePoolMember("/web/p1", "/web/n1:80"))
	check("DeletePool", b.DeletePool("/web/p1"))
	check("DeleteNode", b.DeleteNode("/web/n1"))

	check("CreateSnatPool", b.CreateSnatPool("/web/sp", []string{"203.0.113.5"}))
	check("AddIRule", b.CreateIRule("/web/r", "when CLIENT_ACCEPTED { }"))
	if rules, err := b.IRules(); err != nil || len(rules.IRules) != 1 {
		t.Errorf("IRules: %+v %v", rules, err)
	}
	check("CreateVlan", b.CreateVlan(&f5.Vlan{Name: "/Common/internal", Tag: 100}))
	check("CreateSelfIP", b.CreateSelfIP(&f5.SelfIP{Name: "/Common/self", Address: "10.0.0.254/24", Vlan: "/Common/internal"}))
	check("CreateRoute", b.CreateRoute(&f5.Route{Name: "pods", Network: "10.244.0.0/24", Gateway: "10.0.0.7"}))
	check("CreatePartition", b.CreatePartition(&f5.Partition{Name: "shop"}))
	if p, err := b.GetPartition("shop"); err != nil || p.Name != "shop" {
		t.Errorf("GetPartition: %+v %v", p, err)
	}
	check("ModifyFolderDescription", b.ModifyFolderDescription("shop", map[string]string{"description": "a shop"}))
	check("DeletePartition", b.DeletePartition("shop"))
	if devs, err := b.GetDevices(); err != nil || len(devs) != 1 {
		t.Errorf("GetDevices: %v %v", devs, err)
	}
	tr, err := b.StartTransaction()
	if err != nil {
		t.Fatal(err)
	}
	check("AddPool in a transaction", b.AddPool(&f5.Pool{Name: "t", Partition: "web"}))
	check("CommitTransaction", b.CommitTransaction(tr.TransID))
	if _, ok := d.Object("ltm/pool", "/web/t"); !ok {
		t.Error("the transaction had no effect")
	}
}

// TestConcurrentTransactions has many clients commit at once: each commit is
// whole, and the generation counts them.
func TestConcurrentTransactions(t *testing.T) {
	t.Parallel()
	d := device(t, bigip.Options{})
	const clients, each = 8, 10
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				_, answer := d.Do("POST", "/mgmt/tm/transaction", m{})
				id := fmt.Sprint(answer["transId"])
				name := fmt.Sprintf("p%d-%d", c, i)
				send(t, d, "POST", "/mgmt/tm/ltm/pool", fmt.Appendf(nil, `{"name":%q}`, name), id)
				send(t, d, "POST", "/mgmt/tm/ltm/virtual", fmt.Appendf(nil, `{"name":"v%s","destination":"10.%d.0.%d:80","pool":%q}`, name, c, i+1, name), id)
				if status, answer := d.Do("PATCH", "/mgmt/tm/transaction/"+id, m{"state": "VALIDATING"}); status != 200 {
					t.Errorf("commit: %d %v", status, answer)
				}
			}
		})
	}
	wg.Wait()
	seen := map[any]bool{}
	for _, p := range d.Objects("ltm/pool", "") {
		pool, _ := d.Object("ltm/pool", p)
		vs, _ := d.Object("ltm/virtual", strings.Replace(p, "/p", "/vp", 1))
		if pool["generation"] != vs["generation"] || seen[pool["generation"]] {
			t.Errorf("%s: generation %v, of its virtual server %v", p, pool["generation"], vs["generation"])
		}
		seen[pool["generation"]] = true
	}
	if len(seen) != clients*each {
		t.Errorf("%d commits, want %d", len(seen), clients*each)
	}
}

// FuzzREST sends anything: the device answers, and its configuration can still
// be read.
func FuzzREST(f *testing.F) {
	for _, s := range []struct{ method, path, body string }{
		{"POST", "ltm/pool", `{"name":"x","members":["10.0.0.1:80"]}`},
		{"PUT", "ltm/pool/~Common~p", `{"members":[{"name":"a:b"}],"monitor":"min 1 of { tcp }"}`},
		{"PATCH", "ltm/virtual/~Common~v", `{"destination":"2001:db8::1.80","source":"%1/0","persist":[1]}`},
		{"POST", "ltm/pool/~Common~p/members", `{"name":"/Common/::.x"}`},
		{"POST", "ltm/virtual", `{"name":"w","destination":"/","profiles":{"items":[{}]}}`},
		{"GET", "ltm/pool?$filter=partition eq x&$top=-1&$skip=9", ``},
		{"DELETE", "sys/folder/~", ``},
		{"POST", "sys/folder", `{"name":"/Common/a/b"}`},
		{"POST", "ltm/snatpool", `{"name":"s","members":{"a":1}}`},
		{"POST", "auth/user", `{"name":"u","partitionAccess":["x"]}`},
		{"PATCH", "sys/global-settings", `{"hostname":[]}`},
		{"GET", "%25/..//~~/stats", ``},
	} {
		f.Add(s.method, s.path, s.body)
	}
	f.Fuzz(func(t *testing.T, method, path, body string) {
		d, err := bigip.New(bigip.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		d.Do("POST", "/mgmt/tm/ltm/pool", m{"name": "p", "members": []any{"10.0.0.9:80"}})
		d.Do("POST", "/mgmt/tm/ltm/virtual", m{"name": "v", "destination": "10.0.0.10:80", "pool": "p"})
		if u, err := url.Parse("/mgmt/tm/" + path); err != nil || strings.ContainsAny(path, " \x00\r\n\t\x7f") || u.Host != "" {
			return // no HTTP client could send it
		}
		switch method {
		case "GET", "POST", "PUT", "PATCH", "DELETE":
		default:
			return
		}
		status := raw(d, method, "/mgmt/tm/"+path, body)
		if status < 200 || status > 599 {
			t.Errorf("status %d", status)
		}
		if status != 200 || method == "GET" {
			return
		}
		if snap, err := d.Snapshot(); err != nil || d.Restore(snap) != nil {
			t.Errorf("the configuration cannot be saved and restored: %v", err)
		}
		for _, kind := range []string{"ltm/pool", "ltm/virtual", "ltm/node", "ltm/virtual-address"} {
			if status := raw(d, "GET", "/mgmt/tm/"+kind+"?expandSubcollections=true", ""); status != 200 {
				t.Errorf("GET %s: %d", kind, status)
			}
		}
	})
}
