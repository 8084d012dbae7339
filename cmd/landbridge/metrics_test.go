package main

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"landbridge.dev/mq/manage"
)

// described is a registry that only notes what is registered with it, by name.
type described struct{ metrics map[string]metric }

type metric struct {
	kind, help string
	labels     []string
}

var description = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", help: ("(?:[^"\\]|\\.)*"),.*variableLabels: \{([^}]*)\}\}$`)

func (d *described) Register(c prometheus.Collector) error {
	found := make(chan *prometheus.Desc, 16)
	c.Describe(found)
	close(found)
	for desc := range found {
		m := description.FindStringSubmatch(desc.String())
		help, err := strconv.Unquote(m[2])
		if err != nil {
			return err
		}
		d.metrics[m[1]] = metric{kindOf(c), help, strings.FieldsFunc(m[3], func(r rune) bool { return r == ',' })}
	}
	return nil
}

// kindOf is what a collector shows; those of our own show gauges.
func kindOf(c prometheus.Collector) string {
	switch c.(type) {
	case *prometheus.HistogramVec, prometheus.Histogram:
		return "histogram"
	case prometheus.Gauge: // which can do what a Counter can
		return "gauge"
	case *prometheus.CounterVec, prometheus.Counter:
		return "counter"
	}
	return "gauge"
}

// allMetrics are all metrics that the product has.
func allMetrics() map[string]metric {
	d := &described{metrics: map[string]metric{}}
	newMetrics(d)
	newGatewayMetrics(d)
	d.MustRegister(manage.NewCollector(nil, nil))
	return d.metrics
}

func (d *described) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		_ = d.Register(c)
	}
}

func (d *described) Unregister(prometheus.Collector) bool { return false }

// Every metric has its row in docs/metrics.md, with its type and labels, and every
// row its metric.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]metric{}
	code := regexp.MustCompile("`([a-z_]+)`")
	for _, row := range regexp.MustCompile("(?m)^\\| `(landbridge_[a-z_]+)` \\| (\\w+) \\|([^|]*)\\|").FindAllStringSubmatch(string(page), -1) {
		if _, twice := rows[row[1]]; twice {
			t.Errorf("docs/metrics.md has %s twice", row[1])
		}
		m := metric{kind: row[2]}
		for _, label := range code.FindAllStringSubmatch(row[3], -1) {
			m.labels = append(m.labels, label[1])
		}
		rows[row[1]] = m
	}
	all := allMetrics()
	if len(all) < 10 {
		t.Fatalf("only %d metrics were found", len(all))
	}
	for name, m := range all {
		switch row, ok := rows[name]; {
		case !ok:
			t.Errorf("docs/metrics.md lacks %s", name)
		case !slices.Equal(row.labels, m.labels):
			t.Errorf("docs/metrics.md gives %s the labels %v; it has %v", name, row.labels, m.labels)
		case row.kind != m.kind:
			t.Errorf("docs/metrics.md calls %s a %s; it is a %s", name, row.kind, m.kind)
		}
		delete(rows, name)
	}
	for name := range rows {
		t.Errorf("docs/metrics.md has %s, which is no metric", name)
	}
}

// Names, types and labels are as Prometheus' own linter wants them, of those too
// that a new process does not show yet.
func TestMetricsAreConventional(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	all := allMetrics()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := all[name]
		fmt.Fprintf(&text, "# HELP %s %s\n# TYPE %s %s\n", name, strings.ReplaceAll(m.help, `\`, `\\`), name, m.kind)
		sample := name
		if m.kind == "histogram" {
			sample += "_count"
		}
		var labels []string
		for _, l := range m.labels {
			labels = append(labels, l+`="x"`)
		}
		fmt.Fprintf(&text, "%s{%s} 1\n", sample, strings.Join(labels, ","))
	}
	problems, err := promlint.New(strings.NewReader(text.String())).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
