package dispatch

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"landbridge.dev/config/annotation"
	"landbridge.dev/sync/state"
)

// HeaderDisposition is what a pod may answer with, to decide otherwise than by
// its status: "ack", "retry" or "dead".
const HeaderDisposition = "Landbridge-Disposition"

// attemptsOfMissing is after how many a 404 is believed: a pod that starts, or
// one of another version, may not have the path yet.
const attemptsOfMissing = 3

// what is done with a message.
type what uint8

const (
	ack what = iota
	retry
	dead
)

// String is the word of metrics.
func (w what) String() string { return [...]string{"ack", "retry", "dead"}[w] }

// verdict is what came of an attempt.
type verdict struct {
	what   what
	status int    // of HTTP; 0 without an answer
	why    string // for a person, of a retry or a dead letter
	after  time.Duration
	// counts says that the pod has had the message: it is an attempt.
	counts bool
	// overloaded says that pods have too much to do.
	overloaded bool
	answer     *answer
}

// answer is what a pod answered, for a request that asks for it.
type answer struct {
	contentType string
	body        []byte
}

// judge is the verdict on an answer.
func judge(status int, header http.Header, a attempt) verdict {
	v := verdict{status: status, counts: true, why: fmt.Sprintf("the pod answered %d %s", status, http.StatusText(status))}
	switch {
	case status >= 200 && status < 300:
		v.what = ack
	case status == http.StatusNotFound:
		v.what = retry
		if a.number >= attemptsOfMissing {
			v.what = dead
		}
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusConflict, status == http.StatusTooEarly,
		status == http.StatusTooManyRequests:
		v.what = retry
	default:
		v.what = dead
	}
	switch strings.ToLower(header.Get(HeaderDisposition)) {
	case "ack":
		v.what = ack
	case "retry":
		v.what = retry
	case "dead":
		v.what = dead
	}
	v.overloaded = status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
	v.after = retryAfter(header.Get("Retry-After"), time.Now())
	return v
}

// retryAfter reads the header of that name: seconds, or a date. 0 is none.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && seconds > 0 {
		return time.Duration(min(seconds, int(time.Hour/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil && at.After(now) {
		return min(at.Sub(now), time.Hour)
	}
	return 0
}

// delayOf is how long a message waits for its next attempt: as the Service
// says for this one, and no less than the pod asked for; of the delays that
// there are the next longer one.
func delayOf(c *state.QueueConsumer, a attempt, v verdict) time.Duration {
	d := max(c.Retry[min(a.number, len(c.Retry))-1], v.after)
	delays := annotation.Delays()
	i, _ := slices.BinarySearch(delays, d)
	return delays[min(i, len(delays)-1)]
}
