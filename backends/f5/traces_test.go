package f5_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/tracing"
	"landbridge.dev/testenv/bigip"
)

// applyTraced is Apply of Units that each have a trace, and the spans of the
// calls: of which Service's trace, what was called, and how that ended.
func applyTraced(t *testing.T, b apply.Backend, units []apply.Unit) (outs []apply.Outcome, calls []string, all []sdktrace.ReadOnlySpan) {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	recorder := tracing.New(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	var flights []*tracing.Flight
	for _, u := range units {
		now := time.Now()
		flights = append(flights, recorder.Depart(tracing.Departure{Backend: b.Name(), Service: u.Service, Began: now, Ended: now}))
	}
	outs = b.Apply(tracing.With(t.Context(), flights), units)
	for _, f := range flights {
		f.Land(tracing.Landing{Done: true})
	}
	recorder.Forget()
	service := map[string]string{}
	for _, s := range spans.Ended() {
		for _, a := range s.Attributes() {
			if a.Key == "k8s.service.name" {
				service[s.SpanContext().SpanID().String()] = a.Value.AsString()
			}
		}
	}
	for _, s := range spans.Ended() {
		var path, status, resent string
		for _, a := range s.Attributes() {
			switch a.Key {
			case "url.path":
				path = a.Value.String()
			case "http.response.status_code":
				status = a.Value.String()
			case "http.request.resend_count":
				resent = " again " + a.Value.String()
			}
		}
		if path != "" {
			calls = append(calls, fmt.Sprintf("%s: %s %s %s%s", service[s.Parent().SpanID().String()], s.Name(), path, status, resent))
		}
	}
	return outs, calls, spans.Ended()
}

func TestCallsAreTraced(t *testing.T) {
	t.Parallel()
	d := startDevice(t, bigip.Options{})
	b := open(t, optionsFor(d))
	units := newUnits(t, 2)
	outs, calls, _ := applyTraced(t, b, units)
	wantAllDone(t, outs)
	first := units[0].Service.Name
	var want []string
	for _, call := range []string{"POST transaction /mgmt/tm/transaction 200",
		"POST node /mgmt/tm/ltm/node 200", "POST pool /mgmt/tm/ltm/pool 200", "POST virtual /mgmt/tm/ltm/virtual 200",
		"POST node /mgmt/tm/ltm/node 200", "POST pool /mgmt/tm/ltm/pool 200", "POST virtual /mgmt/tm/ltm/virtual 200",
	} {
		want = append(want, first+": "+call)
	}
	calls = slices.DeleteFunc(calls, func(c string) bool { return strings.Contains(c, "login") })
	if len(calls) == 0 || !strings.HasPrefix(calls[len(calls)-1], first+": PATCH transaction /mgmt/tm/transaction/") {
		t.Fatalf("calls %q", calls)
	}
	if diff := cmp.Diff(want, calls[:len(calls)-1]); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}

	// What no transaction can hold goes with calls of its own, in its own trace.
	change := func(u apply.Unit) apply.Unit {
		off := *virtualOf(u)
		off.Disabled = true
		return apply.Unit{Service: u.Service, Changes: []plan.Change{{Op: plan.Update, Before: virtualOf(u), After: &off}}}
	}
	anew := func(u apply.Unit) apply.Unit {
		return apply.Unit{Service: u.Service, Changes: []plan.Change{{Op: plan.Delete, Before: virtualOf(u)}, {Op: plan.Create, After: virtualOf(u)}}}
	}
	outs, calls, _ = applyTraced(t, b, []apply.Unit{change(units[0]), anew(units[1])})
	wantAllDone(t, outs)
	slices.Sort(calls)
	second := units[1].Service.Name
	path := func(u apply.Unit) string {
		return "/mgmt/tm/ltm/virtual/" + strings.ReplaceAll(virtualOf(u).Path, "/", "~")
	}
	if diff := cmp.Diff([]string{
		first + ": PATCH virtual " + path(units[0]) + " 200",
		second + ": DELETE virtual " + path(units[1]) + " 200",
		second + ": POST virtual /mgmt/tm/ltm/virtual 200",
	}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// TestNoSecretIsTraced has a device forget the token, which it names in its
// answer, and the call be made again.
func TestNoSecretIsTraced(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, `{"kind":"tm:ltm:pool:poolstate","secret":"in the body"}`)
	})
	b := f.open(t, nil)
	p := testPool("cart_80")
	q := *p
	q.Mode = "ratio-member"
	units := []apply.Unit{{Service: cart, Changes: []plan.Change{{Op: plan.Update, Before: p, After: &q}}}}
	if outs, _, _ := applyTraced(t, b, units); outs[0].Status != apply.Done {
		t.Fatalf("%+v", outs)
	}
	f.forgetTokens()
	outs, calls, all := applyTraced(t, b, units)
	if outs[0].Status != apply.Done {
		t.Fatalf("%+v", outs)
	}
	path := "cart: PATCH pool /mgmt/tm/ltm/pool/" + strings.ReplaceAll(p.Path, "/", "~")
	if diff := cmp.Diff([]string{path + " 401", "cart: POST token /mgmt/shared/authn/login 200", path + " 200 again 1"}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	f.mu.Lock()
	secrets := append([]string{password, "in the body", "ratio-member"}, f.issued...)
	f.mu.Unlock()
	for _, s := range all {
		text := fmt.Sprint(s.Name(), s.Attributes(), s.Events(), s.Status(), s.Links())
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in a span: %s", secret, text)
			}
		}
	}
}
