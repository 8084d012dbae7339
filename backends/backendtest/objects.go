package backendtest

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

func testEmpty(t *testing.T, f Fixture) {
	for o := range f.read(t).All() {
		if f.Identity.Owns(o.OwnedBy()) {
			t.Errorf("%s is ours on an empty backend", o.ID())
		}
	}
	if outs := f.Backend.Apply(t.Context(), nil); len(outs) != 0 {
		t.Errorf("no Unit was applied, but %d Outcomes came back", len(outs))
	}
	wantDone(t, f.apply(t), 0)
}

func testLifecycle(t *testing.T, f Fixture) {
	for _, s := range f.specimens(1) {
		f.mustApply(t, create(s.needs...)...)
		f.mustApply(t, create(s.first)...)
		f.wantObject(t, s.first)
		f.mustApply(t, update(s.first, s.second))
		f.wantObject(t, s.second)
		f.mustApply(t, update(s.second, s.first))
		f.wantObject(t, s.first)
		f.mustApply(t, remove(s.first)...)
		f.wantGone(t, s.first.ID())
		f.mustApply(t, remove(s.needs...)...)
	}
}

func testCreateAgain(t *testing.T, f Fixture) {
	for _, s := range f.specimens(1) {
		f.mustApply(t, create(s.needs...)...)
		f.mustApply(t, create(s.first)...)
		f.mustApply(t, create(s.first)...)
		f.wantObject(t, s.first)
	}
}

func testCreateOther(t *testing.T, f Fixture) {
	for _, s := range f.specimens(1) {
		if s.first.ID().Kind == state.KindNode {
			continue // one of ours at its path and address serves as well
		}
		f.mustApply(t, create(s.needs...)...)
		f.mustApply(t, create(s.first)...)
		wantRefused(t, f.apply(t, create(s.second)...), 0)
		f.wantObject(t, s.first)
	}
}

func testDeleteGone(t *testing.T, f Fixture) {
	for _, s := range f.specimens(1) {
		f.mustApply(t, remove(s.first)...)
	}
	if f.has(state.KindPool) {
		p := f.pool(2)
		m := f.poolMember(p, f.member(memberAddress(1), 8080))
		f.mustApply(t, remove(m)...) // not even the pool is there
		f.mustApply(t, create(p)...)
		f.mustApply(t, remove(m)...)
	}
}

func testUpdateGone(t *testing.T, f Fixture) {
	for _, s := range f.specimens(1) {
		f.mustApply(t, create(s.needs...)...)
		wantRefused(t, f.apply(t, update(s.first, s.second)), 0)
		f.wantGone(t, s.first.ID())
	}
}

func testScope(t *testing.T, f Fixture) {
	for i, s := range f.specimens(1) {
		f.mustApply(t, create(s.needs...)...)
		f.mustApply(t, create(s.first)...)
		other := f.specimens(2)[i]
		f.mustApply(t, create(other.needs...)...)
		f.mustApply(t, create(other.first)...)
		missing := f.specimens(3)[i].first.ID()

		set := f.read(t, s.first.ID(), missing)
		if _, ok := set.Get(s.first.ID()); !ok || set.Len() != 1 {
			t.Errorf("the scope %s, %s reads as %d objects, want the first alone", s.first.ID(), missing, set.Len())
		}
	}
}

func testRefused(t *testing.T, f Fixture) {
	a, b, c := f.specimens(1), f.specimens(2), f.specimens(3)
	for i := range a {
		for _, s := range []specimen{a[i], b[i], c[i]} {
			f.mustApply(t, create(s.needs...)...)
		}
		bad := append(create(a[i].first), update(b[i].first, b[i].second)) // b is not there
		bad = append(bad, remove(a[i].first)...)
		outs := f.Backend.Apply(t.Context(), []apply.Unit{
			{Service: service(), Changes: bad},
			{Service: state.Ref{Namespace: "shop", Name: "other"}, Changes: create(c[i].first)},
		})
		wantRefused(t, outs[0], 1)
		wantDone(t, outs[1], 1)
		f.wantObject(t, a[i].first)
		f.wantGone(t, b[i].first.ID())
		f.wantObject(t, c[i].first)
	}
}

func testOrder(t *testing.T, f Fixture) {
	m := f.member(memberAddress(1), 8080)
	p := f.pool(1, m)
	v := f.virtual(1, p.Path)
	all := []state.Object{p, v}
	if f.has(state.KindNode) {
		all = []state.Object{f.node(memberAddress(1)), p, v}
	}
	f.mustApply(t, create(all...)...)
	for _, o := range all {
		f.wantObject(t, o)
	}
	slices.Reverse(all)
	f.mustApply(t, remove(all...)...)
	for _, o := range all {
		f.wantGone(t, o.ID())
	}
}

func testInUse(t *testing.T, f Fixture) {
	p := f.pool(1)
	f.mustApply(t, create(p, f.virtual(1, p.Path))...)
	wantRefused(t, f.apply(t, remove(p)...), 0)
	f.wantObject(t, p)
}

func testFrontendTaken(t *testing.T, f Fixture) {
	v, w := f.virtual(1, ""), f.virtual(2, "")
	w.Destination = v.Destination
	f.mustApply(t, create(v)...)
	wantRefused(t, f.apply(t, create(w)...), 0)
	f.wantObject(t, v)
	f.wantGone(t, w.ID())
	w.Protocol, w.Profiles = state.UDP, []state.Profile{{Path: "/Common/udp", Context: "all"}}
	f.mustApply(t, create(w)...)
	f.wantObject(t, w)
}

func testForeign(t *testing.T, f Fixture) {
	var foreign []state.Object
	raw := map[state.ID]string{}
	for _, s := range f.specimens(100) {
		o := f.foreign(s.first)
		f.PlaceForeign(t, o)
		foreign = append(foreign, o)
	}
	for _, o := range foreign {
		f.wantObject(t, o)
		raw[o.ID()] = f.Raw(t, o.ID())
	}
	testLifecycle(t, f)
	for _, o := range foreign {
		f.wantObject(t, o)
		if diff := cmp.Diff(raw[o.ID()], f.Raw(t, o.ID())); diff != "" {
			t.Errorf("foreign %s was changed (-before +after):\n%s", o.ID(), diff)
		}
	}
}

func testForeignDelete(t *testing.T, f Fixture) {
	for _, s := range f.specimens(100) {
		o := f.foreign(s.first)
		f.PlaceForeign(t, o)
		raw := f.Raw(t, o.ID())
		out := f.apply(t, plan.Change{Op: plan.Delete, Before: o})
		wantRefused(t, out, 0)
		if diff := cmp.Diff(raw, f.Raw(t, o.ID())); diff != "" {
			t.Errorf("foreign %s was changed (-before +after):\n%s", o.ID(), diff)
		}
	}
}
