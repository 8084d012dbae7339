package apply_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"landbridge.dev/backends/memory"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/tracing"
)

var us = state.Identity{Cluster: "prod", UID: "0123abcd"}

// bench is a ledger with workers over memory backends, in a bubble where time
// passes only while all wait.
type bench struct {
	traces  *tracing.Recorder // nil: none
	lapsed  atomic.Bool       // the lease has run out, and nobody has said so yet
	t       *testing.T
	ledger  *ledger.Ledger
	workers map[string]*apply.Worker
	metrics *prometheus.Registry
	stop    context.CancelFunc
	done    sync.WaitGroup

	mu       sync.Mutex
	reports  map[state.Ref]apply.Report
	repaired []string // "SERVICE on BACKEND: OP KIND"
}

func start(t *testing.T, backends ...apply.Backend) *bench {
	t.Helper()
	return startTraced(t, nil, backends...)
}

func startTraced(t *testing.T, traces *tracing.Recorder, backends ...apply.Backend) *bench {
	t.Helper()
	var names []string
	for _, b := range backends {
		names = append(names, b.Name())
	}
	ctx, stop := context.WithCancel(t.Context())
	b := &bench{
		t: t, traces: traces, ledger: ledger.New(names...), workers: map[string]*apply.Worker{},
		stop: stop, reports: map[state.Ref]apply.Report{}, metrics: prometheus.NewRegistry(),
	}
	metrics := apply.NewMetrics(b.metrics)
	for _, backend := range backends {
		w := apply.NewWorker(apply.Options{
			Repaired: func(backend string, service state.Ref, changes []plan.Change) {
				for _, c := range changes {
					b.repaired = append(b.repaired, fmt.Sprintf("%s on %s: %s %s", service, backend, c.Op, c.ID().Kind))
				}
			},
			Backend: backend, Ledger: b.ledger, Identity: us, NodePartition: "Common", Concurrency: 4,
			Resync: 5 * time.Minute, Drain: time.Minute, Log: zap.NewNop(), Metrics: metrics,
			Brake:  apply.Brake{Percent: 30, Least: 10, Window: 10 * time.Minute},
			Holds:  func() bool { return !b.lapsed.Load() },
			Traces: traces,
			Report: func(r apply.Report) {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.reports[r.Service] = r
			},
		})
		b.workers[backend.Name()] = w
		b.done.Go(func() {
			if err := w.Run(ctx); err != nil {
				t.Errorf("worker of %s: %v", backend.Name(), err)
			}
		})
	}
	return b
}

func (b *bench) end() {
	b.stop()
	b.done.Wait()
}

// lead lets every worker act, and waits until nothing moves any more.
func (b *bench) lead() {
	for _, w := range b.workers {
		w.Act(true)
	}
	synctest.Wait()
}

func (b *bench) put(w state.Want) {
	b.ledger.Put(w, time.Time{})
	synctest.Wait()
}

func (b *bench) report(ref state.Ref) apply.Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reports[ref]
}

// pass lets time pass in the bubble, and waits until nothing moves any more.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// reason is the first reason why a Service is not as asked; "" for none.
func (b *bench) reason(ref state.Ref) string {
	if problems := b.report(ref).Problems; len(problems) > 0 {
		return problems[0].Reason
	}
	return ""
}

func endpoint(s string) state.Endpoint {
	return state.Endpoint{Address: state.Address{IP: netip.MustParseAddr(s)}, Port: 8080}
}

// service is what a Service with these pods wants on a device.
func service(name, vip string, pods ...string) state.Want {
	ref := state.Ref{Namespace: "shop", Name: name}
	path := "/web/lb_prod_shop_" + name + "_80"
	pool := &state.Pool{
		Backend: dc1, Path: path, Owner: us.Owner(ref), Mode: "round-robin",
		ReselectTries: 3, DrainTimeout: time.Minute,
	}
	for _, p := range pods {
		pool.Members = append(pool.Members, state.Member{Endpoint: endpoint(p), Ratio: 1})
	}
	state.SortMembers(pool.Members)
	v := &state.VirtualServer{
		Backend: dc1, Path: path, Owner: us.Owner(ref), Protocol: state.TCP, Pool: path, SNAT: "automap",
		Destination: state.Endpoint{Address: state.Address{IP: netip.MustParseAddr(vip)}, Port: 80},
	}
	return state.Want{Service: ref, Objects: []state.Object{pool, v}, Drain: time.Minute}
}

const dc1 = "bigip/dc1"

func TestMakesWhatIsWanted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		b := start(t, device)
		defer b.end()
		want := service("cart", "203.0.113.1", "10.0.0.1", "10.0.0.2")
		b.put(want)
		if n := device.Writes(); n != 0 {
			t.Fatalf("a standby made %d changes", n)
		}
		b.lead()
		if n := device.Writes(); n != 4 {
			t.Errorf("made %d changes, want 4: two nodes, a pool with its members, a virtual server", n)
		}
		r := b.report(want.Service)
		if !r.Settled || r.Gone || r.Members != 2 || len(r.Problems) > 0 {
			t.Errorf("report %+v, want settled with 2 members", r)
		}
	})
}

func TestRestartWritesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		want := service("cart", "203.0.113.1", "10.0.0.1")
		first := start(t, device)
		first.put(want)
		first.lead()
		first.end()
		before := device.Writes()

		second := start(t, device)
		defer second.end()
		second.put(want)
		second.lead()
		if n := device.Writes() - before; n != 0 {
			t.Errorf("the restart made %d changes, want none", n)
		}
		if !second.report(want.Service).Settled {
			t.Error("not settled after the restart")
		}
	})
}

func TestOrphansAreCleanedUpOnlyByTheLeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		first := start(t, device)
		first.put(service("cart", "203.0.113.1", "10.0.0.1"))
		first.lead()
		first.end()
		before := device.Writes()

		second := start(t, device)
		defer second.end()
		synctest.Wait()
		if n := device.Writes() - before; n != 0 {
			t.Fatalf("a standby made %d changes", n)
		}
		second.lead()
		pass(2 * time.Minute) // the drain, in the bubble's time
		if n := device.Set().Len(); n != 0 {
			t.Errorf("%d objects of a Service that is gone still stand", n)
		}
	})
}

// pair is a backend with two units, each with objects of its own: what is read
// and changed is the active one's.
type pair struct {
	*memory.Backend
	other *memory.Backend
	moved chan string
}

func (p *pair) Watch(ctx context.Context) string {
	select {
	case why := <-p.moved:
		p.Backend = p.other
		return why
	case <-ctx.Done():
		return ""
	}
}

// TestAnotherUnitIsReadAnew moves a backend to a unit that lacks the latest
// changes.
func TestAnotherUnitIsReadAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first, second := memory.New(dc1), memory.New(dc1)
		device := &pair{Backend: first, other: second, moved: make(chan string)}
		b := start(t, device)
		defer b.end()
		want := service("cart", "203.0.113.1", "10.0.0.1")
		b.put(want)
		b.lead()
		before := first.Writes()
		device.moved <- "another unit is active"
		synctest.Wait()
		if second.Set().Len() != first.Set().Len() || first.Writes() != before {
			t.Errorf("the unit that is active now holds %d objects, the other %d after %d changes more",
				second.Set().Len(), first.Set().Len(), first.Writes()-before)
		}
		if !b.report(want.Service).Settled {
			t.Error("not settled on the unit that is active now")
		}
	})
}

// TestReadOfTheUnitBeforeIsDropped has the unit change while a full read is
// under way: its answer is not believed.
func TestReadOfTheUnitBeforeIsDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first, second := memory.New(dc1), memory.New(dc1)
		device := &pair{Backend: first, other: second, moved: make(chan string)}
		held := make(chan struct{})
		first.SetReadHook(func(context.Context, apply.Scope) error { <-held; return nil })
		b := start(t, device)
		defer b.end()
		want := service("cart", "203.0.113.1", "10.0.0.1")
		b.put(want)
		b.lead()
		device.moved <- "another unit is active"
		synctest.Wait()
		if n := second.Writes(); n != 0 {
			t.Errorf("%d changes were made before anything was read", n)
		}
		close(held)
		synctest.Wait()
		if first.Writes() != 0 || second.Writes() != 3 || fullReads(second) == 0 {
			t.Errorf("%d changes on the unit before, %d on the active one, want 0 and 3", first.Writes(), second.Writes())
		}
	})
}

// fullReads is how often all was read.
func fullReads(b *memory.Backend) int {
	return len(slices.DeleteFunc(b.Calls(), func(c memory.Call) bool { return !c.Read || !c.Scope.All() }))
}

func memberID(w state.Want, pod string) state.ID {
	id := w.Objects[0].ID()
	id.Kind, id.Member = state.KindMember, endpoint(pod)
	return id
}

func TestAfterOrdersTwoBackends(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const router = "bgp/core"
		device, speaker := memory.New(dc1), memory.New(router)
		b := start(t, device, speaker)
		defer b.end()
		want := service("cart", "203.0.113.1", "10.0.0.1")
		vs := want.Objects[1].ID()
		route := &state.Route{
			Backend: router, Prefix: netip.MustParsePrefix("203.0.113.1/32"), Owner: us.Owner(want.Service),
			NextHops: []state.NextHop{{Address: netip.MustParseAddr("198.51.100.10")}}, Follows: []state.ID{vs},
		}
		want.Objects = append(want.Objects, route)

		refuse := func(_ context.Context, c plan.Change) *memory.Fault {
			if c.ID() == vs {
				return &memory.Fault{Status: apply.Refused, Reason: "DeviceRefused", Err: errors.New("not now")}
			}
			return nil
		}
		device.SetHook(refuse)
		b.put(want)
		b.lead()
		if speaker.Set().Len() != 0 {
			t.Fatal("the route is announced, and its virtual server does not stand")
		}
		device.SetHook(nil)
		pass(2 * time.Second)
		if speaker.Set().Len() != 1 {
			t.Fatal("the virtual server stands, and its route is not announced")
		}

		hold := make(chan struct{})
		speaker.SetHook(func(ctx context.Context, _ plan.Change) *memory.Fault {
			select {
			case <-hold:
			case <-ctx.Done():
			}
			return nil
		})
		b.put(state.Want{Service: want.Service, Deleted: true}) // without a drain
		if v, there := device.Set().Get(vs); !there || v.(*state.VirtualServer).Disabled {
			t.Error("the virtual server went before its route was withdrawn")
		}
		close(hold)
		synctest.Wait()
		if n := device.Set().Len() + speaker.Set().Len(); n != 0 {
			t.Errorf("%d objects stand after the Service was deleted", n)
		}
		if !b.report(want.Service).Gone {
			t.Error("not reported as gone")
		}
	})
}

func TestTwoServicesAtOneAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		b := start(t, device)
		defer b.end()
		first, second := service("first", "203.0.113.1", "10.0.0.1"), service("second", "203.0.113.1", "10.0.0.2")
		b.ledger.Put(second, time.Unix(200, 0))
		b.ledger.Put(first, time.Unix(100, 0))
		b.lead()
		if got := b.reason(second.Service); got != "AddressInUse" || !b.report(first.Service).Settled {
			t.Errorf("second: %q, first settled %v; want the older to have the address", got, b.report(first.Service).Settled)
		}
		b.put(state.Want{Service: first.Service, Deleted: true})
		if !b.report(second.Service).Settled {
			t.Error("the address was let go, and the second Service is not served")
		}
	})
}

func TestLosingTheLeadStopsChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		b := start(t, device)
		defer b.end()
		b.lead()
		b.workers[dc1].Act(false)
		synctest.Wait()
		b.put(service("cart", "203.0.113.1", "10.0.0.1"))
		if n := device.Writes(); n != 0 {
			t.Errorf("%d changes were made without the lead", n)
		}
		b.lead()
		if device.Writes() == 0 {
			t.Error("no change was made after winning again")
		}
	})
}

func TestOneUnitMakesTheNodeThatSeveralShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		var mu sync.Mutex
		flying, most := 0, 0
		device.SetHook(func(context.Context, plan.Change) *memory.Fault {
			mu.Lock()
			flying++
			most = max(most, flying)
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			flying--
			mu.Unlock()
			return nil
		})
		b := start(t, device)
		defer b.end()
		for _, name := range []string{"a", "b", "c"} {
			b.put(service(name, "203.0.113."+map[string]string{"a": "1", "b": "2", "c": "3"}[name], "10.0.0.1"))
		}
		b.lead()
		pass(time.Second)
		made := 0
		for _, c := range device.Calls() {
			if !c.Read && c.Change.ID().Kind == state.KindNode {
				made++
			}
		}
		if made != 1 {
			t.Errorf("the node that all three share was asked for %d times, want once", made)
		}
		if most != 2 {
			t.Errorf("%d calls at once at most, want 2: with the node made, the others need not wait for each other", most)
		}
	})
}

func TestMemberThatSomebodyAddedIsNotDeletedWithThePool(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		b := start(t, device)
		defer b.end()
		want := service("cart", "203.0.113.1", "10.0.0.1")
		b.put(want)
		b.lead()
		foreign := &state.PoolMember{Backend: dc1, Pool: want.Objects[0].ID().Name, Member: state.Member{Endpoint: endpoint("10.20.0.9"), Ratio: 1}}
		device.Put(foreign) // since the last full read
		b.put(state.Want{Service: want.Service, Deleted: true})
		pass(10 * time.Second)
		if _, there := device.Set().Get(foreign.ID()); !there {
			t.Fatal("a foreign member was deleted with our pool")
		}
		if got := b.reason(want.Service); got != "ForeignMembers" {
			t.Errorf("reason %q, want ForeignMembers", got)
		}
	})
}

func TestStandbyTellsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		b := start(t, device)
		defer b.end()
		want := service("cart", "203.0.113.1", "10.0.0.1")
		b.put(want)
		// The leader elsewhere makes it, and it is deleted before this
		// standby reads again: to its mirror nothing ever stood.
		other := start(t, device)
		other.put(want)
		other.lead()
		other.end()
		b.put(state.Want{Service: want.Service, Deleted: true, Drain: time.Minute})
		if r := b.report(want.Service); r.Service == want.Service {
			t.Fatalf("a standby told %+v", r)
		}
		b.lead()
		if b.report(want.Service).Gone {
			t.Error("told as gone, and it stands")
		}
	})
}
