package dispatch

import "time"

const (
	// firstLull is how long a subscription may get nothing while messages wait:
	// three looks of the management API, and the five seconds that its counts
	// are old at most. It doubles up to mostLull for as long as it helps nothing.
	firstLull = 20 * time.Second
	mostLull  = 10 * time.Minute
)

// lull notices that the broker has forgotten a consumer. RabbitMQ 3.10.8 does it
// to those of most quorum queues that are deleted and declared again at once:
// it sends neither a cancel nor a message, for ever, or counts what it gave as
// unacknowledged and no channel ever has it. A subscription made anew gets all.
type lull struct {
	first, least time.Duration // before which nothing is made of it

	given uint64 // of the subscription
	since time.Time
}

// begin begins to watch another subscription.
func (l *lull) begin(now time.Time) { l.given, l.since, l.least = 0, now, max(l.least, l.first) }

// over says whether the subscription is to be made anew. given and settled are
// its messages so far: who has one in hand is not forgotten.
func (l *lull) over(given, settled uint64, waits func() bool, now time.Time) bool {
	if given != l.given {
		l.least = l.first // it is of use
	}
	if given != l.given || settled != given {
		l.given, l.since = given, now
	}
	if now.Sub(l.since) < l.least || !waits() {
		return false
	}
	l.least = min(2*l.least, mostLull)
	return true
}

// forgotten says whether the broker seems to have forgotten a subscription.
func (s *server) forgotten(sub *intake, now time.Time) bool {
	given, settled := sub.Counts()
	return s.Rates != nil && s.lull.over(given, settled, func() bool { return s.Rates.Waits(s.queue) }, now)
}
