package main

import (
	"errors"
	"testing"
	"time"
)

func TestTenure(t *testing.T) {
	t.Parallel()
	const duration = 15 * time.Second
	start := time.Now()
	at := start.Add
	failed := errors.New("no answer, or another was faster")
	var ours tenure
	for _, step := range []struct {
		what  string
		write bool
		began time.Duration
		err   error
		now   time.Time
		holds bool
	}{
		{what: "before it was taken", now: at(0)},
		{what: "when another took it", write: true, began: 0, err: failed, now: at(time.Second)},
		{what: "when it was taken", write: true, began: 2 * time.Second, now: at(4 * time.Second), holds: true},
		{what: "to the last", now: at(17*time.Second - 1), holds: true},
		{what: "its duration after the call that took it began", now: at(17 * time.Second)},
		{what: "without a renewal", write: true, began: 17 * time.Second, err: failed, now: at(18 * time.Second)},
		{what: "renewed", write: true, began: 20 * time.Second, now: at(21 * time.Second), holds: true},
	} {
		if step.write {
			ours.written(at(step.began), duration, step.err)
		}
		if got := ours.holdsAt(step.now); got != step.holds {
			t.Errorf("%s: the lease is held: %t, want %t", step.what, got, step.holds)
		}
	}
}

// The time counts from before the call, however long it takes.
func TestTimedLock(t *testing.T) {
	t.Parallel()
	var ours tenure
	lock := &timedLock{tenure: &ours, duration: time.Minute}
	var during time.Time
	if err := lock.timed(func() error { during = time.Now(); return nil }); err != nil {
		t.Fatal(err)
	}
	if !ours.holdsAt(during) || ours.holdsAt(during.Add(time.Minute)) {
		t.Error("the lease is not held for a minute from before the call on")
	}
	gone := errors.New("another was faster")
	if err := lock.timed(func() error { return gone }); !errors.Is(err, gone) {
		t.Errorf("a refused renewal: %v", err)
	}
}
