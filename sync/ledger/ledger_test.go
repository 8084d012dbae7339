package ledger_test

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/state"
)

const (
	dc1 = "bigip/dc1"
	dc2 = "bigip/dc2"
)

var (
	cart = state.Ref{Namespace: "shop", Name: "cart"}
	web  = state.Ref{Namespace: "shop", Name: "web"}
	long = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	late = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

func front(port uint16) state.Frontend {
	return state.Frontend{
		Endpoint: state.Endpoint{Address: state.Address{IP: netip.MustParseAddr("203.0.113.10")}, Port: port}, Protocol: state.TCP,
	}
}

func pool(backend string, r state.Ref, mode string) *state.Pool {
	return &state.Pool{Backend: backend, Path: "/web/" + r.Name, Mode: mode}
}

func virtual(backend string, r state.Ref, port uint16, after ...state.ID) *state.VirtualServer {
	f := front(port)
	return &state.VirtualServer{
		Backend: backend, Path: fmt.Sprintf("/web/%s_%d", r.Name, port), Destination: f.Endpoint, Protocol: f.Protocol, Follows: after,
	}
}

func want(r state.Ref, objects ...state.Object) state.Want {
	return state.Want{Service: r, Objects: objects, Drain: time.Minute}
}

// dirty takes what is dirty, and demands that it is this.
func dirty(t *testing.T, l *ledger.Ledger, backend string, refs ...state.Ref) {
	t.Helper()
	if diff := cmp.Diff(refs, l.Take(backend)); diff != "" {
		t.Errorf("dirty on %s (-want +got):\n%s", backend, diff)
	}
}

func woken(l *ledger.Ledger, backend string) bool {
	select {
	case <-l.Wake(backend):
		return true
	default:
		return false
	}
}

func TestPutMakesDirtyWhatDiffers(t *testing.T) {
	t.Parallel()
	l := ledger.New(dc1, dc2)
	if woken(l, dc1) {
		t.Error("an empty ledger wakes")
	}
	first := want(cart, pool(dc1, cart, "round-robin"), pool(dc2, cart, "round-robin"))
	l.Put(first, long)
	if !woken(l, dc1) || !woken(l, dc2) {
		t.Error("a first claim wakes not every backend")
	}
	dirty(t, l, dc1, cart)
	dirty(t, l, dc2, cart)

	l.Put(want(cart, pool(dc1, cart, "round-robin"), pool(dc2, cart, "round-robin")), long)
	if woken(l, dc1) {
		t.Error("the same claim wakes")
	}
	dirty(t, l, dc1)

	l.Put(want(web, pool(dc1, web, "round-robin")), long)
	l.Put(want(cart, pool(dc1, cart, "ratio-member"), pool(dc2, cart, "round-robin")), long)
	l.Put(want(web, pool(dc1, web, "ratio-member")), long)
	if !woken(l, dc1) || woken(l, dc1) {
		t.Error("several changes wake not once")
	}
	dirty(t, l, dc1, web, cart) // in the order in which they became dirty, each once
	dirty(t, l, dc2, web)       // which asks for nothing there, and is told so

	if diff := cmp.Diff([]state.Ref{cart, web}, l.Services()); diff != "" {
		t.Errorf("Services (-want +got):\n%s", diff)
	}
	got, revision, problems := l.Want(dc1, cart)
	if !got.Same(want(cart, pool(dc1, cart, "ratio-member"))) || revision == 0 || problems != nil {
		t.Errorf("got %+v, revision %d, problems %v", got, revision, problems)
	}
}

// What is reported of a revision is out of date once there is a newer one:
// also that of a Service of the same name that was there before.
func TestRevisionsNeverComeAgain(t *testing.T) {
	t.Parallel()
	l := ledger.New(dc1, dc2)
	if l.Revisions(cart) != nil {
		t.Error("a Service without a claim has revisions")
	}
	if _, revision, _ := l.Want(dc1, cart); revision != 0 {
		t.Errorf("a Service without a claim has revision %d", revision)
	}
	seen := map[ledger.Revision]bool{0: true}
	news := func(step string, expected bool) {
		t.Helper()
		revision := l.Revisions(cart)[dc1]
		if seen[revision] == expected {
			t.Errorf("%s: revision %d is new: %t", step, revision, !seen[revision])
		}
		seen[revision] = true
		if _, got, _ := l.Want(dc1, cart); got != revision {
			t.Errorf("%s: Want is of revision %d, Revisions says %d", step, got, revision)
		}
	}
	l.Put(want(cart, pool(dc1, cart, "round-robin")), long)
	news("first claim", true)
	l.Put(want(cart, pool(dc1, cart, "round-robin"), pool(dc2, cart, "round-robin")), long)
	news("another backend's part changed", false)
	l.Put(want(cart, pool(dc1, cart, "ratio-member")), long)
	news("changed", true)
	l.Put(want(cart, pool(dc1, cart, "round-robin")), long)
	news("changed back", true)
	l.Forget(cart)
	if l.Revisions(cart) != nil {
		t.Error("a forgotten Service has revisions")
	}
	l.Put(want(cart, pool(dc1, cart, "round-robin")), late)
	news("made anew", true)
}

func TestForget(t *testing.T) {
	t.Parallel()
	l := ledger.New(dc1)
	l.Forget(cart)
	dirty(t, l, dc1)
	l.Put(want(cart, virtual(dc1, cart, 80)), long)
	l.Put(want(web, virtual(dc1, web, 80)), late)
	l.Take(dc1)
	l.Forget(cart)
	dirty(t, l, dc1, cart, web) // one to be forgotten by the worker, one to be served now
	if got, revision, problems := l.Want(dc1, cart); len(got.Objects) > 0 || got.Service != cart || revision != 0 || problems != nil {
		t.Errorf("forgotten, it wants %+v, revision %d, problems %v", got, revision, problems)
	}
	if diff := cmp.Diff([]state.Ref{web}, l.Services()); diff != "" {
		t.Errorf("Services (-want +got):\n%s", diff)
	}
}

// The race detector watches; what is asked for in the end is what was put last.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	l := ledger.New(dc1, dc2)
	var workers sync.WaitGroup
	stop := make(chan struct{})
	for _, backend := range []string{dc1, dc2} {
		workers.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-l.Wake(backend):
				}
				for _, r := range l.Take(backend) {
					w, _, _ := l.Want(backend, r)
					var shows []state.Frontend
					for _, o := range w.Objects {
						if v, ok := o.(*state.VirtualServer); ok {
							shows = append(shows, v.Frontend())
						}
						l.Standing(o.ID())
						l.Leaned(o.ID())
					}
					l.Seen(backend, r, func(state.ID) bool { return len(w.Objects) > 0 }, shows)
				}
			}
		})
	}
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			r := state.Ref{Namespace: "shop", Name: fmt.Sprint("s", i)}
			for n := range 100 {
				first := pool(dc2, r, fmt.Sprint(n))
				l.Put(want(r, first, virtual(dc1, r, uint16(80+n%3), first.ID())), long)
				if n%10 == 9 {
					l.Forget(r)
				}
				l.Services()
				l.Revisions(r)
			}
			l.Put(want(r, pool(dc2, r, "last")), long)
		})
	}
	writers.Wait()
	close(stop)
	workers.Wait()
	for i := range 4 {
		r := state.Ref{Namespace: "shop", Name: fmt.Sprint("s", i)}
		if w, _, _ := l.Want(dc2, r); len(w.Objects) != 1 || w.Objects[0].(*state.Pool).Mode != "last" {
			t.Errorf("%s wants %+v", r, w)
		}
	}
}

// Of what one event costs in a cluster with many Services.
func BenchmarkPut(b *testing.B) {
	for _, services := range []int{10, 25000} {
		b.Run(fmt.Sprintf("%d Services", services), func(b *testing.B) {
			l := ledger.New(dc1)
			claims := make([][2]state.Want, services)
			for i := range claims {
				r := state.Ref{Namespace: "shop", Name: fmt.Sprint("s", i)}
				for side, mode := range []string{"round-robin", "ratio-member"} {
					v := virtual(dc1, r, 80)
					v.Destination.IP = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
					claims[i][side] = want(r, pool(dc1, r, mode), v)
				}
				l.Put(claims[i][0], long)
			}
			l.Take(dc1)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n++
				l.Put(claims[n%services][1-n/services%2], long)
				if n%1000 == 0 {
					l.Take(dc1)
				}
			}
		})
	}
}
