// Package dispatch delivers the messages of queues to the pods of Services by
// HTTP.
//
// A message is acknowledged only after its effect is confirmed: a 2xx of the
// pod, a copy in a retry queue that the broker has confirmed, or a copy in the
// dead-letter queue that it has confirmed. Whatever ends before that leaves the
// message with the broker, which gives it again; so there are duplicates, each
// with the Idempotency-Key of the first delivery, and no loss.
//
// It is pull-based: what is asked of the broker at a time follows what the pods
// take. A 429, a 503 and a time-out halve it, each quiet second adds to it, and
// without a ready endpoint nothing is consumed at all.
package dispatch
