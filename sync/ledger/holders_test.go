package ledger_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/state"
)

// held says how a Service stands on dc1: its mode, and why it is held.
func held(l *ledger.Ledger, r state.Ref) (state.Mode, []string) {
	w, _, problems := l.Want(dc1, r)
	var why []string
	for _, p := range problems {
		why = append(why, p.Reason+": "+p.Message)
	}
	return w.Mode, why
}

func serves(t *testing.T, l *ledger.Ledger, r state.Ref) {
	t.Helper()
	if mode, why := held(l, r); mode != state.Follow || why != nil {
		t.Errorf("%s is in mode %s: %q", r, mode, why)
	}
}

func waits(t *testing.T, l *ledger.Ledger, r, holder state.Ref) {
	t.Helper()
	mode, why := held(l, r)
	want := []string{
		"AddressInUse: 203.0.113.10:80/tcp on bigip/dc1 is served for " + holder.String() +
			"; this Service is served there when that one lets it go, or choose another address or port",
	}
	if diff := cmp.Diff(want, why); mode != state.Hold || diff != "" {
		t.Errorf("%s is in mode %s (-want +got):\n%s", r, mode, diff)
	}
}

func present(state.ID) bool { return true }

func TestHolders(t *testing.T) {
	t.Parallel()
	t.Run("the older has it, whichever came first", func(t *testing.T) {
		t.Parallel()
		l := ledger.New(dc1)
		l.Put(want(web, virtual(dc1, web, 80)), late)
		serves(t, l, web)
		l.Take(dc1)
		l.Put(want(cart, virtual(dc1, cart, 80)), long)
		dirty(t, l, dc1, web, cart)
		serves(t, l, cart)
		waits(t, l, web, cart)
	})
	t.Run("of two made at once the first by name", func(t *testing.T) {
		t.Parallel()
		l := ledger.New(dc1)
		l.Put(want(web, virtual(dc1, web, 80)), long)
		l.Put(want(cart, virtual(dc1, cart, 80)), long)
		serves(t, l, cart)
		waits(t, l, web, cart)
	})
	t.Run("whom the device shows keeps it, be it the younger", func(t *testing.T) {
		t.Parallel()
		l := ledger.New(dc1)
		l.Put(want(web, virtual(dc1, web, 80)), late)
		l.Seen(dc1, web, present, []state.Frontend{front(80)})
		l.Take(dc1)
		l.Put(want(cart, virtual(dc1, cart, 80)), long)
		serves(t, l, web)
		waits(t, l, cart, web)
	})
	t.Run("a device read only after both were claimed decides for the one that it shows", func(t *testing.T) {
		t.Parallel()
		l := ledger.New(dc1)
		l.Put(want(cart, virtual(dc1, cart, 80)), long)
		l.Put(want(web, virtual(dc1, web, 80)), late)
		l.Take(dc1)
		l.Seen(dc1, web, present, []state.Frontend{front(80)})
		dirty(t, l, dc1, cart, web)
		serves(t, l, web)
		waits(t, l, cart, web)
	})
	t.Run("handed over once the device shows it no more", func(t *testing.T) {
		t.Parallel()
		l := ledger.New(dc1)
		l.Put(want(web, virtual(dc1, web, 80)), late)
		l.Seen(dc1, web, present, []state.Frontend{front(80)})
		l.Put(want(cart, virtual(dc1, cart, 80)), long)
		l.Put(want(web), late)
		l.Take(dc1)
		waits(t, l, cart, web) // no longer asked for by web, and still shown
		l.Seen(dc1, web, present, nil)
		dirty(t, l, dc1, web, cart)
		serves(t, l, cart)
	})
	t.Run("it is of one backend, port and protocol", func(t *testing.T) {
		t.Parallel()
		l := ledger.New(dc1, dc2)
		udp := virtual(dc1, web, 80)
		udp.Protocol = state.UDP
		l.Put(want(cart, virtual(dc1, cart, 80)), long)
		l.Put(want(web, udp, virtual(dc1, web, 443), virtual(dc2, web, 80)), late)
		serves(t, l, cart)
		serves(t, l, web)
	})
	t.Run("a Service that is frozen for its own sake stays so", func(t *testing.T) {
		t.Parallel()
		l := ledger.New(dc1)
		l.Put(want(cart, virtual(dc1, cart, 80)), long)
		w := want(web, virtual(dc1, web, 80))
		w.Mode = state.Freeze
		l.Put(w, late)
		if mode, _ := held(l, web); mode != state.Freeze {
			t.Errorf("mode %s", mode)
		}
	})
	t.Run("adopted virtual servers have their places, and keep others off them", func(t *testing.T) {
		t.Parallel()
		l := ledger.New(dc1)
		adopted := func(path string) state.Object {
			return &state.VirtualServer{Backend: dc1, Path: path, Use: state.Adopted}
		}
		l.Put(want(cart, adopted("/web/a")), late)
		l.Put(want(web, adopted("/web/b"), adopted("/web/c")), late)
		serves(t, l, cart)
		serves(t, l, web)
		l.Seen(dc1, cart, present, []state.Frontend{front(80)})
		l.Put(want(web, virtual(dc1, web, 80)), long)
		serves(t, l, cart)
		waits(t, l, web, cart)
	})
	t.Run("one port that is taken holds the whole Service", func(t *testing.T) {
		t.Parallel()
		l := ledger.New(dc1)
		l.Put(want(cart, virtual(dc1, cart, 80)), long)
		l.Put(want(web, virtual(dc1, web, 80), virtual(dc1, web, 443)), late)
		waits(t, l, web, cart)
	})
}

// However Services come, go and show: each place has at most one that is not
// held for it, and whoever's standing has changed has become dirty.
func TestHoldersAgainstModel(t *testing.T) {
	t.Parallel()
	refs := []state.Ref{cart, web, {Namespace: "shop", Name: "api"}}
	ports := []uint16{80, 443}
	rapid.Check(t, func(t *rapid.T) {
		l := ledger.New(dc1)
		told := map[state.Ref]string{}
		shows := map[uint16]state.Ref{} // the device has one listener on a place
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				r := rapid.SampledFrom(refs).Draw(t, "service")
				w := want(r)
				for _, p := range rapid.SliceOfDistinct(rapid.SampledFrom(ports), rapid.ID).Draw(t, "ports") {
					w.Objects = append(w.Objects, virtual(dc1, r, p))
				}
				l.Put(w, long)
			},
			"show": func(t *rapid.T) {
				r := rapid.SampledFrom(refs).Draw(t, "service")
				var shown []state.Frontend
				for _, p := range ports {
					if shows[p] == r || shows[p].IsZero() {
						delete(shows, p)
						if rapid.Bool().Draw(t, "shown") {
							shows[p] = r
							shown = append(shown, front(p))
						}
					}
				}
				l.Seen(dc1, r, present, shown)
			},
			"": func(t *rapid.T) {
				changed := map[state.Ref]bool{}
				for _, r := range l.Take(dc1) {
					changed[r] = true
				}
				users := map[uint16]state.Ref{}
				for _, r := range l.Services() {
					w, _, problems := l.Want(dc1, r)
					if (w.Mode == state.Hold) != (len(problems) > 0) {
						t.Fatalf("%s is in mode %s, problems %v", r, w.Mode, problems)
					}
					if now := fmt.Sprint(w.Mode, problems); now != told[r] && !changed[r] {
						t.Fatalf("%s went from %q to %q and is not dirty", r, told[r], now)
					} else {
						told[r] = now
					}
					for _, o := range w.Objects {
						p := o.(*state.VirtualServer).Destination.Port
						if w.Mode == state.Hold {
							continue
						}
						if !users[p].IsZero() {
							t.Fatalf("port %d is for %s and for %s", p, users[p], r)
						}
						if s := shows[p]; !s.IsZero() && s != r {
							t.Fatalf("port %d is for %s, while the device shows %s", p, r, s)
						}
						users[p] = r
					}
				}
			},
		})
	})
}
