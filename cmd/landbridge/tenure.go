package main

import (
	"context"
	"sync/atomic"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// tenure is until when nobody else can have taken the lease. A process that
// hung, with its machine or by itself, goes on where it was, and may send what
// it had ready before it hears that another leads: by the clock it knows.
// It is safe for concurrent use; the zero one is over.
type tenure struct {
	until atomic.Pointer[time.Time]
}

// holds says whether the lease is surely ours still.
func (t *tenure) holds() bool { return t.holdsAt(time.Now()) }

// holdsAt is holds at a time. Both clocks have to say so: the monotonic one
// stands while a machine sleeps, the other may be put back.
func (t *tenure) holdsAt(now time.Time) bool {
	until := t.until.Load()
	if until == nil {
		return false
	}
	return now.Before(*until) && now.Round(0).Before(until.Round(0))
}

// written notes how a write that takes or renews the lease for a duration ended.
func (t *tenure) written(began time.Time, duration time.Duration, err error) {
	if err == nil {
		until := began.Add(duration)
		t.until.Store(&until)
	}
}

// timedLock keeps the time of a lease. Others let a lease run out its duration
// after they have seen it renewed, and that is after the call began which renewed
// it (client-go tools/leaderelection, tryAcquireOrRenew).
type timedLock struct {
	*resourcelock.LeaseLock
	tenure   *tenure
	duration time.Duration
}

// Create takes a lease that nobody has had.
func (l *timedLock) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return l.timed(func() error { return l.LeaseLock.Create(ctx, r) })
}

// Update takes or renews a lease.
func (l *timedLock) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return l.timed(func() error { return l.LeaseLock.Update(ctx, r) })
}

func (l *timedLock) timed(write func() error) error {
	began := time.Now()
	err := write()
	l.tenure.written(began, l.duration, err)
	return err
}
