package bigip_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/testenv/bigip"
)

// site is a device with one pool p of named members behind one virtual server.
type site struct {
	*bigip.Device
	vip     string
	members map[string]string // name → member's path on the device
}

func newSite(t *testing.T, o bigip.Options, pool, virtual m, names ...string) *site {
	t.Helper()
	o.DataPlane = true
	s := &site{Device: start(t, o), vip: freePort(t), members: map[string]string{}}
	var members []any
	for _, n := range names {
		addr := backend(t, n)
		members = append(members, m{"name": addr})
		s.members[n] = "/mgmt/tm/ltm/pool/~Common~p/members/~Common~" + addr
	}
	body := m{"name": "p", "members": members, "slowRampTime": 0}
	for k, v := range pool {
		body[k] = v
	}
	must(t, s.Device, "POST", "/mgmt/tm/ltm/pool", body)
	vs := m{"name": "v", "destination": s.vip, "ipProtocol": "tcp", "pool": "p", "profiles": []any{"/Common/tcp"}}
	for k, v := range virtual {
		vs[k] = v
	}
	must(t, s.Device, "POST", "/mgmt/tm/ltm/virtual", vs)
	return s
}

func (s *site) set(t *testing.T, name string, body m) {
	t.Helper()
	must(t, s.Device, "PATCH", s.members[name], body)
}

func (s *site) spread(t *testing.T, n int) map[string]int {
	t.Helper()
	out := map[string]int{}
	for range n {
		out[once(t, s.vip)]++
	}
	return out
}

func TestRatioMember(t *testing.T) {
	t.Parallel()
	s := newSite(t, bigip.Options{}, m{"loadBalancingMode": "ratio-member"}, nil, "a", "b", "c")
	s.set(t, "a", m{"ratio": 5})
	s.set(t, "b", m{"ratio": 3})
	s.set(t, "c", m{"ratio": 2})
	if diff := cmp.Diff(map[string]int{"a": 50, "b": 30, "c": 20}, s.spread(t, 100)); diff != "" {
		t.Errorf("ratio 5:3:2 (-want +got):\n%s", diff)
	}
}

func TestRatioOverSeveralTMMs(t *testing.T) {
	t.Parallel()
	s := newSite(t, bigip.Options{TMMs: 4}, m{"loadBalancingMode": "ratio-member"}, nil, "a", "b")
	s.set(t, "a", m{"ratio": 3})
	got := s.spread(t, 200)
	// Each TMM is exact; four of them differ from the ratio by at most one
	// round each.
	if got["a"] < 142 || got["a"] > 158 {
		t.Errorf("ratio 3:1 gave %v", got)
	}
}

func TestLeastConnections(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode  string
		ratio int
		want  map[string]int
	}{
		{mode: "least-connections-member", ratio: 1, want: map[string]int{"a": 4, "b": 4}},
		{mode: "ratio-least-connections-member", ratio: 3, want: map[string]int{"a": 6, "b": 2}},
	} {
		t.Run(c.mode, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, bigip.Options{}, m{"loadBalancingMode": c.mode}, nil, "a", "b")
			s.set(t, "a", m{"ratio": c.ratio})
			got := map[string]int{}
			for range 8 {
				name, err := ask(hold(t, s.vip))
				if err != nil {
					t.Fatal(err)
				}
				got[name]++
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("open connections (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPriorityGroups(t *testing.T) {
	t.Parallel()
	s := newSite(t, bigip.Options{}, m{"minActiveMembers": 1}, nil, "first", "standby")
	s.set(t, "first", m{"priorityGroup": 10})
	if diff := cmp.Diff(map[string]int{"first": 4}, s.spread(t, 4)); diff != "" {
		t.Errorf("the higher group alone (-want +got):\n%s", diff)
	}
	s.set(t, "first", m{"session": "user-disabled", "state": "user-down"})
	if diff := cmp.Diff(map[string]int{"standby": 4}, s.spread(t, 4)); diff != "" {
		t.Errorf("the lower group when it is offline (-want +got):\n%s", diff)
	}
}

func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	s := newSite(t, bigip.Options{}, nil, nil, "a", "b")
	s.set(t, "a", m{"connectionLimit": 1})
	got := map[string]int{}
	for range 4 {
		name, err := ask(hold(t, s.vip))
		if err != nil {
			t.Fatal(err)
		}
		got[name]++
	}
	if diff := cmp.Diff(map[string]int{"a": 1, "b": 3}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSourcePersistence(t *testing.T) {
	t.Parallel()
	s := newSite(t, bigip.Options{}, nil, m{"persist": []any{"/Common/source_addr"}}, "a", "b")
	first := once(t, s.vip)
	if diff := cmp.Diff(map[string]int{first: 5}, s.spread(t, 5)); diff != "" {
		t.Errorf("a client moved (-want +got):\n%s", diff)
	}
	s.set(t, first, m{"session": "user-disabled"})
	if diff := cmp.Diff(map[string]int{first: 2}, s.spread(t, 2)); diff != "" {
		t.Errorf("a disabled member serves its clients (-want +got):\n%s", diff)
	}
	s.set(t, first, m{"state": "user-down"})
	if got := s.spread(t, 2); got[first] != 0 {
		t.Errorf("a member forced offline took a persisted client: %v", got)
	}
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, s *site)
	}{
		{"no member left", func(t *testing.T, s *site) { s.set(t, "a", m{"state": "user-down"}) }},
		{"the node is forced offline", func(t *testing.T, s *site) {
			must(t, s.Device, "PATCH", "/mgmt/tm/ltm/node/~Common~127.0.0.1", m{"session": "user-disabled", "state": "user-down"})
		}},
		{"the virtual server is disabled", func(t *testing.T, s *site) {
			must(t, s.Device, "PATCH", "/mgmt/tm/ltm/virtual/~Common~v", m{"disabled": true})
		}},
		{"the virtual address is disabled", func(t *testing.T, s *site) {
			must(t, s.Device, "PATCH", "/mgmt/tm/ltm/virtual-address/~Common~127.0.0.1", m{"enabled": "no"})
		}},
		{"the client is not in the source range", func(t *testing.T, s *site) {
			must(t, s.Device, "PATCH", "/mgmt/tm/ltm/virtual/~Common~v", m{"source": "10.0.0.0/8"})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, bigip.Options{}, nil, nil, "a")
			old := hold(t, s.vip)
			if _, err := ask(old); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, s)
			if conn, err := net.Dial("tcp", s.vip); err == nil {
				if _, err := ask(conn); err == nil {
					t.Error("a new connection was served")
				}
				conn.Close()
			}
			if _, err := ask(old); err != nil {
				t.Errorf("the old connection ended: %v", err)
			}
		})
	}
}

func TestReselect(t *testing.T) {
	t.Parallel()
	s := newSite(t, bigip.Options{}, m{"reselectTries": 3}, nil, "a")
	must(t, s.Device, "POST", "/mgmt/tm/ltm/pool/~Common~p/members", m{"name": freePort(t)}) // refuses
	if diff := cmp.Diff(map[string]int{"a": 4}, s.spread(t, 4)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCookiePersistence(t *testing.T) {
	t.Parallel()
	d := start(t, bigip.Options{DataPlane: true, Partitions: []string{"web"}})
	var members []any
	for _, n := range []string{"a", "b"} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, n) }))
		t.Cleanup(srv.Close)
		members = append(members, m{"name": "/web/" + strings.TrimPrefix(srv.URL, "http://")})
	}
	vip := freePort(t)
	must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "/web/p", "members": members, "slowRampTime": 0})
	must(t, d, "POST", "/mgmt/tm/ltm/virtual", m{
		"name": "/web/v", "destination": vip, "ipProtocol": "tcp", "pool": "/web/p",
		"profiles": []any{"/Common/tcp", "/Common/http"}, "persist": []any{"/Common/cookie"},
	})
	get := func(cookie *http.Cookie) (string, *http.Cookie) {
		t.Helper()
		r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+vip+"/", nil)
		if cookie != nil {
			r.AddCookie(cookie)
		}
		tr := &http.Transport{DisableKeepAlives: true}
		resp, err := tr.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		for _, c := range resp.Cookies() {
			if c.Name == "BIGipServer~web~p" {
				return string(body), c
			}
		}
		return string(body), nil
	}
	name, cookie := get(nil)
	if cookie == nil || !strings.HasPrefix(cookie.Value, "16777343.") || !strings.HasSuffix(cookie.Value, ".0000") {
		t.Fatalf("cookie %v", cookie)
	}
	for range 3 {
		if again, c := get(cookie); again != name || c != nil {
			t.Errorf("with the cookie: %s, set again: %v", again, c)
		}
	}
	if other, _ := get(nil); other == name {
		t.Errorf("without it: %s again", other)
	}
}

func TestUDP(t *testing.T) {
	t.Parallel()
	d := start(t, bigip.Options{DataPlane: true})
	var members []any
	for _, n := range []string{"a", "b"} {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		go func() {
			buf := make([]byte, 100)
			for {
				_, from, err := c.ReadFrom(buf)
				if err != nil {
					return
				}
				if _, err := c.WriteTo([]byte(n), from); err != nil {
					return
				}
			}
		}()
		members = append(members, m{"name": c.LocalAddr().String()})
	}
	vip := freePort(t)
	must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "p", "members": members, "slowRampTime": 0, "monitor": "/Common/udp"})
	must(t, d, "POST", "/mgmt/tm/ltm/virtual", m{"name": "v", "destination": vip, "ipProtocol": "udp", "pool": "p", "profiles": []any{"/Common/udp"}})
	eventually(t, "members up", func() bool {
		for _, p := range d.Objects("ltm/pool/members", "/Common/p") {
			if o, _ := d.Object("ltm/pool/members", "/Common/p "+p); o["state"] != "up" {
				return false
			}
		}
		return true
	})
	seen := map[string]int{}
	for range 4 {
		c, err := net.Dial("udp", vip)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		names := map[string]bool{}
		for range 3 {
			if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(c, "hello")
			buf := make([]byte, 10)
			n, err := c.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			names[string(buf[:n])] = true
			seen[string(buf[:n])]++
		}
		if len(names) != 1 {
			t.Errorf("one flow reached %v", names)
		}
	}
	if diff := cmp.Diff(map[string]int{"a": 6, "b": 6}, seen); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSourceAddressTranslation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, want string }{
		{"none", "127.0.0.9"},
		{"automap", "127.0.0.1"},
	} {
		t.Run(c.kind, func(t *testing.T) {
			t.Parallel()
			d := start(t, bigip.Options{DataPlane: true})
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			seen := make(chan string, 1)
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				seen <- conn.RemoteAddr().(*net.TCPAddr).IP.String()
				conn.Close()
			}()
			vip := freePort(t)
			must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "p", "members": []any{m{"name": l.Addr().String()}}})
			must(t, d, "POST", "/mgmt/tm/ltm/virtual", m{"name": "v", "destination": vip, "ipProtocol": "tcp", "pool": "p", "sourceAddressTranslation": m{"type": c.kind}})
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}
			conn, err := dialer.Dial("tcp", vip)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got := <-seen; got != c.want {
				t.Errorf("the member saw %s, want %s", got, c.want)
			}
		})
	}
}

func TestUnservable(t *testing.T) {
	t.Parallel()
	d := start(t, bigip.Options{DataPlane: true})
	for name, c := range map[string]struct {
		body m
		want string
	}{
		"elsewhere": {m{"destination": "203.0.113.77:80"}, "Cannot be served on this machine"},
		"anyport":   {m{"destination": "127.0.0.1:0"}, "Wildcard ports are not simulated"},
		"network":   {m{"destination": "127.1.0.0:80", "mask": "255.255.0.0"}, "Networks as destinations are not simulated"},
		"forward":   {m{"destination": "0.0.0.0:0", "ipForward": true}, "Only standard virtual servers are simulated"},
	} {
		c.body["name"], c.body["ipProtocol"] = name, "tcp"
		must(t, d, "POST", "/mgmt/tm/ltm/virtual", c.body)
		stats := must(t, d, "GET", "/mgmt/tm/ltm/virtual/~Common~"+name+"/stats", nil)
		if text := fmt.Sprint(stats); !strings.Contains(text, c.want) {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestWildcardAddress(t *testing.T) {
	t.Parallel()
	d := start(t, bigip.Options{DataPlane: true})
	echo := backend(t, "a")
	_, port, err := net.SplitHostPort(freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "p", "members": []any{m{"name": echo}}, "slowRampTime": 0})
	vs := must(t, d, "POST", "/mgmt/tm/ltm/virtual", m{"name": "v", "destination": "0.0.0.0:" + port, "ipProtocol": "tcp", "pool": "p"})
	if vs["destination"] != "/Common/0.0.0.0:"+port || vs["mask"] != "any" {
		t.Errorf("virtual server: %v %v", vs["destination"], vs["mask"])
	}
	va := must(t, d, "GET", "/mgmt/tm/ltm/virtual-address/~Common~0.0.0.0", nil)
	if va["address"] != "any" || va["mask"] != "any" || va["arp"] != "disabled" || va["icmpEcho"] != "disabled" {
		t.Errorf("virtual address: %v", va)
	}
	c, err := net.Dial("tcp", "127.0.0.3:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := ask(c); err != nil || got != "a" {
		t.Errorf("through the wildcard: %q %v", got, err)
	}
}

// BenchmarkConnections measures whole connections through a virtual server;
// 20,000 a minute is 3 ms each.
func BenchmarkConnections(b *testing.B) {
	d, err := bigip.Start(b.Context(), bigip.Options{DataPlane: true})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }() //nolint:errcheck // ends with its client
		}
	}()
	d.Do("POST", "/mgmt/tm/ltm/pool", m{"name": "p", "members": []any{m{"name": l.Addr().String()}}})
	vl, _ := net.Listen("tcp", "127.0.0.1:0")
	vip := vl.Addr().String()
	vl.Close()
	d.Do("POST", "/mgmt/tm/ltm/virtual", m{"name": "v", "destination": vip, "ipProtocol": "tcp", "pool": "p"})
	for b.Loop() {
		c, err := net.Dial("tcp", vip)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := ask(c); err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Minutes(), "conns/min")
}

func TestFQDN(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	answer := []string{"127.0.0.21", "127.0.0.22"}
	d := start(t, bigip.Options{DataPlane: true, LookupHost: func(context.Context, string) ([]string, error) {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), answer...), nil
	}})
	must(t, d, "POST", "/mgmt/tm/ltm/node", m{"name": "shop", "fqdn": m{"tmName": "shop.example.com", "autopopulate": "enabled"}})
	must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "p", "members": []any{m{"name": "shop:80"}}})
	members := func() []string { return d.Objects("ltm/pool/members", "/Common/p") }
	want := func(what string, names ...string) {
		t.Helper()
		eventually(t, what, func() bool { return slices.Equal(names, members()) })
	}
	want("two addresses", "/Common/_auto_127.0.0.21:80", "/Common/_auto_127.0.0.22:80", "/Common/shop:80")
	e, _ := d.Object("ltm/pool/members", "/Common/p /Common/_auto_127.0.0.21:80")
	if e["ephemeral"] != "true" || !cmp.Equal(e["fqdn"], any(m{"autopopulate": "enabled", "tmName": "shop.example.com"})) {
		t.Errorf("ephemeral member: %v", e)
	}
	if n, _ := d.Object("ltm/node", "/Common/shop"); n["state"] != "fqdn-up" || n["address"] != "any6" {
		t.Errorf("node: %v %v", n["state"], n["address"])
	}
	mu.Lock()
	answer = []string{"127.0.0.22"}
	mu.Unlock()
	want("one of them left", "/Common/_auto_127.0.0.22:80", "/Common/shop:80")
	must(t, d, "DELETE", "/mgmt/tm/ltm/pool/~Common~p/members/~Common~shop:80", nil)
	want("nothing without the member")
	eventually(t, "nor ephemeral nodes", func() bool { return cmp.Equal([]string{"/Common/shop"}, d.Objects("ltm/node", "")) })
}
