// Package manage looks at queues by RabbitMQ's management API: what AMQP cannot
// tell, because a passive declare counts ready messages alone, says 0 where a
// leader is slow, and knows nothing of who consumes.
//
// What is not known is said to be unknown, and never 0: somebody scales by it.
package manage
