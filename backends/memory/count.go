package memory

import (
	"context"
	"fmt"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/state"
)

var _ apply.Counter = (*Backend)(nil)

// SetConnections says how many connections a pool member has from now on.
func (b *Backend) SetConnections(member state.ID, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.connections == nil {
		b.connections = map[state.ID]int{}
	}
	b.connections[member] = n
}

// SetAvailable says what a monitor finds of a pool member from now on.
func (b *Backend) SetAvailable(member state.ID, available bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o, ok := b.set.Get(member); ok {
		m := *o.(*state.PoolMember)
		m.Available = available
		b.set.Put(&m)
	}
	b.broadcast()
}

// Count says how the members of a pool stand.
func (b *Backend) Count(_ context.Context, pool state.ID) ([]apply.Count, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok := b.set.Pool(pool.Backend, pool.Name)
	if !ok {
		return nil, fmt.Errorf("%s is not there", pool)
	}
	b.counted++
	var counts []apply.Count
	for _, m := range p.Members {
		id := state.ID{Backend: pool.Backend, Kind: state.KindMember, Name: pool.Name, Member: m.Endpoint}
		counts = append(counts, apply.Count{Endpoint: m.Endpoint, Connections: b.connections[id], Available: m.Available})
	}
	return counts, nil
}

// Counted is how often Count was asked.
func (b *Backend) Counted() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counted
}
