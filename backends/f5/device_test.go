package f5_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/backends/f5"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/bigip"
)

var cart = state.Ref{Namespace: "shop", Name: "cart"}

func address(t testing.TB, s string) state.Address {
	t.Helper()
	a, err := state.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func member(t testing.TB, addr string, port uint16, node string) state.Member {
	t.Helper()
	return state.Member{
		Endpoint: state.Endpoint{Address: address(t, addr), Port: port}, Node: node,
		Owner: identity().Owner(cart), Ratio: 1, Available: true,
	}
}

func node(t testing.TB, addr, path string) *state.Node {
	t.Helper()
	return &state.Node{Backend: "bigip/dc1", Path: path, Address: address(t, addr), Owner: identity().Owner(cart)}
}

func poolMember(p *state.Pool, m state.Member) *state.PoolMember {
	return &state.PoolMember{Backend: p.Backend, Pool: p.Path, Member: m}
}

func virtual(t testing.TB, name, addr string, port uint16) *state.VirtualServer {
	t.Helper()
	return &state.VirtualServer{
		Backend: "bigip/dc1", Path: "/web/lb_prod_" + name, Owner: identity().Owner(cart),
		Destination: state.Endpoint{Address: address(t, addr), Port: port}, Protocol: state.TCP,
		Profiles: []state.Profile{{Path: "/Common/tcp", Context: "all"}}, SNAT: "automap",
	}
}

func mustCreate(t testing.TB, b *f5.Backend, objects ...state.Object) {
	t.Helper()
	var changes []plan.Change
	for _, o := range objects {
		changes = append(changes, plan.Change{Op: plan.Create, After: o})
	}
	if out := applyOne(t, b, changes...); out.Status != apply.Done {
		t.Fatalf("%s: %v", out.Status, out.Err)
	}
}

func mustRead(t testing.TB, b *f5.Backend, ids ...state.ID) *state.Set {
	t.Helper()
	set, err := b.Read(t.Context(), apply.Scope{IDs: ids})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// writes are the changes that a device was asked for: method, path and body.
func writes(d *bigip.Device) []string {
	var out []string
	for _, r := range d.Requests() {
		if r.Method != http.MethodGet && strings.HasPrefix(r.Path, "/mgmt/tm/") && r.User != "" {
			out = append(out, strings.TrimSpace(r.Method+" "+strings.TrimPrefix(r.Path, "/mgmt/tm/")+" "+r.Body))
		}
	}
	return out
}

// TestOneCallForEachChange pins what goes over the wire.
func TestOneCallForEachChange(t *testing.T) {
	t.Parallel()
	d := startDevice(t, bigip.Options{})
	b := open(t, optionsFor(d))
	mustPost(t, d, "/mgmt/tm/ltm/node", map[string]any{"name": "/Common/vm-1", "address": "10.0.0.7"})
	before := len(writes(d))

	p := testPool("cart_80")
	p.Monitors = []string{"/Common/http", "/Common/tcp"}
	drained := member(t, "10.0.0.5", 8080, "/Common/10.0.0.5")
	drained.Admin, drained.Drain, drained.Terminating = state.Offline, 1_900_000_000, true
	p.Members = []state.Member{drained}
	vm := member(t, "10.0.0.7", 8080, "/Common/vm-1")
	v6 := member(t, "fd00::1", 8080, "/Common/fd00::1")
	vs := virtual(t, "cart_80", "203.0.113.10", 80)
	vs.Pool = p.Path
	mustCreate(t, b, node(t, "10.0.0.5", "/Common/10.0.0.5"), node(t, "fd00::1", "/Common/fd00::1"), p, poolMember(p, vm), poolMember(p, v6), vs)

	heavy, back := v6, drained
	heavy.Ratio = 40
	back.Admin, back.Drain, back.Terminating = state.Enabled, 0, false
	q, ws := *p, *vs
	q.Mode, q.Monitors = "ratio-member", nil
	ws.Pool, ws.Disabled = "", true
	out := applyOne(t, b,
		plan.Change{Op: plan.Update, Before: poolMember(p, v6), After: poolMember(p, heavy)},
		plan.Change{Op: plan.Update, Before: poolMember(p, drained), After: poolMember(p, back)},
		plan.Change{Op: plan.Update, Before: p, After: &q},
		plan.Change{Op: plan.Update, Before: vs, After: &ws},
		plan.Change{Op: plan.Update, Before: &ws, After: &ws},
		plan.Change{Op: plan.Delete, Before: poolMember(p, vm)},
		plan.Change{Op: plan.Delete, Before: poolMember(p, heavy)},
		plan.Change{Op: plan.Delete, Before: node(t, "fd00::1", "/Common/fd00::1")},
		plan.Change{Op: plan.Delete, Before: &ws},
		plan.Change{Op: plan.Delete, Before: &q},
	)
	if out.Status != apply.Done || out.Applied != 10 {
		t.Fatalf("%s after %d: %v", out.Status, out.Applied, out.Err)
	}
	tag := "landbridge cluster=prod uid=0a1b2c3d service=shop/cart"
	want := []string{
		`POST ltm/node {"name":"10.0.0.5","partition":"Common","address":"10.0.0.5","description":"` + tag + `"}`,
		`POST ltm/node {"name":"fd00::1","partition":"Common","address":"fd00::1","description":"` + tag + `"}`,
		`POST ltm/pool {"name":"lb_prod_cart_80","partition":"web","description":"` + tag + `","loadBalancingMode":"round-robin",` +
			`"monitor":"/Common/http and /Common/tcp","reselectTries":0,"slowRampTime":0,"members":[{"name":"/Common/10.0.0.5:8080",` +
			`"description":"` + tag + ` drain-until=2030-03-17T17:46:40Z terminating=true","ratio":1,"priorityGroup":0,"session":"user-disabled","state":"user-down"}]}`,
		`POST ltm/pool/~web~lb_prod_cart_80/members {"name":"/Common/vm-1:8080","description":"` + tag + `","ratio":1,"priorityGroup":0}`,
		`POST ltm/pool/~web~lb_prod_cart_80/members {"name":"/Common/fd00::1.8080","description":"` + tag + `","ratio":1,"priorityGroup":0}`,
		`POST ltm/virtual {"name":"lb_prod_cart_80","partition":"web","description":"` + tag + `","destination":"/web/203.0.113.10:80","mask":"255.255.255.255",` +
			`"source":"0.0.0.0/0","ipProtocol":"tcp","pool":"/web/lb_prod_cart_80","profiles":[{"name":"/Common/tcp","context":"all"}],"sourceAddressTranslation":{"type":"automap"}}`,
		`PATCH ltm/pool/~web~lb_prod_cart_80/members/~Common~fd00::1.8080 {"ratio":40}`,
		`PATCH ltm/pool/~web~lb_prod_cart_80/members/~Common~10.0.0.5:8080 {"description":"` + tag + `","session":"user-enabled","state":"user-up"}`,
		`PATCH ltm/pool/~web~lb_prod_cart_80 {"loadBalancingMode":"ratio-member","monitor":"none"}`,
		`PATCH ltm/virtual/~web~lb_prod_cart_80 {"disabled":true,"pool":"none"}`,
		`DELETE ltm/pool/~web~lb_prod_cart_80/members/~Common~vm-1:8080`,
		`DELETE ltm/pool/~web~lb_prod_cart_80/members/~Common~fd00::1.8080`,
		`DELETE ltm/node/~Common~fd00::1`,
		`DELETE ltm/virtual/~web~lb_prod_cart_80`,
		`DELETE ltm/pool/~web~lb_prod_cart_80`,
	}
	if diff := cmp.Diff(want, writes(d)[before:]); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	if _, ok := d.Object("ltm/node", "/Common/vm-1"); !ok {
		t.Error("the foreign node is gone")
	}
}

// TestAddresses takes each form of an address there and back.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, member, node, virtual string
		destination, source, path   string
	}{
		{
			name: "IPv4", member: "10.0.0.5", node: "/Common/10.0.0.5", virtual: "203.0.113.10",
			destination: "/web/203.0.113.10:80", source: "0.0.0.0/0", path: "~Common~10.0.0.5:8080",
		},
		{
			name: "IPv4 in a route domain", member: "10.0.0.5%2", node: "/Common/10.0.0.5%2", virtual: "203.0.113.10%2",
			destination: "/web/203.0.113.10%2:80", source: "0.0.0.0%2/0", path: "~Common~10.0.0.5%252:8080",
		},
		{
			name: "IPv6", member: "fd00::1", node: "/Common/fd00::1", virtual: "2001:db8::1",
			destination: "/web/2001:db8::1.80", source: "::/0", path: "~Common~fd00::1.8080",
		},
		{
			name: "IPv6 in a route domain", member: "fd00::1%2", node: "/Common/fd00::1%2", virtual: "2001:db8::1%2",
			destination: "/web/2001:db8::1%2.80", source: "::%2/0", path: "~Common~fd00::1%252.8080",
		},
		{
			name: "a node named otherwise", member: "10.0.0.5", node: "/Common/vm-1.example.com", virtual: "203.0.113.10",
			destination: "/web/203.0.113.10:80", source: "0.0.0.0/0", path: "~Common~vm-1.example.com:8080",
		},
		{
			name: "an IPv6 node named otherwise", member: "fd00::1", node: "/Common/vm-1", virtual: "2001:db8::1",
			destination: "/web/2001:db8::1.80", source: "::/0", path: "~Common~vm-1:8080",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := startDevice(t, bigip.Options{})
			mustPost(t, d, "/mgmt/tm/net/route-domain", map[string]any{"name": "2", "id": 2})
			b := open(t, optionsFor(d))
			p := testPool("cart_80")
			m := member(t, test.member, 8080, test.node)
			vs := virtual(t, "cart_80", test.virtual, 80)
			vs.Pool = p.Path
			n := node(t, test.member, test.node)
			mustCreate(t, b, n, p, poolMember(p, m), vs)

			heavy := m
			heavy.Ratio = 2
			p = p.With(heavy)
			if out := applyOne(t, b, plan.Change{Op: plan.Update, Before: poolMember(p, m), After: poolMember(p, heavy)}); out.Err != nil {
				t.Fatal(out.Err)
			}
			if last := writes(d)[len(writes(d))-1]; !strings.Contains(last, "/members/"+test.path+" ") {
				t.Errorf("the member was changed by %q, want its path to be %s", last, test.path)
			}
			got, _ := d.Object("ltm/virtual", vs.Path)
			if got["destination"] != test.destination || got["source"] != test.source {
				t.Errorf("destination %v, source %v; want %s, %s", got["destination"], got["source"], test.destination, test.source)
			}
			for what, set := range map[string]*state.Set{"full": mustRead(t, b), "scoped": mustRead(t, b, n.ID(), p.ID(), vs.ID())} {
				for _, want := range []state.Object{n, p, vs} {
					have, ok := set.Get(want.ID())
					if !ok {
						t.Fatalf("%s read: no %s", what, want.ID())
					}
					if diff := cmp.Diff(want.Lines(), have.Lines()); diff != "" {
						t.Errorf("%s read (-want +got):\n%s", what, diff)
					}
				}
				have, _ := set.Pool("bigip/dc1", p.Path)
				if have.Members[0].Node != test.node {
					t.Errorf("%s read: the member's node is %s, want %s", what, have.Members[0].Node, test.node)
				}
			}
			out := applyOne(t, b, plan.Change{Op: plan.Delete, Before: poolMember(p, heavy)}, plan.Change{Op: plan.Delete, Before: n})
			if out.Status != apply.Done || slices.Contains(d.Objects("ltm/node", ""), test.node) {
				t.Errorf("%s: %v; nodes %v", out.Status, out.Err, d.Objects("ltm/node", ""))
			}
		})
	}
}

func TestWhoseItIs(t *testing.T) {
	t.Parallel()
	ours := identity().Owner(cart)
	other := ours
	other.Cluster = "stage"
	rebuilt := ours
	rebuilt.UID = "ffffffff"
	for _, test := range []struct {
		name, pool, description string
		want                    state.Owner
	}{
		{name: "tag and name", pool: "lb_prod_a", description: ours.Tag(), want: ours},
		{name: "with words around the tag", pool: "lb_prod_a", description: "ask Ann: " + ours.Tag() + " please", want: ours},
		{name: "another cluster's", pool: "lb_stage_a", description: other.Tag(), want: other},
		{name: "from before the cluster was built anew", pool: "lb_prod_a", description: rebuilt.Tag(), want: rebuilt},
		{name: "our name alone", pool: "lb_prod_a", description: "by hand"},
		{name: "our name, no description", pool: "lb_prod_a"},
		{name: "a copy with our tag", pool: "copy_of_a", description: ours.Tag()},
		{name: "our tag under another cluster's name", pool: "lb_stage_a", description: ours.Tag()},
		{name: "half a tag", pool: "lb_prod_a", description: "landbridge cluster=prod uid=0a1b2c3d"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := startDevice(t, bigip.Options{})
			mustPost(t, d, "/mgmt/tm/ltm/pool", map[string]any{"name": test.pool, "partition": "web", "description": test.description})
			b := open(t, optionsFor(d))
			for what, set := range map[string]*state.Set{
				"full":   mustRead(t, b),
				"scoped": mustRead(t, b, state.ID{Backend: "bigip/dc1", Kind: state.KindPool, Name: "/web/" + test.pool}),
			} {
				p, ok := set.Pool("bigip/dc1", "/web/"+test.pool)
				if !ok {
					t.Fatalf("%s read: the pool is not there", what)
				}
				if p.Owner != test.want {
					t.Errorf("%s read: the owner is %+v, want %+v", what, p.Owner, test.want)
				}
			}
		})
	}
}

// TestSharedPool has members of the network team, of another cluster and of
// ours in a pool that is not ours.
func TestSharedPool(t *testing.T) {
	t.Parallel()
	d := startDevice(t, bigip.Options{})
	other := state.Owner{Cluster: "stage", UID: "11111111", Service: cart}
	mustPost(t, d, "/mgmt/tm/ltm/pool", map[string]any{"name": "/web/legacy", "members": []map[string]any{
		{"name": "/web/10.0.0.1:80", "address": "10.0.0.1", "ratio": 3, "session": "user-disabled"},
		{"name": "/web/10.0.0.2:80", "address": "10.0.0.2", "description": other.Tag()},
	}})
	b := open(t, optionsFor(d))
	p, _ := mustRead(t, b).Pool("bigip/dc1", "/web/legacy")
	ours := member(t, "10.0.0.3", 80, "/Common/10.0.0.3")
	mustCreate(t, b, node(t, "10.0.0.3", "/Common/10.0.0.3"), poolMember(p, ours))

	p, _ = mustRead(t, b).Pool("bigip/dc1", "/web/legacy")
	want := []state.Member{
		{Endpoint: state.Endpoint{Address: address(t, "10.0.0.1"), Port: 80}, Node: "/web/10.0.0.1", Admin: state.Disabled, Ratio: 3, Available: true},
		{Endpoint: state.Endpoint{Address: address(t, "10.0.0.2"), Port: 80}, Node: "/web/10.0.0.2", Owner: other, Ratio: 1, Available: true},
		ours,
	}
	if diff := cmp.Diff(want, p.Members, cmp.Comparer(func(a, b state.Member) bool { return a == b })); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	for _, m := range p.Members[:2] {
		out := applyOne(t, b, plan.Change{Op: plan.Delete, Before: poolMember(p, m)})
		if out.Status != apply.Refused || out.Reason != f5.ReasonForeign {
			t.Errorf("deleting %s: %s, %s", m.Endpoint, out.Status, out.Reason)
		}
	}
}

// TestAdoptedIsNotDeleted: it carries our tag, and others made it.
func TestAdoptedIsNotDeleted(t *testing.T) {
	t.Parallel()
	d := startDevice(t, bigip.Options{})
	tag := func(path string) string { return identity().Owner(cart).Tag() + " adopted=" + path }
	mustPost(t, d, "/mgmt/tm/ltm/pool", map[string]any{"name": "/web/shop", "description": tag("/web/shop")})
	mustPost(t, d, "/mgmt/tm/ltm/virtual", map[string]any{"name": "/web/shop_vs", "destination": "/web/203.0.113.10:80", "ipProtocol": "tcp", "description": tag("/web/shop_vs")})
	b := open(t, optionsFor(d))
	have := mustRead(t, b)
	for _, id := range []state.ID{
		{Backend: "bigip/dc1", Kind: state.KindPool, Name: "/web/shop"},
		{Backend: "bigip/dc1", Kind: state.KindVirtualServer, Name: "/web/shop_vs"},
	} {
		o, ok := have.Get(id)
		if !ok || !identity().Owns(o.OwnedBy()) {
			t.Fatalf("%s is read as %+v", id, o)
		}
		out := applyOne(t, b, plan.Change{Op: plan.Delete, Before: o})
		if out.Status != apply.Refused || out.Reason != f5.ReasonForeign {
			t.Errorf("deleting %s: %s, %s", id, out.Status, out.Reason)
		}
	}
	if n := mustRead(t, b).Len(); n != have.Len() {
		t.Errorf("%d objects are left of %d", n, have.Len())
	}
}

func TestAppServiceIsForeign(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/mgmt/tm/ltm/pool" {
			emptyCollection(w)
			return
		}
		tag := identity().Owner(cart).Tag()
		body, err := json.Marshal(map[string]any{"kind": "tm:ltm:pool:poolcollectionstate", "items": []map[string]any{{
			"fullPath": "/web/lb_prod_a", "description": tag, "appService": "/web/app.app/app",
			"membersReference": map[string]any{"items": []map[string]any{{
				"fullPath": "/web/10.0.0.1:80", "address": "10.0.0.1", "description": tag, "appService": "/web/app.app/app",
			}}},
		}}})
		if err != nil {
			t.Error(err)
		}
		answer(w, 200, string(body))
	})
	p, ok := mustRead(t, f.open(t, nil)).Pool("bigip/dc1", "/web/lb_prod_a")
	if !ok || !p.Owner.IsZero() || len(p.Members) != 1 || !p.Members[0].Owner.IsZero() {
		t.Errorf("the pool of an application service reads as %+v, want it foreign", p)
	}
}

func TestNodeThatStandsAlready(t *testing.T) {
	t.Parallel()
	other := identity().Owner(state.Ref{Namespace: "shop", Name: "other"})
	for _, test := range []struct {
		name, path, description string
		status                  apply.Status
	}{
		{name: "ours, for another Service", path: "/Common/10.0.0.5", description: other.Tag(), status: apply.Done},
		{name: "the network team's, with the name that we would give", path: "/Common/10.0.0.5", status: apply.Refused},
		{name: "the network team's, in another partition", path: "/web/vm-1", status: apply.Refused},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := startDevice(t, bigip.Options{})
			mustPost(t, d, "/mgmt/tm/ltm/node", map[string]any{"name": test.path, "address": "10.0.0.5", "description": test.description})
			b := open(t, optionsFor(d))
			out := applyOne(t, b, plan.Change{Op: plan.Create, After: node(t, "10.0.0.5", "/Common/10.0.0.5")})
			if out.Status != test.status {
				t.Errorf("outcome is %s: %v", out.Status, out.Err)
			}
			if test.status == apply.Refused {
				wantMentioned(t, out.Err, test.path)
			}
			n, ok := mustRead(t, b, state.NodeID("bigip/dc1", address(t, "10.0.0.5"))).Node("bigip/dc1", address(t, "10.0.0.5"))
			if !ok || n.Path != test.path {
				t.Errorf("the node at the address reads as %+v, want %s", n, test.path)
			}
		})
	}
}

func TestVirtualAddressByAnotherName(t *testing.T) {
	t.Parallel()
	d := startDevice(t, bigip.Options{})
	mustPost(t, d, "/mgmt/tm/ltm/virtual-address", map[string]any{"name": "/web/shop-va", "address": "203.0.113.9"})
	mustPost(t, d, "/mgmt/tm/ltm/virtual", map[string]any{
		"name": "/web/shop", "destination": "/web/shop-va:443", "ipProtocol": "tcp", "profiles": []map[string]any{{"name": "/Common/tcp"}},
	})
	b := open(t, optionsFor(d))
	want := state.Frontend{Endpoint: state.Endpoint{Address: address(t, "203.0.113.9"), Port: 443}, Protocol: state.TCP}
	for what, set := range map[string]*state.Set{
		"full":   mustRead(t, b),
		"scoped": mustRead(t, b, state.ID{Backend: "bigip/dc1", Kind: state.KindVirtualServer, Name: "/web/shop"}),
	} {
		if v, ok := set.Listener(want); !ok || v.Path != "/web/shop" {
			t.Errorf("%s read: nobody listens on %s", what, want)
		}
	}
}

func TestPartitionThatIsMissing(t *testing.T) {
	t.Parallel()
	d := startDevice(t, bigip.Options{})
	p := testPool("a")
	p.Path = "/nowhere/lb_prod_a"
	out := applyOne(t, open(t, optionsFor(d)), plan.Change{Op: plan.Create, After: p})
	if out.Status != apply.Refused || out.Reason != f5.ReasonPartitionNotFound {
		t.Errorf("outcome is %s, %s: %v", out.Status, out.Reason, out.Err)
	}
	wantMentioned(t, out.Err, "landbridge.dev/partition", "nowhere")
}
