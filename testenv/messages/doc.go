// Package messages proves that gateways lose no message, by the rule of a total
// queue: of all that producers were told is taken, all has its effect, nothing
// else has, and what has it twice has it under one Idempotency-Key; and what has an
// order, of a queue or of a key, has its first effect in that order; while the
// broker is killed, paused, restarted and blocked, connections are cut,
// gateways are killed and drained, and pods fail in every way they can.
//
// `go test ./testenv/messages` plays each fault once, and makes sure that it was
// one; `LANDBRIDGE_SOAK=10m go test -timeout 20m -run Nothing ./testenv/messages`
// goes on for so long, with faults at random.
package messages
