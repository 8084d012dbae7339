package bgp

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/tracing"
)

// Apply makes each Unit's changes in the table and tells the sessions. Done
// means that it is on its way to every peer that has a session; one that has
// none is told when it has.
func (s *Speaker) Apply(ctx context.Context, units []apply.Unit) []apply.Outcome {
	outcomes := make([]apply.Outcome, len(units))
	began := time.Now()
	s.announceLeaving(ctx, units)
	for i, u := range units {
		outcomes[i] = s.unit(ctx, u)
		s.trace(ctx, u.Service, u.Changes[:outcomes[i].Applied], began)
	}
	return outcomes
}

func (s *Speaker) unit(ctx context.Context, u apply.Unit) apply.Outcome {
	began := time.Now()
	out, changed := s.enter(ctx, u)
	s.mu.Lock()
	s.Metrics.routes(len(s.table.of))
	waited := s.filled && !s.begun && len(s.table.of) > 0
	s.mu.Unlock()
	if waited { // there was nothing to announce until now
		s.begin()
	}
	prefixes := make([]netip.Prefix, len(changed))
	for i, e := range changed {
		prefixes[i] = e.prefix
	}
	s.tell(prefixes...)
	s.audit(u.Service, changed, time.Since(began))
	return out
}

// trace leaves a span for each route that the sessions have been told of.
func (s *Speaker) trace(ctx context.Context, service state.Ref, changes []plan.Change, began time.Time) {
	if !tracing.Recording(ctx) {
		return
	}
	ctx = tracing.Of(ctx, service)
	for _, c := range changes {
		r, isRoute := c.After.(*state.Route)
		if c.Op == plan.Delete {
			r, isRoute = c.Before.(*state.Route)
		}
		if isRoute {
			tracing.Announced(ctx, s.Name(), r.Prefix.String(), c.Op == plan.Delete, began)
		}
	}
}

// entered is a prefix that the sessions have to be told of, and what the change
// was for.
type entered struct {
	prefix netip.Prefix
	why    string
}

// enter makes a Unit's changes in the table, until one is refused.
func (s *Speaker) enter(ctx context.Context, u apply.Unit) (out apply.Outcome, changed []entered) {
	for _, c := range u.Changes {
		if err := ctx.Err(); err != nil {
			out.Status, out.Reason, out.Err = apply.Unavailable, "Stopped", fmt.Errorf("%s: %w", c, err)
			return out, changed
		}
		prefix, no := s.change(c)
		if no != nil {
			out.Status, out.Stale, out.Reason = apply.Refused, no.stale, no.reason
			out.Err = fmt.Errorf("%s: %w", c, no.err)
			return out, changed
		}
		out.Applied++
		if prefix.IsValid() {
			changed = append(changed, entered{prefix, c.Why})
		}
	}
	return out, changed
}

// change makes one change in the table. The prefix is invalid where nothing
// stood and nothing stands.
func (s *Speaker) change(c plan.Change) (prefix netip.Prefix, no *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if no := s.table.check(c, s.conf); no != nil {
		return prefix, no
	}
	if c.Op != plan.Delete {
		r := c.After.(*state.Route)
		s.table.put(r)
		return r.Prefix, nil
	}
	if r, ok := s.table.routes[c.ID()]; ok {
		prefix = r.Prefix
		s.table.drop(c.ID())
	}
	return prefix, nil
}

// tell brings every session to what the table says of prefixes: all sessions at
// once, for each has a server of its own.
func (s *Speaker) tell(prefixes ...netip.Prefix) {
	var told sync.WaitGroup
	for _, n := range s.opened() {
		told.Go(func() {
			for _, p := range prefixes {
				n.sync(p)
			}
		})
	}
	told.Wait()
}

// announceLeaving tells the routers that routes are about to go (RFC 8326),
// and waits a moment: who has another way takes it before ours is gone.
func (s *Speaker) announceLeaving(ctx context.Context, units []apply.Unit) {
	wait := s.settings().Shutdown()
	if wait == 0 {
		return
	}
	var prefixes []netip.Prefix
	s.mu.Lock()
	for _, u := range units {
		for _, c := range u.Changes {
			r, stands := s.table.routes[c.ID()]
			if c.Op != plan.Delete || !stands || r.Owner.IsZero() {
				continue
			}
			s.table.leaving[c.ID()] = true
			if _, leaving := s.table.speaks(r.Prefix); leaving && len(r.NextHops) > 0 {
				prefixes = append(prefixes, r.Prefix)
			}
		}
	}
	open := len(s.sessions) > 0
	s.mu.Unlock()
	if len(prefixes) == 0 || !open {
		return
	}
	s.tell(prefixes...)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
