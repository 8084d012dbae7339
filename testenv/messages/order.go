package messages

import (
	"fmt"
	"slices"
	"sync"
)

// Order tells whether messages have their first effect in the order in which they
// were sent, those of each lane among themselves. It is safe for concurrent use.
type Order struct {
	mu     sync.Mutex
	sent   map[string]place // by id
	count  int
	last   map[string]string // by lane, the last sent of those that had their effect
	had    map[string]bool
	broken []string
}

type place struct {
	lane   string
	number int
}

// NewOrder makes an empty one.
func NewOrder() *Order {
	return &Order{sent: map[string]place{}, last: map[string]string{}, had: map[string]bool{}}
}

// Sending notes a message of a lane before it is sent for the first time. All
// those before it in its lane have to be with the broker by then.
func (o *Order) Sending(lane, id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.count++
	o.sent[id] = place{lane, o.count}
}

// Effect notes that a message had its effect; only the first counts.
func (o *Order) Effect(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	is, sent := o.sent[id]
	if !sent || o.had[id] {
		return
	}
	o.had[id] = true
	last := o.last[is.lane]
	if is.number < o.sent[last].number {
		o.broken = append(o.broken, fmt.Sprintf("%s after %s", id, last))
		return
	}
	o.last[is.lane] = id
}

// Broken is what had its first effect after what was sent later.
func (o *Order) Broken() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.broken)
}
