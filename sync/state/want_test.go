package state_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/sync/state"
)

func want(t *testing.T) state.Want {
	t.Helper()
	return state.Want{
		Service: cartOwner.Service, Mode: state.Hold, Routes: state.Freeze, Drain: time.Minute,
		Objects: []state.Object{
			&state.Pool{Backend: "bigip/dc1", Path: "/web/p", Owner: cartOwner},
			&state.Pool{Backend: "bigip/dc2", Path: "/web/p", Owner: cartOwner},
		},
		Live: map[state.Address]bool{endpoint(t, "10.0.0.1:80").Address: true},
	}
}

func TestWantOnAwaits(t *testing.T) {
	t.Parallel()
	one, two := state.ID{Backend: "bigip/dc1", Name: "/web/p"}, state.ID{Backend: "bigip/dc2", Name: "/web/p"}
	w := state.Want{Awaited: []state.ID{one, two}}
	if got := w.On("bigip/dc2").Awaited; len(got) != 1 || got[0] != two {
		t.Errorf("on dc2 are awaited %v", got)
	}
}

func TestWantOn(t *testing.T) {
	t.Parallel()
	w := want(t)
	for _, backend := range []string{"bigip/dc1", "bigip/dc2", "bgp"} {
		part := w.On(backend)
		for _, o := range part.Objects {
			if o.ID().Backend != backend {
				t.Errorf("the part on %s holds %s", backend, o.ID())
			}
		}
		mode, live := w.Mode, 1
		if backend == state.Speaker {
			mode, live = state.Freeze, 0
		}
		if part.Service != w.Service || part.Mode != mode || part.Drain != w.Drain || len(part.Live) != live {
			t.Errorf("the part on %s is %+v", backend, part)
		}
	}
	if n := len(w.On("bgp").Objects); n != 0 {
		t.Errorf("%d objects where none are wanted", n)
	}
	if diff := cmp.Diff(want(t), w, equateComparable); diff != "" {
		t.Errorf("On has changed the whole (-want +got):\n%s", diff)
	}
}

func TestWantSame(t *testing.T) {
	t.Parallel()
	if !want(t).Same(want(t)) {
		t.Error("a Want differs from its copy")
	}
	for _, test := range []struct {
		name   string
		change func(*state.Want)
	}{
		{"mode", func(w *state.Want) { w.Mode = state.Freeze }},
		{"a member that is awaited", func(w *state.Want) { w.Awaited = []state.ID{{Backend: "bigip/dc1"}} }},
		{"drain", func(w *state.Want) { w.Drain = -1 }},
		{"an endpoint is gone", func(w *state.Want) { w.Live = nil }},
		{"an object less", func(w *state.Want) { w.Objects = w.Objects[:1] }},
		{"an object changed", func(w *state.Want) {
			w.Objects = []state.Object{w.Objects[0], &state.Pool{Backend: "bigip/dc2", Path: "/web/p", Owner: cartOwner, Mode: "ratio-member"}}
		}},
		{"another Service", func(w *state.Want) { w.Service.Name = "web" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			changed := want(t)
			test.change(&changed)
			if changed.Same(want(t)) || want(t).Same(changed) {
				t.Error("is no difference")
			}
		})
	}
}

func TestProblemsSortByServiceReasonAndMessage(t *testing.T) {
	t.Parallel()
	cart, web := cartOwner.Service, state.Ref{Namespace: "shop", Name: "web"}
	want := []state.Problem{
		{Service: cart, Reason: "A", Message: "1"},
		{Service: cart, Reason: "A", Message: "2"},
		{Service: cart, Reason: "B", Message: "0"},
		{Service: web, Reason: "A", Message: "0"},
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, state.Problem.Compare)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		state.Follow.String(): "follow", state.Hold.String(): "hold", state.Freeze.String(): "freeze", state.Mode(9).String(): "mode 9",
		state.Enabled.String(): "enabled", state.Disabled.String(): "disabled", state.Offline.String(): "offline", state.Admin(9).String(): "admin 9",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
