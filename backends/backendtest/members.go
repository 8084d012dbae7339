package backendtest

import (
	"testing"

	"landbridge.dev/sync/state"
)

// poolWithNodes makes a pool and what its members refer to.
func (f Fixture) poolWithNodes(t *testing.T, p *state.Pool) {
	t.Helper()
	if f.has(state.KindNode) {
		for _, m := range p.Members {
			f.mustApply(t, create(f.node(m.Endpoint.Address))...)
		}
	}
	f.mustApply(t, create(p)...)
}

func testMembers(t *testing.T, f Fixture) {
	drained := f.member(memberAddress(2), 8080)
	drained.Admin, drained.Drain, drained.Terminating = state.Offline, 1_900_000_000, true
	six := f.member(memberAddress6(1), 8080)
	six.Ratio, six.Priority = 7, 3
	p := f.pool(1, f.member(memberAddress(1), 8080), f.member(memberAddress(1), 8081), drained, six)
	f.poolWithNodes(t, p)
	f.wantObject(t, p)

	added := f.member(memberAddress(3), 8080)
	added.Ratio, added.Priority = 40, 2
	if f.has(state.KindNode) {
		f.mustApply(t, create(f.node(memberAddress(3)))...)
	}
	f.mustApply(t, create(f.poolMember(p, added))...)
	p = p.With(added)
	f.wantObject(t, p)
	f.wantObject(t, f.poolMember(p, added))

	for _, change := range memberChanges() {
		after := added
		change(&after)
		f.mustApply(t, update(f.poolMember(p, added), f.poolMember(p, after)))
		added = after
		p = p.With(added)
		f.wantObject(t, p)
	}
	for _, m := range p.Members {
		f.mustApply(t, remove(f.poolMember(p, m))...)
		p = p.Without(m.Endpoint)
		f.wantObject(t, p)
	}
}

// memberChanges go one property at a time, there and back.
func memberChanges() []func(*state.Member) {
	return []func(*state.Member){
		func(m *state.Member) { m.Ratio = 1 },
		func(m *state.Member) { m.Ratio = 65535 },
		func(m *state.Member) { m.Priority = 0 },
		func(m *state.Member) { m.Admin = state.Disabled },
		func(m *state.Member) { m.Admin = state.Offline },
		func(m *state.Member) { m.Drain = 1_900_000_000 },
		func(m *state.Member) { m.Terminating = true },
		func(m *state.Member) { m.Drain = state.NoDeadline },
		func(m *state.Member) { m.Admin, m.Drain, m.Terminating = state.Enabled, 0, false },
		func(m *state.Member) { m.Priority = 10 },
		func(*state.Member) {}, // nothing to do is done
	}
}

func testPoolUpdate(t *testing.T, f Fixture) {
	drained := f.member(memberAddress(2), 8080)
	drained.Admin, drained.Drain = state.Offline, 1_900_000_000
	heavy := f.member(memberAddress(1), 8080)
	heavy.Ratio = 9
	p := f.pool(1, heavy, drained)
	f.poolWithNodes(t, p)

	q := *p
	q.Mode, q.Monitors = "ratio-member", nil
	f.mustApply(t, update(p, &q))
	f.wantObject(t, &q)
}

func testNodeInUse(t *testing.T, f Fixture) {
	m := f.member(memberAddress(1), 8080)
	p, n := f.pool(1, m), f.node(memberAddress(1))
	f.poolWithNodes(t, p)
	f.mustApply(t, remove(n)...)
	f.wantObject(t, n)
	f.wantObject(t, p)
	f.mustApply(t, remove(f.poolMember(p, m))...)
	f.mustApply(t, remove(n)...)
	f.wantGone(t, n.ID())
}
