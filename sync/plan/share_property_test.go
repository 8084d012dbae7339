package plan_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// world is a pool on a device, and what a Service wants of it.
type world struct {
	t    *rapid.T
	have *state.Set
	now  time.Time
	want state.Want
	// since is when what waits began to.
	since map[state.ID]time.Time
}

// settle applies plans until nothing changes, as a worker does: what comes up
// is seen to be up between two plans, and waits end in time.
func (w *world) settle() plan.Result {
	for range 40 {
		r := plan.Diff(plan.Input{
			Backend: dc1, Want: w.want, Have: w.have, Identity: us, Now: w.now, NodePartition: "Common",
			Gated: func(id state.ID) time.Time { return w.since[id] },
		})
		since := map[state.ID]time.Time{}
		for _, id := range r.Gated {
			since[id] = w.since[id]
			if since[id].IsZero() {
				since[id] = w.now
			}
		}
		w.since = since
		for _, c := range r.Changes {
			c.ApplyTo(w.have)
		}
		if len(r.Changes) == 0 && r.Again.IsZero() {
			return r
		}
		w.now = w.now.Add(3 * time.Second)
		w.probe()
	}
	w.t.Fatalf("the plans come to no end")
	return plan.Result{}
}

// probe has every member that is not offline found up.
func (w *world) probe() {
	for o := range w.have.Clone().All() {
		p, ok := o.(*state.Pool)
		if !ok {
			continue
		}
		for _, m := range p.Members {
			m.Available = m.Admin != state.Offline
			p = p.With(m)
		}
		w.have.Put(p)
	}
}

func (w *world) pool() *state.Pool {
	for o := range w.have.All() {
		if p, ok := o.(*state.Pool); ok {
			return p
		}
	}
	w.t.Fatal("no pool stands")
	return nil
}

// part is what of the weights of members that take clients is the pods'.
func part(p *state.Pool) (pods, vms int) {
	top := 0
	for _, m := range p.Members {
		if m.Admin == state.Enabled && p.MinActive > 0 {
			top = max(top, m.Priority)
		}
	}
	for _, m := range p.Members {
		switch {
		case m.Admin != state.Enabled || p.MinActive > 0 && m.Priority < top:
		case m.Owner == ours && !m.VM:
			pods += m.Ratio
		case m.Owner.IsZero() || m.VM:
			vms += m.Ratio
		}
	}
	return pods, vms
}

// Whatever stands and is asked: the plans come to an end; what is as asked is
// within one point; nothing of others is changed that is not lent; and when the
// Service leaves, all of theirs is what it was, to the letter.
func TestShareOfAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pods := rapid.IntRange(0, 4).Draw(t, "pods")
		vms := rapid.IntRange(0, 4).Draw(t, "VMs")
		use := rapid.SampledFrom([]state.Use{state.Own, state.Joined}).Draw(t, "use")
		w := &world{t: t, now: now}
		var wanted []state.Member
		for i := range pods {
			m := rapid.SampledFrom([]state.Member{ready("10.0.0.1:80"), ready("10.0.0.1:80"), unready("10.0.0.1:80")}).Draw(t, "pod")
			m.Endpoint = at(fmt.Sprintf("10.0.0.%d:80", i+1))
			wanted = append(wanted, m)
		}
		var stand []state.Member
		for i := range vms {
			if use == state.Own {
				wanted = append(wanted, vmOf(fmt.Sprintf("10.9.0.%d:80", i+1)))
				continue
			}
			m := theirs(fmt.Sprintf("10.9.0.%d:80", i+1))
			m.Text = rapid.SampledFrom([]string{"", "rack 7", "call ops "}).Draw(t, "text")
			m = with(m, rapid.SampledFrom([]state.Admin{state.Enabled, state.Enabled, state.Disabled, state.Offline}).Draw(t, "admin"),
				rapid.IntRange(1, 3).Draw(t, "ratio"), rapid.IntRange(0, 2).Draw(t, "priority"))
			stand = append(stand, m)
		}
		borrow := rapid.Bool().Draw(t, "borrow")
		p := wantPool(wanted...)
		if use == state.Joined {
			p = joined(0, borrow, wanted...)
			their := shop("ratio-member", stand...)
			their.MinActive = rapid.IntRange(0, 1).Draw(t, "min active")
			w.have = state.NewSet(their)
		} else {
			p.Mode = "ratio-member"
			w.have = state.NewSet()
		}
		before := w.have.Clone()

		for range rapid.IntRange(1, 4).Draw(t, "moves") {
			q := *p
			q.Share.Percent, q.Share.Given = rapid.SampledFrom([]int{0, 1, 5, 25, 50, 77, 99, 100}).Draw(t, "share"), true
			q.Share.Fallback = rapid.SampledFrom([]state.Fallback{state.FallbackVMs, state.FallbackBoth, state.FallbackNone}).Draw(t, "fallback")
			if use == state.Joined {
				q.Share.Fallback = state.FallbackNone // what translation lets through
			}
			w.want = follow(&q)
			r := w.settle()
			if use == state.Joined && !borrow {
				sameForeign(t, before, w.have)
			}
			podPart, vmPart := part(w.pool())
			serves := podPart+vmPart > 0
			switch {
			case !state.AsAsked(r.Problems):
				if vms > 0 && use == state.Own {
					t.Fatalf("a share of our own pool is refused: %v", r.Problems)
				}
			case podPart == 0 || vmPart == 0: // a side without anybody
				if share := q.Share.Percent; serves && share > 0 && share < 100 && pods > 0 && len(podsReady(wanted)) > 0 && vmsServe(w.pool()) {
					t.Fatalf("share %d: pods %d, VMs %d", share, podPart, vmPart)
				}
			default:
				got := 100 * podPart / (podPart + vmPart)
				if got < q.Share.Percent-2 || got > q.Share.Percent+1 {
					t.Fatalf("share %d: pods %d, VMs %d in %v", q.Share.Percent, podPart, vmPart, w.pool().Lines())
				}
			}
		}
		if use == state.Own {
			return
		}
		w.want = follow()
		w.want.Live = live("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4")
		w.want.Drain = 0
		w.settle()
		sameForeign(t, before, w.have)
		for _, m := range w.pool().Members {
			if !m.Owner.IsZero() {
				t.Fatalf("%s is left", m.Line())
			}
		}
	})
}

func podsReady(members []state.Member) (ready []state.Member) {
	for _, m := range members {
		if !m.VM && m.Admin == state.Enabled {
			ready = append(ready, m)
		}
	}
	return ready
}

func vmsServe(p *state.Pool) bool {
	for _, m := range p.Members {
		if m.Admin == state.Enabled && (m.VM || m.Owner.IsZero()) {
			return true
		}
	}
	return false
}

// sameForeign demands that what is not ours stands as it did, texts included.
func sameForeign(t *rapid.T, before, after *state.Set) {
	for o := range before.All() {
		p, ok := o.(*state.Pool)
		if !ok {
			continue
		}
		q, _ := after.Pool(p.Backend, p.Path)
		if !q.SameSettings(p) || q.Note() != p.Note() {
			t.Fatalf("pool %v is %v", p.Settings(), q.Settings())
		}
		for _, m := range p.Members {
			n, _ := q.Member(m.Endpoint)
			if m.Owner.IsZero() && (!n.SameWanted(m) || n.Note().String() != m.Note().String()) {
				t.Fatalf("%q was %q", n.Line(), m.Line())
			}
		}
	}
}
