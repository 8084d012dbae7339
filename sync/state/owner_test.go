package state_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"landbridge.dev/sync/state"
)

var cartOwner = state.Owner{Cluster: "prod", UID: "0123abcd", Service: state.Ref{Namespace: "shop", Name: "cart"}}

const cartTag = "landbridge cluster=prod uid=0123abcd service=shop/cart"

func TestParseTag(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, description string
		foreign           bool
	}{
		{name: "the tag alone", description: cartTag},
		{name: "text of the network team before and after it", description: "CHG0042 " + cartTag + " do not touch"},
		{name: "on a line of its own", description: "see wiki\n" + cartTag + "\nbye"},
		{name: "more words of ours", description: cartTag + " drain-until=none"},
		{name: "nothing", foreign: true},
		{name: "a person's text", description: "shop cart pool", foreign: true},
		{name: "no uid", description: "landbridge cluster=prod service=shop/cart", foreign: true},
		{name: "a uid too short", description: "landbridge cluster=prod uid=0123abc service=shop/cart", foreign: true},
		{name: "a uid too long", description: "landbridge cluster=prod uid=0123abcde service=shop/cart", foreign: true},
		{name: "a uid that is not hex", description: "landbridge cluster=prod uid=0123abcg service=shop/cart", foreign: true},
		{name: "no Service", description: "landbridge cluster=prod uid=0123abcd", foreign: true},
		{name: "a Service without namespace", description: "landbridge cluster=prod uid=0123abcd service=cart", foreign: true},
		{name: "inside another word", description: "not-" + cartTag, foreign: true},
		{name: "cut off by a word that goes on", description: cartTag + "_80", foreign: true},
		{name: "capital letters", description: "Landbridge cluster=prod uid=0123abcd service=shop/cart", foreign: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, ok := state.ParseTag(test.description)
			want := cartOwner
			if test.foreign {
				want = state.Owner{}
			}
			if ok == test.foreign {
				t.Errorf("ok is %t", ok)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestIdentityOwns(t *testing.T) {
	t.Parallel()
	us := state.Identity{Cluster: "prod", UID: "0123abcd", Former: []string{"99999999"}}
	for _, test := range []struct {
		name string
		by   state.Owner
		want bool
	}{
		{name: "what we made", by: cartOwner, want: true},
		{name: "what this cluster made before it was built anew", by: state.Owner{Cluster: "prod", UID: "99999999", Service: cartOwner.Service}, want: true},
		{name: "another cluster of our name", by: state.Owner{Cluster: "prod", UID: "88888888", Service: cartOwner.Service}},
		{name: "another cluster with our uid", by: state.Owner{Cluster: "test", UID: "0123abcd", Service: cartOwner.Service}},
		{name: "nobody", by: state.Owner{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := us.Owns(test.by); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
	if (state.Identity{}).Owns(state.Owner{}) {
		t.Error("an installation that does not know who it is owns foreign objects")
	}
	if diff := cmp.Diff(cartOwner, us.Owner(cartOwner.Service)); diff != "" {
		t.Errorf("Owner (-want +got):\n%s", diff)
	}
}

func TestMemberNote(t *testing.T) {
	t.Parallel()
	until := state.DeadlineAt(time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC))
	for _, test := range []struct {
		name        string
		drain       state.Deadline
		terminating bool
		want        string
	}{
		{name: "a member that serves", want: cartTag},
		{name: "one that drains", drain: until, want: cartTag + " drain-until=2026-07-01T12:00:00Z"},
		{name: "one that drains without limit", drain: state.NoDeadline, want: cartTag + " drain-until=none"},
		{name: "one whose pod ends", drain: until, terminating: true, want: cartTag + " drain-until=2026-07-01T12:00:00Z terminating=true"},
		{name: "one that still serves while its pod ends", terminating: true, want: cartTag + " terminating=true"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := state.MemberNote(cartOwner, test.drain, test.terminating)
			if got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
			for _, around := range []string{got, "kept by ops " + got + " since May"} {
				o, drain, terminating, ok := state.ParseMemberNote(around)
				if !ok || o != cartOwner || drain != test.drain || terminating != test.terminating {
					t.Errorf("%q reads as %v, %s, %t, %t", around, o, drain, terminating, ok)
				}
			}
		})
	}
}

func TestParseMemberNoteUnreadable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, note string
		foreign    bool
	}{
		{name: "a deadline without a tag is a foreign member", note: "drain-until=none terminating=true", foreign: true},
		{name: "a malformed deadline starts the drain anew", note: cartTag + " drain-until=soon"},
		{name: "a deadline before 1970", note: cartTag + " drain-until=1969-12-31T23:59:59Z"},
		{name: "an empty deadline", note: cartTag + " drain-until="},
		{name: "terminating is written in one way only", note: cartTag + " terminating=yes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o, drain, terminating, ok := state.ParseMemberNote(test.note)
			if ok == test.foreign || ok && o != cartOwner || drain.Set() || terminating {
				t.Errorf("got %v, %s, %t, %t", o, drain, terminating, ok)
			}
		})
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 7, 1, 12, 0, 0, 1, time.UTC)
	d := state.DeadlineAt(at)
	if want := at.Truncate(time.Second).Add(time.Second); !d.Time().Equal(want) {
		t.Errorf("a deadline within a second is at %s, want the next one, %s", d, want)
	}
	if state.DeadlineAt(at.Truncate(time.Second)).Time() != at.Truncate(time.Second) {
		t.Error("a deadline on a second is not that second")
	}
	if d.Passed(at) || !d.Passed(d.Time()) {
		t.Error("a deadline passes at its time and not before")
	}
	for _, never := range []state.Deadline{0, state.NoDeadline} {
		if never.Passed(at) || !never.Time().IsZero() {
			t.Errorf("deadline %q has a time", never)
		}
	}
	if state.Deadline(0).Set() || !state.NoDeadline.Set() || !d.Set() {
		t.Error("Set is wrong")
	}
}

// Whatever an owner, deadline and mark: what is written is read back, with any
// text of others around it.
func TestMemberNoteRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := state.Owner{
			Cluster: rapid.StringMatching(`[a-z0-9]([-a-z0-9]{0,18}[a-z0-9])?`).Draw(t, "cluster"),
			UID:     rapid.StringMatching(`[0-9a-f]{8}`).Draw(t, "uid"),
			Service: state.Ref{
				Namespace: rapid.StringMatching(`[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?`).Draw(t, "namespace"),
				Name:      rapid.StringMatching(`[a-z]([-a-z0-9]{0,61}[a-z0-9])?`).Draw(t, "name"),
			},
		}
		drain := state.Deadline(rapid.Int64Range(-1, 253402300799).Draw(t, "drain")) // to the end of year 9999, as RFC 3339
		terminating := rapid.Bool().Draw(t, "terminating")
		around := rapid.StringMatching(`[ -~]{0,20}`)
		note := around.Draw(t, "before") + " " + state.MemberNote(o, drain, terminating) + " "
		gotOwner, gotDrain, gotTerminating, ok := state.ParseMemberNote(note)
		if !ok || gotOwner != o || gotDrain != drain || gotTerminating != terminating {
			t.Fatalf("%q reads as %v, %s, %t, %t", note, gotOwner, gotDrain, gotTerminating, ok)
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

func FuzzParseMemberNote(f *testing.F) {
	for _, s := range []string{
		cartTag, cartTag + " drain-until=2026-07-01T12:00:00Z terminating=true", cartTag + " drain-until=none",
		cartTag + " drain-until=2026-07-01T12:00:00.5+02:00", cartTag + " drain-until=9999-12-31T23:59:59.9Z",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, drain, terminating, ok := state.ParseMemberNote(s)
		if !ok {
			if !o.IsZero() || drain.Set() || terminating {
				t.Fatalf("%q is foreign and yet %v, %s, %t", s, o, drain, terminating)
			}
			return
		}
		if drain < state.NoDeadline || int64(drain) == math.MaxInt64 {
			t.Fatalf("%q gives deadline %d", s, drain)
		}
		note := state.MemberNote(o, drain, terminating)
		o2, drain2, terminating2, ok := state.ParseMemberNote(note)
		if !ok || o2 != o || drain2 != drain || terminating2 != terminating {
			t.Errorf("%q is written as %q, which gives %v, %s, %t, %t", s, note, o2, drain2, terminating2, ok)
		}
	})
}
