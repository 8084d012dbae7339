package ledger

import (
	"maps"
	"slices"
	"sync"

	"landbridge.dev/sync/state"
)

// Queues knows which Services ask for which queue, and gives each queue to the
// oldest of them. It is safe for concurrent use.
type Queues struct {
	mu     sync.Mutex
	asked  map[state.Ref]*state.QueueConsumer
	byName map[state.Queue]map[state.Ref]*state.QueueConsumer
}

// NewQueues makes an empty one.
func NewQueues() *Queues {
	return &Queues{asked: map[state.Ref]*state.QueueConsumer{}, byName: map[state.Queue]map[state.Ref]*state.QueueConsumer{}}
}

// Put takes what a Service asks for, nil for nothing, and returns the other
// Services that this concerns: those on the queues that it asked for before and
// asks for now, sorted.
func (q *Queues) Put(service state.Ref, c *state.QueueConsumer) []state.Ref {
	q.mu.Lock()
	defer q.mu.Unlock()
	concerned := map[state.Ref]bool{}
	if before := q.asked[service]; before != nil && (c == nil || c.Queue != before.Queue) {
		delete(q.byName[before.Queue], service)
		for ref := range q.byName[before.Queue] {
			concerned[ref] = true
		}
		if len(q.byName[before.Queue]) == 0 {
			delete(q.byName, before.Queue)
		}
	}
	if c == nil {
		delete(q.asked, service)
	} else {
		if q.byName[c.Queue] == nil {
			q.byName[c.Queue] = map[state.Ref]*state.QueueConsumer{}
		}
		if q.asked[service] == nil || q.asked[service].Queue != c.Queue {
			for ref := range q.byName[c.Queue] {
				concerned[ref] = true
			}
		}
		q.asked[service], q.byName[c.Queue][service] = c, c
	}
	return slices.SortedFunc(maps.Keys(concerned), state.Ref.Compare)
}

// Consumer is what a Service serves: what it asks for, if it is the oldest that
// does. Otherwise holder is the one that is.
func (q *Queues) Consumer(service state.Ref) (c *state.QueueConsumer, holder state.Ref) {
	q.mu.Lock()
	defer q.mu.Unlock()
	asked := q.asked[service]
	if asked == nil {
		return nil, state.Ref{}
	}
	holder, oldest := service, asked
	for ref, other := range q.byName[asked.Queue] {
		if older(ref, other, holder, oldest) {
			holder, oldest = ref, other
		}
	}
	if holder != service {
		return nil, holder
	}
	return asked, holder
}

func older(ref state.Ref, c *state.QueueConsumer, than state.Ref, o *state.QueueConsumer) bool {
	if !c.Created.Equal(o.Created) {
		return c.Created.Before(o.Created)
	}
	return ref.Compare(than) < 0
}
