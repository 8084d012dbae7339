package apply_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"landbridge.dev/backends/memory"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// TestThousandsOfEndpointsThatFlapDelayNobody has one Service with 5,000
// endpoints of which a hundred turn unready and ready again all the time, on a
// device that needs 30 ms for a change, and others that change now and then.
func TestThousandsOfEndpointsThatFlapDelayNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const endpoints, flapping = 5000, 100
		device := memory.New(dc1)
		b := start(t, device)
		defer b.end()
		var pods []string
		for i := range endpoints {
			pods = append(pods, fmt.Sprintf("10.1.%d.%d", i/250, i%250+1))
		}
		big := service("big", "203.0.113.1", pods...)
		b.put(big)
		var others []state.Want
		for i := range 10 {
			others = append(others, service(fmt.Sprintf("s%d", i), fmt.Sprintf("203.0.113.%d", i+10), fmt.Sprintf("10.0.0.%d", i+1)))
			b.put(others[i])
		}
		b.lead()
		if r := b.report(big.Service); !r.Settled || r.Members != endpoints {
			t.Fatalf("report %+v, want settled with %d members", r, endpoints)
		}
		slow(device, 30*time.Millisecond)
		for round := range 4 {
			b.put(flap(big, round*flapping, flapping))
			w := withPod(others[round], fmt.Sprintf("10.2.0.%d", round+1))
			b.put(w)
			asked := time.Now()
			for !b.report(w.Service).Settled || b.report(w.Service).Members != 2 {
				pass(time.Millisecond)
			}
			if took := time.Since(asked); took > 70*time.Millisecond {
				t.Errorf("round %d: the other Service waited %v for a node and a member of 30 ms each", round, took)
			}
			time.Sleep(time.Second)
		}
		b.put(big)
		pass(time.Minute)
		if r := b.report(big.Service); !r.Settled || r.Members != endpoints {
			t.Errorf("the large Service ends with %+v", r)
		}
	})
}

// flap is a Want in which some of the pods, from the n-th on, are not ready.
func flap(w state.Want, n, count int) state.Want {
	p := *w.Objects[0].(*state.Pool)
	p.Members = slices.Clone(p.Members)
	for i := range count {
		p.Members[(n+i)%len(p.Members)].Admin = state.Offline
	}
	w.Objects = []state.Object{&p, w.Objects[1]}
	return w
}

// TestLargeUnitGoesInParts has one Service with more changes than one Apply
// carries: between two of its parts others come to the one call that there is.
func TestLargeUnitGoesInParts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := &joining{Backend: memory.New(dc1), most: 20}
		b := start(t, device)
		defer b.end()
		var pods []string
		for i := range 500 {
			pods = append(pods, fmt.Sprintf("10.1.%d.%d", i/250, i%250+1))
		}
		b.put(service("big", "203.0.113.1", pods...))
		b.lead()
		for _, units := range device.batches {
			for _, u := range units {
				if len(u.Changes) > 200 {
					t.Errorf("a Unit of %d changes, want at most 200", len(u.Changes))
				}
			}
		}
		if n := len(device.batches); n != 3 { // 500 nodes, a pool with its members and a virtual server
			t.Errorf("%d calls, want 3", n)
		}
		if r := b.report(state.Ref{Namespace: "shop", Name: "big"}); !r.Settled || r.Members != 500 {
			t.Errorf("report %+v", r)
		}
	})
}

// overlaps is a device that takes several Units at once and knows what the
// calls in flight touch.
type overlaps struct {
	*memory.Backend
	most int

	mu     sync.Mutex
	flying map[string]int // by what it is
	alone  map[string]bool
	broken []string
}

func (o *overlaps) Together(int) int { return o.most }

func (o *overlaps) Apply(ctx context.Context, units []apply.Unit) []apply.Outcome {
	var all []map[string]bool
	for _, u := range units {
		keys := touches(u)
		all = append(all, keys)
		o.enter(keys)
	}
	outs := o.Backend.Apply(ctx, units)
	for _, keys := range all {
		o.leave(keys)
	}
	return outs
}

func (o *overlaps) enter(keys map[string]bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for k, alone := range keys {
		if o.alone[k] || alone && o.flying[k] > 0 {
			o.broken = append(o.broken, k)
		}
		o.flying[k]++
		o.alone[k] = o.alone[k] || alone
	}
}

func (o *overlaps) leave(keys map[string]bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for k := range keys {
		if o.flying[k]--; o.flying[k] == 0 {
			delete(o.alone, k)
		}
	}
}

// touches is what a Unit touches, and whether it must be alone with it: its
// Service, its pools, and the nodes that it makes, changes or removes. A node
// that its members are at may be another's too, as long as nobody makes it.
func touches(u apply.Unit) map[string]bool {
	keys := map[string]bool{"service " + u.Service.String(): true}
	for _, c := range u.Changes {
		switch o := c.Object().(type) {
		case *state.Node:
			keys["node "+o.Address.String()] = true
		case *state.PoolMember:
			keys["pool "+o.Pool] = true
			k := "node " + o.Endpoint.Address.String()
			keys[k] = keys[k] || false
		case *state.Pool:
			keys["pool "+o.Path] = true
			for _, m := range o.Members {
				k := "node " + m.Endpoint.Address.String()
				keys[k] = keys[k] || false
			}
		}
	}
	return keys
}

// asked is one thing that happens to a Service: its pods are those of the bits.
type asked struct {
	Service, Pods int
	Deleted       bool
	After         time.Duration
}

// TestCallsInFlightTouchNothingTogether draws what Services ask for, which share
// the addresses of their pods, and times at which calls end.
func TestCallsInFlightTouchNothingTogether(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		history := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) asked {
			return asked{
				Service: rapid.IntRange(0, 9).Draw(rt, "service"), Pods: rapid.IntRange(0, 63).Draw(rt, "pods"),
				Deleted: rapid.IntRange(0, 9).Draw(rt, "deleted") == 0,
				After:   time.Duration(rapid.IntRange(0, 30).Draw(rt, "after")) * time.Millisecond,
			}
		}), 1, 60).Draw(rt, "history")
		took := rapid.SliceOfN(rapid.IntRange(1, 40), 8, 8).Draw(rt, "took")
		most := rapid.IntRange(1, 12).Draw(rt, "most")
		var broken []string
		var settled map[string]bool
		synctest.Test(t, func(t *testing.T) { broken, settled = playOverlaps(t, history, took, most) })
		if len(broken) > 0 {
			rt.Fatalf("two calls in flight touched %q", broken)
		}
		for name, ok := range settled {
			if !ok {
				rt.Fatalf("%s is not settled", name)
			}
		}
	})
}

func playOverlaps(t *testing.T, history []asked, took []int, most int) (broken []string, settled map[string]bool) {
	device := &overlaps{Backend: memory.New(dc1), most: most, flying: map[string]int{}, alone: map[string]bool{}}
	var mu sync.Mutex
	n := 0
	device.SetHook(func(ctx context.Context, _ plan.Change) *memory.Fault {
		mu.Lock()
		n++
		d := time.Duration(took[n%len(took)]) * time.Millisecond
		mu.Unlock()
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
		return nil
	})
	b := start(t, device)
	defer b.end()
	b.lead()
	last := map[string]state.Want{}
	for _, a := range history {
		name := fmt.Sprintf("s%d", a.Service)
		var pods []string
		for bit := range 6 {
			if a.Pods&(1<<bit) != 0 {
				pods = append(pods, fmt.Sprintf("10.0.0.%d", bit+1))
			}
		}
		w := service(name, fmt.Sprintf("203.0.113.%d", a.Service+1), pods...)
		if a.Deleted {
			w = state.Want{Service: w.Service, Deleted: true}
		}
		last[name] = w
		b.ledger.Put(w, time.Time{})
		time.Sleep(a.After)
	}
	pass(10 * time.Minute) // all have drained
	settled = map[string]bool{}
	for name, w := range last {
		r := b.report(w.Service)
		settled[name] = r.Settled || w.Deleted && r.Gone
	}
	return device.broken, settled
}

// timedCounts is a device that remembers when which pool was counted.
type timedCounts struct {
	*memory.Backend
	mu    sync.Mutex
	times []time.Time
	pools map[string]int
}

func (d *timedCounts) Count(ctx context.Context, pool state.ID) ([]apply.Count, error) {
	d.mu.Lock()
	d.times = append(d.times, time.Now())
	d.pools[pool.Name]++
	d.mu.Unlock()
	return d.Backend.Count(ctx, pool)
}

// TestOnlyDrainingPoolsAreCountedFourASecond has 40 pools drain at once beside
// 20 that do not.
func TestOnlyDrainingPoolsAreCountedFourASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner, wants := crowd(t, 60)
		device := &timedCounts{Backend: inner, pools: map[string]int{}}
		b := start(t, device)
		defer b.end()
		for i, w := range scaled(wants) {
			wants[i] = w
			b.put(w)
		}
		b.lead()
		time.Sleep(time.Minute)
		if n := len(device.times); n != 0 {
			t.Fatalf("%d counts while nothing drains", n)
		}
		for i := range 40 {
			pod := fmt.Sprintf("10.0.0.%d", i+1)
			inner.SetConnections(memberID(wants[i], pod), 1)
			b.put(leave(wants[i], pod))
		}
		pass(50 * time.Second) // of the minute that they drain
		if n := len(device.times); n < 150 || n > 4*51 {
			t.Errorf("%d counts in 50 s, want about four a second", n)
		}
		for i := range device.times {
			if i >= 8 && device.times[i].Sub(device.times[i-8]) < time.Second {
				t.Fatalf("more than eight counts within a second")
			}
		}
		if len(device.pools) != 40 {
			t.Errorf("%d pools were counted, want the 40 that drain", len(device.pools))
		}
		for pool, n := range device.pools {
			if n < 3 || n > 7 {
				t.Errorf("%s was counted %d times, want as often as the others", pool, n)
			}
		}
	})
}
