package messages_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/testenv/messages"
)

// The ledger itself: an effect may come before its producer is told, and twice.
func TestLedger(t *testing.T) {
	t.Parallel()
	l := messages.NewLedger()
	body := messages.Body
	for _, id := range []string{"early", "late", "lost", "recovered"} {
		l.Sending(id)
	}
	l.Effect("early", body("early"))
	for _, id := range []string{"early", "late", "lost"} {
		l.Taken(id)
	}
	if n := l.Open(); n != 2 {
		t.Errorf("%d are open", n)
	}
	l.Effect("late", body("late"))
	l.Effect("late", body("late"))
	l.Effect("recovered", body("recovered"))
	l.Effect("nobody's", body("nobody's"))
	l.Effect("early", "mixed up")
	if diff := cmp.Diff([]string{"lost"}, l.Missing()); diff != "" || l.Open() != 1 || l.Effects() != 4 {
		t.Errorf("%d open, %d effects, missing (-want +got):\n%s", l.Open(), l.Effects(), diff)
	}
	if diff := cmp.Diff([]string{`early came with "mixed up"`, "nobody's"}, l.Unexpected()); diff != "" {
		t.Errorf("unexpected (-want +got):\n%s", diff)
	}
	if got, want := l.String(), "4 sent, 3 taken, 4 with effect, 2 of them more than once, 1 that nobody had confirmed"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// The order itself: first effects alone count, and each lane for itself.
func TestOrder(t *testing.T) {
	t.Parallel()
	o := messages.NewOrder()
	for _, id := range []string{"a1", "b1", "a2", "b2", "a3"} {
		o.Sending(id[:1], id)
	}
	for _, id := range []string{"b1", "a1", "a2", "a1", "nobody's", "b2"} {
		o.Effect(id)
	}
	if broken := o.Broken(); len(broken) > 0 {
		t.Errorf("broken: %v", broken)
	}
	o.Sending("b", "b3")
	for _, id := range []string{"a3", "late", "b3"} {
		o.Effect(id)
	}
	o.Sending("a", "a4")
	o.Sending("a", "a5")
	for _, id := range []string{"a5", "a4", "a4"} {
		o.Effect(id)
	}
	if diff := cmp.Diff([]string{"a4 after a5"}, o.Broken()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
