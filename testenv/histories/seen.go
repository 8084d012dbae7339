package histories

import (
	"context"
	"sync"
	"time"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// seen is a replica's backend, watched: it knows since when the replica may
// make changes, and how old its knowledge of the device is.
type seen struct {
	apply.Backend
	play    *play
	replica *replica

	mu    sync.Mutex
	asked map[state.Ref]time.Time // when a Service last asked for something else
	// drainless are the Services of which a member goes at once, and undrained
	// is when that was last so.
	drainless map[state.Ref]bool
	// pools are those that a Service asks for, and unserved is when a pool was
	// last asked for with nobody to serve, or not at all.
	pools     map[state.Ref][]*state.Pool
	unserved  map[string]time.Time
	undrained map[state.Ref]time.Time
	since     time.Time // from when changes may be made; zero for not
	lost      time.Time // when changes were last forbidden
	knows     time.Time // when the last full read that came back had begun
	of        string    // the unit that it was of, where there are units
}

// errand is what a change is made with: who makes it, and how old the
// knowledge is that it rests on.
type errand struct {
	replica *replica
	knows   time.Time
	of      string // the unit of which it is; empty where there are none
}

// visit notes of which unit a full read is.
type visit struct {
	mu   sync.Mutex
	unit string
}

type visitKey struct{}

// visits notes that a call for a full read goes to a unit.
func visits(ctx context.Context, u *unit) {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok {
		v.mu.Lock()
		v.unit = u.name
		v.mu.Unlock()
	}
}

type errandKey struct{}

// errandOf is the errand that a call is made for; nil for a read.
func errandOf(ctx context.Context) *errand {
	e, _ := ctx.Value(errandKey{}).(*errand)
	return e
}

func (p *play) watch(r *replica) *seen {
	return &seen{
		Backend: p.device.backend(r), play: p, replica: r,
		pools: map[state.Ref][]*state.Pool{}, unserved: map[string]time.Time{},
		asked: map[state.Ref]time.Time{}, drainless: map[state.Ref]bool{}, undrained: map[state.Ref]time.Time{},
	}
}

// mayAct notes that changes may be made from now on, or not any more.
func (s *seen) mayAct(may bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !may && s.since.IsZero():
	case !may:
		s.since, s.lost = time.Time{}, time.Now()
	case s.since.IsZero():
		s.since = time.Now()
	}
}

// longestHanding is how long after the lease the last call may begin.
const longestHanding = time.Second + 10*time.Millisecond

// begins checks that a call of a change may be begun now.
func (p *play) begins(e *errand) {
	if e == nil {
		return // the device's side of it is observed
	}
	s := e.replica.seen
	s.mu.Lock()
	late := time.Since(s.lost)
	over := s.since.IsZero()
	s.mu.Unlock()
	if over && late > longestHanding {
		p.violated("%s began a call %s after it lost the lease", s.replica.name, late)
	}
}

// Read reads, and remembers how old a full read is.
func (s *seen) Read(ctx context.Context, scope apply.Scope) (*state.Set, error) {
	began := time.Now()
	var v visit
	if scope.All() {
		ctx = context.WithValue(ctx, visitKey{}, &v)
	}
	set, err := s.Backend.Read(ctx, scope)
	if err == nil && scope.All() {
		s.mu.Lock()
		s.knows, s.of = began, v.unit
		s.mu.Unlock()
	}
	return set, err
}

// Apply checks that changes may be begun, and carries them out.
func (s *seen) Apply(ctx context.Context, units []apply.Unit) []apply.Outcome {
	s.mu.Lock()
	since, knows, of, lost := s.since, s.knows, s.of, s.lost
	s.mu.Unlock()
	for _, u := range units {
		for _, c := range u.Changes {
			s.play.note("    %s plans %s", s.replica.name, c)
			s.play.plans(s.replica.cluster, c)
		}
		s.judge(u)
		switch {
		case since.IsZero() && (time.Since(lost) <= longestHanding || ctx.Err() != nil):
			// It was under way when the lease was lost, looking at a pool.
		case since.IsZero():
			s.play.violated("%s began a change without the lease: %s", s.replica.name, u.Changes[0])
		case knows.Before(since):
			s.play.violated("%s began a change from a read that began before it had the lease: %s", s.replica.name, u.Changes[0])
		}
		if want, _, _ := s.replica.ledger.Want(deviceName, u.Service); want.Mode == state.Still {
			s.play.violated("%s began a change for %s, which is paused: %s", s.replica.name, u.Service, u.Changes[0])
		}
	}
	outcomes := s.Backend.Apply(context.WithValue(ctx, errandKey{}, &errand{s.replica, knows, of}), units)
	for i, o := range outcomes {
		if o.Status != apply.Done {
			s.play.note("    %s: %s: %s after %d: %v", s.replica.name, units[i].Service, o.Status, o.Applied, o.Err)
		}
	}
	return outcomes
}

// plans notes which nodes a replica makes, and of what it takes its tag: until
// it makes that anew, with one.
func (p *play) plans(by *cluster, c plan.Change) {
	if c.After == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	name := nameOf(c.After)
	_, node := c.After.(*state.Node)
	switch {
	case node, c.After.OwnedBy().IsZero():
		p.planned[name] = by
	case c.Op == plan.Create && p.planned[name] == by:
		delete(p.planned, name)
	}
}

// sinceAsked is how long ago a Service last asked for something.
func (s *seen) sinceAsked(ref state.Ref) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.asked[ref])
}

// asks notes that a Service asks for something, be it the same as before.
func (s *seen) asks(want state.Want) {
	drainless := want.Drain == 0
	for _, o := range want.Objects {
		if p, ok := o.(*state.Pool); ok && p.DrainTimeout == 0 {
			drainless = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serving(want)
	s.asked[want.Service] = time.Now()
	if drainless || s.drainless[want.Service] {
		s.undrained[want.Service] = time.Now()
	}
	s.drainless[want.Service] = drainless
}

// Together has whatever waits for a call be handed over in one, so that a
// history of a few Services has batches.
func (s *seen) Together(waiting int) int { return 4 * waiting }

// serving notes for which pools nobody is to serve. s.mu is held.
func (s *seen) serving(want state.Want) {
	for _, p := range s.pools[want.Service] {
		if !wants(want, p.ID()) {
			s.unserved[p.Path] = time.Now()
		}
	}
	s.pools[want.Service] = nil
	for _, o := range want.Objects {
		if p, ok := o.(*state.Pool); ok {
			s.pools[want.Service] = append(s.pools[want.Service], p)
			if !wantsService(p) || want.Mode != state.Follow {
				s.unserved[p.Path] = time.Now()
			}
		}
	}
}

// Count counts. While clients are busy, every member has a connection.
func (s *seen) Count(ctx context.Context, pool state.ID) ([]apply.Count, error) {
	counts, err := s.Backend.(apply.Counter).Count(ctx, pool)
	for i, c := range counts {
		if s.play.connected("pool "+pool.Name, c.Endpoint) {
			counts[i].Connections = 1
		}
	}
	return counts, err
}

// Watch watches, where the backend can.
func (s *seen) Watch(ctx context.Context) (why string) {
	if w, can := s.Backend.(apply.Watcher); can {
		return w.Watch(ctx)
	}
	<-ctx.Done()
	return ""
}

// connected says whether a member has a connection now.
func (p *play) connected(pool string, at state.Endpoint) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().Before(p.busy) {
		return true
	}
	p.idle[idleKey{pool, at}] = true
	return false
}
