package publish

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"landbridge.dev/mq/broker"
)

// line is one message of a batch.
type line struct {
	Exchange      string            `json:"exchange"`
	Key           string            `json:"key"`
	ID            string            `json:"messageId"`
	Body          string            `json:"body"`
	Base64        []byte            `json:"bodyBase64"`
	ContentType   string            `json:"contentType"`
	Type          string            `json:"type"`
	CorrelationID string            `json:"correlationId"`
	Expiration    string            `json:"expiration"`
	Priority      uint8             `json:"priority"`
	Headers       map[string]string `json:"headers"`
}

// timely is a request's body, of which what is waited for has to come in time.
type timely struct {
	w        http.ResponseWriter
	body     io.Reader
	patience time.Duration
	waiting  bool
}

// Read reads of the body. Time is set once, until waiting is unset.
func (t *timely) Read(b []byte) (int, error) {
	if !t.waiting {
		t.waiting = true
		due(t.w, time.Now().Add(t.patience))
	}
	n, err := t.body.Read(b)
	if err != nil {
		due(t.w, time.Time{}) // it would end what is on its way
	}
	return n, err
}

// lines are the lines of a request's body.
type lines struct {
	body *timely
	in   *bufio.Reader
	most int64  // bytes of one
	long []byte // the last that did not fit into in
}

func newLines(w http.ResponseWriter, body io.ReadCloser, most int64, patience time.Duration) *lines {
	t := &timely{w: w, body: http.MaxBytesReader(w, body, mostBatch), patience: patience}
	return &lines{body: t, in: bufio.NewReaderSize(t, 64<<10), most: most}
}

// next is the next line, without its end, until it is called again. A line that
// is too long is an error.
func (l *lines) next() ([]byte, error) {
	l.body.waiting, l.long = false, l.long[:0]
	for {
		part, err := l.in.ReadSlice('\n')
		if int64(len(l.long)+len(part)) > l.most {
			return nil, fmt.Errorf("a line has more than %d bytes", l.most)
		}
		if errors.Is(err, bufio.ErrBufferFull) || len(l.long) > 0 {
			l.long = append(l.long, part...)
			part = l.long
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimRight(part, "\r\n"), err
		}
	}
}

// readMessage reads a line. A field that there is not is an error, as a property
// is that a caller may not set: who meant it is told.
func readMessage(raw []byte) (l line, err error) {
	if err := json.Unmarshal(raw, &l, json.RejectUnknownMembers(true)); err != nil {
		return l, complaint(err)
	}
	if l.Body != "" && len(l.Base64) > 0 {
		return l, errors.New("it has body and bodyBase64")
	}
	return l, nil
}

// complaint says what is wrong with a line in the words of who wrote it.
func complaint(err error) error {
	var wrong *json.SemanticError
	if !errors.As(err, &wrong) {
		return err
	}
	field := strings.TrimPrefix(string(wrong.JSONPointer), "/")
	switch {
	case errors.Is(err, json.ErrUnknownName):
		return fmt.Errorf("there is no field %s", field)
	case field == "":
		return errors.New("a line has to be a JSON object")
	}
	want := map[reflect.Kind]string{
		reflect.String: "a string", reflect.Slice: "a string in base64", reflect.Uint8: "a number from 0 to 255", reflect.Map: "an object of strings",
	}[wrong.GoType.Kind()]
	return fmt.Errorf("field %s has to be %s", field, want)
}

// parse reads a line of a batch.
func (s *Server) parse(ctx context.Context, c Caller, vhost string, raw []byte) (*broker.Message, error) {
	l, err := readMessage(raw)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "invalid", "not a message: %w", err)
	}
	exchange, err := s.allowed(ctx, c, vhost, l.Exchange, l.Key)
	if err != nil {
		return nil, err
	}
	m := &broker.Message{
		Exchange: exchange, Key: l.Key, ID: l.ID, Body: []byte(l.Body), ContentType: l.ContentType, Type: l.Type,
		CorrelationID: l.CorrelationID, Expiration: l.Expiration, Priority: l.Priority, Timestamp: time.Now(),
	}
	if len(l.Base64) > 0 {
		m.Body = l.Base64
	}
	if int64(len(m.Body)) > s.Body {
		return nil, refuse(http.StatusRequestEntityTooLarge, "too-large", "a message may have %d bytes", s.Body)
	}
	if len(l.Headers) > 0 {
		m.Headers = map[string]any{}
	}
	for name, value := range l.Headers {
		if err := setHeader(m, name, value); err != nil {
			return nil, refuse(http.StatusBadRequest, "invalid", "header %s: %w", name, err)
		}
	}
	return m, s.check(m)
}
