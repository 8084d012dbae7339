package dispatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"landbridge.dev/mq/broker"
	"landbridge.dev/sync/state"
)

const (
	// mostAnswer bounds what is read of an answer that somebody waits for.
	mostAnswer = 1 << 20
	// mostIgnored bounds what is read of one that nobody waits for, so that
	// its connection can be used again.
	mostIgnored = 64 << 10
	// dialTimeout is how long an endpoint may take for a connection.
	dialTimeout = 3 * time.Second
	// idleTimeout is how long a connection to a pod is kept for the next
	// message. Node closes one after 5 s, and there are few that do sooner: a
	// request that goes out just then is lost with it. Whether the pod has read
	// it nobody can say, so that it were an attempt.
	idleTimeout = 4 * time.Second
	// headerIdempotency is Idempotency-Key on the wire. Spelled like that
	// net/http would take the request for one that it may send again, by
	// itself, where a connection ends before the answer: what ends its pod
	// would end the next one in the same attempt. As it is, it sends again
	// only that of which no byte had left.
	headerIdempotency = "idempotency-key"
)

// newTransport is the way to pods. There is no http.Client on it, which would
// follow redirects and copy every request's headers for them.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxIdleConnsPerHost: mostInFlight, IdleConnTimeout: idleTimeout,
		DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
	}
}

// try gives a message to the endpoint that has the least to do. One that takes
// no connection has not had the message: the next is asked.
func (s *server) try(ctx context.Context, c *state.QueueConsumer, d *broker.Delivery, a attempt) verdict {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var tried []*endpoint
	v := verdict{what: retry, why: "no endpoint is ready"}
	for {
		p := s.endpoints.pick(time.Now(), tried)
		if p == nil {
			return v
		}
		tried = append(tried, p)
		var reached bool
		v, reached = s.post(ctx, c, p.host, d, a)
		s.endpoints.done(p, !reached, time.Now())
		if reached || ctx.Err() != nil {
			return v
		}
	}
}

// post posts a message to one endpoint. It was not reached where there was no
// connection.
func (s *server) post(ctx context.Context, c *state.QueueConsumer, host string, d *broker.Delivery, a attempt) (v verdict, reached bool) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+host+c.Path, bytes.NewReader(d.Body))
	if err != nil {
		return verdict{what: dead, counts: true, why: "no request can be made of it: " + err.Error()}, true
	}
	setHeaders(r.Header, s.name, d, a)
	began := time.Now()
	resp, err := s.transport.RoundTrip(r)
	if err != nil {
		return failed(err, host), !notDialled(err)
	}
	defer resp.Body.Close()
	v = judge(resp.StatusCode, resp.Header, a)
	var body []byte
	if d.ReplyTo != "" {
		body, err = io.ReadAll(io.LimitReader(resp.Body, mostAnswer+1))
	} else if resp.ContentLength != 0 {
		_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, mostIgnored+1))
	}
	switch {
	case err != nil && v.what == ack:
		return failed(err, host), true // cut in the middle: nobody knows
	case d.ReplyTo != "" && len(body) > mostAnswer:
		v.what, v.why = dead, fmt.Sprintf("the pod's answer has more than %d bytes", mostAnswer)
	case d.ReplyTo != "":
		v.answer = &answer{contentType: resp.Header.Get("Content-Type"), body: body}
	}
	s.took(time.Since(began))
	return v, true
}

// failed is the verdict on a request without an answer.
func failed(err error, host string) verdict {
	v := verdict{what: retry, counts: true, why: "endpoint " + host + ": " + cause(err)}
	if errors.Is(err, context.DeadlineExceeded) {
		v.why, v.overloaded = "endpoint "+host+": no answer in time", true
	}
	if notDialled(err) {
		v.counts = false
	}
	return v
}

// notDialled says that a request never left, because there was no connection
// (see headerIdempotency).
func notDialled(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// cause is an error's innermost part, without the URL that is known anyway.
func cause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// mostOurs is how many headers a request has that are not the message's own.
const mostOurs = 16

// setHeaders makes a request's headers of a message of a queue.
func setHeaders(h http.Header, queue string, d *broker.Delivery, a attempt) {
	values := make([]string, 0, mostOurs+len(d.Headers)) // of all headers, in one piece
	set := func(name, value string) {
		if name != "" && value != "" && valid(value) {
			values = append(values, value)
			h[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	set("Content-Type", d.ContentType)
	if d.ContentType == "" {
		set("Content-Type", "application/octet-stream")
	}
	set("Content-Encoding", d.Encoding)
	set("User-Agent", "landbridge")
	set(headerIdempotency, headerID(a.id))
	if a.weak {
		set("Landbridge-Idempotency", "weak")
	}
	set("Landbridge-Queue", queue)
	set("Landbridge-Exchange", a.exchange)
	set("Landbridge-Routing-Key", a.key)
	set("Landbridge-Attempt", strconv.Itoa(a.number))
	set("Landbridge-Correlation-Id", d.CorrelationID)
	set("Landbridge-User-Id", a.user)
	set("Landbridge-Type", d.Type)
	set("Landbridge-App-Id", d.AppID)
	if d.Redelivered {
		set("Landbridge-Redelivered", "true")
	}
	if !d.Timestamp.IsZero() {
		set("Landbridge-Timestamp", d.Timestamp.UTC().Format(time.RFC3339))
	}
	for name, value := range d.Headers {
		if value, ok := scalar(value); ok {
			set(headerName(name), value)
		}
	}
}

// headerID is a message id as a header's value: percent-encoded where it holds what
// HTTP would refuse or take off.
func headerID(id string) string {
	if valid(id) && strings.TrimSpace(id) == id {
		return id
	}
	return url.PathEscape(id)
}

// headerName is the HTTP header of an AMQP header; empty for none. CloudEvents
// and trace context go by their names of HTTP.
func headerName(name string) string {
	lower := strings.ToLower(name)
	switch {
	case strings.HasPrefix(lower, "x-"), strings.HasPrefix(lower, broker.OwnHeaders), lower == "cc", lower == "bcc":
		return ""
	case lower == "traceparent", lower == "tracestate", lower == "baggage":
		return http.CanonicalHeaderKey(lower)
	}
	for _, prefix := range []string{"cloudevents:", "cloudevents_", "ce-", "ce_"} {
		if attribute, ok := strings.CutPrefix(lower, prefix); ok {
			return token("Ce-", attribute)
		}
	}
	return token("Mq-H-", lower)
}

// token is a header's name, or empty where HTTP has none like that.
func token(prefix, name string) string {
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.!#$%&'*+^`|~", r) {
			return ""
		}
	}
	if name == "" {
		return ""
	}
	return http.CanonicalHeaderKey(prefix + name)
}

// scalar writes a header's value that is one.
func scalar(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	case bool:
		return strconv.FormatBool(v), true
	case time.Time:
		return v.UTC().Format(time.RFC3339), true
	case int, int8, int16, int32, int64, uint8, uint16, uint32, float32, float64:
		return fmt.Sprint(v), true
	}
	return "", false
}

// valid says whether a text can be the value of an HTTP header.
func valid(value string) bool {
	return len(value) <= broker.MostHeaders && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
