package tracing

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Attributes of calls and announcements.
const (
	keyMethod = attribute.Key("http.request.method")
	keyPath   = attribute.Key("url.path")
	keyHost   = attribute.Key("server.address")
	keyCode   = attribute.Key("http.response.status_code")
	keyResend = attribute.Key("http.request.resend_count")
	keyError  = attribute.Key("error.type")
	keyPrefix = attribute.Key("landbridge.prefix")
)

// Request is a call to a device. No body, query or header is in its span.
type Request struct {
	Backend string
	Method  string
	// Kind is what kind of object the call is about: few values, no names.
	Kind string
	// Host is the device's base URL; Path must hold no secret.
	Host, Path string
}

// Call is a call under way. A nil Call has no span.
type Call struct{ span trace.Span }

// StartCall begins a call in the trace of ctx, if there is one. The context is
// that of the call.
func StartCall(ctx context.Context, q Request) (context.Context, *Call) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, nil
	}
	host := q.Host
	if u, err := url.Parse(q.Host); err == nil && u.Host != "" {
		host = u.Hostname()
	}
	ctx, span := parent.TracerProvider().Tracer(scope).Start(ctx, q.Method+" "+q.Kind, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		keyBackend.String(q.Backend), keyHost.String(host), keyMethod.String(q.Method), keyPath.String(q.Path),
	))
	if n, ok := ctx.Value(resentKey{}).(int); ok {
		span.SetAttributes(keyResend.Int(n))
	}
	return ctx, &Call{span}
}

// End ends the call with the status that the device answered; 0 without an
// answer.
func (c *Call) End(status int) {
	if c == nil {
		return
	}
	switch {
	case status == 0:
		c.span.SetAttributes(keyError.String("no_answer"))
		c.span.SetStatus(codes.Error, "no answer")
	case status >= 400:
		c.span.SetAttributes(keyCode.Int(status), keyError.String(strconv.Itoa(status)))
		c.span.SetStatus(codes.Error, "")
	default:
		c.span.SetAttributes(keyCode.Int(status))
	}
	c.span.End()
}

// Resent says that the call that ctx is of is sent again, for the n-th time.
func Resent(ctx context.Context, n int) {
	trace.SpanFromContext(ctx).SetAttributes(keyResend.Int(n))
}

type resentKey struct{}

// Resend is the context of a call that is made anew, after n that were refused
// for something else than what they ask.
func Resend(ctx context.Context, n int) context.Context {
	if !Recording(ctx) {
		return ctx
	}
	return context.WithValue(ctx, resentKey{}, n)
}

// Announced is a span for a route that the sessions have been told of, or with
// withdrawn that it is gone.
func Announced(ctx context.Context, backend, prefix string, withdrawn bool, began time.Time) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return
	}
	name := "announce"
	if withdrawn {
		name = "withdraw"
	}
	_, span := parent.TracerProvider().Tracer(scope).Start(ctx, name, trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(keyBackend.String(backend), keyPrefix.String(prefix)))
	span.End()
}
