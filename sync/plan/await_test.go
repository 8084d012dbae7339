package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// What a Pod waits for: its member is counted until the device has found it up,
// and then it is in place.
func TestAwaited(t *testing.T) {
	t.Parallel()
	const pod, vm = "10.0.0.1:8080", "10.9.0.1:8080"
	for _, test := range []struct {
		name             string
		mode             state.Mode
		want, have       *state.Pool
		counted, inPlace bool
	}{
		{name: "the pool is not there", want: wantPool(ready(pod))},
		{name: "the member is not there", want: wantPool(ready(pod)), have: havePool()},
		{name: "not found up yet", want: wantPool(ready(pod)), have: havePool(down(on(ready(pod), ours))), counted: true},
		{name: "up", want: wantPool(ready(pod)), have: havePool(ready(pod)), inPlace: true},
		{name: "up, with something else to do", want: wantPool(ready(pod), ready("10.0.0.2:8080")), have: havePool(ready(pod))},
		{name: "not enabled yet", want: wantPool(ready(pod)), have: havePool(on(unready(pod), ours))},
		{name: "it is not ready any more", want: wantPool(unready(pod)), have: havePool(on(unready(pod), ours))},
		{
			name: "its share takes nothing: it is there", want: share(wantPool(ready(pod), vmOf(vm)), 0), inPlace: true,
			have: ratioPool(0, on(with(ready(pod), state.Offline, 1, 0), ours), on(vmOf(vm), ours)),
		},
		{name: "held, and up", mode: state.Hold, want: wantPool(ready(pod)), have: havePool(ready(pod)), inPlace: true},
		{name: "held, and not up", mode: state.Hold, want: wantPool(ready(pod)), have: havePool(down(on(ready(pod), ours))), counted: true},
		{name: "frozen", mode: state.Freeze, want: wantPool(ready(pod)), have: havePool(ready(pod))},
		{name: "paused", mode: state.Still, want: wantPool(ready(pod)), have: havePool(ready(pod))},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			id := (&state.PoolMember{Backend: dc1, Pool: path, Member: ready(pod)}).ID()
			want := state.Want{Service: cart, Mode: test.mode, Awaited: []state.ID{id}, Live: map[state.Address]bool{at(pod).Address: true}}
			have := state.NewSet(node("10.0.0.1", state.Owner{}), node("10.9.0.1", state.Owner{}))
			if test.mode < state.Freeze {
				want.Objects = []state.Object{test.want}
			}
			if test.have != nil {
				have.Put(test.have)
			}
			got := plan.Diff(plan.Input{Backend: dc1, Want: want, Have: have, Identity: us, Now: now, NodePartition: "Common"})
			var counted, inPlace []state.ID
			if test.counted {
				counted = []state.ID{test.want.ID()}
			}
			if test.inPlace {
				inPlace = []state.ID{id}
			}
			if diff := cmp.Diff(counted, got.Count, cmp.Comparer(func(a, b state.ID) bool { return a == b })); diff != "" {
				t.Errorf("counted (-want +got):\n%s\n%v", diff, got.Changes)
			}
			if diff := cmp.Diff(inPlace, got.InPlace, cmp.Comparer(func(a, b state.ID) bool { return a == b })); diff != "" {
				t.Errorf("in place (-want +got):\n%s\n%v", diff, got.Changes)
			}
		})
	}
}

// The pool of an adopted virtual server goes by that one's path, and stands
// under its own.
func TestAwaitedInAnAdoptedPool(t *testing.T) {
	t.Parallel()
	pod1, vm1 := "10.0.0.1:80", "10.9.0.1:80"
	want := adopts(0, ready(pod1))
	want.Awaited = []state.ID{{Backend: dc1, Kind: state.KindMember, Name: "/web/shop_vs", Member: at(pod1)}}
	got := plan.Diff(input(want, vmNodes(adoptedVS(), adoptedPool("round-robin", 0, state.PoolTerms{}, on(unready(pod1), ours), theirs(vm1)))...))
	if len(got.InPlace) != 1 || got.InPlace[0] != want.Awaited[0] {
		t.Errorf("in place is %v, with %v", got.InPlace, got.Changes)
	}
}
