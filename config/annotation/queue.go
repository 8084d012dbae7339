package annotation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The bounds of how messages are delivered.
const (
	mostConcurrency = 1000
	leastTimeout    = time.Second
	mostTimeout     = 10 * time.Minute // a broker takes a message back after 30
	mostAttempts    = 100
	mostPriority    = 255
	mostShortString = 255 // bytes of a name in AMQP 0-9-1
)

// Delays are those that mq-retry may be made of: each is a queue on the broker,
// so there cannot be one for every wish.
func Delays() []time.Duration {
	return []time.Duration{
		time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour,
	}
}

// ParseQueue reads "queue" or "vhost:queue", split at the first colon. An empty
// vhost is an error; without one it is "/".
func ParseQueue(value string) (vhost, queue string, err error) {
	vhost, queue, found := strings.Cut(value, ":")
	if !found {
		vhost, queue = "/", value
	}
	switch {
	case vhost == "" || queue == "":
		return "", "", fmt.Errorf("%q must be a queue, or VHOST:QUEUE", value)
	case len(queue) > mostShortString || len(vhost) > mostShortString:
		return "", "", fmt.Errorf("is longer than the %d bytes that a broker admits", mostShortString)
	case strings.HasPrefix(queue, "amq.") || strings.HasPrefix(queue, "landbridge."):
		return "", "", fmt.Errorf("%q is of a name that the broker or Landbridge keeps for itself", value)
	}
	return vhost, queue, nil
}

// ParseURLPath reads mq-path, which begins with "/".
func ParseURLPath(value string) (string, error) {
	if !strings.HasPrefix(value, "/") || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' }) {
		return "", fmt.Errorf("%q must be a path such as /events", value)
	}
	return value, nil
}

// ParseConcurrency reads mq-concurrency.
func ParseConcurrency(value string) (int, error) {
	return number(value, 1, mostConcurrency, "messages")
}

// ParseTimeout reads mq-timeout.
func ParseTimeout(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d < leastTimeout || d > mostTimeout {
		return 0, fmt.Errorf("%q must be a duration from %s to %s", value, leastTimeout, mostTimeout)
	}
	return d, nil
}

// ParseRetry reads mq-retry: delays of Delays, none shorter than the one
// before it.
func ParseRetry(value string) ([]time.Duration, error) {
	var delays []time.Duration
	for word := range strings.SplitSeq(value, ",") {
		d, err := time.ParseDuration(strings.TrimSpace(word))
		if err != nil || !slices.Contains(Delays(), d) {
			return nil, fmt.Errorf("%q must be delays out of 1s, 2s, 5s, 10s, 30s, 1m, 2m, 5m, 10m, 30m and 1h, such as 1s,10s,1m", value)
		}
		if len(delays) > 0 && d < delays[len(delays)-1] {
			return nil, fmt.Errorf("%q must not go back to a shorter delay", value)
		}
		delays = append(delays, d)
	}
	return delays, nil
}

// ParseAttempts reads mq-max-attempts.
func ParseAttempts(value string) (int, error) { return number(value, 1, mostAttempts, "attempts") }

// ParseOrdering reads mq-ordering: "none", "queue", or "key" with its header.
func ParseOrdering(value string) (ordering, header string, err error) {
	if value == "none" || value == "queue" {
		return value, "", nil
	}
	ordering, header, _ = strings.Cut(value, ":")
	if ordering != "key" || header == "" || len(header) > mostShortString {
		return "", "", fmt.Errorf("%q must be none, queue or key:HEADER", value)
	}
	return ordering, header, nil
}

// ParsePriority reads mq-priority.
func ParsePriority(value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < -mostPriority || n > mostPriority {
		return 0, fmt.Errorf("%q must be a number from -%d to %d", value, mostPriority, mostPriority)
	}
	return n, nil
}

func number(value string, least, most int, of string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%q must be a number of %s from %d to %d", value, of, least, most)
	}
	return n, nil
}

func checkQueue(value string) error {
	_, _, err := ParseQueue(value)
	return err
}

func checkQueueMode(value string) error { return oneOf(value, "http", "native") }

func checkURLPath(value string) error { return errorOf(ParseURLPath(value)) }

func checkConcurrency(value string) error { return errorOf(ParseConcurrency(value)) }

func checkTimeout(value string) error { return errorOf(ParseTimeout(value)) }

func checkRetry(value string) error { return errorOf(ParseRetry(value)) }

func checkAttempts(value string) error { return errorOf(ParseAttempts(value)) }

func checkOrdering(value string) error {
	_, _, err := ParseOrdering(value)
	return err
}

func checkPriority(value string) error { return errorOf(ParsePriority(value)) }

// errorOf is what is wrong with a value that was read.
func errorOf[T any](_ T, err error) error { return err }
