package state_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/sync/state"
)

func TestParseRef(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, in string
		want     state.Ref
		ok       bool
	}{
		{name: "namespace and name", in: "shop/cart", want: state.Ref{Namespace: "shop", Name: "cart"}, ok: true},
		{name: "no namespace", in: "cart"},
		{name: "an empty namespace", in: "/cart"},
		{name: "an empty name", in: "shop/"},
		{name: "a path", in: "shop/cart/80"},
		{name: "nothing", in: ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, ok := state.ParseRef(test.in)
			if ok != test.ok {
				t.Errorf("ok is %t, want %t", ok, test.ok)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if ok && got.String() != test.in {
				t.Errorf("is written %q, want %q", got, test.in)
			}
		})
	}
}

func TestIDString(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		id   state.ID
		want string
	}{
		{
			name: "a pool by its path",
			id:   state.ID{Backend: "bigip/dc1", Kind: state.KindPool, Name: "/web/p"},
			want: "bigip/dc1 pool /web/p",
		},
		{
			name: "a member by its pool and endpoint",
			id:   state.ID{Backend: "bigip/dc1", Kind: state.KindMember, Name: "/web/p", Member: endpoint(t, "10.0.0.1:80")},
			want: "bigip/dc1 member /web/p 10.0.0.1:80",
		},
		{
			name: "a node by its address",
			id:   state.NodeID("bigip/dc1", endpoint(t, "10.0.0.1%2:80").Address),
			want: "bigip/dc1 node 10.0.0.1%2",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := test.id.String(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
