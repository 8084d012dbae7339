package apply

import (
	"context"
	"time"

	"landbridge.dev/sync/tracing"
)

// traceTime is the time for a trace; zero where none is made.
func (w *Worker) traceTime() time.Time {
	if w.Traces == nil {
		return time.Time{}
	}
	return time.Now()
}

// depart begins the trace of a flight.
func (w *Worker) depart(f *flight) {
	if w.Traces == nil {
		return
	}
	f.trace = w.Traces.Depart(tracing.Departure{
		Backend: w.Backend.Name(), Service: f.unit.Service, Revision: f.revision, Changes: len(f.unit.Changes),
		Began: f.planBegan, Ended: f.planEnded,
	})
}

// land ends those of a batch. It is called before the worker knows of the
// outcomes, so that what it plans next comes after them.
func (w *Worker) land(batch []flight) {
	if w.Traces == nil {
		return
	}
	for _, f := range batch {
		f.trace.Land(tracing.Landing{
			Done: f.outcome.Status == Done, Status: f.outcome.Status.String(), Applied: f.outcome.Applied, Reason: f.outcome.Reason,
		})
	}
}

// traced is the context for what is done for a batch.
func (w *Worker) traced(ctx context.Context, batch []flight) context.Context {
	if w.Traces == nil {
		return ctx
	}
	var flights []*tracing.Flight
	for _, f := range batch {
		flights = append(flights, f.trace)
	}
	return tracing.With(ctx, flights)
}
