package allocate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/config"
	"landbridge.dev/sync/allocate"
	"landbridge.dev/sync/state"
)

const dc1 = "bigip/dc1"

func address(s string) state.Address {
	a, err := state.ParseAddress(s)
	if err != nil {
		panic(err)
	}
	return a
}

func addresses(list ...string) []state.Address {
	var all []state.Address
	for _, s := range list {
		all = append(all, address(s))
	}
	return all
}

func pool(name string, ranges ...string) config.AddressPool {
	p := config.AddressPool{Name: name}
	for _, s := range ranges {
		r, err := config.ParseRange(s)
		if err != nil {
			panic(err)
		}
		p.Ranges = append(p.Ranges, r)
	}
	return p
}

// Pools of the tests: four addresses of IPv4 and all of a /126, and two more.
func public() config.AddressPool { return pool("public", "203.0.113.16/30", "2001:db8::/126") }
func other() config.AddressPool  { return pool("other", "203.0.113.32-203.0.113.33") }

func ref(s string) state.Ref {
	if !strings.Contains(s, "/") {
		s = "shop/" + s
	}
	r, _ := state.ParseRef(s)
	return r
}

// option changes a claim.
type option func(*allocate.Claim)

// claim is that of a Service of tenant 0, made in the hour of its first letter,
// which is to be given an IPv4 address of public.
func claim(service string, options ...option) allocate.Claim {
	r := ref(service)
	c := allocate.Claim{
		Service: r, Created: time.Date(2026, 1, 1, int(r.Name[0]-'a'), 0, 0, 0, time.UTC),
		Ask: &allocate.Ask{Tenants: []int{0}, Backends: []string{dc1}},
	}
	gives(false)(&c)
	for _, o := range options {
		o(&c)
	}
	return c
}

func gives(families ...bool) option {
	return func(c *allocate.Claim) {
		c.Ask.Give = nil
		for _, six := range families {
			both := []config.AddressPool{public(), other()}
			c.Ask.Give = append(c.Ask.Give, allocate.Give{Six: six, Pool: public(), Stay: both, Granted: both})
		}
	}
}

func from(p config.AddressPool) option {
	return func(c *allocate.Claim) {
		c.Ask.Give = []allocate.Give{{Pool: p, Stay: []config.AddressPool{p}, Granted: []config.AddressPool{public(), other()}}}
	}
}

// granted takes all pools away but these.
func granted(pools ...config.AddressPool) option {
	return func(c *allocate.Claim) {
		for i := range c.Ask.Give {
			c.Ask.Give[i].Pool, c.Ask.Give[i].Stay, c.Ask.Give[i].Granted = pools[0], pools, pools
		}
	}
}

func requests(list ...string) option {
	return func(c *allocate.Claim) { c.Ask.Give, c.Ask.Requested = nil, addresses(list...) }
}

func noted(list ...string) option {
	return func(c *allocate.Claim) { c.Known = addresses(list...) }
}

func tenant(n int) option { return func(c *allocate.Claim) { c.Ask.Tenants = []int{n} } }

func untold(c *allocate.Claim) { c.Ask = nil }

// shows is what a backend shows: "203.0.113.16 shop/a shop/b", with "-" for
// somebody else.
func shows(lines ...string) map[state.Address][]state.Ref {
	listeners := map[state.Address][]state.Ref{}
	for _, line := range lines {
		words := strings.Fields(line)
		for _, w := range words[1:] {
			r := state.Ref{}
			if w != "-" {
				r = ref(w)
			}
			listeners[address(words[0])] = append(listeners[address(words[0])], r)
		}
	}
	return listeners
}

// said is an answer in words.
func said(a allocate.Answer) string {
	switch {
	case a.Pending:
		return "pending"
	case len(a.Problems) > 0:
		return a.Problems[0].Reason + ": " + a.Problems[0].Message
	case len(a.Addresses) == 0:
		return "yes"
	}
	var words []string
	for _, given := range a.Addresses {
		words = append(words, given.String())
	}
	return strings.Join(words, " ")
}

// script is a book that is opened and has read its backend.
type script struct {
	*testing.T
	*allocate.Book
}

func opened(t *testing.T, shown ...string) script {
	t.Helper()
	b := allocate.New()
	b.Open()
	b.Read(dc1, shows(shown...))
	return script{t, b}
}

// claims makes a claim and compares the answer.
func (s script) claims(c allocate.Claim, want string) {
	s.Helper()
	if got, _ := s.Claim(c); said(got) != want {
		s.Errorf("%s: %s\n\twant %s", c.Service, said(got), want)
	}
}

func (s script) again(got []state.Ref, want ...string) {
	s.Helper()
	var names []string
	for _, r := range got {
		names = append(names, r.Name)
	}
	if diff := cmp.Diff(want, names); diff != "" {
		s.Errorf("to be asked again (-want +got):\n%s", diff)
	}
}

func TestTheLowestFree(t *testing.T) {
	t.Parallel()
	s := opened(t, "203.0.113.17 -", "2001:db8:: shop/x")
	s.claims(claim("r", requests("203.0.113.18")), "yes")
	s.claims(claim("a"), "203.0.113.16") // the first of a prefix is as good as any
	s.claims(claim("b", gives(false, true)), "203.0.113.19 2001:db8::1")
	s.claims(claim("a"), "203.0.113.16")
	s.claims(claim("c"), "AddressesExhausted: address pool public has no free IPv4 address; "+
		"enlarge it, delete a Service that has one, or name another pool with landbridge.dev/address-pool")
	s.claims(claim("d", from(other())), "203.0.113.32")
	s.claims(claim("c", from(other())), "203.0.113.33")
	apart := pool("apart", "203.0.113.16%2-203.0.113.17%2") // a route domain is a world of its own
	s.claims(claim("e", from(apart)), "203.0.113.16%2")
	s.claims(claim("f", from(apart), noted("203.0.113.17")), "203.0.113.17%2")
}

func TestNothingOfTwoWhereOneIsExhausted(t *testing.T) {
	t.Parallel()
	s := opened(t, "203.0.113.16 -", "203.0.113.17 -", "203.0.113.18 -", "203.0.113.19 -")
	if got, _ := s.Claim(claim("a", gives(false, true))); len(got.Problems) != 1 || len(got.Addresses) > 0 {
		t.Errorf("%+v", got)
	}
	s.claims(claim("b", gives(true)), "2001:db8::")
}

func TestNothingBeforeAllIsTakenBack(t *testing.T) {
	t.Parallel()
	b := allocate.New()
	s := script{t, b}
	s.claims(claim("a"), "pending")
	s.claims(claim("b", noted("203.0.113.16")), "pending")
	s.claims(claim("c", requests("203.0.113.18")), "yes")
	s.claims(claim("d", requests("203.0.113.16")), "pending") // b's, as it says; the backend may show another
	s.claims(claim("e", untold, noted("203.0.113.19")), "yes")
	b.Open()
	s.claims(claim("a"), "pending")
	s.again(b.Read("bigip/dc2", shows("203.0.113.16 shop/a")), "b", "d")
	s.claims(claim("a"), "pending") // its own backend has not been read
	s.again(b.Read(dc1, nil), "a", "b", "d")
	s.claims(claim("a"), "203.0.113.16")                        // where another backend shows it
	s.claims(claim("b", noted("203.0.113.16")), "203.0.113.17") // what it says is another's
	s.claims(claim("f", requests("203.0.113.16")), "AddressInUse: 203.0.113.16 was given to shop/a from an address pool, and such an address is not shared; choose another, or wait until that one lets it go")
	s.claims(claim("g", requests("203.0.113.19")), "yes") // e may have requested it as well
	if got, _ := s.Claim(claim("h")); len(got.Problems) == 0 {
		t.Errorf("what a Service is noted to have that keeps it for now is given away: %s", said(got))
	}
}

func TestTakingBack(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		shown []string
		claim allocate.Claim
		want  string
	}{
		{name: "what is noted", claim: claim("a", noted("203.0.113.18")), want: "203.0.113.18"},
		{name: "what the backend shows, and not what is noted", shown: []string{"203.0.113.19 shop/a"}, claim: claim("a", noted("203.0.113.18")), want: "203.0.113.19"},
		{name: "what is noted, of two that the backend shows", shown: []string{"203.0.113.17 shop/a", "203.0.113.18 shop/a"}, claim: claim("a", noted("203.0.113.18")), want: "203.0.113.18"},
		{name: "the lower of two without a note", shown: []string{"203.0.113.18 shop/a", "203.0.113.17 shop/a"}, claim: claim("a"), want: "203.0.113.17"},
		{name: "of another granted pool", claim: claim("a", noted("203.0.113.33")), want: "203.0.113.33"},
		{name: "not of a pool that it does not name", shown: []string{"203.0.113.18 shop/a"}, claim: claim("a", from(other()), noted("203.0.113.18")), want: "203.0.113.32"},
		{name: "what it moves to, noted before it moved", shown: []string{"203.0.113.18 shop/a"}, claim: claim("a", from(other()), noted("203.0.113.33")), want: "203.0.113.33"},
		{name: "not what is outside of all pools, and nowhere shown", claim: claim("a", noted("198.51.100.1")), want: "203.0.113.16"},
		{name: "what is outside of all pools by now, as it serves", shown: []string{"203.0.113.18 shop/a"}, claim: claim("a", granted(other())), want: "203.0.113.18"},
		{name: "not what is somebody else's", shown: []string{"203.0.113.16 shop/z"}, claim: claim("a", noted("203.0.113.16")), want: "203.0.113.17"},
		{name: "each family its own", claim: claim("a", gives(false, true), noted("2001:db8::2", "203.0.113.18")), want: "203.0.113.18 2001:db8::2"},
		{name: "nothing of a family that it has not", claim: claim("a", noted("2001:db8::2")), want: "203.0.113.16"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			opened(t, test.shown...).claims(test.claim, test.want)
		})
	}
}

// The address of a virtual server that a Service adopted is noted like one that
// it was given, and is somebody else's: what it was given stays with it.
func TestAdoptedAddressesAreNotGiven(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, want   string
		shown, noted []string
	}{
		{
			name: "in the pool, and lower", shown: []string{"203.0.113.16 -", "203.0.113.17 shop/a"},
			noted: []string{"203.0.113.16", "203.0.113.17"}, want: "203.0.113.17",
		},
		{name: "in the pool, before the first is given", shown: []string{"203.0.113.16 -"}, noted: []string{"203.0.113.16"}, want: "203.0.113.17"},
		{name: "in no pool", shown: []string{"198.51.100.7 -"}, noted: []string{"198.51.100.7"}, want: "203.0.113.16"},
		{name: "at the address of its own", shown: []string{"203.0.113.17 - shop/a"}, noted: []string{"203.0.113.17"}, want: "203.0.113.17"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := opened(t, test.shown...)
			b.claims(claim("a", noted(test.noted...)), test.want)
		})
	}
}

func TestOfTwoThatAreNotedToHaveOneTheOlderHasIt(t *testing.T) {
	t.Parallel()
	b := allocate.New()
	s := script{t, b}
	for _, name := range []string{"b", "a"} {
		s.claims(claim(name, noted("203.0.113.18")), "pending")
	}
	b.Open()
	b.Read(dc1, nil)
	s.claims(claim("b", noted("203.0.113.18")), "203.0.113.16")
	s.claims(claim("a", noted("203.0.113.18")), "203.0.113.18")
}

func TestSharing(t *testing.T) {
	t.Parallel()
	s := opened(t)
	s.claims(claim("b", requests("203.0.113.16")), "yes")
	s.claims(claim("c", requests("203.0.113.16")), "yes")
	s.claims(claim("store/d", requests("203.0.113.16")), "yes") // tenant 0 as well
	const used = "AddressInUse: 203.0.113.16 is used by shop/b, and only Services of one namespace or tenant share an address; choose another, or wait until that one lets it go"
	s.claims(claim("bank/e", requests("203.0.113.16"), tenant(1)), used)
	s.claims(claim("f"), "203.0.113.17")

	// The one that has it lets go: the next older does, then the stranger.
	got := s.Release(ref("b"))
	s.again(got, "e", "c", "d") // by namespace
	s.claims(claim("bank/e", requests("203.0.113.16"), tenant(1)), strings.ReplaceAll(used, "shop/b", "shop/c"))
	s.Release(ref("c"))
	s.Release(ref("store/d"))
	s.claims(claim("bank/e", requests("203.0.113.16"), tenant(1)), "yes")
}

func TestFromGivenToRequested(t *testing.T) {
	t.Parallel()
	s := opened(t)
	s.claims(claim("a"), "203.0.113.16")
	if got, _ := s.Claim(claim("b", requests("203.0.113.16"))); len(got.Problems) == 0 {
		t.Fatal("a given address is shared")
	}
	_, again := s.Claim(claim("a", requests("203.0.113.16")))
	s.again(again, "b")
	s.claims(claim("b", requests("203.0.113.16"), noted("203.0.113.16")), "yes")

	// Back again it has to be one's alone, and the other one stays.
	s.Seen(dc1, ref("a"), addresses("203.0.113.16"))
	s.Seen(dc1, ref("b"), addresses("203.0.113.16"))
	s.claims(claim("a", noted("203.0.113.16")), "203.0.113.17")
	s.claims(claim("b", requests("203.0.113.16"), noted("203.0.113.16")), "yes")
}

func TestReleased(t *testing.T) {
	t.Parallel()
	s := opened(t)
	for i, name := range []string{"a", "b", "c", "d"} {
		s.claims(claim(name), fmt.Sprintf("203.0.113.%d", 16+i))
	}
	s.Seen(dc1, ref("b"), addresses("203.0.113.17"))
	for _, name := range []string{"f", "e"} {
		if got, _ := s.Claim(claim(name)); len(got.Problems) == 0 {
			t.Fatal("not exhausted")
		}
	}

	// It asks for another, and is still shown at the first.
	_, again := s.Claim(claim("b", requests("198.51.100.1")))
	s.again(again)
	s.again(s.Seen(dc1, ref("b"), addresses("198.51.100.1")), "e", "f")
	s.claims(claim("e"), "203.0.113.17")

	// A foreign listener goes, and one comes.
	s.again(s.Read(dc1, shows("203.0.113.19 -")))
	s.again(s.Release(ref("d"))) // somebody else listens there
	s.again(s.Read(dc1, nil), "f")
	s.claims(claim("f"), "203.0.113.19")
}

func TestClosed(t *testing.T) {
	t.Parallel()
	s := opened(t)
	s.claims(claim("a"), "203.0.113.16")
	s.claims(claim("b", requests("203.0.113.18")), "yes")
	s.again(s.Close(), "a")
	s.claims(claim("a", noted("203.0.113.16")), "pending")

	// Meanwhile another process has given it another.
	s.Open()
	s.Read(dc1, shows("203.0.113.19 shop/a"))
	s.claims(claim("a", noted("203.0.113.16")), "203.0.113.19")
}

func TestALongPoolIsNotSearchedAnew(t *testing.T) {
	t.Parallel()
	b := allocate.New()
	b.Open()
	b.Read(dc1, nil)
	big := pool("big", "10.0.0.0/15")
	const services = 20_000
	for i := range services {
		c := claim(fmt.Sprintf("a%d", i), granted(big))
		if got, _ := b.Claim(c); len(got.Addresses) != 1 {
			t.Fatal(said(got))
		}
	}
	b.Release(ref("a7"))
	got, _ := b.Claim(claim("z", granted(big)))
	if said(got) != "10.0.0.7" {
		t.Errorf("%s, want the one that is free again", said(got))
	}
}
