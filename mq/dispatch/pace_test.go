package dispatch

import (
	"fmt"
	"math"
	"testing"
	"time"

	"landbridge.dev/sync/state"
)

// looked is a queue as it is seen: what was taken in ten seconds, by counts that
// are made each five, and looked at each five.
type looked struct {
	theirs, ours   float64 // in all
	counts         [][2]float64
	counted, taken time.Time // the next
	seen           [2]float64
	known          bool
}

func (l *looked) look(now time.Time) {
	const every = 5 * time.Second
	if !now.Before(l.counted) {
		l.counts = append(l.counts, [2]float64{l.theirs, l.ours})
		l.counted = l.counted.Add(every)
	}
	if !now.Before(l.taken) {
		l.taken = l.taken.Add(every)
		if n := len(l.counts) - 1; n >= 2 {
			l.known = true
			for i := range l.seen {
				l.seen[i] = (l.counts[n][i] - l.counts[n-2][i]) / (2 * every.Seconds())
			}
		}
	}
}

// Taken is what was seen.
func (l *looked) Taken(state.Queue) (theirs, ours float64, consumers, gateways int, known bool) {
	return l.seen[0], l.seen[1], 1, 1, l.known
}

// Waits is not told.
func (l *looked) Waits(state.Queue) bool { return false }

// A share is what it says: where VMs have more than they can do, and where they
// have at once what the pods leave.
func TestShareByTheBrokersCounts(t *testing.T) {
	t.Parallel()
	for _, queue := range []struct {
		name        string
		comes, most float64 // messages a second, and those that VMs can take
		window      time.Duration
	}{
		{"full", 1000, 10, time.Minute},
		{"full, with slow VMs", 1000, 1, 10 * time.Minute},
		{"empty", 40, 50, time.Minute},
		{"empty, with few messages", 1, 50, 10 * time.Minute},
	} {
		for _, share := range []int{1, 5, 25, 50, 60, 75, 90, 95} {
			for _, age := range []time.Duration{100 * time.Millisecond, 2500 * time.Millisecond, 4900 * time.Millisecond} {
				t.Run(fmt.Sprintf("%d of a queue that is %s, by counts of %s ago", share, queue.name, age), func(t *testing.T) {
					t.Parallel()
					const step, within = 10 * time.Millisecond, 2.0 // per cent
					began := time.Unix(0, 0)
					l := &looked{counted: began, taken: began.Add(age)}
					c := &state.QueueConsumer{PodShare: share}
					var p pace
					var waiting, able float64
					var before looked
					for now := began; now.Before(began.Add(10 * queue.window)); now = now.Add(step) {
						waiting += queue.comes * step.Seconds()
						l.look(now)
						since := now.Sub(began)
						if since%beat == 0 {
							p.earn(c, l, now)
						}
						for waiting >= 1 && p.pay() {
							waiting--
							l.ours++
						}
						for able = min(1, able+queue.most*step.Seconds()); waiting >= 1 && able >= 1; able-- {
							waiting--
							l.theirs++
						}
						if since%queue.window == 0 && since >= 3*queue.window {
							ours, all := l.ours-before.ours, l.ours+l.theirs-before.ours-before.theirs
							if got := 100 * ours / all; since > 3*queue.window && math.Abs(got-float64(share)) > within {
								t.Errorf("in the window before %s pods had %.1f per cent", since, got)
							}
							before = *l
						}
					}
				})
			}
		}
	}
}
