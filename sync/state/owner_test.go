package state_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
