package apply_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/state"
)

// The address of an adopted virtual server was given by others: no Service has
// it, also where the Service has virtual servers of its own.
func TestListeners(t *testing.T) {
	t.Parallel()
	cart := state.Ref{Namespace: "shop", Name: "cart"}
	at := func(n byte) state.Address { return state.Address{IP: netip.AddrFrom4([4]byte{203, 0, 113, n})} }
	virtual := func(path string, a state.Address, owner state.Owner, use state.Use) state.Object {
		return &state.VirtualServer{Backend: dc1, Path: path, Destination: state.Endpoint{Address: a, Port: 80}, Owner: owner, Use: use}
	}
	got := apply.Listeners(state.NewSet(
		virtual("/web/own", at(1), us.Owner(cart), state.Own),
		virtual("/web/adopted", at(2), us.Owner(cart), state.Adopted),
		virtual("/web/foreign", at(3), state.Owner{}, state.Own),
	), us)
	want := map[state.Address][]state.Ref{at(1): {cart}, at(2): {{}}, at(3): {{}}}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b state.Address) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
