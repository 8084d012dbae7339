package dispatch

import (
	"testing"
	"time"
)

// A subscription is made anew when it has got nothing for a while, has nothing in
// hand, and messages wait; where that does not help, ever less often.
func TestLull(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := lull{first: 10 * time.Second}
	l.begin(now)
	waits := true
	step := func(what string, after time.Duration, given, settled uint64, want bool) {
		t.Helper()
		now = now.Add(after)
		if got := l.over(given, settled, func() bool { return waits }, now); got != want {
			t.Errorf("%s: anew is %t", what, got)
		}
	}
	step("nothing has come yet", 9*time.Second, 0, 0, false)
	step("a message", time.Second, 1, 0, false)
	step("it is in hand", time.Minute, 1, 0, false)
	step("it is settled", 9*time.Second, 1, 1, false)
	step("none since", time.Second, 1, 1, true)
	l.begin(now)
	step("none in twice the time, not yet", 19*time.Second, 0, 0, false)
	step("none in twice the time", time.Second, 0, 0, true)
	l.begin(now)
	waits = false
	step("none waits", time.Hour, 0, 0, false)
	waits = true
	step("one waits", 0, 0, 0, true)
	l.begin(now)
	step("it comes", time.Second, 1, 1, false)
	step("none since", 10*time.Second, 1, 1, true)
	for range 20 {
		l.begin(now)
		step("in vain", mostLull, 0, 0, true)
	}
	l.begin(now)
	step("at last", mostLull-time.Second, 0, 0, false)
}
