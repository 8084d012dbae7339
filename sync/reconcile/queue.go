package reconcile

import (
	"context"
	"maps"
	"strings"

	"landbridge.dev/config/annotation"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// Queues tells how queues stand on the broker. What it looks at it is told by
// Watch; it tells of a change by Requeue.
type Queues interface {
	// Watch has a Service's queue looked at; nil no longer. It does not wait.
	Watch(state.Ref, *state.QueueConsumer)
	// Standing is how the queue stands; without a reason it is not known yet.
	Standing(state.Ref) state.Standing
}

// queueRecord is what a Service asks of the broker.
type queueRecord struct {
	translate.QueueResult
	// pending says that what is asked for is not written down yet, and so
	// not used.
	pending bool
}

// Requeue has a Service reported on again: its queue stands otherwise now. It
// does not wait.
func (r *Reconciler) Requeue(ref state.Ref) { r.statuses.Add(ref) }

// translateQueue finds out what a Service asks of the broker, and writes down
// what is good of it, by which gateways go, unless that waits for approval. An
// error is one of writing.
func (r *Reconciler) translateQueue(ctx context.Context, ref state.Ref, in translate.Input, approval *state.Approval) (queueRecord, error) {
	p := translate.Policy{Config: r.policy.Load(), Identity: r.Identity}
	record := queueRecord{QueueResult: translate.Queue(in, p)}
	serving := translate.Serving(in, p)
	for _, other := range r.queues.Put(ref, serving) {
		r.inputs.Add(other)
	}
	mine, holder := r.queues.Consumer(ref)
	if r.Queues != nil {
		r.Queues.Watch(ref, mine)
	}
	if serving != nil && mine == nil {
		record.Problems = append(record.Problems, taken(serving, holder))
	}
	if !unwritten(in, record.QueueResult) {
		return record, nil
	}
	if approval != nil {
		record.Problems = append(record.Problems, approval.Problem(ref))
		return record, nil
	}
	record.pending = true
	if r.holdUntilLeading(ref) {
		return record, nil
	}
	return record, r.reporter.Record(ctx, in.Service, translate.WithLastGood(in.Service, annotation.Queue, record.Good))
}

// unwritten says whether what a Service asks of the broker is good, and not
// what stands in its annotation last-good.
func unwritten(in translate.Input, asked translate.QueueResult) bool {
	return in.Service.DeletionTimestamp == nil && len(asked.Problems) == 0 && !maps.Equal(translate.LastGood(in.Service, annotation.Queue), asked.Good)
}

// dropQueue forgets the queue of a Service that is gone. r.mu is held.
func (r *Reconciler) dropQueue(ref state.Ref) {
	for _, other := range r.queues.Put(ref, nil) {
		r.inputs.Add(other)
	}
	if r.Queues != nil {
		r.Queues.Watch(ref, nil)
	}
}

// queueStanding is how a Service's queue stands; nil without one.
func (r *Reconciler) queueStanding(ref state.Ref, rec *serviceRecord) *state.Standing {
	switch q := rec.queue; {
	case !q.Asked:
		return nil
	case len(q.Problems) > 0:
		var messages []string
		for _, p := range q.Problems {
			messages = append(messages, p.Message)
		}
		return &state.Standing{Problem: true, Reason: q.Problems[0].Reason, Message: strings.Join(messages, "; ")}
	case q.pending || r.Queues == nil:
		return &state.Standing{Unknown: true}
	}
	s := r.Queues.Standing(ref)
	return &s
}
