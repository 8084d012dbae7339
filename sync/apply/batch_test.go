package apply_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landbridge.dev/backends/memory"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// joining is a device that takes several Units at once, and remembers which
// came together.
type joining struct {
	*memory.Backend
	most int // what Together says

	mu      sync.Mutex
	batches [][]apply.Unit
}

func (j *joining) Together(int) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.most
}

func (j *joining) setMost(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.most = n
}

func (j *joining) Apply(ctx context.Context, units []apply.Unit) []apply.Outcome {
	j.mu.Lock()
	j.batches = append(j.batches, units)
	j.mu.Unlock()
	return j.Backend.Apply(ctx, units)
}

// sizes are of how many Units the batches were, from the n-th on.
func (j *joining) sizes(n int) []int {
	j.mu.Lock()
	defer j.mu.Unlock()
	var sizes []int
	for _, units := range j.batches[n:] {
		sizes = append(sizes, len(units))
	}
	return sizes
}

// slow makes every change of a device take a time.
func slow(device *memory.Backend, d time.Duration) {
	device.SetHook(func(ctx context.Context, _ plan.Change) *memory.Fault {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
		return nil
	})
}

// scaled are the Wants of a crowd with one pod more for each.
func scaled(wants []state.Want) []state.Want {
	var out []state.Want
	for i, w := range wants {
		out = append(out, withPod(w, fmt.Sprintf("10.1.%d.%d", i/250, i%250+1)))
	}
	return out
}

func withPod(w state.Want, pod string) state.Want {
	w.Objects = slices.Clone(w.Objects)
	w.Objects[0] = w.Objects[0].(*state.Pool).With(state.Member{Endpoint: endpoint(pod), Ratio: 1})
	return w
}

func TestSlowDeviceGetsFewerLargerBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const services = 44
		inner, wants := crowd(t, services)
		device := &joining{Backend: inner, most: 20}
		b := start(t, device)
		defer b.end()
		for _, w := range wants {
			b.put(w)
		}
		b.lead()
		slow(inner, time.Second)
		for _, w := range scaled(wants) {
			b.put(w)
		}
		pass(30 * time.Second)
		// Each is a node and a member. While calls are free none waits for
		// another; what has gathered behind four slow calls goes ten at a time.
		if got, want := device.sizes(0), []int{1, 1, 1, 1, 10, 10, 10, 10}; !slices.Equal(got, want) {
			t.Errorf("batches of %v Units, want %v", got, want)
		}
		for _, w := range wants {
			if !b.report(w.Service).Settled {
				t.Errorf("%s is not settled", w.Service)
			}
		}

		before := len(device.sizes(0))
		b.put(withPod(wants[7], "10.2.0.1")) // on an idle device: at once
		if got := device.sizes(before); !slices.Equal(got, []int{1}) {
			t.Errorf("batches of %v Units, want one alone", got)
		}
	})
}

// TestBackendThatJoinsNothing gets one Unit in each call, however many wait.
func TestBackendThatJoinsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner, wants := crowd(t, 40)
		device := &joining{Backend: inner, most: 1}
		b := start(t, device)
		defer b.end()
		b.lead()
		slow(inner, time.Second)
		for _, w := range scaled(wants) {
			b.put(w)
		}
		pass(30 * time.Second)
		if got := device.sizes(0); len(got) != 40 || slices.Max(got) != 1 {
			t.Errorf("batches of %v Units, want 40 alone", got)
		}
	})
}

// TestRefusedServiceJoinsNobody has one Service refused in a batch: it comes
// again by itself, and costs the others nothing more.
func TestRefusedServiceJoinsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner, wants := crowd(t, 40)
		device := &joining{Backend: inner, most: 20}
		b := start(t, device)
		defer b.end()
		for _, w := range wants {
			b.put(w)
		}
		b.lead()
		bad := wants[20].Service
		inner.SetHook(func(_ context.Context, c plan.Change) *memory.Fault {
			time.Sleep(time.Second)
			if m, ok := c.After.(*state.PoolMember); ok && m.Pool == wants[20].Objects[0].ID().Name {
				return &memory.Fault{Status: apply.Refused, Reason: "DeviceRefused", Err: errors.New("no")}
			}
			return nil
		})
		for round := range 3 {
			for i, w := range scaled(wants) {
				w = withPod(w, fmt.Sprintf("10.2.%d.%d", round, i+1))
				if w.Service != bad || round == 0 {
					b.put(w)
				}
			}
			time.Sleep(20 * time.Second)
		}
		synctest.Wait()
		if b.reason(bad) != "DeviceRefused" {
			t.Errorf("reason %q, want DeviceRefused", b.reason(bad))
		}
		met := 0
		for _, units := range device.batches {
			for _, u := range units {
				if u.Service != bad {
					continue
				}
				if met++; met > 1 && len(units) > 1 {
					t.Errorf("the refused Service shared its try %d with %d others", met, len(units)-1)
				}
			}
		}
		if met < 4 || met > 8 { // at 0, 1, 3, 7, 15 and 31 s, more or less
			t.Errorf("the refused Service was tried %d times in a minute", met)
		}
		for _, w := range wants {
			if w.Service != bad && !b.report(w.Service).Settled {
				t.Errorf("%s waits behind another's refusal", w.Service)
			}
		}
	})
}

// TestLostBatchIsReadOnce loses the answers of a batch: what stands of all its
// Units is read, in one go, before any is written again.
func TestLostBatchIsReadOnce(t *testing.T) {
	t.Parallel()
	for _, effect := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			inner, wants := crowd(t, 24)
			device := &joining{Backend: inner, most: 20}
			b := start(t, device)
			defer b.end()
			for _, w := range wants {
				b.put(w)
			}
			b.lead()
			var mu sync.Mutex
			lost := map[state.ID]int{}
			inner.SetHook(func(_ context.Context, c plan.Change) *memory.Fault {
				time.Sleep(time.Second)
				mu.Lock()
				defer mu.Unlock()
				if lost[c.ID()]++; lost[c.ID()] > 1 || c.ID().Kind != state.KindNode {
					return nil
				}
				return &memory.Fault{Status: apply.Unknown, Effect: effect, Err: errors.New("the connection was cut")}
			})
			before := len(inner.Calls())
			for _, w := range scaled(wants) {
				b.put(w)
			}
			pass(time.Minute)
			for _, w := range wants {
				if r := b.report(w.Service); !r.Settled || r.Members != 2 {
					t.Errorf("effect %t: %s: %+v, want settled with 2 members", effect, w.Service, r)
				}
			}
			reads := 0
			for _, c := range inner.Calls()[before:] {
				if c.Read {
					reads++
				}
			}
			if n := len(device.batches); reads > n {
				t.Errorf("effect %t: %d reads after %d batches, want one for each that was lost", effect, reads, n)
			}
			for id, n := range lost {
				if want := map[bool]int{true: 1, false: 2}[effect]; id.Kind == state.KindNode && n != want {
					t.Errorf("effect %t: %s was asked for %d times, want %d", effect, id, n, want)
				}
			}
		})
	}
}

// TestBatchThatMeetsAnOutageIsOneFailure has twenty Units fail together: the
// backend is probed soon, not as if it had failed twenty times.
func TestBatchThatMeetsAnOutageIsOneFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner, wants := crowd(t, 24)
		device := &joining{Backend: inner, most: 20}
		b := start(t, device)
		defer b.end()
		b.lead()
		inner.SetHook(func(context.Context, plan.Change) *memory.Fault {
			time.Sleep(time.Second)
			return &memory.Fault{Status: apply.Unavailable, Err: errors.New("starting")}
		})
		for _, w := range scaled(wants) {
			b.put(w)
		}
		time.Sleep(2500 * time.Millisecond)
		inner.SetHook(nil)
		pass(2 * time.Second)
		for _, w := range wants {
			if !b.report(w.Service).Settled {
				t.Errorf("%s is not settled 2 s after the outage", w.Service)
			}
		}
	})
}

// TestChangeSharesNoBatchWithARepair has a resync find all that somebody
// deleted, and a person's change come meanwhile: it neither waits behind the
// repairs nor for those of its batch.
func TestChangeSharesNoBatchWithARepair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner, wants := crowd(t, 60)
		device := &joining{Backend: inner, most: 8}
		b := start(t, device)
		defer b.end()
		for _, w := range wants {
			b.put(w)
		}
		b.lead()
		for _, w := range wants[:50] {
			inner.Remove(w.Objects[1].ID())
		}
		slow(inner, time.Second)
		time.Sleep(5*time.Minute + 500*time.Millisecond) // the resync has found them
		asked := []state.Want{withPod(wants[58], "10.1.0.1"), withPod(wants[59], "10.1.0.2")}
		for _, w := range asked {
			b.put(w)
		}
		device.setMost(40)    // more than have just happened
		pass(3 * time.Second) // a call is free within one, and each is a node and a member
		for i, w := range asked {
			if _, there := inner.Set().Get(memberID(w, fmt.Sprintf("10.1.0.%d", i+1))); !there {
				t.Error("a change waited behind the repairs of a resync")
			}
		}
		isAsked := func(u apply.Unit) bool {
			return u.Service == asked[0].Service || u.Service == asked[1].Service
		}
		for _, units := range device.batches {
			if slices.ContainsFunc(units, isAsked) && slices.ContainsFunc(units, func(u apply.Unit) bool { return !isAsked(u) }) {
				t.Errorf("a change shares a batch of %d with repairs", len(units))
			}
		}
	})
}
