package bgp

import (
	"net/netip"
	"slices"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// audit leaves one line for each prefix that routers are now told otherwise of,
// however many sessions carry it: what was announced, is another, or is
// withdrawn. Of several routes of one prefix the one that speaks counts.
func (s *Speaker) audit(service state.Ref, changed []entered, took time.Duration) {
	for _, e := range changed {
		op, r := s.said(e.prefix)
		if op == "" {
			continue
		}
		fields := []zap.Field{
			zap.String("backend", s.Name()), zap.String("op", string(op)), zap.String("kind", string(state.KindRoute)),
			zap.String("name", e.prefix.String()), zap.Stringer("service", service), zap.Stringer("status", apply.Done),
			zap.Int64("milliseconds", took.Milliseconds()),
		}
		if op != plan.Delete {
			hops := make([]string, len(r.NextHops))
			for i, h := range r.NextHops {
				hops[i] = h.Address.String()
			}
			fields = append(fields, zap.Strings("nextHops", hops))
		}
		fields = append(fields, zap.Strings("peers", r.Peers))
		if e.why != "" {
			fields = append(fields, zap.String("why", e.why))
		}
		s.Log.Info("changed", fields...)
	}
}

// said is what has become of a prefix since it was last asked for, and the
// route that it is about; no operation where routers see no difference.
func (s *Speaker) said(p netip.Prefix) (plan.Op, *state.Route) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.table.said[p]
	now, _ := s.table.speaks(p)
	if now != nil && (len(now.NextHops) == 0 || len(now.Peers) == 0) {
		now = nil // it is ours, and nobody is told
	}
	if now == nil {
		delete(s.table.said, p)
	} else {
		s.table.said[p] = now
	}
	switch {
	case last == nil && now == nil, last != nil && now != nil && sameToRouters(last, now):
		return "", nil
	case last == nil:
		return plan.Create, now
	case now == nil:
		return plan.Delete, last
	}
	return plan.Update, now
}

// sameToRouters says whether two routes of a prefix are announced in the same
// way, whosever they are.
func sameToRouters(a, b *state.Route) bool {
	one, two := *a, *b
	one.Owner, two.Owner = state.Owner{}, state.Owner{}
	return slices.Equal(one.Lines(), two.Lines())
}
