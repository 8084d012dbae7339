package messages

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Ledger counts what was sent and what became of it. It is safe for concurrent
// use.
type Ledger struct {
	mu       sync.Mutex
	sent     map[string]bool // by id: whether the broker's word was that it is taken
	effects  map[string]int  // by Idempotency-Key
	open     int             // taken, and without effect yet
	mistaken []string
}

// NewLedger makes an empty one.
func NewLedger() *Ledger { return &Ledger{sent: map[string]bool{}, effects: map[string]int{}} }

// Sending notes a message before it is sent.
func (l *Ledger) Sending(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[id] = false
}

// Taken notes that its producer was told that it is taken.
func (l *Ledger) Taken(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.sent[id] && l.effects[id] == 0 {
		l.open++
	}
	l.sent[id] = true
}

// Effect notes that a pod did what a message asks for. The body has to be the
// message's own.
func (l *Ledger) Effect(key, body string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if body != Body(key) {
		l.mistaken = append(l.mistaken, fmt.Sprintf("%s came with %q", key, body))
	}
	if l.sent[key] && l.effects[key] == 0 {
		l.open--
	}
	l.effects[key]++
}

// Body is the body of the message with an id.
func Body(id string) string { return "body of " + id }

// Open is how many messages were taken and have had no effect yet.
func (l *Ledger) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// Missing are messages that were taken and have had no effect yet, sorted.
func (l *Ledger) Missing() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var missing []string
	for id, taken := range l.sent {
		if taken && l.effects[id] == 0 {
			missing = append(missing, id)
		}
	}
	slices.Sort(missing)
	return missing
}

// Effects is how many messages had their effect.
func (l *Ledger) Effects() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.effects)
}

// Unexpected is what had an effect and was never sent, or came mixed up.
func (l *Ledger) Unexpected() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	unexpected := slices.Clone(l.mistaken)
	for _, key := range slices.Sorted(maps.Keys(l.effects)) {
		if _, sent := l.sent[key]; !sent {
			unexpected = append(unexpected, key)
		}
	}
	return unexpected
}

// Taken and other counts, for a person.
func (l *Ledger) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken, twice, recovered := 0, 0, 0
	for id, is := range l.sent {
		switch {
		case is:
			taken++
		case l.effects[id] > 0:
			recovered++
		}
	}
	for _, n := range l.effects {
		if n > 1 {
			twice++
		}
	}
	return strings.Join([]string{
		fmt.Sprintf("%d sent", len(l.sent)), fmt.Sprintf("%d taken", taken), fmt.Sprintf("%d with effect", len(l.effects)),
		fmt.Sprintf("%d of them more than once", twice), fmt.Sprintf("%d that nobody had confirmed", recovered),
	}, ", ")
}
