package plan_test

import (
	"reflect"
	"slices"
	"testing"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// Until what is asked for is approved, members follow and nothing else changes;
// where nothing else would, nothing waits.
func TestUnapproved(t *testing.T) {
	t.Parallel()
	changedMode := func(members ...state.Member) *state.Pool {
		p := wantPool(members...)
		p.Mode = "least-connections-member"
		return p
	}
	for name, c := range map[string]struct {
		want  state.Want
		have  []state.Object
		waits bool
		left  []string // changes that are made all the same
	}{
		"nothing stands yet": {
			state.Want{Objects: []state.Object{wantPool(ready("10.0.0.1:80")), virtual()}}, nil, true, nil,
		},
		"all stands": {
			state.Want{Objects: []state.Object{wantPool(ready("10.0.0.1:80")), virtual()}},
			[]state.Object{node("10.0.0.1", ours), havePool(ready("10.0.0.1:80")), virtual()}, false, nil,
		},
		"a pod more": {
			state.Want{Objects: []state.Object{wantPool(ready("10.0.0.1:80"), ready("10.0.0.2:80")), virtual()}},
			[]state.Object{node("10.0.0.1", ours), node("10.0.0.2", webs), havePool(ready("10.0.0.1:80")), virtual()}, false,
			[]string{"create bigip/dc1 member /web/cart 10.0.0.2:80"},
		},
		"a setting, and a pod more": {
			state.Want{Objects: []state.Object{changedMode(ready("10.0.0.1:80"), ready("10.0.0.2:80")), virtual()}},
			[]state.Object{node("10.0.0.1", ours), node("10.0.0.2", webs), havePool(ready("10.0.0.1:80")), virtual()}, true,
			[]string{"create bigip/dc1 member /web/cart 10.0.0.2:80"},
		},
		"a VM that an annotation names": {
			state.Want{
				Objects:  []state.Object{wantPool(vmOf("10.0.0.1:80"), vmOf("10.0.0.2:80")), virtual()},
				Approval: &state.Approval{Hash: "cafe", Listed: []state.Endpoint{at("10.0.0.1:80"), at("10.0.0.2:80")}},
			},
			[]state.Object{node("10.0.0.1", ours), node("10.0.0.2", webs), havePool(vmOf("10.0.0.1:80")), virtual()}, true, nil,
		},
		"a VM that registers": {
			state.Want{
				Objects:  []state.Object{wantPool(vmOf("10.0.0.1:80"), vmOf("10.0.0.2:80")), virtual()},
				Approval: &state.Approval{Hash: "cafe", Listed: []state.Endpoint{at("10.0.0.1:80")}},
			},
			[]state.Object{node("10.0.0.1", ours), node("10.0.0.2", webs), havePool(vmOf("10.0.0.1:80")), virtual()}, false,
			[]string{"create bigip/dc1 member /web/cart 10.0.0.2:80"},
		},
		"it goes": {
			state.Want{Deleted: true, Live: map[state.Address]bool{at("10.0.0.1:80").Address: true}},
			[]state.Object{node("10.0.0.1", ours), havePool(ready("10.0.0.1:80")), virtual()}, true, nil,
		},
		"it goes, and so do its pods": {
			state.Want{Deleted: true},
			[]state.Object{node("10.0.0.1", ours), havePool(ready("10.0.0.1:80")), virtual()}, true,
			[]string{"update bigip/dc1 member /web/cart 10.0.0.1:80"},
		},
		"it leaves all standing": {
			state.Want{Orphan: true, Live: map[state.Address]bool{at("10.0.0.1:80").Address: true}},
			[]state.Object{node("10.0.0.1", ours), havePool(ready("10.0.0.1:80")), virtual()}, true, nil,
		},
		"nothing stands any more": {state.Want{Deleted: true}, nil, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := c.want
			want.Service = cart
			if want.Approval == nil {
				want.Approval = &state.Approval{Hash: "cafe"}
			}
			have := state.NewSet(c.have...)
			in := plan.Input{Backend: dc1, Want: want, Have: have, Identity: us, Now: now, NodePartition: "Common"}
			got := plan.Diff(in)
			var changes []string
			for _, change := range got.Changes {
				changes = append(changes, string(change.Op)+" "+change.ID().String())
			}
			asks := slices.ContainsFunc(got.Problems, func(p state.Problem) bool { return p.Reason == "ApprovalRequired" })
			if (got.Unapproved != nil) != c.waits || asks != c.waits || !slices.Equal(changes, c.left) {
				t.Errorf("waits %t, says so %t, changes %q; want %t and %q", got.Unapproved != nil, asks, changes, c.waits, c.left)
			}
			in.Want.Approval = nil
			approved := plan.Diff(in)
			if c.waits && len(approved.Changes) <= len(c.left) {
				t.Errorf("approved: %v", approved.Changes)
			}
			if c.waits && !reflect.DeepEqual(approved.Changes, got.Unapproved) {
				t.Errorf("%v waits, and an approval has %v done", got.Unapproved, approved.Changes)
			}
		})
	}
}
