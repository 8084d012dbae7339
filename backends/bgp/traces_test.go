package bgp_test

import (
	"slices"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/tracing"
)

// Each route that the sessions are told of is a span below that of its Unit.
func TestRoutesAreTraced(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	speaker := s.speaker(s.peer(1))
	spans := tracetest.NewSpanRecorder()
	recorder := tracing.New(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	web, shop := route("203.0.113.10/32", "198.51.100.1"), route("203.0.113.11/32", "198.51.100.1")
	for _, changes := range [][]plan.Change{{create(web), create(shop)}, {remove(web)}} {
		now := time.Now()
		f := recorder.Depart(tracing.Departure{Backend: state.Speaker, Service: cart, Began: now, Ended: now})
		out := speaker.Apply(tracing.With(t.Context(), []*tracing.Flight{f}), []apply.Unit{{Service: cart, Changes: changes}})
		f.Land(tracing.Landing{Done: out[0].Status == apply.Done})
	}
	var got []string
	for _, span := range spans.Ended() {
		for _, a := range span.Attributes() {
			if a.Key == "landbridge.prefix" && span.Parent().IsValid() {
				got = append(got, span.Name()+" "+a.Value.String())
			}
		}
	}
	if want := []string{"announce 203.0.113.10/32", "announce 203.0.113.11/32", "withdraw 203.0.113.10/32"}; !slices.Equal(got, want) {
		t.Errorf("spans of %q, want %q", got, want)
	}
}
