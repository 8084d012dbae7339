package bgp_test

import (
	"strings"
	"testing"

	"landbridge.dev/backends/backendtest"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// The suite of all backends, with a BIRD that is told: what it holds is what
// the far end has to say.
func TestConformance(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, func(t *testing.T) backendtest.Fixture {
		s := newSite(t)
		tor := s.bird(1, takesSeveral)
		speaker := s.speaker(s.peer(1, addPaths(8)))
		if err := speaker.Begin(); err != nil {
			t.Fatal(err)
		}
		established(t, speaker, "tor-1")
		raw := func(t *testing.T, id state.ID) string {
			var of []string
			for _, line := range table(t, tor) {
				if strings.HasPrefix(line, id.Name+" ") {
					of = append(of, line)
				}
			}
			return strings.Join(of, "\n")
		}
		return backendtest.Fixture{
			Backend: speaker, Identity: us, Kinds: []state.Kind{state.KindRoute}, Partition: "web",
			PlaceForeign: func(t *testing.T, o state.Object) {
				do(t, speaker, plan.Change{Op: plan.Create, After: o})
				eventually(t, func() bool { return strings.Count(raw(t, o.ID()), "\n") == 1 }, func() string { return "BIRD holds " + raw(t, o.ID()) })
			},
			Raw: raw,
		}
	})
}
