package ledger_test

import (
	"testing"

	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/state"
)

// standing is what stands on a backend.
type standing map[state.ID]bool

func (s standing) has(id state.ID) bool { return s[id] }

// Something on dc2 comes after a pool on dc1: made when the pool is settled
// present, and the pool goes when it is settled absent.
func TestOrderAcrossBackends(t *testing.T) {
	t.Parallel()
	l := ledger.New(dc1, dc2)
	earlier := pool(dc1, cart, "round-robin")
	later := virtual(dc2, cart, 80, earlier.ID())
	outside := standing{}
	check := func(step string, mayCome, mayGo bool) {
		t.Helper()
		if got := l.Standing(earlier.ID()); got != mayCome {
			t.Errorf("%s: the earlier one stands: %t", step, got)
		}
		if got := l.Leaned(earlier.ID()); got == mayGo {
			t.Errorf("%s: something leans on the earlier one: %t", step, got)
		}
	}
	see := func(backend string) { l.Seen(backend, cart, outside.has, nil) }
	check("before it is claimed", false, true)

	l.Put(want(cart, earlier, later), long)
	l.Take(dc1)
	l.Take(dc2)
	check("claimed, and no backend seen", false, false) // what is not known may be there

	see(dc1)
	dirty(t, l, dc2, cart) // it learns that the pool is not there
	see(dc1)
	dirty(t, l, dc2) // which is no news
	check("neither is there", false, false)

	outside[earlier.ID()] = true
	see(dc1)
	dirty(t, l, dc2, cart)
	check("the earlier one stands", true, false)

	outside[later.ID()] = true
	see(dc2)
	l.Take(dc1)
	check("both stand", true, false)

	l.Put(want(cart), long)
	l.Take(dc1)
	l.Take(dc2)
	check("neither is wanted, both stand", true, false)

	delete(outside, later.ID())
	see(dc2)
	dirty(t, l, dc1, cart) // whose turn it is now
	check("the later one has gone", false, true)
}

func TestAnEdgeThatIsTakenBackBeforeItsObjectWasSeenStays(t *testing.T) {
	t.Parallel()
	l := ledger.New(dc1, dc2)
	earlier := pool(dc1, cart, "round-robin")
	l.Put(want(cart, earlier, virtual(dc2, cart, 80, earlier.ID())), long)
	l.Put(want(cart, earlier), long)
	if !l.Leaned(earlier.ID()) {
		t.Error("what may stand is taken for absent")
	}
	l.Seen(dc2, cart, standing{}.has, nil)
	if l.Leaned(earlier.ID()) {
		t.Error("what was seen to be absent is still taken for there")
	}
}

func TestOrderOfAForgottenService(t *testing.T) {
	t.Parallel()
	l := ledger.New(dc1, dc2)
	earlier := pool(dc1, cart, "round-robin")
	later := virtual(dc2, cart, 80, earlier.ID())
	l.Put(want(cart, earlier, later), long)
	l.Seen(dc2, cart, standing{}.has, nil)
	l.Forget(cart)
	if l.Leaned(earlier.ID()) || l.Standing(earlier.ID()) {
		t.Error("a forgotten Service leaves something behind")
	}
}
