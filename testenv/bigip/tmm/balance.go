package tmm

import (
	"slices"
	"time"
)

// turns is the memory of one TMM about a pool: whose turn it is.
type turns struct {
	credit map[*member]int64 // smooth weighted round robin
	served map[*member]int64 // last turn served, for ties
	clock  int64
}

func newTurns() *turns {
	return &turns{credit: make(map[*member]int64), served: make(map[*member]int64)}
}

// pick chooses the member for a new connection, other than those in except.
func (p *pool) pick(tmm int, except []*member) *member {
	p.mu.Lock()
	defer p.mu.Unlock()
	candidates := p.candidates(except)
	if len(candidates) == 0 {
		return nil
	}
	t := p.turns[tmm]
	t.forget(p.members)
	m := t.choose(p.mode, candidates, p.ramping(candidates))
	t.clock++
	t.served[m] = t.clock
	return m
}

// candidates are the members that take new connections, of the priority
// groups that are in use: groups are added from the highest on until
// minActiveMembers are there; 0 turns groups off.
func (p *pool) candidates(except []*member) []*member {
	var usable []*member
	for _, m := range p.members {
		if m.usable(false) && !slices.Contains(except, m) {
			usable = append(usable, m)
		}
	}
	if p.minActive == 0 || len(usable) == 0 {
		return usable
	}
	slices.SortStableFunc(usable, func(a, b *member) int { return int(b.conf.Load().priority - a.conf.Load().priority) })
	n := 1
	for n < len(usable) {
		same := usable[n].conf.Load().priority == usable[n-1].conf.Load().priority
		if !same && int64(n) >= p.minActive {
			break
		}
		n++
	}
	return usable[:n]
}

// full is the weight of a member that slow ramp does not hold back. It is the
// same at all times, since what a member has to its credit is in this unit.
const full = 100

// ramping gives the weight that slow ramp allows a member, in hundredths. A
// member that came more than a second after the others gets its share step by
// step over the slow ramp time.
func (p *pool) ramping(c []*member) func(*member) int64 {
	plain := func(*member) int64 { return full }
	if p.ramp == 0 || len(c) < 2 {
		return plain
	}
	oldest, newest := c[0].since.Load(), c[0].since.Load()
	for _, m := range c[1:] {
		oldest, newest = min(oldest, m.since.Load()), max(newest, m.since.Load())
	}
	now := time.Now().UnixNano()
	if newest-oldest < int64(time.Second) || now-newest >= int64(p.ramp) {
		return plain
	}
	return func(m *member) int64 {
		since := m.since.Load()
		if since-oldest < int64(time.Second) {
			return full
		}
		return min(full, max(1, (now-since)*full/int64(p.ramp)))
	}
}

func (t *turns) forget(members []*member) {
	if len(t.served) <= 2*len(members) {
		return
	}
	for m := range t.served {
		if !slices.Contains(members, m) {
			delete(t.served, m)
			delete(t.credit, m)
		}
	}
}

// choose applies a load balancing mode. Modes that reckon with what a proxy
// over sockets cannot see (fastest, observed, predictive) fall back to least
// connections, dynamic ratio to ratio.
func (t *turns) choose(mode string, c []*member, ramp func(*member) int64) *member {
	one := ramp
	ratio := func(m *member) int64 { return m.conf.Load().ratio * ramp(m) }
	nodeRatio := func(m *member) int64 { return m.node.conf.Load().ratio * ramp(m) }
	conns := func(m *member) int64 { return m.counters.current.Load() }
	nodeConns := func(m *member) int64 { return m.node.current.Load() }
	switch mode {
	case "round-robin":
		return t.weighted(c, one)
	case "ratio-member", "ratio-session", "dynamic-ratio-member":
		return t.weighted(c, ratio)
	case "ratio-node", "dynamic-ratio-node":
		return t.weighted(c, nodeRatio)
	case "ratio-least-connections-member", "weighted-least-connections-member":
		return t.least(c, conns, ratio)
	case "ratio-least-connections-node", "weighted-least-connections-node":
		return t.least(c, nodeConns, nodeRatio)
	case "least-connections-node", "fastest-node", "observed-node", "predictive-node":
		return t.least(c, nodeConns, one)
	}
	return t.least(c, conns, one)
}

// weighted is the smooth form of weighted round robin: over any run of turns
// each member is served in proportion, and no member many times in a row.
func (t *turns) weighted(c []*member, weight func(*member) int64) *member {
	var total int64
	var best *member
	for _, m := range c {
		w := weight(m)
		total += w
		t.credit[m] += w
		if best == nil || t.credit[m] > t.credit[best] {
			best = m
		}
	}
	t.credit[best] -= total
	return best
}

// least chooses the fewest connections for its weight; among equals the one
// that was served longest ago.
func (t *turns) least(c []*member, conns, weight func(*member) int64) *member {
	best := c[0]
	for _, m := range c[1:] {
		a, b := conns(m)*weight(best), conns(best)*weight(m)
		if a < b || a == b && t.served[m] < t.served[best] {
			best = m
		}
	}
	return best
}
