package apply_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"landbridge.dev/backends/memory"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/tracing"
)

// record is a recorder whose spans end in a list.
func record(o ...sdktrace.TracerProviderOption) (*tracing.Recorder, *tracetest.SpanRecorder) {
	spans := tracetest.NewSpanRecorder()
	return tracing.New(sdktrace.NewTracerProvider(append(o, sdktrace.WithSpanProcessor(spans))...)), spans
}

// translated has an event of Kubernetes, and 5 ms later a translation of 2 ms
// that wants something else.
func (b *bench) translated(w state.Want) {
	b.traces.Seen(w.Service)
	time.Sleep(5 * time.Millisecond)
	ctx := b.traces.Translating(context.Background(), w.Service)
	time.Sleep(2 * time.Millisecond)
	b.traces.Put(ctx, b.ledger, w, time.Time{}, func(string) bool { return true })
	synctest.Wait()
}

// traced are the spans that have ended, as "PARENT > NAME took 5ms attempt=1",
// sorted.
func traced(spans *tracetest.SpanRecorder) []string {
	names := map[trace.SpanID]string{}
	for _, s := range spans.Started() {
		names[s.SpanContext().SpanID()] = s.Name()
	}
	var all []string
	for _, s := range spans.Ended() {
		text := fmt.Sprintf("%s > %s took %s", names[s.Parent().SpanID()], s.Name(), s.EndTime().Sub(s.StartTime()))
		for _, a := range s.Attributes() {
			if slices.Contains([]string{"landbridge.event", "landbridge.attempt", "landbridge.reason", "k8s.service.name"}, string(a.Key)) {
				text += " " + a.Value.String()
			}
		}
		if n := len(s.Links()); n > 0 {
			text += fmt.Sprintf(" %d links", n)
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return all
}

func TestTraceLeadsFromTheEventToTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		recorder, spans := record()
		b := startTraced(t, recorder, device)
		defer b.end()
		b.lead()
		slow(device, time.Second) // four changes: two nodes, a pool, a virtual server
		want := service("cart", "203.0.113.1", "10.0.0.1", "10.0.0.2")
		b.translated(want)
		pass(time.Minute)
		if diff := cmp.Diff([]string{
			" > change took 4.007s cart true 1",
			"change > apply took 4s cart 1",
			"change > plan took 0s",
			"change > translate took 2ms",
		}, traced(spans)); diff != "" {
			t.Errorf("spans (-want +got):\n%s", diff)
		}
		before := len(spans.Ended())
		b.translated(want) // nothing is to be done for it
		pass(time.Hour)
		if more := traced(spans)[before:]; len(more) > 0 {
			t.Errorf("spans of what led to nothing: %q", more)
		}
	})
}

func TestTraceOfWhatWaitsBehindAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		recorder, spans := record()
		b := startTraced(t, recorder, device)
		defer b.end()
		b.lead()
		b.put(service("cart", "203.0.113.1", "10.0.0.1"))
		spans.Reset()
		slow(device, time.Second)
		b.translated(service("cart", "203.0.113.1", "10.0.0.1", "10.0.0.2")) // a node and a member
		time.Sleep(500 * time.Millisecond)
		b.translated(service("cart", "203.0.113.1", "10.0.0.1", "10.0.0.2", "10.0.0.3"))
		b.translated(service("cart", "203.0.113.1", "10.0.0.1", "10.0.0.2", "10.0.0.4")) // takes the one before in
		pass(10 * time.Second)
		if diff := cmp.Diff([]string{
			" > change took 2.007s cart true 1",
			" > change took 3.5s cart true 1 1 links",
			"change > apply took 2s cart 1",
			"change > apply took 2s cart 1",
			"change > plan took 0s",
			"change > plan took 0s",
			"change > translate took 2ms",
			"change > translate took 2ms",
			"change > wait took 1.486s",
		}, traced(spans)); diff != "" {
			t.Errorf("spans (-want +got):\n%s", diff)
		}
	})
}

func TestTraceOfWhatIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		recorder, spans := record()
		b := startTraced(t, recorder, device)
		defer b.end()
		b.lead()
		refusals := 2
		device.SetHook(func(context.Context, plan.Change) *memory.Fault {
			if refusals--; refusals < 0 {
				return nil
			}
			return &memory.Fault{Status: apply.Refused, Reason: "DeviceRefused", Err: errors.New("no: hunter2")}
		})
		b.translated(service("cart", "203.0.113.1", "10.0.0.1"))
		pass(time.Minute)
		got := traced(spans)
		got = slices.DeleteFunc(got, func(s string) bool { return !strings.Contains(s, "> change") && !strings.Contains(s, "> apply") })
		if diff := cmp.Diff([]string{
			" > change took 0s cart false 2 1 links",
			" > change took 0s cart false 3 1 links",
			" > change took 7ms cart true 1",
			"change > apply took 0s cart 1 DeviceRefused",
			"change > apply took 0s cart 2 DeviceRefused",
			"change > apply took 0s cart 3",
		}, got); diff != "" {
			t.Errorf("spans (-want +got):\n%s", diff)
		}
		for _, s := range spans.Ended() {
			if text := fmt.Sprint(s.Attributes(), s.Events(), s.Status()); strings.Contains(text, "hunter2") {
				t.Errorf("a device's text is in a span: %s", text)
			}
		}
	})
}

// TestTracesOfABatch has what is done for several Services together be in the
// trace of the first, which those of the others are linked with.
func TestTracesOfABatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner, wants := crowd(t, 24)
		device := &joining{Backend: inner, most: 20}
		recorder, spans := record()
		b := startTraced(t, recorder, calling{device})
		defer b.end()
		for _, w := range wants {
			b.put(w)
		}
		b.lead()
		spans.Reset()
		slow(inner, time.Second)
		for _, w := range scaled(wants) {
			b.traces.Put(context.Background(), b.ledger, w, time.Time{}, func(string) bool { return true })
		}
		pass(30 * time.Second)
		links := map[trace.SpanID]int{}
		var together []sdktrace.ReadOnlySpan
		for _, s := range spans.Ended() {
			switch {
			case s.Name() == "apply":
				links[s.SpanContext().SpanID()] = len(s.Links())
			case strings.HasPrefix(s.Name(), "PATCH "):
				together = append(together, s)
			}
		}
		if n := len(slices.Compact(slices.Sorted(func(yield func(string) bool) {
			for _, s := range spans.Ended() {
				if s.Name() == "change" && !yield(s.SpanContext().TraceID().String()) {
					return
				}
			}
		}))); n != len(wants) {
			t.Errorf("%d traces of %d changes", n, len(wants))
		}
		sizes := device.sizes(0)
		sizes = sizes[len(sizes)-len(together):]
		slices.Sort(sizes) // they end in any order
		var linked []int
		for _, s := range together {
			linked = append(linked, links[s.Parent().SpanID()]+1)
		}
		slices.Sort(linked)
		if !slices.Equal(sizes, linked) || slices.Max(sizes) < 5 {
			t.Errorf("calls for %v Units, with the spans of %v", sizes, linked)
		}
		for _, n := range links {
			if n == 0 && !slices.Contains(sizes, 1) {
				t.Error("a span of a batch has no link")
			}
		}
	})
}

// calling makes one call for all Units of an Apply.
type calling struct{ *joining }

func (c calling) Apply(ctx context.Context, units []apply.Unit) []apply.Outcome {
	_, call := tracing.StartCall(ctx, tracing.Request{Backend: dc1, Method: "PATCH", Kind: "transaction"})
	defer call.End(200)
	return c.joining.Apply(ctx, units)
}

func TestNotSampledIsNotTraced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		recorder, spans := record(sdktrace.WithSampler(sdktrace.NeverSample()))
		device := memory.New(dc1)
		b := startTraced(t, recorder, device)
		defer b.end()
		b.lead()
		b.translated(service("cart", "203.0.113.1", "10.0.0.1"))
		if n := len(spans.Ended()); n > 0 || device.Writes() == 0 {
			t.Errorf("%d spans of %d changes", n, device.Writes())
		}
	})
}

// TestTraceIsOfTheWholeChange has a change on two backends.
func TestTraceIsOfTheWholeChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device, second := memory.New(dc1), memory.New("bigip/dc2")
		recorder, spans := record()
		b := startTraced(t, recorder, device, second)
		defer b.end()
		b.lead()
		slow(second, time.Second)
		want := service("cart", "203.0.113.1", "10.0.0.1")
		pool, vs := *want.Objects[0].(*state.Pool), *want.Objects[1].(*state.VirtualServer)
		pool.Backend, vs.Backend = "bigip/dc2", "bigip/dc2"
		want.Objects = append(want.Objects, &pool, &vs)
		b.translated(want)
		pass(time.Minute)
		if diff := cmp.Diff([]string{
			" > change took 3.007s cart true 1",
			"change > apply took 0s cart 1",
			"change > apply took 3s cart 1",
			"change > plan took 0s",
			"change > plan took 0s",
			"change > translate took 2ms",
		}, traced(spans)); diff != "" {
			t.Errorf("spans (-want +got):\n%s", diff)
		}
	})
}

// BenchmarkUntraced is what a process without traces pays for them, on the way
// of one change.
func BenchmarkUntraced(b *testing.B) {
	var recorder *tracing.Recorder
	ref := state.Ref{Namespace: "shop", Name: "cart"}
	l := ledger.New(dc1)
	want := state.Want{Service: ref}
	l.Put(want, time.Time{})
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	acts := func(string) bool { return true }
	b.ReportAllocs()
	for b.Loop() {
		recorder.Seen(ref)
		in := recorder.Translating(ctx, ref)
		recorder.Put(in, l, want, time.Time{}, acts)
		recorder.Depart(tracing.Departure{Backend: dc1, Service: ref}).Land(tracing.Landing{Done: true})
		recorder.Settled(dc1, ref, 1)
		of := tracing.Of(ctx, ref)
		_, call := tracing.StartCall(of, tracing.Request{Backend: dc1, Method: "PATCH"})
		call.End(200)
	}
}
