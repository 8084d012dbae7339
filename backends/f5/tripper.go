package f5

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"

	"landbridge.dev/sync/tracing"
)

// maxAnswer bounds an answer's body, in bytes; a page of 100 pools with 100
// members each is about 7 MB.
const maxAnswer = 256 << 20

// tokensPath is where tokens stand; what follows it is a secret.
const tokensPath = "/mgmt/shared/authz/tokens/"

// tripper carries one call of a go-bigip shell: it gives it its context and
// its place among the calls in flight, reads the whole answer, and turns what
// is no success into an *Error or a *callError.
type tripper struct {
	ctx     context.Context // go-bigip takes none: this is how it reaches the socket
	session *session
	// secret is the call's token, which no error may show.
	secret string
}

// RoundTrip is of http.RoundTripper.
func (t *tripper) RoundTrip(req *http.Request) (*http.Response, error) {
	s := t.session
	path := publicPath(req.URL.Path)
	if err := s.acquire(t.ctx); err != nil {
		return nil, &callError{method: req.Method, path: path, err: err}
	}
	defer s.release()

	ctx, cancel := context.WithTimeoutCause(t.ctx, s.opts.CallTimeout, errNoAnswer)
	defer cancel()
	kind := kindOfPath(path)
	ctx, call := tracing.StartCall(ctx, tracing.Request{
		Backend: s.opts.Name, Method: req.Method, Kind: kind, Host: s.host, Path: path,
	})
	start := s.opts.Clock()
	resp, body, err := t.exchange(ctx, req, path)
	status := 0
	if resp != nil {
		status = resp.StatusCode
	}
	took := s.opts.Clock().Sub(start)
	call.End(status)
	s.opts.Metrics.call(s.opts.Name, req.Method, kind, status, took)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		e := newError(req.Method, path, resp.StatusCode, body)
		e.Message = hide(e.Message, t.secret)
		return nil, e
	}
	s.pace.took(req.Method, path, req.Header.Get(transactionHeader) != "", took)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// exchange sends the request and reads the whole answer.
func (t *tripper) exchange(ctx context.Context, req *http.Request, path string) (*http.Response, []byte, error) {
	var sent atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	})
	next := t.session.transport
	if req.Method == http.MethodGet {
		next = t.session.retrying
	}
	resp, err := next.RoundTrip(req.WithContext(traced))
	if err != nil {
		return nil, nil, &callError{method: req.Method, path: path, sent: sent.Load(), err: lostCause(ctx, err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	if err != nil {
		return resp, nil, &callError{method: req.Method, path: path, sent: true, err: lostCause(ctx, fmt.Errorf("reading the answer: %w", err))}
	}
	return resp, body, nil
}

// lostCause puts why the context ended in the place of what it looks like on
// the socket, and leaves our own port out of the text, which is another each
// time.
func lostCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Source != nil {
		return fmt.Errorf("the connection was lost: %w", op.Err)
	}
	return err
}

// publicPath is a path without the token that it may name.
func publicPath(path string) string {
	if strings.HasPrefix(path, tokensPath) {
		return tokensPath + "…"
	}
	return path
}

// hide takes a secret out of a text.
func hide(text, secret string) string {
	if secret == "" {
		return text
	}
	return strings.ReplaceAll(text, secret, "…")
}
