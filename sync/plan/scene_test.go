package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// The scene of the tests: Service shop/cart of cluster prod on bigip/dc1, with
// one pool and one virtual server, and addresses 10.0.0.N for its pods.
const (
	dc1  = "bigip/dc1"
	path = "/web/cart"
)

var (
	now   = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	us    = state.Identity{Cluster: "prod", UID: "0123abcd", Former: []string{"0000aaaa"}, FormerClusters: []string{"old"}}
	cart  = state.Ref{Namespace: "shop", Name: "cart"}
	web   = state.Ref{Namespace: "shop", Name: "web"}
	ours  = us.Owner(cart)
	webs  = us.Owner(web)
	theyr = state.Owner{Cluster: "test", UID: "99999999", Service: cart} // another cluster
	twin  = state.Owner{Cluster: "prod", UID: "77777777", Service: cart} // another cluster of our name
	once  = state.Owner{Cluster: "prod", UID: "0000aaaa", Service: cart} // this cluster, before it was built anew

	renamed = state.Owner{Cluster: "old", UID: "0123abcd", Service: cart} // this cluster, under a former name
)

// soon is 60 seconds from now, where a drain of the default length ends.
const soon = "2026-07-01T12:01:00Z"

var (
	soonAt = state.DeadlineAt(now.Add(time.Minute))
	pastAt = state.DeadlineAt(now.Add(-time.Second))
)

func at(s string) state.Endpoint {
	e, err := state.ParseEndpoint(s)
	if err != nil {
		panic(err)
	}
	return e
}

// A wanted member, by how its endpoint is.
func ready(e string) state.Member { return state.Member{Endpoint: at(e), Ratio: 1} }
func unready(e string) state.Member {
	return state.Member{Endpoint: at(e), Ratio: 1, Admin: state.Offline}
}

func terminating(e string) state.Member {
	return state.Member{Endpoint: at(e), Ratio: 1, Admin: state.Offline, Terminating: true}
}

// lastServing is terminating, and takes clients because no other does.
func lastServing(e string) state.Member {
	return state.Member{Endpoint: at(e), Ratio: 1, Terminating: true}
}

// on is a member as it stands: with its node and owner.
func on(m state.Member, by state.Owner) state.Member {
	m.Node = "/Common/" + m.Endpoint.Address.String()
	m.Owner = by
	m.Available = true
	return m
}

// draining is a member of ours that was forced offline until a deadline.
func draining(e string, until state.Deadline, podEnds bool) state.Member {
	m := on(unready(e), ours)
	m.Drain, m.Terminating = until, podEnds
	return m
}

func wantPool(members ...state.Member) *state.Pool {
	members = slices.Clone(members)
	state.SortMembers(members)
	return &state.Pool{
		Backend: dc1, Path: path, Owner: ours, Mode: "round-robin", Monitors: []string{"/Common/tcp"}, ReselectTries: 3,
		DrainTimeout: time.Minute, Members: members,
	}
}

// havePool is a pool of ours as it stands.
func havePool(members ...state.Member) *state.Pool {
	p := wantPool(members...)
	p.DrainTimeout = 0
	for i, m := range p.Members {
		if m.Node == "" {
			p.Members[i] = on(m, ours)
		}
	}
	return p
}

func virtual() *state.VirtualServer {
	return &state.VirtualServer{
		Backend: dc1, Path: path, Owner: ours, Destination: at("203.0.113.10:80"), Protocol: state.TCP, Pool: path,
		Profiles: []state.Profile{{Path: "/Common/tcp", Context: "all"}}, SNAT: "automap",
	}
}

func node(address string, by state.Owner) *state.Node {
	a := at(address + ":1").Address
	return &state.Node{Backend: dc1, Path: "/Common/" + a.String(), Address: a, Owner: by}
}

func by[T state.Object](o T, owner state.Owner, set func(T)) T {
	set(o)
	if o.OwnedBy() != owner {
		panic("owner not set")
	}
	return o
}

func poolBy(owner state.Owner, members ...state.Member) *state.Pool {
	return by(havePool(members...), owner, func(p *state.Pool) { p.Owner = owner })
}

func virtualBy(owner state.Owner) *state.VirtualServer {
	return by(virtual(), owner, func(v *state.VirtualServer) { v.Owner = owner })
}

func follow(objects ...state.Object) state.Want {
	return state.Want{Service: cart, Objects: objects, Drain: time.Minute}
}

// live are the addresses of endpoints.
func live(addresses ...string) map[state.Address]bool {
	m := map[state.Address]bool{}
	for _, a := range addresses {
		m[at(a+":1").Address] = true
	}
	return m
}

func input(want state.Want, have ...state.Object) plan.Input {
	return plan.Input{
		Backend: dc1, Want: want, Have: state.NewSet(have...), Identity: us, Now: now, NodePartition: "Common",
	}
}

// expect is a plan in words: what a test demands of a Result.
type expect struct {
	Changes  []string
	Again    string
	Waiting  []string
	Sought   []string
	Problems []string // "Reason: message"
}

func told(r plan.Result) expect {
	var e expect
	for _, c := range r.Changes {
		e.Changes = append(e.Changes, tell(c))
	}
	if !r.Again.IsZero() {
		e.Again = r.Again.UTC().Format(time.RFC3339)
	}
	for _, id := range r.Waiting {
		e.Waiting = append(e.Waiting, id.String())
	}
	for _, id := range r.Sought {
		e.Sought = append(e.Sought, id.String())
	}
	for _, p := range r.Problems {
		e.Problems = append(e.Problems, p.Reason+": "+p.Message)
	}
	return e
}

// tell writes a change: a member with its line, anything else that is updated
// with the lines that are new.
func tell(c plan.Change) string {
	id := c.ID()
	s := string(c.Op) + " " + string(id.Kind) + " " + id.Name
	switch o := c.Object().(type) {
	case *state.PoolMember:
		s = string(c.Op) + " in " + o.Pool + ": " + strings.TrimPrefix(o.Line(), "member ")
	case *state.Node:
		s = string(c.Op) + " node " + o.Path
	default:
		if c.Op == plan.Update {
			old := c.Before.Lines()
			s += ": " + strings.Join(slices.DeleteFunc(slices.Clone(o.Lines()), func(l string) bool { return slices.Contains(old, l) }), ", ")
		}
	}
	if c.Why != "" {
		s += " (" + c.Why + ")"
	}
	if c.Interrupts {
		s += " INTERRUPTS"
	}
	return s
}

// row is one case of a table: what is wanted and what stands, and what follows.
type row struct {
	name string
	in   plan.Input
	want expect
}

func check(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			result := plan.Diff(r.in)
			if diff := cmp.Diff(r.want, told(result)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			have := r.in.Have.Clone()
			for _, c := range result.Changes {
				c.ApplyTo(have)
			}
			again := r.in
			again.Have = have
			if diff := cmp.Diff([]string(nil), told(plan.Diff(again)).Changes); diff != "" {
				t.Errorf("once more, after the changes (-want +got):\n%s", diff)
			}
		})
	}
}
