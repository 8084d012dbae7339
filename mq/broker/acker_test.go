package broker

import (
	"testing"

	"pgregory.net/rapid"
)

// Whatever the order in which messages are settled: what the broker is told
// never covers one that is not settled, names none that it has been told of
// already, and in the end all that is acknowledged.
func TestAckerTakesWhatIsSettledAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := newAcker(nil, rapid.IntRange(1, 40).Draw(t, "prefetch"))
		n := rapid.IntRange(1, 60).Draw(t, "messages")
		acked, given := map[uint64]bool{}, map[uint64]bool{} // settled so or so
		known := map[uint64]bool{}                           // to the broker as settled
		told := func(tag uint64) {
			if known[tag] || !acked[tag] {
				t.Fatalf("the broker is told of %d: acknowledged %t, told before %t", tag, acked[tag], known[tag])
			}
			known[tag] = true
		}
		round := func(all bool) {
			upTo, single, _ := a.take(all)
			if upTo > 0 {
				told(upTo)
			}
			for tag := uint64(1); tag < upTo; tag++ {
				if !acked[tag] && !given[tag] {
					t.Fatalf("all up to %d is acknowledged, and %d is still with somebody", upTo, tag)
				}
				known[tag] = true
			}
			for _, tag := range single {
				told(tag)
			}
		}
		tags := make([]uint64, n)
		for i := range tags {
			tags[i] = uint64(i + 1)
		}
		for _, tag := range rapid.Permutation(tags).Draw(t, "order") {
			a.settle(tag)
			if rapid.IntRange(0, 5).Draw(t, "given back") == 0 {
				given[tag], known[tag] = true, true
			} else {
				acked[tag] = true
				a.pending = append(a.pending, tag)
			}
			if open := n - len(acked) - len(given); len(a.starts) > open || len(a.starts) != len(a.ends) {
				t.Fatalf("%d runs of %d that are open", len(a.starts), open)
			}
			if rapid.Bool().Draw(t, "round") {
				round(rapid.IntRange(0, 3).Draw(t, "late") == 0)
			}
		}
		round(true)
		if len(known) != n || a.through != uint64(n) || len(a.starts) != 0 {
			t.Fatalf("of %d messages the broker knows %d, through %d, runs %v", n, len(known), a.through, a.starts)
		}
	})
}
