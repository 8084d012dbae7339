package dispatch

import (
	"context"
	"net/http"
	"testing"
	"time"

	"landbridge.dev/sync/state"
)

// The delay of the next attempt: the Service's for this one, the last of them
// counts on, and Retry-After where it is longer, up to the next delay that there
// is.
func TestDelayOf(t *testing.T) {
	t.Parallel()
	c := &state.QueueConsumer{Retry: []time.Duration{time.Second, 10 * time.Second, time.Minute}}
	now := time.Now()
	for _, test := range []struct {
		attempt int
		after   string
		want    time.Duration
	}{
		{1, "", time.Second},
		{2, "", 10 * time.Second},
		{3, "", time.Minute},
		{9, "", time.Minute},
		{1, "1", time.Second},
		{1, "3", 5 * time.Second},
		{1, "31", time.Minute},
		{3, "5", time.Minute},
		{1, "90", 2 * time.Minute},
		{1, "999999", time.Hour},
		{1, now.Add(40 * time.Second).UTC().Format(http.TimeFormat), time.Minute},
		{1, now.Add(-time.Hour).UTC().Format(http.TimeFormat), time.Second},
		{1, "-5", time.Second},
		{1, "soon", time.Second},
	} {
		got := delayOf(c, attempt{number: test.attempt}, verdict{after: retryAfter(test.after, now)})
		if got != test.want {
			t.Errorf("attempt %d, Retry-After %q: %s, want %s", test.attempt, test.after, got, test.want)
		}
	}
}

// What is too much for pods halves what they have at a time, once for all that
// was on its way; quiet seconds raise it to where it was.
func TestLimiter(t *testing.T) {
	t.Parallel()
	for _, overloaded := range []verdict{
		judge(http.StatusTooManyRequests, http.Header{}, attempt{number: 1}),
		judge(http.StatusServiceUnavailable, http.Header{}, attempt{number: 1}),
		failed(context.DeadlineExceeded, "pod"),
	} {
		if !overloaded.overloaded || overloaded.what != retry {
			t.Errorf("%+v", overloaded)
		}
	}
	l := newLimiter(64)
	began := time.Now()
	for _, step := range []struct {
		what string
		do   func()
		want int
	}{
		{"a cut", func() { l.cut(began, began.Add(time.Second)) }, 32},
		{"one that began before it", func() { l.cut(began, began.Add(2*time.Second)) }, 32},
		{"one that began after it", func() { l.cut(began.Add(2*time.Second), began.Add(3*time.Second)) }, 16},
		{"too soon", func() { l.calm(began.Add(3500 * time.Millisecond)) }, 16},
		{"a quiet second", func() { l.calm(began.Add(4 * time.Second)) }, 20},
		{"the same second", func() { l.calm(began.Add(4250 * time.Millisecond)) }, 20},
		{"a minute", func() {
			for i := range 60 {
				l.calm(began.Add(time.Duration(5+i) * time.Second))
			}
		}, 64},
		{"fewer pods", func() { l.bound(8) }, 8},
		{"more pods", func() { l.bound(24) }, 24},
	} {
		if step.do(); l.now() != step.want {
			t.Errorf("after %s: %d, want %d", step.what, l.now(), step.want)
		}
	}
	for range 10 {
		later := began.Add(time.Hour)
		l.cut(later, later)
	}
	if l.now() != 1 {
		t.Errorf("after ten cuts: %d", l.now())
	}
}
