package plan_test

import (
	"testing"

	"landbridge.dev/sync/state"
)

// Somebody has taken the tag off a pool of ours. The pool is theirs from then
// on; our members in it still say whose they are, and go with the Service.
func TestMembersLeaveAPoolThatLostItsTag(t *testing.T) {
	t.Parallel()
	untagged := poolBy(state.Owner{}, ready("10.0.0.1:8080"), on(ready("10.0.0.2:8080"), webs), on(ready("10.0.0.3:8080"), state.Owner{}))
	check(t, []row{
		{
			name: "ours drain",
			in:   input(follow(), untagged),
			want: expect{Changes: []string{"update in /web/cart: 10.0.0.1:8080 offline draining, until " + soon + " (drains)"}, Again: soon},
		},
		{
			name: "and go, alone",
			in: input(follow(), poolBy(state.Owner{}, draining("10.0.0.1:8080", pastAt, false), on(ready("10.0.0.2:8080"), webs)),
				node("10.0.0.1", ours), node("10.0.0.2", webs)),
			want: expect{Changes: []string{
				"delete in /web/cart: 10.0.0.1:8080 offline draining, until 2026-07-01T11:59:59Z (its drain has ended)",
				"delete node /Common/10.0.0.1 (no pool has a member at it)",
			}},
		},
	})
}
