package state

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// DefaultVhost is the broker's vhost where none is written.
const DefaultVhost = "/"

// Queue names a queue of a broker.
type Queue struct {
	Vhost, Name string
}

// String writes "queue", or "vhost:queue" of another vhost than DefaultVhost.
func (q Queue) String() string {
	if q.Vhost == DefaultVhost && !strings.Contains(q.Name, ":") {
		return q.Name
	}
	return q.Vhost + ":" + q.Name
}

// Compare orders by vhost, then by name.
func (q Queue) Compare(o Queue) int {
	return cmp.Or(strings.Compare(q.Vhost, o.Vhost), strings.Compare(q.Name, o.Name))
}

// Ordering says which messages of a queue wait for each other.
type Ordering string

// The orderings.
const (
	OrderNone  Ordering = "none"  // each message by itself
	OrderQueue Ordering = "queue" // all, one after the other
	OrderKey   Ordering = "key"   // those with the same value of a header
)

// QueueConsumer is how one Service serves a queue. It stands nowhere outside:
// a consumer lives as long as the gateway's connection.
type QueueConsumer struct {
	Service Ref
	Queue   Queue
	// Native is a Service whose pods speak AMQP themselves: nothing is
	// delivered, the queue is watched.
	Native bool
	// Path is where a message is posted: "/" or below.
	Path string
	// Concurrency is how many messages each gateway gives to one pod at a
	// time, at most: 1 to 1000.
	Concurrency int
	// Timeout is how long a pod may take for one: 1s to 10m.
	Timeout time.Duration
	// Retry are the delays before the second attempt and those after it;
	// the last counts for all further ones.
	Retry []time.Duration
	// MaxAttempts is after how many a message is dead: 1 to 100.
	MaxAttempts int
	Ordering    Ordering
	// OrderHeader is the header of OrderKey.
	OrderHeader string
	// Priority is the consumer's on the broker: -255 to 255.
	Priority int
	// PodShare is the part of what is consumed that the gateways take, in
	// per cent; 100 is all that the broker gives them.
	PodShare int
	// Endpoints are the ready ones, sorted.
	Endpoints []Endpoint
	// Created is when the Service was made: of two on one queue the older
	// serves.
	Created time.Time
}

// Same says whether two consumers are the same in all.
func (c *QueueConsumer) Same(o *QueueConsumer) bool {
	return c.SameSettings(o) && slices.Equal(c.Endpoints, o.Endpoints)
}

// SameSettings says whether two consumers differ in their endpoints at most.
func (c *QueueConsumer) SameSettings(o *QueueConsumer) bool {
	return c.Service == o.Service && c.Queue == o.Queue && c.Native == o.Native && c.Path == o.Path &&
		c.Concurrency == o.Concurrency && c.Timeout == o.Timeout && slices.Equal(c.Retry, o.Retry) &&
		c.MaxAttempts == o.MaxAttempts && c.Ordering == o.Ordering && c.OrderHeader == o.OrderHeader &&
		c.Priority == o.Priority && c.PodShare == o.PodShare && c.Created.Equal(o.Created)
}

// Standing is how one part of a Service stands outside: the content of a
// condition.
type Standing struct {
	// Problem is that it is not as asked; Unknown that nobody can tell.
	Problem, Unknown bool
	// Reason is one CamelCase word, Message for a person.
	Reason, Message string
}
