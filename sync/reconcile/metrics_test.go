package reconcile

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// faulty are the Services not as asked, as "BACKEND REASON", without those that
// are 0.
func faulty(t *testing.T, reg *prometheus.Registry) map[string]int {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, f := range families {
		if f.GetName() != "landbridge_services_not_as_asked" {
			continue
		}
		for _, m := range f.GetMetric() {
			if n := int(m.GetGauge().GetValue()); n != 0 {
				found[m.GetLabel()[0].GetValue()+" "+m.GetLabel()[1].GetValue()] = n
			}
		}
	}
	return found
}

func TestServicesNotAsAsked(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	expect := func(when string, want map[string]int) {
		t.Helper()
		got := faulty(t, reg)
		for key, n := range want {
			if got[key] != n {
				t.Errorf("%s: %s is %d, want %d", when, key, got[key], n)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	at := time.Unix(1_800_000_000, 0)
	cart, shop := state.Ref{Namespace: "shop", Name: "cart"}, state.Ref{Namespace: "shop", Name: "shop"}
	m.stands(cart, at, []fault{{"none", "BadAnnotation"}}, nil)
	expect("a standby knows nothing of the outside", nil)
	m.leading(true)
	m.stands(cart, at, []fault{{"none", "BadAnnotation"}, {"bigip/dc1", "Unreachable"}}, nil)
	m.stands(shop, at, []fault{{"bigip/dc1", "Unreachable"}}, nil)
	expect("two of them", map[string]int{"none BadAnnotation": 1, "bigip/dc1 Unreachable": 2})
	m.stands(cart, at, []fault{{"bigip/dc1", "AccessDenied"}}, nil)
	expect("another reason", map[string]int{"bigip/dc1 AccessDenied": 1, "bigip/dc1 Unreachable": 1})
	m.stands(cart, at, nil, nil)
	m.stands(cart, at, nil, nil)
	expect("one is as asked", map[string]int{"bigip/dc1 Unreachable": 1})
	m.stands(cart, at, nil, []fault{{"bigip/dc1", "ChangedByHand"}})
	expect("a notice leaves it so", map[string]int{"bigip/dc1 Unreachable": 1})
	m.leading(false)
	expect("another leads", nil)
	m.leading(true)
	m.stands(cart, at, []fault{{"none", "Paused"}}, nil)
	expect("leading again", map[string]int{"none Paused": 1})
}

// Since when Services are not as asked is shown by the one that has not been so for
// longest, and stays so when only the reason is another.
func TestNotAsAskedSince(t *testing.T) {
	t.Parallel()
	const name = "landbridge_services_not_as_asked_since_timestamp_seconds"
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	expect := func(when string, series ...string) {
		t.Helper()
		want := ""
		if len(series) > 0 {
			want = "# HELP " + name + " Since when the one of these Services is not as asked that has not been so for longest, in Unix time; there while there is one.\n" +
				"# TYPE " + name + " gauge\n" + name + strings.Join(series, "\n"+name) + "\n"
		}
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), name); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	cart, shop := state.Ref{Namespace: "shop", Name: "cart"}, state.Ref{Namespace: "shop", Name: "shop"}
	away, refused := []fault{{"bigip/dc1", "Unreachable"}}, []fault{{"bigip/dc1", "AccessDenied"}}
	first, later, latest := time.Unix(1_800_000_000, 0), time.Unix(1_800_000_100, 0), time.Unix(1_800_000_200, 0)
	m.stands(cart, first, away, nil)
	expect("a standby knows nothing")
	m.leading(true)
	expect("all are as asked")
	m.stands(shop, later, away, nil)
	m.stands(cart, first, away, nil)
	expect("two, the older counts", `{backend="bigip/dc1",reason="Unreachable"} 1.8e+09`)
	m.stands(cart, latest, refused, nil)
	expect("another reason", `{backend="bigip/dc1",reason="AccessDenied"} 1.8e+09`, `{backend="bigip/dc1",reason="Unreachable"} 1.8000001e+09`)
	m.stands(cart, time.Time{}, nil, nil)
	expect("one is as asked", `{backend="bigip/dc1",reason="Unreachable"} 1.8000001e+09`)
	m.stands(cart, latest, refused, nil)
	expect("anew", `{backend="bigip/dc1",reason="AccessDenied"} 1.8000002e+09`, `{backend="bigip/dc1",reason="Unreachable"} 1.8000001e+09`)
	m.leading(false)
	expect("another leads")
}

// Each stage is shown before something fails there, so that the first failure is
// an increase.
func TestKubernetesErrorsBeginAtZero(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	m.failed("gate")
	want := `# HELP landbridge_kubernetes_errors_total Writes to Kubernetes that failed and are tried again, by stage: translate, report, gate, roster.
# TYPE landbridge_kubernetes_errors_total counter
landbridge_kubernetes_errors_total{stage="gate"} 1
landbridge_kubernetes_errors_total{stage="report"} 0
landbridge_kubernetes_errors_total{stage="roster"} 0
landbridge_kubernetes_errors_total{stage="translate"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "landbridge_kubernetes_errors_total"); err != nil {
		t.Error(err)
	}
}

func TestFaultsOfAService(t *testing.T) {
	t.Parallel()
	rec := &serviceRecord{
		result: translate.Result{Problems: []state.Problem{
			{Reason: "BadAnnotation", Message: "one"}, {Reason: "BadAnnotation", Message: "two"}, {Reason: "AddressNotGranted"},
		}, Warnings: []state.Problem{{Reason: "AffinityBehindSNAT", Notice: true}}},
		reports: map[string]apply.Report{
			"bigip/dc1": {Revision: 3, Problems: []state.Problem{{Reason: "AddressInUse"}, {Reason: "ChangedByHand", Notice: true}}},
			"bigip/dc2": {Revision: 2, Problems: []state.Problem{{Reason: "Unreachable"}}}, // of an earlier claim
		},
	}
	newest := map[string]ledger.Revision{"bigip/dc1": 3, "bigip/dc2": 3, "bigip/dc3": 1}
	want := []fault{{"bigip/dc1", "AddressInUse"}, {"none", "AddressNotGranted"}, {"none", "BadAnnotation"}}
	got, notices := rec.faults(newest, nil)
	if len(got) != len(want) {
		t.Fatalf("faults are %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("fault %d is %v, want %v", i, got[i], want[i])
		}
	}
	if want := []fault{{"bigip/dc1", "ChangedByHand"}, {"none", "AffinityBehindSNAT"}}; !slices.Equal(notices, want) {
		t.Errorf("notices are %v, want %v", notices, want)
	}
}
