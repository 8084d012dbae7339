// Package dead looks after dead letters: messages that had no effect after all
// attempts, or were refused, and wait in the queue
// landbridge.<cluster>.dead.<queue> until a person has looked at them.
package dead

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"landbridge.dev/mq/broker"
)

// Letter is a dead letter.
type Letter struct {
	ID       string `json:"id"`
	Reason   string `json:"reason"`
	Status   string `json:"status,omitempty"` // of HTTP, that the last attempt was answered with
	Attempts int    `json:"attempts"`
	First    string `json:"first,omitempty"` // when the first attempt was, RFC 3339
	Died     string `json:"died,omitempty"`
	Service  string `json:"service,omitempty"` // that had it last
	Exchange string `json:"exchange"`          // that it was published to at first
	Key      string `json:"routingKey"`
	Type     string `json:"contentType,omitempty"`
	Size     int    `json:"size"`
	// Body is its beginning, where that is text.
	Body string `json:"body,omitempty"`
}

// mostShown is how much of a body is shown.
const mostShown = 1024

// ErrNone is that there is no queue of dead letters: none has died yet.
var ErrNone = errors.New("there are no dead letters of this queue")

// List shows dead letters, no more than limit. They stay where they are, though
// perhaps in another order; while they are looked at nobody else sees them.
func List(ctx context.Context, s *broker.Session, names broker.Names, queue string, limit int) ([]Letter, error) {
	g, err := s.Getter()
	if err != nil {
		return nil, err
	}
	defer g.Close() // which gives all of them back
	letters := []Letter{}
	for len(letters) < limit {
		d, err := g.Get(ctx, names.Dead(queue))
		if err != nil {
			return nil, missing(err, queue)
		}
		if d == nil {
			break
		}
		letters = append(letters, letterOf(d))
	}
	return letters, nil
}

func missing(err error, queue string) error {
	if broker.Code(err) == broker.CodeNotFound {
		return fmt.Errorf("queue %s: %w", queue, ErrNone)
	}
	return fmt.Errorf("dead letters of queue %s: %w", queue, err)
}

func letterOf(d *broker.Delivery) Letter {
	text := func(name string) string { s, _ := d.Headers[name].(string); return s }
	l := Letter{
		ID: d.ID, Reason: text(broker.HeaderReason), Status: text(broker.HeaderStatus), First: text(broker.HeaderFirst),
		Died: text(broker.HeaderDead), Service: text(broker.HeaderService), Exchange: text(broker.HeaderExchange), Key: text(broker.HeaderKey),
		Type: d.ContentType, Size: len(d.Body),
	}
	l.Attempts, _ = strconv.Atoi(text(broker.HeaderAttempt))
	if l.Status == "0" {
		l.Status = ""
	}
	if body := d.Body[:min(len(d.Body), mostShown)]; utf8.Valid(body) {
		l.Body = string(body)
	}
	return l
}

// replay marks those that a run has sent back, so that one which dies again
// meanwhile is not sent again.
const replayHeader = broker.OwnHeaders + "replay"

// Replay sends dead letters back into the queue that they died of, no more than
// limit, with all their attempts before them. Each is taken off only once the
// broker has confirmed that it is back: what ends in between leaves it twice,
// with the same id. With id only that one is sent.
func Replay(ctx context.Context, s *broker.Session, p *broker.Publisher, names broker.Names, queue, id string, limit int) (replayed int, err error) {
	g, err := s.Getter()
	if err != nil {
		return 0, err
	}
	defer g.Close()
	run := strconv.FormatInt(time.Now().UnixNano(), 36)
	for looked := 0; replayed < limit && looked < 100_000; looked++ {
		d, err := g.Get(ctx, names.Dead(queue))
		if err != nil {
			return replayed, missing(err, queue)
		}
		if d == nil {
			return replayed, nil
		}
		if again, _ := d.Headers[replayHeader].(string); again == run || (id != "" && d.ID != id) {
			continue // given back when g is closed
		}
		if outcome, err := p.Publish(ctx, alive(d, queue, run), true); outcome != broker.Confirmed {
			return replayed, fmt.Errorf("message %s back into queue %s: %s: %w", d.ID, queue, outcome, err)
		}
		if err := d.Ack(); err != nil {
			return replayed, fmt.Errorf("message %s is back in queue %s, and may also be a dead letter still: %w", d.ID, queue, err)
		}
		replayed++
	}
	return replayed, nil
}

// alive is a dead letter as it was before its first attempt.
func alive(d *broker.Delivery, queue, run string) *broker.Message {
	m := d.Message
	m.Exchange, m.Key, m.UserID = "", queue, ""
	if m.Headers = maps.Clone(d.Headers); m.Headers == nil {
		m.Headers = map[string]any{} // somebody else's letter
	}
	for name := range m.Headers {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, broker.OwnHeaders) || strings.HasPrefix(lower, "x-") || lower == "cc" || lower == "bcc" {
			delete(m.Headers, name)
		}
	}
	m.Headers[replayHeader] = run
	if d.ID != "" {
		m.Headers[broker.HeaderCopy] = d.ID
	}
	return &m
}
