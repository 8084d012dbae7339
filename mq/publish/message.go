package publish

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"landbridge.dev/mq/broker"
)

// read makes a message of a request.
func (s *Server) read(w http.ResponseWriter, r *http.Request) (*broker.Message, error) {
	due(w, time.Now().Add(s.Reading))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.Body))
	if err == nil {
		due(w, time.Time{}) // it would end the request later, too
	}
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return nil, refuse(http.StatusRequestEntityTooLarge, "too-large", "a message may have %d bytes", s.Body)
	}
	if err != nil {
		return nil, s.unread(err)
	}
	m := &broker.Message{
		Body: body, ContentType: r.Header.Get("Content-Type"), Encoding: r.Header.Get("Content-Encoding"),
		ID: r.Header.Get("Idempotency-Key"), Timestamp: time.Now(), Headers: map[string]any{},
	}
	for name, values := range r.Header {
		if err := setProperty(m, strings.ToLower(name), values); err != nil {
			return nil, refuse(http.StatusBadRequest, "invalid", "header %s: %w", name, err)
		}
	}
	return m, s.check(m)
}

// due has what a request's body is read of come until then: who sends nothing
// would keep his connection, and room, for ever.
func due(w http.ResponseWriter, until time.Time) {
	_ = http.NewResponseController(w).SetReadDeadline(until) // a server's can
}

// listener is a caller who reads his answer. Who does not, would keep his
// connection, and room, for ever.
type listener struct {
	w        http.ResponseWriter
	patience time.Duration
}

func (s *Server) listener(w http.ResponseWriter) listener { return listener{w, s.Reading} }

// Write writes a part of the answer, which has to be read in time.
func (l listener) Write(b []byte) (int, error) {
	l.wait()
	return l.w.Write(b)
}

func (l listener) wait() {
	_ = http.NewResponseController(l.w).SetWriteDeadline(time.Now().Add(lingering + l.patience)) // a server's can
}

// closing has the connection closed after the answer, of which a part may have
// gone: net/http would take the rest of a body that was not read for the next
// request. It closes where a reader of its own has met more than its limit.
func closing(w http.ResponseWriter) {
	_, _ = http.MaxBytesReader(w, io.NopCloser(strings.NewReader("more")), 0).Read(make([]byte, 1))
}

// unread says why a body, or a line of it, was not read.
func (s *Server) unread(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refuse(http.StatusRequestTimeout, "slow", "it did not come within %s; nothing of it was sent", s.Reading)
	}
	return refuse(http.StatusBadRequest, "invalid", "it was not read: %w", err)
}

// check refuses what would cost a channel or the connection, and completes the
// rest.
func (s *Server) check(m *broker.Message) error {
	if m.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		m.ID = id.String()
	}
	if err := m.Check(); err != nil {
		return refuse(http.StatusBadRequest, "invalid", "%w", err)
	}
	return nil
}

// setProperty takes one header of a request.
func setProperty(m *broker.Message, name string, values []string) error {
	value := values[0]
	property, ours := strings.CutPrefix(name, "mq-")
	if !ours {
		switch {
		case name == "traceparent", name == "tracestate", name == "baggage":
			m.Headers[name] = strings.Join(values, ",")
		case strings.HasPrefix(name, "ce-"):
			m.Headers["cloudEvents:"+strings.TrimPrefix(name, "ce-")] = value
		}
		return nil
	}
	if len(values) > 1 {
		return errors.New("is there several times")
	}
	if header, ok := strings.CutPrefix(property, "h-"); ok {
		return setHeader(m, header, value)
	}
	switch property {
	case "type":
		m.Type = value
	case "app-id":
		m.AppID = value
	case "correlation-id":
		m.CorrelationID = value
	case "expiration":
		m.Expiration = value
	case "priority":
		n, err := strconv.ParseUint(value, 10, 8)
		if err != nil {
			return fmt.Errorf("%q must be a number from 0 to 255", value)
		}
		m.Priority = uint8(n)
	default:
		return errors.New("there is no such property that a caller may set; headers are Mq-H-NAME")
	}
	return nil
}

// setHeader takes a header of the message itself.
func setHeader(m *broker.Message, name, value string) error {
	if Reserved(name) {
		return errors.New("is of a name that the broker or Landbridge keeps for itself: it could send the message elsewhere, or speak for others")
	}
	m.Headers[name] = value
	return nil
}

// Reserved says whether a message's header is not for callers: CC and BCC route
// a message past every list, and x-, amq. and landbridge- are read by brokers
// and gateways.
func Reserved(name string) bool {
	name = strings.ToLower(name)
	return name == "cc" || name == "bcc" || strings.HasPrefix(name, "x-") || strings.HasPrefix(name, "amq.") ||
		strings.HasPrefix(name, "landbridge") || strings.HasPrefix(name, "cloudevents:") || name == ""
}
