package ledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/state"
)

func TestQueues(t *testing.T) {
	t.Parallel()
	q := ledger.NewQueues()
	old, young := state.Ref{Namespace: "shop", Name: "old"}, state.Ref{Namespace: "shop", Name: "young"}
	consumer := func(ref state.Ref, queue string, created int64) *state.QueueConsumer {
		return &state.QueueConsumer{Service: ref, Queue: state.Queue{Vhost: "/", Name: queue}, Created: time.Unix(created, 0)}
	}
	concerned := func(what string, want, got []state.Ref) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s concerns (-want +got):\n%s", what, diff)
		}
	}
	holds := func(what string, ref, want state.Ref) {
		t.Helper()
		if c, holder := q.Consumer(ref); holder != want || (c != nil) != (holder == ref) {
			t.Errorf("%s: of %s the holder is %s, want %s", what, ref, holder, want)
		}
	}
	concerned("the first", nil, q.Put(young, consumer(young, "orders", 2)))
	holds("alone", young, young)
	concerned("an older one", []state.Ref{young}, q.Put(old, consumer(old, "orders", 1)))
	holds("beside an older one", young, old)
	holds("the older", old, old)
	concerned("a change that keeps the queue", nil, q.Put(old, consumer(old, "orders", 1)))
	concerned("another queue", []state.Ref{young}, q.Put(old, consumer(old, "bills", 1)))
	holds("once the older has gone", young, young)
	concerned("the end", nil, q.Put(old, nil))
	if c, holder := q.Consumer(old); c != nil || !holder.IsZero() {
		t.Errorf("one that asks for nothing has %v, %s", c, holder)
	}
}
