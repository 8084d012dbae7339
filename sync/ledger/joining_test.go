package ledger_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/state"
)

// joins is what a Service wants of /web/shop: a member, and a share unless it
// is negative.
func joins(r state.Ref, member string, share int) state.Want {
	e, err := state.ParseEndpoint(member)
	if err != nil {
		panic(err)
	}
	p := &state.Pool{Backend: dc1, Path: "/web/shop", Use: state.Joined, Members: []state.Member{{Endpoint: e, Ratio: 1}}}
	if share >= 0 {
		p.Share.Percent, p.Share.Given = share, true
	}
	return want(r, p)
}

// seen are the members of others and the share that a Service finds.
func seen(t *testing.T, l *ledger.Ledger, r state.Ref) (peers []string, share state.Share, mode state.Mode, why []string) {
	t.Helper()
	w, _, problems := l.Want(dc1, r)
	for _, p := range problems {
		why = append(why, p.Reason)
	}
	pool := w.Objects[0].(*state.Pool)
	for _, m := range pool.Peers {
		peers = append(peers, m.Line())
	}
	return peers, pool.Share, w.Mode, why
}

func TestServicesThatJoinOnePool(t *testing.T) {
	t.Parallel()
	l := ledger.New(dc1)
	l.Put(joins(cart, "10.0.0.1:80", 25), long)
	l.Take(dc1)
	l.Put(joins(web, "10.0.0.2:80", -1), late)
	dirty(t, l, dc1, web, cart)

	peers, share, mode, why := seen(t, l, web)
	want := state.Share{Percent: 25, Given: true, Elsewhere: true}
	if diff := cmp.Diff([]string{"member 10.0.0.1:80"}, peers); diff != "" || share != want || mode != state.Follow || why != nil {
		t.Errorf("the one without a share: %s%+v, %s, %q", diff, share, mode, why)
	}
	peers, share, mode, why = seen(t, l, cart)
	want.Elsewhere = false
	if diff := cmp.Diff([]string{"member 10.0.0.2:80"}, peers); diff != "" || share != want || mode != state.Follow || why != nil {
		t.Errorf("the one that carries it: %s%+v, %s, %q", diff, share, mode, why)
	}

	l.Put(joins(cart, "10.0.0.1:80", 50), long)
	dirty(t, l, dc1, cart, web)
	if _, share, _, _ = seen(t, l, web); share.Percent != 50 {
		t.Errorf("the share that moved is %+v for the other", share)
	}
	l.Put(joins(cart, "10.0.0.1:80", 50), long)
	dirty(t, l, dc1)

	l.Put(joins(web, "10.0.0.2:80", 75), late)
	if _, share, mode, why = seen(t, l, web); share.Percent != 50 || mode != state.Hold || !cmp.Equal(why, []string{"TwoShares"}) {
		t.Errorf("a second share: %+v, %s, %q", share, mode, why)
	}
	l.Take(dc1)
	l.Put(state.Want{Service: cart}, long)
	dirty(t, l, dc1, cart, web)
	if peers, share, mode, why = seen(t, l, web); peers != nil || share.Percent != 75 || share.Elsewhere || mode != state.Follow || why != nil {
		t.Errorf("alone: %q, %+v, %s, %q", peers, share, mode, why)
	}
}
