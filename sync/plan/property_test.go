package plan_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// Few addresses and names, so that things meet.
var (
	endpoints = []string{"10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.2:8081", "[2001:db8::1]:8080"}
	paths     = []string{"/web/cart", "/old/cart", "/web/shop_vs"}
	frontends = []string{"203.0.113.10:80", "203.0.113.11:80"}
	anyone    = []state.Owner{ours, ours, ours, once, webs, theyr, twin, {}}
)

// wantedMembers are as translation gives them.
func wantedMembers() *rapid.Generator[[]state.Member] {
	return rapid.Custom(func(t *rapid.T) []state.Member {
		var list []state.Member
		for _, e := range endpoints {
			switch rapid.IntRange(0, 5).Draw(t, e) {
			case 0, 1:
				list = append(list, ready(e))
			case 2:
				list = append(list, unready(e))
			case 3:
				m := terminating(e)
				m.Serves = rapid.Bool().Draw(t, "serves")
				list = append(list, m)
			case 4:
				list = append(list, lastServing(e))
			}
		}
		return list
	})
}

// standingMembers are anything that a device may show.
func standingMembers() *rapid.Generator[[]state.Member] {
	return rapid.Custom(func(t *rapid.T) []state.Member {
		var list []state.Member
		for _, e := range endpoints {
			if rapid.Bool().Draw(t, e) {
				m := on(ready(e), rapid.SampledFrom(anyone).Draw(t, "by"))
				m.Admin = rapid.SampledFrom([]state.Admin{state.Enabled, state.Disabled, state.Offline}).Draw(t, "admin")
				m.Drain = rapid.SampledFrom([]state.Deadline{0, 0, soonAt, pastAt, state.NoDeadline}).Draw(t, "drain")
				m.Terminating = rapid.Bool().Draw(t, "terminating")
				m.Available, m.Idle = rapid.Bool().Draw(t, "available"), rapid.Bool().Draw(t, "idle")
				m.Ratio = rapid.IntRange(1, 2).Draw(t, "ratio")
				list = append(list, m)
			}
		}
		return list
	})
}

// devices are sets of anything that may stand.
func devices() *rapid.Generator[[]state.Object] {
	return rapid.Custom(func(t *rapid.T) []state.Object {
		var objects []state.Object
		listening := map[state.Frontend]bool{}
		for _, p := range paths {
			if rapid.Bool().Draw(t, "pool "+p) {
				pool := poolBy(rapid.SampledFrom(anyone).Draw(t, "by"), standingMembers().Draw(t, "members")...)
				pool.Path = p
				objects = append(objects, pool)
			}
			if rapid.Bool().Draw(t, "virtual server "+p) {
				v := virtualBy(rapid.SampledFrom(anyone).Draw(t, "by"))
				v.Path, v.Pool = p, p
				v.Destination = at(rapid.SampledFrom(frontends).Draw(t, "destination"))
				v.Disabled = rapid.Bool().Draw(t, "disabled")
				if !listening[v.Frontend()] {
					objects = append(objects, v)
				}
				listening[v.Frontend()] = true
			}
		}
		for _, a := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.9"} {
			if rapid.Bool().Draw(t, "node "+a) {
				objects = append(objects, node(a, rapid.SampledFrom(anyone).Draw(t, "by")))
			}
		}
		return objects
	})
}

func wants() *rapid.Generator[state.Want] {
	return rapid.Custom(func(t *rapid.T) state.Want {
		drains := rapid.SampledFrom([]time.Duration{0, time.Minute, -1})
		w := state.Want{
			Service: cart, Drain: drains.Draw(t, "drain"),
			Mode: rapid.SampledFrom([]state.Mode{state.Follow, state.Follow, state.Hold, state.Freeze}).Draw(t, "mode"),
			Live: live(rapid.SliceOfDistinct(rapid.SampledFrom([]string{"10.0.0.1", "10.0.0.2"}), rapid.ID).Draw(t, "live")...),
		}
		if w.Mode != state.Freeze && rapid.Bool().Draw(t, "wanted") {
			p := wantPool(wantedMembers().Draw(t, "members")...)
			p.DrainTimeout = drains.Draw(t, "pool's drain")
			v := virtual()
			v.Destination = at(rapid.SampledFrom(frontends).Draw(t, "destination"))
			w.Objects = []state.Object{p, v}
		}
		return w
	})
}

func answers(t *rapid.T, what string) func(state.ID) bool {
	if rapid.Bool().Draw(t, what+" asked") {
		answer := rapid.Bool().Draw(t, what)
		return func(state.ID) bool { return answer }
	}
	return nil
}

// Whatever stands and whatever is wanted: making the changes leaves nothing to
// change, nothing of anybody else is touched, and the same input in another
// order is planned the same.
func TestDiffOfAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		objects := devices().Draw(t, "device")
		in := input(wants().Draw(t, "want"), objects...)
		in.Leaned = answers(t, "leaned")
		in.Keep = rapid.Bool().Draw(t, "keep")
		in.Want.Orphan = len(in.Want.Objects) == 0 && rapid.Bool().Draw(t, "orphan")
		result := plan.Diff(in)

		have := in.Have.Clone()
		for _, c := range result.Changes {
			permitted(t, in, have, c)
			c.ApplyTo(have)
		}
		again := in
		again.Have = have
		second := plan.Diff(again)
		if diff := cmp.Diff([]string(nil), told(second).Changes); diff != "" {
			t.Fatalf("first %q; once more (-want +got):\n%s", told(result).Changes, diff)
		}
		if !second.Again.Equal(result.Again) {
			t.Fatalf("again at %s, once more at %s", result.Again, second.Again)
		}

		shuffled := in
		shuffled.Have = state.NewSet(rapid.Permutation(objects).Draw(t, "shuffled")...)
		shuffled.Want.Objects = rapid.Permutation(in.Want.Objects).Draw(t, "shuffled want")
		if diff := cmp.Diff(told(result), told(plan.Diff(shuffled))); diff != "" {
			t.Fatalf("in another order (-want +got):\n%s", diff)
		}
	})
}

// permitted demands of a change, made to have, that it is possible there and
// touches nothing but what is ours.
func permitted(t *rapid.T, in plan.Input, have *state.Set, c plan.Change) {
	there, found := have.Get(c.ID())
	if (c.Op == plan.Create) == found {
		t.Fatalf("%s: is there: %t", tell(c), found)
	}
	if found {
		owner := there.OwnedBy()
		if !us.Owns(owner) || owner.Service != cart && c.ID().Kind != state.KindNode {
			t.Fatalf("%s: belongs to %v", tell(c), owner)
		}
	}
	switch o := c.Object().(type) {
	case *state.PoolMember:
		if p, ok := have.Pool(dc1, o.Pool); c.Op == plan.Create && (!ok || !us.Owns(p.Owner) || p.Owner.Service != cart) {
			t.Fatalf("%s: into a pool that is not ours", tell(c))
		}
	case *state.Pool:
		for _, m := range asPool(there).Members {
			if c.Op == plan.Delete && (!us.Owns(m.Owner) || m.Owner.Service != cart) {
				t.Fatalf("%s: with %s of %v", tell(c), m.Line(), m.Owner)
			}
		}
	case *state.VirtualServer:
		if l, ok := have.Listener(o.Frontend()); ok && l.Path != o.Path && c.Op != plan.Delete {
			t.Fatalf("%s: %s listens there", tell(c), l.Path)
		}
	case *state.Node:
		if c.Op == plan.Delete && have.MembersAt(o.Address) > 0 {
			t.Fatalf("%s: has members", tell(c))
		}
	}
	if in.Want.Mode != state.Follow && c.ID().Kind != state.KindMember && c.ID().Kind != state.KindNode {
		t.Fatalf("%s, while in mode %s", tell(c), in.Want.Mode)
	}
	if in.Want.Mode == state.Freeze && (c.Op == plan.Create || c.Op == plan.Delete && c.ID().Kind != state.KindNode) {
		t.Fatalf("%s, while frozen", tell(c))
	}
}

func asPool(o state.Object) *state.Pool {
	if p, ok := o.(*state.Pool); ok {
		return p
	}
	return &state.Pool{}
}

// However endpoints, settings and the clock go: when they come to rest, and the
// clock is followed as the plans ask, all ends as if it had been made at once.
func TestDiffEndsWhereAFreshPlanDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		foreign := []state.Object{node("10.0.0.1", webs), node("10.0.0.2", state.Owner{}), poolOf("/web/other", webs, on(ready("10.0.0.1:9090"), webs))}
		in := input(follow(), foreign...)
		gated := map[state.ID]time.Time{} // since when, as the worker keeps it
		in.Gated = func(id state.ID) time.Time { return gated[id] }
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			in.Want = wants().Draw(t, "want")
			in.Want.Live = liveOf(in.Want)
			in.Now = in.Now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
			in.Have = follows(t, in, gated)
		}
		in.Want = wants().Filter(func(w state.Want) bool { return w.Mode == state.Follow }).Draw(t, "at last")
		in.Want.Live, in.Want.Drain = nil, time.Minute
		for _, o := range in.Want.Objects {
			if p, ok := o.(*state.Pool); ok {
				p.DrainTimeout = max(p.DrainTimeout, 0) // without a limit it would end with the pods
			}
		}
		for rounds := 0; ; rounds++ {
			if rounds > 20 {
				t.Fatal("does not come to rest")
			}
			in.Have = follows(t, in, gated)
			next := plan.Diff(in).Again
			if next.IsZero() {
				break
			}
			if !next.After(in.Now) {
				t.Fatalf("again at %s, which is not after %s", next, in.Now)
			}
			in.Now = next
		}
		fresh := in
		fresh.Have = state.NewSet(foreign...)
		fresh.Have = follows(t, fresh, gated)
		if diff := cmp.Diff(lines(fresh.Have), lines(in.Have)); diff != "" {
			t.Fatalf("fresh (-), in the end (+):\n%s", diff)
		}
	})
}

// follows makes the changes of a plan, and demands that it is looked at again
// while something drains to a deadline.
func follows(t *rapid.T, in plan.Input, gated map[state.ID]time.Time) *state.Set {
	result := plan.Diff(in)
	maps.DeleteFunc(gated, func(id state.ID, _ time.Time) bool { return !slices.Contains(result.Gated, id) })
	for _, id := range result.Gated {
		if gated[id].IsZero() {
			gated[id] = in.Now
		}
	}
	have := in.Have.Clone()
	for _, c := range result.Changes {
		c.ApplyTo(have)
	}
	if in.Want.Mode != state.Follow {
		return have
	}
	for o := range have.All() {
		for _, m := range asPool(o).Members {
			if m.Drain > 0 && (result.Again.IsZero() || result.Again.After(m.Drain.Time())) {
				t.Fatalf("%s: again at %s", m.Line(), result.Again)
			}
		}
	}
	return have
}

func poolOf(path string, owner state.Owner, members ...state.Member) *state.Pool {
	p := poolBy(owner, members...)
	p.Path = path
	return p
}

// liveOf are the addresses of a Want's members: its endpoints'.
func liveOf(w state.Want) map[state.Address]bool {
	m := map[state.Address]bool{}
	for _, o := range w.Objects {
		for _, x := range asPool(o).Members {
			m[x.Endpoint.Address] = true
		}
	}
	return m
}

// lines are all that stands, in words.
func lines(s *state.Set) []string {
	var all []string
	for o := range s.All() {
		all = append(all, o.ID().String())
		all = append(all, slices.Clone(o.Lines())...)
	}
	return all
}
