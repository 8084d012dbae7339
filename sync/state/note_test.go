package state_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"landbridge.dev/sync/state"
)

func TestNote(t *testing.T) {
	t.Parallel()
	until := state.DeadlineAt(time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC))
	loan := &state.Loan{
		To:  cartOwner,
		Was: state.Terms{Ratio: 2, Priority: 5}, Set: state.Terms{Admin: state.Offline, Ratio: 2, Priority: 5},
	}
	const loanText = "landbridge-loan cluster=prod uid=0123abcd service=shop/cart was=enabled/2/5 set=offline/2/5"
	for _, test := range []struct {
		name string
		note state.Note
		want string
	}{
		{name: "a member that serves", note: state.Note{Owner: cartOwner}, want: cartTag},
		{
			name: "one that drains", note: state.Note{Owner: cartOwner, Drain: until},
			want: cartTag + " drain-until=2026-07-01T12:00:00Z",
		},
		{name: "one that drains without limit", note: state.Note{Owner: cartOwner, Drain: state.NoDeadline}, want: cartTag + " drain-until=none"},
		{
			name: "one whose pod ends", note: state.Note{Owner: cartOwner, Drain: until, Terminating: true},
			want: cartTag + " drain-until=2026-07-01T12:00:00Z terminating=true",
		},
		{name: "a VM", note: state.Note{Owner: cartOwner, VM: true}, want: cartTag + " side=vm"},
		{
			name: "an adopted pool whose mode is lent",
			note: state.Note{Text: "shop, call ops", Owner: cartOwner, Adopted: "/web/shop", Lent: state.PoolTerms{Mode: "round-robin"}},
			want: "shop, call ops " + cartTag + " adopted=/web/shop was-mode=round-robin was-min-active=0",
		},
		{name: "a foreign member that is lent", note: state.Note{Loan: loan}, want: loanText},
		{name: "one with a text", note: state.Note{Text: "rack 7", Loan: loan}, want: "rack 7 " + loanText},
		{name: "another cluster's member", note: state.Note{Text: "rack 7"}, want: "rack 7"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := test.note.String()
			if got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
			if diff := cmp.Diff(test.note, state.ParseNote(got)); diff != "" {
				t.Errorf("read back (-want +got):\n%s", diff)
			}
			around := state.ParseNote("kept by ops " + got + " since May")
			want := test.note
			want.Text = strings.TrimSpace(strings.Join([]string{"kept by ops", test.note.Text}, " ")) + " since May"
			if diff := cmp.Diff(want, around); diff != "" {
				t.Errorf("with text around it (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoteUnreadable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		want       state.Note
	}{
		{name: "a deadline without a tag is somebody's text", text: "drain-until=none terminating=true", want: state.Note{Text: "drain-until=none terminating=true"}},
		{name: "a malformed deadline starts the drain anew", text: cartTag + " drain-until=soon", want: state.Note{Owner: cartOwner}},
		{name: "a deadline before 1970", text: cartTag + " drain-until=1969-12-31T23:59:59Z", want: state.Note{Owner: cartOwner}},
		{name: "an empty deadline", text: cartTag + " drain-until=", want: state.Note{Owner: cartOwner}},
		{name: "terminating is written in one way only", text: cartTag + " terminating=yes", want: state.Note{Owner: cartOwner}},
		{name: "a loan without terms", text: "landbridge-loan cluster=prod uid=0123abcd service=shop/cart was=x set=y", want: state.Note{Text: "landbridge-loan cluster=prod uid=0123abcd service=shop/cart was=x set=y"}},
		{name: "a ratio that no device has", text: "landbridge-loan cluster=prod uid=0123abcd service=shop/cart was=enabled/70000/0 set=enabled/1/0", want: state.Note{Text: "landbridge-loan cluster=prod uid=0123abcd service=shop/cart was=enabled/70000/0 set=enabled/1/0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, state.ParseNote(test.text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func anyOwner() *rapid.Generator[state.Owner] {
	return rapid.Custom(func(t *rapid.T) state.Owner {
		return state.Owner{
			Cluster: rapid.StringMatching(`[a-z0-9]([-a-z0-9]{0,18}[a-z0-9])?`).Draw(t, "cluster"),
			UID:     rapid.StringMatching(`[0-9a-f]{8}`).Draw(t, "uid"),
			Service: state.Ref{
				Namespace: rapid.StringMatching(`[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?`).Draw(t, "namespace"),
				Name:      rapid.StringMatching(`[a-z]([-a-z0-9]{0,61}[a-z0-9])?`).Draw(t, "name"),
			},
		}
	})
}

func anyTerms() *rapid.Generator[state.Terms] {
	return rapid.Custom(func(t *rapid.T) state.Terms {
		return state.Terms{
			Admin: rapid.SampledFrom([]state.Admin{state.Enabled, state.Disabled, state.Offline}).Draw(t, "admin"),
			Ratio: rapid.IntRange(0, 65535).Draw(t, "ratio"), Priority: rapid.IntRange(0, 65535).Draw(t, "priority"),
		}
	})
}

// Whatever others wrote before us: what we write is read back, and theirs is
// what it was, byte for byte.
func TestNoteRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		note := state.Note{Text: rapid.StringMatching(`[ -~\n]{0,20}`).Draw(t, "text")}
		if rapid.Bool().Draw(t, "owned") {
			note.Owner = anyOwner().Draw(t, "owner")
			note.Drain = state.Deadline(rapid.Int64Range(-1, 253402300799).Draw(t, "drain")) // to the end of year 9999, as RFC 3339
			note.Terminating, note.VM = rapid.Bool().Draw(t, "terminating"), rapid.Bool().Draw(t, "VM")
			note.Adopted = rapid.SampledFrom([]string{"", "/web/shop_pool"}).Draw(t, "adopted")
			if rapid.Bool().Draw(t, "lent") {
				note.Lent = state.PoolTerms{Mode: "least-connections-member", MinActive: rapid.IntRange(0, 9).Draw(t, "min active")}
			}
		}
		if rapid.Bool().Draw(t, "loan") {
			note.Loan = &state.Loan{To: anyOwner().Draw(t, "to"), Was: anyTerms().Draw(t, "was"), Set: anyTerms().Draw(t, "set")}
		}
		got := state.ParseNote(note.String())
		if diff := cmp.Diff(note, got); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", note.String(), diff)
		}
	})
}

func FuzzParseTag(f *testing.F) {
	for _, s := range []string{cartTag, "x " + cartTag + " y", cartTag + cartTag, "landbridge cluster= uid= service=/", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, ok := state.ParseTag(s)
		if ok == o.IsZero() {
			t.Fatalf("%q: owner %v, ok %t", s, o, ok)
		}
		if !ok {
			return
		}
		if again, ok := state.ParseTag(o.Tag()); !ok || again != o {
			t.Errorf("%q gives %q, which gives %v, %t", s, o.Tag(), again, ok)
		}
	})
}

func FuzzParseNote(f *testing.F) {
	for _, s := range []string{
		cartTag, cartTag + " drain-until=2026-07-01T12:00:00Z terminating=true", cartTag + " drain-until=none",
		cartTag + " drain-until=2026-07-01T12:00:00.5+02:00", cartTag + " drain-until=9999-12-31T23:59:59.9Z",
		"landbridge-loan cluster=prod uid=0123abcd service=shop/cart was=enabled/1/0 set=offline/1/0",
		cartTag + " side=vm x " + cartTag,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n := state.ParseNote(s)
		if n.Owner.IsZero() && n.Loan == nil && n.Text != s {
			t.Fatalf("%q holds nothing of ours, and its text reads %q", s, n.Text)
		}
		if n.Drain < state.NoDeadline || int64(n.Drain) == math.MaxInt64 {
			t.Fatalf("%q gives deadline %d", s, n.Drain)
		}
		if len(n.Text) > len(s) {
			t.Fatalf("%q gives the longer text %q", s, n.Text)
		}
	})
}
