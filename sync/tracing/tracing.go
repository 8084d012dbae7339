// Package tracing makes a trace of each change of a Service that leads to calls
// outside: from the event of Kubernetes over translation, queue and plan to the
// calls and announcements.
//
// A change is only remembered, by its times, until the first call is made for
// it: what is seen and leads to nothing leaves no trace. What no event asked for
// (a drain that is over, what others changed, a new try) has a trace that begins
// with its plan.
//
// A Unit's calls are children of its own span "apply". Where several Units go in
// one call, that is in the trace of the first of them, and the spans of all are
// linked with that one's.
package tracing

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/state"
)

// scope is the instrumentation scope of all spans.
const scope = "landbridge.dev/sync/tracing"

// Attributes: OpenTelemetry's names where it has some.
const (
	keyNamespace = attribute.Key("k8s.namespace.name")
	keyService   = attribute.Key("k8s.service.name")
	keyBackend   = attribute.Key("landbridge.backend")
	keyEvent     = attribute.Key("landbridge.event")   // whether Kubernetes told of it
	keyAttempt   = attribute.Key("landbridge.attempt") // from 1, of what was refused or met an outage before
	keyChanges   = attribute.Key("landbridge.changes")
	keyApplied   = attribute.Key("landbridge.applied") // of these, how many stand
	keyStatus    = attribute.Key("landbridge.status")
	keyReason    = attribute.Key("landbridge.reason")
)

// Recorder makes the traces. Its methods may be called concurrently. A nil
// Recorder makes none.
type Recorder struct {
	tracer trace.Tracer

	mu    sync.Mutex
	seen  map[state.Ref]time.Time // events not translated yet, the first of each Service
	parts map[place]*part         // the newest that is under way
}

// place is where a Service is changed.
type place struct {
	backend string
	service state.Ref
}

// New makes a recorder whose spans a provider samples and sends.
func New(provider trace.TracerProvider) *Recorder {
	return &Recorder{tracer: provider.Tracer(scope), seen: map[state.Ref]time.Time{}, parts: map[place]*part{}}
}

// change is what a trace is of.
type change struct {
	service      state.Ref
	event        time.Time // zero: none
	began, ended time.Time // its translation; zero without one
	steps        []step    // of that
	attempt      int
	links        []trace.Link

	open int // parts
	// root is nil until something is done outside; ctx is with it.
	root trace.Span
	ctx  context.Context
}

// part is what a change is on one backend.
type part struct {
	place
	change   *change
	revision ledger.Revision
	since    time.Time // when it began to wait; zero: nothing waited
	flying   bool
	// overtaken by a newer change: it ends when it has landed.
	overtaken bool
}

// step is what was done within a translation that takes time of its own.
type step struct {
	name         string
	began, ended time.Time
	failed       bool
}

// Seen notes an event of Kubernetes that may change a Service.
func (r *Recorder) Seen(service state.Ref) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.seen[service]; !known {
		r.seen[service] = time.Now()
	}
}

// translation is a translation under way; one goroutine has it.
type translation struct {
	change
	put bool // it changed something
}

type translationKey struct{}

// Translating begins the translation of a Service. The context goes to Step,
// Put and Failed.
func (r *Recorder) Translating(ctx context.Context, service state.Ref) context.Context {
	if r == nil {
		return ctx
	}
	t := &translation{change: change{service: service, began: time.Now(), attempt: 1}}
	r.mu.Lock()
	t.event = r.seen[service]
	delete(r.seen, service)
	r.mu.Unlock()
	return context.WithValue(ctx, translationKey{}, t)
}

// Step is a step of the translation under way, until what it returns is called
// with the step's error.
func Step(ctx context.Context, name string) (end func(error)) {
	t, ok := ctx.Value(translationKey{}).(*translation)
	if !ok {
		return func(error) {}
	}
	began := time.Now()
	return func(err error) {
		t.steps = append(t.steps, step{name: name, began: began, ended: time.Now(), failed: err != nil})
	}
}

// Failed says that the translation is to be made again: the event that it was
// for is then the next one's, if it has led to nothing.
func (r *Recorder) Failed(ctx context.Context) {
	t, ok := ctx.Value(translationKey{}).(*translation)
	if r == nil || !ok || t.put || t.event.IsZero() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[t.service] = t.event
}

// Put is ledger.Put with the result of the translation that ctx is of. For each
// backend on which that changes something, and on which this process makes
// changes, a trace is to be made.
func (r *Recorder) Put(ctx context.Context, l *ledger.Ledger, want state.Want, created time.Time, acts func(backend string) bool) {
	if r == nil {
		l.Put(want, created)
		return
	}
	r.mu.Lock() // whoever is woken by the ledger finds the part
	defer r.mu.Unlock()
	before := l.Revisions(want.Service)
	l.Put(want, created)
	now := time.Now()
	var c *change
	for backend, revision := range l.Revisions(want.Service) {
		if revision == before[backend] || !acts(backend) {
			continue
		}
		if c == nil {
			c = changeOf(ctx, want.Service, now)
		}
		p := &part{place: place{backend, want.Service}, change: c, revision: revision, since: now}
		if old := r.parts[p.place]; old != nil {
			r.overtake(old, c)
		}
		r.parts[p.place] = p
		c.open++
	}
}

// changeOf is the change that the translation of ctx makes.
func changeOf(ctx context.Context, service state.Ref, now time.Time) *change {
	t, ok := ctx.Value(translationKey{}).(*translation)
	if !ok {
		return &change{service: service, attempt: 1}
	}
	t.put = true
	t.ended = now
	return &t.change
}

// overtake has a newer change take the place of a part. One for which nothing
// was done yet becomes a part of it, else they are linked.
func (r *Recorder) overtake(old *part, by *change) {
	c := old.change
	if c.root == nil {
		if !c.event.IsZero() && (by.event.IsZero() || c.event.Before(by.event)) {
			by.event = c.event
		}
		by.links = append(by.links, c.links...)
	} else {
		by.links = append(by.links, trace.Link{SpanContext: c.root.SpanContext()})
	}
	if old.flying {
		old.overtaken = true
		return
	}
	r.close(old)
}

// close ends a part, and with the last one the change. r.mu is held.
func (r *Recorder) close(p *part) {
	if r.parts[p.place] == p {
		delete(r.parts, p.place)
	}
	if p.change.open--; p.change.open == 0 && p.change.root != nil {
		p.change.root.End()
	}
}

// Settled says that nothing is left to do for a Service on a backend, as it was
// asked for at a revision; 0 where nothing is any more.
func (r *Recorder) Settled(backend string, service state.Ref, revision ledger.Revision) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.parts[place{backend, service}]; p != nil && (revision == 0 || p.revision <= revision) {
		r.close(p)
	}
}

// Forget ends all traces: this process makes no changes any more.
func (r *Recorder) Forget() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.parts {
		if p.flying {
			p.overtaken = true // it ends when it lands
			continue
		}
		r.close(p)
	}
}

// begin makes the spans of what led to the first thing that is done outside.
func (c *change) begin(tracer trace.Tracer, planned time.Time) {
	if c.root != nil {
		return
	}
	start := planned
	for _, earlier := range []time.Time{c.began, c.event} {
		if !earlier.IsZero() && earlier.Before(start) {
			start = earlier
		}
	}
	c.ctx, c.root = tracer.Start(context.Background(), "change", trace.WithTimestamp(start), trace.WithLinks(c.links...), trace.WithAttributes(
		keyNamespace.String(c.service.Namespace), keyService.String(c.service.Name),
		keyEvent.Bool(!c.event.IsZero()), keyAttempt.Int(c.attempt),
	))
	if c.began.IsZero() {
		return
	}
	ctx, span := tracer.Start(c.ctx, "translate", trace.WithTimestamp(c.began))
	for _, s := range c.steps {
		_, of := tracer.Start(ctx, s.name, trace.WithTimestamp(s.began))
		if s.failed {
			of.SetStatus(codes.Error, "")
		}
		of.End(trace.WithTimestamp(s.ended))
	}
	span.End(trace.WithTimestamp(c.ended))
}
