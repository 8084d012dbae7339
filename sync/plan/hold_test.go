package plan_test

import (
	"testing"

	"landbridge.dev/sync/state"
)

// A pool of others that several ports of a Service join is held: members follow
// that stand, of whichever port, and none comes of a port that has none.
func TestHoldsWhatSeveralPortsJoin(t *testing.T) {
	t.Parallel()
	const old1, old2, new1, vm = "10.0.0.1:80", "10.0.0.1:9100", "10.0.0.2:80", "10.9.0.1:80"
	hold := func(first []state.Member, beside ...state.Member) state.Want {
		p := joined(0, false, first...)
		p.Beside = beside
		w := follow(p)
		w.Mode, w.KeepVMs, w.Live = state.Hold, true, live("10.0.0.1", "10.0.0.2")
		return w
	}
	of := func(members ...state.Member) []state.Member { return members }
	drains := func(e string) string {
		return "update in /web/shop: " + e + " offline draining, until " + soon + " terminating (drains)"
	}
	check(t, []row{
		{
			name: "nothing moves",
			in:   input(hold(of(ready(old1)), ready(old2)), vmNodes(shop("round-robin", on(ready(old1), ours), theirs(vm)))...),
		},
		{
			name: "a rollout replaces the members of the first port",
			in: input(hold(of(terminating(old1), ready(new1)), terminating(old2), ready("10.0.0.2:9100")),
				vmNodes(shop("round-robin", on(ready(old1), ours), theirs(vm)))...),
			want: expect{Changes: []string{"create in /web/shop: 10.0.0.2:80", drains(old1)}, Again: soon},
		},
		{
			name: "and those of the second where it is that which stands",
			in: input(hold(of(terminating(old2), ready("10.0.0.2:9100")), terminating(old1), ready(new1)),
				vmNodes(shop("round-robin", on(ready(old1), ours), theirs(vm)))...),
			want: expect{Changes: []string{"create in /web/shop: 10.0.0.2:80", drains(old1)}, Again: soon},
		},
		{
			name: "and those of both where both stand",
			in: input(hold(of(terminating(old1), ready(new1)), terminating(old2), ready("10.0.0.2:9100")),
				vmNodes(shop("round-robin", on(ready(old1), ours), on(ready(old2), ours), theirs(vm)))...),
			want: expect{
				Changes: []string{"create in /web/shop: 10.0.0.2:80", "create in /web/shop: 10.0.0.2:9100", drains(old1), drains(old2)},
				Again:   soon,
			},
		},
		{
			name: "what drains brings none of its port",
			in: input(hold(of(ready(old1)), ready("10.0.0.2:9100")),
				vmNodes(shop("round-robin", on(ready(old1), ours), on(draining(old2, soonAt, false), ours), theirs(vm)))...),
			want: expect{Again: soon},
		},
		{
			name: "where neither stands the first has it",
			in: input(hold(of(ready(new1)), ready("10.0.0.2:9100")),
				vmNodes(shop("round-robin", on(draining("10.0.0.1:8888", soonAt, false), ours), theirs(vm)))...),
			want: expect{Changes: []string{"create in /web/shop: 10.0.0.2:80 offline"}, Again: soon},
		},
		{
			name: "in the route domain of the pool",
			in: input(hold(of(ready("10.0.0.1:9100"), ready("10.0.0.2:9100")), ready(old1), ready(new1)),
				shop("round-robin", on(ready("10.0.0.1%2:80"), ours), theirs("10.9.0.1%2:80")), node("10.0.0.1%2", ours), node("10.0.0.2%2", ours)),
			want: expect{Changes: []string{"create in /web/shop: 10.0.0.2%2:80"}},
		},
	})
}
