package backendtest

import (
	"fmt"
	"net/netip"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// service is whose objects the suite makes.
func service() state.Ref { return state.Ref{Namespace: "shop", Name: "cart"} }

// Documentation addresses (RFC 5737, RFC 3849) by number.
func virtualAddress(n int) state.Address {
	return state.Address{IP: netip.AddrFrom4([4]byte{203, 0, 113, byte(n)})}
}

func memberAddress(n int) state.Address {
	return state.Address{IP: netip.AddrFrom4([4]byte{198, 51, 100, byte(n)})}
}

func memberAddress6(n int) state.Address {
	a := netip.MustParseAddr("2001:db8:7::").As16()
	a[15] = byte(n)
	return state.Address{IP: netip.AddrFrom16(a)}
}

func (f Fixture) owner() state.Owner { return f.Identity.Owner(service()) }

// path names an object of ours: "/web/lb_prod_shop_cart_7".
func (f Fixture) path(n int) string {
	return fmt.Sprintf("/%s/lb_%s_%s_%s_%d", f.Partition, f.Identity.Cluster, service().Namespace, service().Name, n)
}

func (f Fixture) node(a state.Address) *state.Node {
	return &state.Node{Backend: f.Backend.Name(), Path: "/Common/" + a.String(), Address: a, Owner: f.owner()}
}

func (f Fixture) member(a state.Address, port uint16) state.Member {
	return state.Member{
		Endpoint: state.Endpoint{Address: a, Port: port}, Node: "/Common/" + a.String(),
		Owner: f.owner(), Ratio: 1, Available: true,
	}
}

func (f Fixture) poolMember(pool *state.Pool, m state.Member) *state.PoolMember {
	return &state.PoolMember{Backend: pool.Backend, Pool: pool.Path, Member: m}
}

func (f Fixture) pool(n int, members ...state.Member) *state.Pool {
	return &state.Pool{
		Backend: f.Backend.Name(), Path: f.path(n), Owner: f.owner(), Mode: "round-robin",
		Monitors: []string{"/Common/tcp"}, ReselectTries: 3, Members: members,
	}
}

func (f Fixture) virtual(n int, pool string) *state.VirtualServer {
	return &state.VirtualServer{
		Backend: f.Backend.Name(), Path: f.path(n), Owner: f.owner(),
		Destination: state.Endpoint{Address: virtualAddress(n), Port: 80}, Protocol: state.TCP, Pool: pool,
		Profiles: []state.Profile{{Path: "/Common/tcp", Context: "all"}}, SNAT: "automap",
	}
}

// specimen is an object of a kind, in three shapes: as it is made, as it is
// changed, and what must stand before it.
type specimen struct {
	first, second state.Object
	needs         []state.Object
}

// specimens makes one of each kind that the backend holds; n from 1 to 200
// keeps those of different calls apart.
func (f Fixture) specimens(n int) []specimen {
	var out []specimen
	if f.has(state.KindNode) {
		a := f.node(memberAddress(n))
		b := *a
		b.Owner.Service.Name = "other"
		out = append(out, specimen{first: a, second: &b})
	}
	if f.has(state.KindMonitor) {
		a := &state.Monitor{
			Backend: f.Backend.Name(), Path: f.path(n) + "_m1", Owner: f.owner(), Type: "http",
			Interval: 5, Timeout: 16, Send: `GET /healthz HTTP/1.0\r\n\r\n`, Receive: "HTTP/1.[01] [23]",
		}
		b := *a
		b.Timeout, b.Receive = 31, ""
		out = append(out, specimen{first: a, second: &b})
	}
	out = append(out, f.attachedSpecimens(n)...)
	if f.has(state.KindPool) {
		a := f.pool(n)
		b := f.pool(n)
		b.Mode, b.Monitors, b.SlowRamp = "least-connections-member", []string{"/Common/http", "/Common/tcp"}, 20
		out = append(out, specimen{first: a, second: b})
	}
	if f.has(state.KindVirtualServer) {
		p, q := f.pool(n), f.pool(n)
		p.Path += "_a"
		q.Path += "_b"
		a, b := f.virtual(n, p.Path), f.virtual(n, q.Path)
		b.SNAT, b.Disabled, b.Destination.Port = "none", true, 81
		b.Profiles = []state.Profile{{Path: "/Common/http", Context: "all"}, {Path: "/Common/tcp", Context: "all"}}
		b.Persistence, b.ConnectionLimit, b.VLANs = "/Common/cookie", 1000, []string{"/Common/http-tunnel"}
		b.Source = netip.MustParsePrefix("192.0.2.0/24")
		needs := []state.Object{p, q}
		if f.has(state.KindIRule) {
			// Not in the order of their names, which is not the one in which they run.
			r, s := f.rule(n, "_b"), f.rule(n, "_a")
			a.IRules, b.IRules = []string{r.Path}, []string{r.Path, s.Path}
			needs = append(needs, r, s)
		}
		out = append(out, specimen{first: a, second: b, needs: needs})
	}
	if f.has(state.KindRoute) {
		hop := func(n byte) state.NextHop {
			return state.NextHop{Address: netip.AddrFrom4([4]byte{192, 0, 2, n}), Via: fmt.Sprintf("node node-%d", n)}
		}
		a := &state.Route{
			Backend: f.Backend.Name(), Prefix: netip.PrefixFrom(virtualAddress(n).IP, 32),
			Owner: f.owner(), NextHops: []state.NextHop{hop(1), hop(2)}, Peers: []string{"tor-1"}, Communities: []string{"64512:100"},
		}
		b := *a
		b.NextHops, b.Communities, b.Prepend = []state.NextHop{hop(2), hop(3)}, []string{"64512:1:2"}, 1
		out = append(out, specimen{first: a, second: &b})
	}
	return out
}

func create(objects ...state.Object) []plan.Change {
	var out []plan.Change
	for _, o := range objects {
		out = append(out, plan.Change{Op: plan.Create, After: o})
	}
	return out
}

func update(before, after state.Object) plan.Change {
	return plan.Change{Op: plan.Update, Before: before, After: after}
}

func remove(objects ...state.Object) []plan.Change {
	var out []plan.Change
	for _, o := range objects {
		out = append(out, plan.Change{Op: plan.Delete, Before: o})
	}
	return out
}

// foreign is the object as somebody else's, under a name of theirs.
func (f Fixture) foreign(o state.Object) state.Object {
	other := "/" + f.Partition + "/legacy_shop"
	switch o := o.(type) {
	case *state.Node:
		q := *o
		q.Owner, q.Path = state.Owner{}, "/Common/legacy-vm-1"
		return &q
	case *state.Monitor:
		q := *o
		q.Owner, q.Path = state.Owner{}, other
		return &q
	case *state.DataGroup: // of a foreign one nothing is read but that it is there
		return &state.DataGroup{Backend: o.Backend, Path: other}
	case *state.IRule:
		return &state.IRule{Backend: o.Backend, Path: other}
	case *state.StaticRoute:
		return &state.StaticRoute{Backend: o.Backend, Path: other, Network: o.Network}
	case *state.Persistence:
		q := *o
		q.Owner, q.Path = state.Owner{}, other
		return &q
	case *state.Pool:
		q := *o
		q.Owner, q.Path, q.Members = state.Owner{}, other, nil
		for _, m := range o.Members {
			m.Owner = state.Owner{}
			q.Members = append(q.Members, m)
		}
		return &q
	case *state.VirtualServer:
		q := *o
		q.Owner, q.Path, q.Pool, q.IRules = state.Owner{}, other, "", nil
		return &q
	case *state.Route:
		q := *o
		q.Owner = state.Owner{}
		return &q
	}
	return o
}
