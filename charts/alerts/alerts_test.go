package alerts_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
)

const files = "../landbridge/files"

// rules are those of the chart, which have passed all of what `promtool check
// rules` asks.
func rules(t *testing.T) []rulefmt.Rule {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(files, "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(raw, false, model.LegacyValidation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if groups == nil {
		t.FailNow()
	}
	var all []rulefmt.Rule
	for _, g := range groups.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// expressions are those of the dashboard's panels, by title.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(files, "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(raw, &dashboard); err != nil {
		t.Fatal(err)
	}
	all, ids := map[string]string{}, map[int]bool{}
	for _, p := range dashboard.Panels {
		if ids[p.ID] {
			t.Errorf("panel %q has the number %d of another", p.Title, p.ID)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			if _, twice := all[p.Title]; twice {
				t.Errorf("two targets of %q", p.Title)
			}
			all[p.Title] = target.Expr
		}
	}
	return all
}

// Alerts and panels ask for metrics and labels that docs/metrics.md has, which a
// test of cmd/landbridge holds to the code.
func TestMetrics(t *testing.T) {
	t.Parallel()
	documented := metrics(t)
	all := expressions(t)
	for _, r := range rules(t) {
		all[r.Alert] = r.Expr
	}
	for where, expr := range all {
		e, err := parser.NewParser(parser.Options{}).ParseExpr(variables.ReplaceAllString(expr, "5m"))
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
			selector, ok := n.(*parser.VectorSelector)
			if !ok {
				return nil
			}
			name := base(documented, selector.Name)
			labels, known := documented[name]
			if !known {
				t.Errorf("%s asks for %s, which docs/metrics.md does not have", where, selector.Name)
			}
			for _, m := range selector.LabelMatchers {
				if m.Name != "__name__" && m.Name != "namespace" && !slices.Contains(labels, m.Name) {
					t.Errorf("%s: %s has no label %s", where, name, m.Name)
				}
			}
			return nil
		})
	}
}

// variables are Grafana's.
var variables = regexp.MustCompile(`\$__[a-z_]+`)

// base is the name of the metric that a series is of.
func base(documented map[string][]string, series string) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if name, ok := strings.CutSuffix(series, suffix); ok && documented[name] != nil {
			return name
		}
	}
	return series
}

// metrics are the rows of docs/metrics.md, with their labels.
func metrics(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(landbridge_[a-z_]+)` \\| \\w+ \\|([^|]*)\\|").FindAllStringSubmatch(string(page), -1) {
		rows[row[1]] = []string{"le"}
		for _, label := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[2], -1) {
			rows[row[1]] = append(rows[row[1]], label[1])
		}
	}
	if len(rows) < 20 {
		t.Fatalf("docs/metrics.md has %d metrics", len(rows))
	}
	return rows
}

// Each alert has a paragraph in docs/runbooks.md, and each paragraph an alert.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/runbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	paragraphs := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^### (Landbridge[A-Za-z]+)\n\n\S`).FindAllStringSubmatch(string(page), -1) {
		paragraphs[m[1]] = true
	}
	for _, r := range rules(t) {
		if !paragraphs[r.Alert] {
			t.Errorf("docs/runbooks.md has nothing about %s", r.Alert)
		}
		delete(paragraphs, r.Alert)
		if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s lacks a severity, a summary or a description", r.Alert)
		}
	}
	for name := range paragraphs {
		t.Errorf("docs/runbooks.md is about %s, and there is no such alert", name)
	}
}

// Each alert's expression gives something when it should, and nothing when it
// should not. Series are those of half an hour, a value a minute.
func TestAlerts(t *testing.T) {
	t.Parallel()
	engine := promqltest.NewTestEngine(t, false, 5*time.Minute, 10_000)
	cases := conditions()
	for _, r := range rules(t) {
		c, ok := cases[r.Alert]
		if !ok {
			t.Errorf("%s: say when it fires", r.Alert)
			continue
		}
		for want, series := range map[bool][]string{true: c.fires, false: c.quiet} {
			for _, s := range series {
				if got := gives(t, engine, r.Expr, s); got != want {
					t.Errorf("%s: fires %t, want %t, on\n%s", r.Alert, got, want, s)
				}
			}
		}
		delete(cases, r.Alert)
	}
	for name := range cases {
		t.Errorf("there is no alert %s", name)
	}
}

func gives(t *testing.T, engine *promql.Engine, expr, series string) bool {
	t.Helper()
	storage := promqltest.LoadedStorage(t, "load 1m\n  "+strings.ReplaceAll(series, "\n", "\n  ")+"\n")
	defer storage.Close()
	query, err := engine.NewInstantQuery(t.Context(), storage, nil, expr, time.Unix(0, 0).Add(30*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	vector, err := query.Exec(t.Context()).Vector()
	if err != nil {
		t.Fatal(err)
	}
	return len(vector) > 0
}
