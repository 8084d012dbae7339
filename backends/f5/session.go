package f5

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"

	bigip "github.com/f5devcentral/go-bigip"

	"landbridge.dev/sync/tracing"
)

// session is how one unit is spoken to: its connections, its token, and the
// limit of calls in flight. Its methods may be called concurrently.
type session struct {
	opts      *Options
	host      string // base URL without a slash at its end
	transport http.RoundTripper
	retrying  http.RoundTripper
	closeIdle func()
	slots     chan struct{}
	logins    *logins
	pace      *pace
	// certificate is what the unit presented last; nil without TLS.
	certificate *atomic.Pointer[x509.Certificate]
	// beside is the same session with a place of its own among the calls in
	// flight, for the question which unit is active: it must be answered
	// also while all other calls hang.
	beside *session
}

func newSession(host string, o *Options, p *pace) *session {
	s := &session{
		opts: o, host: host, pace: p,
		transport: o.Transport,
		closeIdle: func() {},
		slots:     make(chan struct{}, o.MaxConcurrentCalls),
		logins:    newLogins(func(t token) { o.Metrics.token(o.Name, host, t.expires) }),

		certificate: &atomic.Pointer[x509.Certificate]{},
	}
	if s.transport == nil {
		pool := newTransport(o, s.presented)
		s.transport, s.closeIdle = pool, pool.CloseIdleConnections
	}
	s.retrying = newRetrying(s.transport)
	beside := *s
	beside.slots = make(chan struct{}, 1)
	s.beside = &beside
	return s
}

// presented takes in a certificate that the unit has shown, and that was taken.
// Where any is taken nobody is told: nothing breaks when it expires.
func (s *session) presented(c *x509.Certificate) {
	s.certificate.Store(c)
	if s.opts.Presented != nil && !s.opts.InsecureSkipVerify {
		s.opts.Presented(s.host, c)
	}
}

// acquire waits for a place among the calls in flight, for as long as the
// caller has time: a call's own time-out begins afterwards.
func (s *session) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *session) release() { <-s.slots }

// get reads what stands at a path into out.
func (s *session) get(ctx context.Context, path string, out any) error {
	data, err := s.call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, out); err != nil {
		return &callError{method: http.MethodGet, path: path, sent: true, err: fmt.Errorf("%w (%w)", errNotObject, err)}
	}
	return nil
}

// write makes a change: POST and PATCH with a body, DELETE without.
func (s *session) write(ctx context.Context, method, path string, body any) error {
	data, err := s.call(ctx, method, path, body)
	if err != nil {
		return err
	}
	var answer struct {
		Kind string `json:"kind"`
	}
	if method != http.MethodDelete && (json.Unmarshal(data, &answer) != nil || answer.Kind == "") {
		return &callError{method: method, path: path, sent: true, err: errNotObject}
	}
	return nil
}

// call makes one call below /mgmt/tm.
func (s *session) call(ctx context.Context, method, path string, body any) ([]byte, error) {
	return s.callIn(ctx, "", method, path, body)
}

// callIn makes one call below /mgmt/tm, in a transaction unless that is empty.
// A token that the device does not know any more is replaced once: a 401 says
// that nothing was done.
func (s *session) callIn(ctx context.Context, transaction, method, path string, body any) ([]byte, error) {
	content, err := encodeBody(body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	req := &bigip.APIRequest{Method: method, URL: "mgmt/tm/" + path, Body: content, ContentType: "application/json"}
	sent := ctx
	for again := true; ; again = false {
		token, err := s.token(ctx)
		if err != nil {
			return nil, &beforeCallError{err}
		}
		data, err := s.shell(sent, token, transaction, req)
		var answer *Error
		if again && errors.As(err, &answer) && answer.unauthorized() {
			s.forget(token)
			sent = tracing.Resend(ctx, 1)
			continue
		}
		return data, err
	}
}

func encodeBody(body any) (string, error) {
	if body == nil {
		return "", nil
	}
	data, err := json.Marshal(body)
	return string(data), err
}

// shell makes one call with a go-bigip session of its own, which costs some
// microseconds: a bigip.BigIP must not be shared between goroutines, since
// APICall writes to its Transport each time.
func (s *session) shell(ctx context.Context, token, transaction string, req *bigip.APIRequest) ([]byte, error) {
	rt := &tripper{ctx: ctx, session: s, secret: token}
	// A TLSNextProto that is not nil keeps net/http from registering HTTP/2
	// under the same scheme.
	transport := &http.Transport{TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
	transport.RegisterProtocol("https", rt)
	transport.RegisterProtocol("http", rt)
	b := &bigip.BigIP{
		Host: s.host, Token: token, Transaction: transaction, Transport: transport,
		// One try: go-bigip would sleep 10 s between two, deaf to the
		// context. No timeout of its own: the context has one.
		ConfigOptions: &bigip.ConfigOptions{APICallRetries: 1},
	}
	data, err := b.APICall(req)
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // its text would repeat the URL, which may name a token
	}
	return data, err
}

// close gives the token back and closes the idle connections.
func (s *session) close(ctx context.Context) error {
	defer s.closeIdle()
	token := s.logins.end()
	if token == "" {
		return nil
	}
	req := &bigip.APIRequest{Method: http.MethodDelete, URL: tokensPath[1:] + token}
	_, err := s.shell(ctx, token, "", req)
	var answer *Error
	if errors.As(err, &answer) && (answer.Status == http.StatusUnauthorized || answer.Status == http.StatusNotFound) {
		return nil // it had ended by itself
	}
	if err != nil {
		return fmt.Errorf("logging out: %w", err)
	}
	return nil
}
