// Package backendtest holds the conformance suite of apply.Backend: what the
// worker of a backend relies on, proven on the reference backend in memory
// and on every other in the same words.
package backendtest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// patience bounds what should be quick; a test that reaches it has failed.
const patience = 30 * time.Second

// Fixture is one backend with nothing of ours on it, for one test.
type Fixture struct {
	Backend apply.Backend
	// Identity is whom the backend takes for us.
	Identity state.Identity
	// Kinds are what the backend holds. KindMember goes with KindPool.
	Kinds []state.Kind
	// Partition is where objects with a path may be made: "web".
	Partition string
	// PlaceForeign puts an object there as the network team would by hand,
	// without an owner.
	PlaceForeign func(t *testing.T, o state.Object)
	// Raw is all that the far end has to say of an object, so that any
	// change of it shows; empty when it is not there.
	Raw func(t *testing.T, id state.ID) string
}

func (f Fixture) has(k state.Kind) bool { return slices.Contains(f.Kinds, k) }

// Run runs the whole suite. open is called once for each test, which run in
// parallel; it cleans up after itself with t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	t.Helper()
	for _, test := range []struct {
		name  string
		needs []state.Kind
		run   func(*testing.T, Fixture)
	}{
		{"an empty backend reads as empty of ours", nil, testEmpty},
		{"each kind is made, changed and removed", nil, testLifecycle},
		{"making what stands already is done when it is the same", nil, testCreateAgain},
		{"making what stands otherwise is refused and changes nothing", nil, testCreateOther},
		{"removing what is gone is done", nil, testDeleteGone},
		{"changing what is gone is refused", nil, testUpdateGone},
		{"a scope reads its objects alone", nil, testScope},
		{"a refused unit ends there and stops no other", nil, testRefused},
		{"changes of a unit keep their order", []state.Kind{state.KindVirtualServer, state.KindPool}, testOrder},
		{"what is in use is not removed", []state.Kind{state.KindVirtualServer, state.KindPool}, testInUse},
		{"an address and port is held once", []state.Kind{state.KindVirtualServer}, testFrontendTaken},
		{"members are added, changed and removed", []state.Kind{state.KindPool}, testMembers},
		{"a pool's update leaves its members", []state.Kind{state.KindPool}, testPoolUpdate},
		{"a node that a member refers to stays", []state.Kind{state.KindNode, state.KindPool}, testNodeInUse},
		{"foreign objects are seen and left alone", nil, testForeign},
		{"a removal of a foreign object is refused", nil, testForeignDelete},
		{"a context that has ended changes nothing", nil, testCancelled},
		{"many units and reads at once", nil, testConcurrent},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			for _, k := range test.needs {
				if !f.has(k) {
					return
				}
			}
			test.run(t, f)
		})
	}
}

func (f Fixture) read(t *testing.T, ids ...state.ID) *state.Set {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	set, err := f.Backend.Read(ctx, apply.Scope{IDs: ids})
	if err != nil {
		t.Fatalf("reading: %v", err)
	}
	return set
}

// apply carries out changes as one Unit.
func (f Fixture) apply(t *testing.T, changes ...plan.Change) apply.Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	outs := f.Backend.Apply(ctx, []apply.Unit{{Service: service(), Changes: changes}})
	if len(outs) != 1 {
		t.Fatalf("one Unit was applied, but %d Outcomes came back", len(outs))
	}
	return outs[0]
}

func (f Fixture) mustApply(t *testing.T, changes ...plan.Change) {
	t.Helper()
	wantDone(t, f.apply(t, changes...), len(changes))
}

func wantDone(t *testing.T, out apply.Outcome, applied int) {
	t.Helper()
	if out.Status != apply.Done || out.Applied != applied || out.Err != nil || out.Reason != "" {
		t.Fatalf("outcome is %s, %d applied, reason %q, error %v; want done, %d applied", out.Status, out.Applied, out.Reason, out.Err, applied)
	}
}

func wantRefused(t *testing.T, out apply.Outcome, applied int) {
	t.Helper()
	if out.Status != apply.Refused || out.Applied != applied || out.Err == nil || out.Reason == "" {
		t.Fatalf("outcome is %s, %d applied, reason %q, error %v; want refused with a reason and an error, %d applied", out.Status, out.Applied, out.Reason, out.Err, applied)
	}
}

// wantObject wants o to stand just so, in a full read and in a scoped one.
func (f Fixture) wantObject(t *testing.T, o state.Object) {
	t.Helper()
	for what, set := range map[string]*state.Set{"full": f.read(t), "scoped": f.read(t, o.ID())} {
		got, ok := set.Get(o.ID())
		if !ok {
			t.Fatalf("%s read: %s is not there", what, o.ID())
		}
		if diff := cmp.Diff(o.Lines(), got.Lines()); diff != "" {
			t.Fatalf("%s read: %s (-want +got):\n%s", what, o.ID(), diff)
		}
		if o.OwnedBy() != got.OwnedBy() {
			t.Fatalf("%s read: %s is owned by %+v, want %+v", what, o.ID(), got.OwnedBy(), o.OwnedBy())
		}
	}
}

func (f Fixture) wantGone(t *testing.T, id state.ID) {
	t.Helper()
	for what, set := range map[string]*state.Set{"full": f.read(t), "scoped": f.read(t, id)} {
		if _, ok := set.Get(id); ok {
			t.Fatalf("%s read: %s is there, want it gone", what, id)
		}
	}
}
