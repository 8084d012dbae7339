package dispatch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"landbridge.dev/mq/broker"
	"landbridge.dev/sync/state"
)

// attempt is what is known of one try to deliver a message.
type attempt struct {
	number   int
	first    time.Time
	exchange string // that it was published to at first
	key      string
	user     string
	id       string // the Idempotency-Key
	weak     bool   // id is made of the content: two equal messages share it
}

// attemptOf reads which attempt a delivery is, from what an earlier copy says.
func attemptOf(d *broker.Delivery, now time.Time) attempt {
	a := attempt{number: 1, first: now, exchange: d.Exchange, key: d.Key, user: d.UserID, id: d.ID}
	if n, err := strconv.Atoi(text(d, broker.HeaderAttempt)); err == nil && n > 1 && n < 10000 {
		a.number = n
		a.exchange, a.key, a.user = text(d, broker.HeaderExchange), text(d, broker.HeaderKey), text(d, broker.HeaderUser)
		if first, err := time.Parse(time.RFC3339, text(d, broker.HeaderFirst)); err == nil {
			a.first = first
		}
	}
	if a.id == "" {
		sum := sha256.New()
		for _, part := range []string{a.exchange, a.key, strconv.FormatInt(d.Timestamp.UnixNano(), 10)} {
			fmt.Fprintf(sum, "%d %s", len(part), part)
		}
		sum.Write(d.Body)
		a.id, a.weak = hex.EncodeToString(sum.Sum(nil)[:16]), true
	}
	return a
}

// text is a header of a delivery that is text.
func text(d *broker.Delivery, name string) string {
	s, _ := d.Headers[name].(string)
	return s
}

// copyOf is the message of a delivery as it is published again. What would
// cost the channel, or route it elsewhere, is taken off or moved to a header.
func copyOf(d *broker.Delivery, a attempt, v verdict) *broker.Message {
	m := d.Message
	m.ID = a.id
	m.UserID = "" // the broker refuses another's than our own
	m.Transient = false
	m.Headers = maps.Clone(d.Headers)
	if m.Headers == nil {
		m.Headers = map[string]any{}
	}
	for name := range m.Headers {
		if lower := strings.ToLower(name); lower == "cc" || lower == "bcc" || strings.HasPrefix(lower, "x-") {
			delete(m.Headers, name)
		}
	}
	m.Headers[broker.HeaderFirst] = a.first.UTC().Format(time.RFC3339)
	m.Headers[broker.HeaderExchange], m.Headers[broker.HeaderKey] = a.exchange, a.key
	m.Headers[broker.HeaderReason] = bounded(v.why)
	m.Headers[broker.HeaderStatus] = strconv.Itoa(v.status)
	m.Headers[broker.HeaderCopy] = a.id
	if a.user != "" {
		m.Headers[broker.HeaderUser] = a.user
	}
	if m.Expiration != "" {
		m.Headers[broker.HeaderDeadline], m.Expiration = m.Expiration, ""
	}
	return &m
}

// retryCopy is what goes to a retry queue: its routing key is the queue that it
// comes back to.
func retryCopy(d *broker.Delivery, a attempt, v verdict, exchange string, queue state.Queue) *broker.Message {
	m := copyOf(d, a, v)
	m.Exchange, m.Key = exchange, queue.Name
	next := a.number
	if v.counts {
		next++
	}
	m.Headers[broker.HeaderAttempt] = strconv.Itoa(next)
	return m
}

// deadCopy is what goes to the dead-letter queue.
func deadCopy(d *broker.Delivery, a attempt, v verdict, queue string, c *state.QueueConsumer, now time.Time) *broker.Message {
	m := copyOf(d, a, v)
	m.Exchange, m.Key = "", queue
	m.Headers[broker.HeaderAttempt] = strconv.Itoa(a.number)
	m.Headers[broker.HeaderQueue], m.Headers[broker.HeaderService] = c.Queue.Name, c.Service.String()
	m.Headers[broker.HeaderDead] = now.UTC().Format(time.RFC3339)
	shorten(m.Headers)
	return m
}

// mostCopied is how large a message's headers may be for a copy of it: they have
// to fit into one frame (128 KiB unless the broker says less) together with ours
// and the properties, and a frame that is too large closes the connection.
const mostCopied = 120 << 10

// shorten takes the largest headers off that are not ours, until the others
// fit, and says which.
func shorten(headers map[string]any) {
	var gone []string
	if unread, _ := headers[broker.HeaderGone].(string); unread != "" {
		gone = append(gone, unread)
	}
	for broker.HeadersSize(headers) > mostCopied {
		largest, size := "", 0
		for name, value := range headers {
			if n := broker.HeadersSize(map[string]any{name: value}); n > size && !strings.HasPrefix(name, broker.OwnHeaders) {
				largest, size = name, n
			}
		}
		if largest == "" {
			break // ours are few and short
		}
		delete(headers, largest)
		gone = append(gone, largest)
	}
	if len(gone) > 0 {
		headers[broker.HeaderGone] = bounded(strings.Join(gone, ", "))
	}
}

// bounded is a reason that is no longer than a person reads.
func bounded(why string) string {
	const most = 400
	if len(why) > most {
		return strings.ToValidUTF8(why[:most], "") + "…"
	}
	return why
}
