package broker

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// ShortString is how many bytes a name may have in AMQP 0-9-1: those of
	// exchanges, keys, headers, and every property that is text.
	ShortString = 255
	// MostHeaders bounds the bytes of all headers together: they have to fit
	// into one frame, of 128 KiB, with all else.
	MostHeaders = 64 << 10
)

// Message is what is published, or was.
type Message struct {
	Exchange, Key string
	Body          []byte
	ContentType   string
	Encoding      string
	ID            string
	CorrelationID string
	ReplyTo       string
	Type, AppID   string
	Expiration    string // milliseconds, in digits
	Priority      uint8
	Timestamp     time.Time
	Transient     bool // else it is written to disk
	// UserID is who publishes it: the broker refuses another than the
	// connection's user, by closing the channel.
	UserID string
	// Headers are strings, numbers, booleans, times and the like; of those
	// that we make, strings alone.
	Headers map[string]any
}

// directReply is an address of direct reply-to: whose, and a key, both base64. The
// first has the bytes of an Erlang pid (pid_recomposition.erl: 131, 88 or 103, an
// atom); the broker's channel crashes over anything else.
var directReply = regexp.MustCompile(`^amq\.rabbitmq\.reply-to\.g[1-9A-Za-z][A-Za-z0-9+/]{20,200}={0,2}\.[A-Za-z0-9+/]{8,64}={0,2}$`)

// IsDirectReply says whether a reply-to has the look of direct reply-to's. One
// that was made up may have it too: send there with RoleAnswer.
func IsDirectReply(replyTo string) bool { return directReply.MatchString(replyTo) }

// Check says what is wrong with a message that would cost the channel or the
// connection that it is published on. It is for what comes from others.
func (m *Message) Check() error {
	for _, f := range []struct{ name, text string }{
		{"exchange", m.Exchange}, {"routing key", m.Key}, {"content type", m.ContentType}, {"content encoding", m.Encoding},
		{"message id", m.ID}, {"correlation id", m.CorrelationID}, {"reply-to", m.ReplyTo}, {"type", m.Type},
		{"application id", m.AppID}, {"expiration", m.Expiration},
	} {
		if len(f.text) > ShortString {
			return fmt.Errorf("the %s has %d bytes; at most %d are possible", f.name, len(f.text), ShortString)
		}
	}
	if m.Expiration != "" {
		// The broker's most (rabbit.hrl, MAX_EXPIRY_TIMER) is that of 32 bits.
		if _, err := strconv.ParseUint(m.Expiration, 10, 32); err != nil {
			return fmt.Errorf("the expiration %q is not a number of milliseconds from 0 to %d", m.Expiration, uint32(math.MaxUint32))
		}
	}
	size := 0
	for name, value := range m.Headers {
		if name == "" || len(name) > ShortString {
			return fmt.Errorf("a header's name has %d bytes; 1 to %d are possible", len(name), ShortString)
		}
		text, ok := value.(string)
		if !ok {
			return fmt.Errorf("the header %s is not text", name)
		}
		size += len(name) + len(text) + 8
	}
	if size > MostHeaders {
		return fmt.Errorf("the headers have %d bytes together; at most %d are possible", size, MostHeaders)
	}
	return nil
}

func (m *Message) publishing() amqp.Publishing {
	mode := amqp.Persistent
	if m.Transient {
		mode = amqp.Transient
	}
	return amqp.Publishing{
		Headers: m.Headers, ContentType: m.ContentType, ContentEncoding: m.Encoding, DeliveryMode: mode, Priority: m.Priority,
		CorrelationId: m.CorrelationID, ReplyTo: m.ReplyTo, Expiration: m.Expiration, MessageId: m.ID, Timestamp: m.Timestamp,
		Type: m.Type, AppId: m.AppID, UserId: m.UserID, Body: m.Body,
	}
}

// Delivery is a message that a broker has given to us, to be settled once:
// acknowledged or given back. Its UserID is who published it, if he said so: the
// broker has checked it. If the session ends before, the broker gives it
// to another, or again.
type Delivery struct {
	Message
	// Redelivered says that it was given to somebody before.
	Redelivered bool
	// Count is how often it was given back, by quorum queues.
	Count int64

	tag   uint64
	acker *acker // of what a subscription gave; nil otherwise
	ch    amqp.Acknowledger
}

func newDelivery(d *amqp.Delivery) *Delivery {
	count, _ := d.Headers["x-delivery-count"].(int64)
	return &Delivery{
		Message: Message{
			Exchange: d.Exchange, Key: d.RoutingKey, Body: d.Body, ContentType: d.ContentType, Encoding: d.ContentEncoding,
			ID: d.MessageId, CorrelationID: d.CorrelationId, ReplyTo: d.ReplyTo, Type: d.Type, AppID: d.AppId,
			Expiration: d.Expiration, Priority: d.Priority, Timestamp: d.Timestamp, Transient: d.DeliveryMode != amqp.Persistent,
			UserID: d.UserId, Headers: d.Headers,
		},
		Redelivered: d.Redelivered, Count: count, tag: d.DeliveryTag, ch: d.Acknowledger,
	}
}

// Ack tells the broker that the message has had its effect: soon, and of one
// that a subscription gave together with others; at the latest when that
// closes. The broker may give it again even so: where the connection ends
// before it is told, or with an error.
func (d *Delivery) Ack() error {
	if d.acker != nil {
		return d.acker.ack(d.tag)
	}
	return plain(d.ch.Ack(d.tag, false))
}

// Requeue gives the message back to its queue.
func (d *Delivery) Requeue() error {
	if d.acker != nil {
		return d.acker.requeue(d.tag)
	}
	return plain(d.ch.Nack(d.tag, false, true))
}

// HeadersSize is how many bytes headers have in a frame, or a few more.
func HeadersSize(headers map[string]any) int {
	size := 4
	for name, value := range headers {
		size += 1 + len(name) + valueSize(value)
	}
	return size
}

func valueSize(value any) int {
	const plain = 9 // of what has one size: its kind and 8 bytes
	switch v := value.(type) {
	case string:
		return 5 + len(v)
	case []byte:
		return 5 + len(v)
	case []any:
		size := 5
		for _, item := range v {
			size += valueSize(item)
		}
		return size
	case amqp.Table:
		return 1 + HeadersSize(v)
	}
	return plain
}
