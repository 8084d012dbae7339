package allocate_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"landbridge.dev/sync/allocate"
	"landbridge.dev/sync/state"
)

// town is a book in use: Services that make claims again when they are told
// to, what is noted on them, and a device that shows them.
type town struct {
	*rapid.T
	book   *allocate.Book
	asks   map[state.Ref]*allocate.Ask // of the Services that there are
	noted  map[state.Ref][]state.Address
	device map[state.Ref][]state.Address
}

func newTown(t *rapid.T) *town {
	w := &town{
		T: t, book: allocate.New(), asks: map[state.Ref]*allocate.Ask{},
		noted: map[state.Ref][]state.Address{}, device: map[state.Ref][]state.Address{},
	}
	w.open()
	return w
}

func (w *town) open() {
	w.book.Open()
	shown := map[state.Address][]state.Ref{}
	for ref, at := range w.device {
		for _, a := range at {
			shown[a] = append(shown[a], ref)
		}
	}
	w.settle(w.book.Read(dc1, shown))
}

// claim makes the claim of a Service, and notes what it is given.
func (w *town) claim(ref state.Ref) []state.Ref {
	c := claim(ref.Name)
	c.Ask, c.Known = w.asks[ref], w.noted[ref]
	answer, again := w.book.Claim(c)
	if len(answer.Addresses) > 0 {
		w.noted[ref] = answer.Addresses
	}
	return again
}

// settle makes claims again until nobody is to make one.
func (w *town) settle(again []state.Ref) {
	for range 1000 {
		if len(again) == 0 {
			return
		}
		ref := again[0]
		again = again[1:]
		if w.asks[ref] != nil {
			again = append(again, w.claim(ref)...)
		}
	}
	w.Fatal("the claims do not come to rest")
}

func (w *town) pick() state.Ref {
	return ref(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"}).Draw(w.T, "service"))
}

// ask makes a Service, or has one ask for something else.
func (w *town) ask() {
	ref := w.pick()
	option := rapid.SampledFrom([]option{
		gives(false), gives(false, true), from(other()),
		requests("203.0.113.16"), requests("203.0.113.17"), requests("203.0.113.32", "2001:db8::"),
	}).Draw(w.T, "asks")
	w.asks[ref] = claim(ref.Name, option).Ask
	w.settle(w.claim(ref))
	w.settle([]state.Ref{ref})
}

// follow lets the device show what a Service was given or may have, which is
// then noted.
func (w *town) follow() {
	ref := w.pick()
	answer := w.book.Given(ref)
	if w.asks[ref] == nil || answer.Pending || len(answer.Problems) > 0 {
		return
	}
	w.device[ref] = slices.Concat(w.asks[ref].Requested, answer.Addresses)
	w.noted[ref] = w.device[ref]
	w.settle(w.book.Seen(dc1, ref, state.SortAddresses(slices.Clone(w.device[ref]))))
}

// leave takes a Service away with all that stands for it.
func (w *town) leave() {
	ref := w.pick()
	delete(w.asks, ref)
	delete(w.noted, ref)
	delete(w.device, ref)
	w.settle(w.book.Release(ref))
}

// restart is a new book, in which every Service makes its claim before it is
// opened, in any order. Who was served, or was to be served for the first time,
// has the same as before.
func (w *town) restart() {
	before := map[state.Ref]allocate.Answer{}
	var refs []state.Ref
	for ref := range w.asks {
		before[ref] = w.book.Given(ref)
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, state.Ref.Compare)
	w.book = allocate.New()
	for _, ref := range rapid.Permutation(refs).Draw(w.T, "order") {
		w.settle(w.claim(ref))
	}
	w.open()
	for _, ref := range refs {
		now := w.book.Given(ref)
		moves := slices.ContainsFunc(before[ref].Addresses, func(a state.Address) bool {
			return len(w.device[ref]) > 0 && !slices.Contains(w.device[ref], a)
		})
		if len(before[ref].Addresses) > 0 && !moves && !slices.Equal(now.Addresses, before[ref].Addresses) {
			w.Errorf("%s had %v, and after a restart %+v", ref, before[ref].Addresses, now)
		}
	}
}

// check holds what is always so once all claims have come to rest.
func (w *town) check() {
	has := map[state.Address]state.Ref{}
	for ref := range w.asks {
		for _, a := range w.book.Given(ref).Addresses {
			if other, taken := has[a]; taken {
				w.Errorf("%s is given to %s and to %s", a, ref, other)
			}
			has[a] = ref
		}
	}
	for ref, ask := range w.asks {
		answer := w.book.Given(ref)
		if answer.Pending {
			w.Errorf("%s waits, with all read", ref)
		}
		if len(answer.Problems) == 0 {
			for _, a := range ask.Requested {
				if other, taken := has[a]; taken {
					w.Errorf("%s is given to %s and used by %s", a, other, ref)
				}
			}
		}
		if same, _ := w.book.Claim(allocate.Claim{Service: ref, Created: claim(ref.Name).Created, Known: w.noted[ref], Ask: ask}); !same.Same(answer) {
			w.Errorf("%s asks again, and has %+v in place of %+v", ref, same, answer)
		}
		for _, p := range answer.Problems {
			if p.Reason == "AddressesExhausted" {
				w.exhausted(ref, ask)
			}
		}
	}
}

// exhausted checks that a Service is not refused what is free.
func (w *town) exhausted(ref state.Ref, ask *allocate.Ask) {
	used := map[state.Address]bool{}
	for other, asks := range w.asks {
		for _, a := range slices.Concat(asks.Requested, w.book.Given(other).Addresses, w.noted[other]) {
			used[a] = true
		}
	}
	for _, at := range w.device {
		for _, a := range at {
			used[a] = true
		}
	}
	for _, g := range ask.Give {
		free := false
		for _, r := range g.Pool.Ranges {
			for a := r.First; r.Contains(a) && r.First.Is6() == g.Six; a = a.Next() {
				free = free || !used[state.Address{IP: a}]
			}
		}
		if !free {
			return
		}
	}
	w.Errorf("%s finds its pools exhausted, and they are not", ref)
}

// Whatever Services ask for and wherever they are shown: no address is given
// twice, none is taken from who has it, and a restart changes nothing.
func TestBook(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newTown(t)
		t.Repeat(map[string]func(*rapid.T){
			"ask":     func(*rapid.T) { w.ask() },
			"follow":  func(*rapid.T) { w.follow() },
			"leave":   func(*rapid.T) { w.leave() },
			"restart": func(*rapid.T) { w.restart() },
			"":        func(*rapid.T) { w.check() },
		})
	})
}
