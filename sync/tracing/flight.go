package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/state"
)

// Departure is a Unit that is about to be carried out.
type Departure struct {
	Backend  string
	Service  state.Ref
	Revision ledger.Revision
	// Changes is how many the Unit has.
	Changes int
	// Began and Ended are when it was planned.
	Began, Ended time.Time
}

// Flight is a Unit that is carried out. A nil Flight has no trace.
type Flight struct {
	recorder *Recorder
	part     *part
	span     trace.Span
	linked   trace.SpanID // with which it was linked last
}

// Depart begins to carry out a Unit. Its trace begins with that, if nothing was
// done for the change before.
func (r *Recorder) Depart(d Departure) *Flight {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	at := place{d.Backend, d.Service}
	p := r.parts[at]
	if p == nil {
		p = &part{place: at, change: &change{service: d.Service, attempt: 1, open: 1}, revision: d.Revision}
		r.parts[at] = p
	}
	c := p.change
	c.begin(r.tracer, d.Began)
	backend := trace.WithAttributes(keyBackend.String(d.Backend))
	if !p.since.IsZero() && p.since.Before(d.Began) {
		_, wait := r.tracer.Start(c.ctx, "wait", trace.WithTimestamp(p.since), backend)
		wait.End(trace.WithTimestamp(d.Began))
	}
	_, plan := r.tracer.Start(c.ctx, "plan", trace.WithTimestamp(d.Began), backend)
	plan.End(trace.WithTimestamp(d.Ended))
	_, span := r.tracer.Start(c.ctx, "apply", backend, trace.WithAttributes(
		keyNamespace.String(d.Service.Namespace), keyService.String(d.Service.Name),
		keyAttempt.Int(c.attempt), keyChanges.Int(d.Changes),
	))
	p.flying = true
	return &Flight{recorder: r, part: p, span: span}
}

// Landing is how a Unit ended.
type Landing struct {
	// Done: nothing was refused, and nothing is unclear.
	Done    bool
	Status  string
	Applied int
	// Reason is one CamelCase word; empty when Done.
	Reason string
}

// Land ends a flight. One that is not Done ends the trace: the next try has one
// of its own, linked with this.
func (f *Flight) Land(l Landing) {
	if f == nil {
		return
	}
	f.span.SetAttributes(keyStatus.String(l.Status), keyApplied.Int(l.Applied))
	if !l.Done {
		f.span.SetAttributes(keyReason.String(l.Reason))
		f.span.SetStatus(codes.Error, l.Reason)
	}
	f.span.End()
	r, p := f.recorder, f.part
	r.mu.Lock()
	defer r.mu.Unlock()
	p.flying, p.since = false, time.Now()
	if !l.Done {
		p.change.root.SetStatus(codes.Error, l.Reason)
		p.change.root.End()
	}
	if l.Done && !p.overtaken {
		return
	}
	r.close(p)
	if p.overtaken || l.Done {
		return
	}
	r.parts[p.place] = &part{place: p.place, revision: p.revision, change: &change{
		service: p.service, attempt: p.change.attempt + 1, open: 1,
		links: []trace.Link{{SpanContext: p.change.root.SpanContext()}},
	}}
}

// flightsKey is what the flights of an Apply are kept under in its context.
type flightsKey struct{}

// With is the context for what is done for flights together; Of is for what is
// done for some of them.
func With(ctx context.Context, flights []*Flight) context.Context {
	recorded := make([]*Flight, 0, len(flights))
	for _, f := range flights {
		if f != nil && f.span.IsRecording() {
			recorded = append(recorded, f)
		}
	}
	if len(recorded) == 0 {
		return ctx
	}
	return together(context.WithValue(ctx, flightsKey{}, recorded), recorded)
}

// Recording says whether anything that is done with a context has a trace.
func Recording(ctx context.Context) bool {
	_, ok := ctx.Value(flightsKey{}).([]*Flight)
	return ok
}

// Of is the context for what is done for some of the Services of an Apply.
func Of(ctx context.Context, services ...state.Ref) context.Context {
	all, ok := ctx.Value(flightsKey{}).([]*Flight)
	if !ok {
		return ctx
	}
	var some []*Flight
	for _, s := range services {
		for _, f := range all {
			if f.part.service == s {
				some = append(some, f)
			}
		}
	}
	return together(ctx, some)
}

// together is the context of the first of some flights, which the others are
// linked with; of none where there are none.
func together(ctx context.Context, flights []*Flight) context.Context {
	if len(flights) == 0 {
		return trace.ContextWithSpan(ctx, trace.SpanFromContext(context.Background()))
	}
	first := flights[0].span
	for _, f := range flights[1:] {
		if id := first.SpanContext().SpanID(); f.linked != id {
			f.linked = id
			f.span.AddLink(trace.Link{SpanContext: first.SpanContext()})
			first.AddLink(trace.Link{SpanContext: f.span.SpanContext()})
		}
	}
	return trace.ContextWithSpan(ctx, first)
}
