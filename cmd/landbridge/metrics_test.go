package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"landbridge.dev/mq/manage"
)

// described is a registry that only notes what is registered with it.
type described struct {
	metrics map[string][]string // labels by name
}

var description = regexp.MustCompile(`^Desc\{fqName: "([^"]+)".*variableLabels: \{([^}]*)\}\}$`)

func (d *described) Register(c prometheus.Collector) error {
	found := make(chan *prometheus.Desc, 16)
	c.Describe(found)
	close(found)
	for desc := range found {
		m := description.FindStringSubmatch(desc.String())
		d.metrics[m[1]] = strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' })
	}
	return nil
}

func (d *described) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		_ = d.Register(c)
	}
}

func (d *described) Unregister(prometheus.Collector) bool { return false }

// Every metric has its row in docs/metrics.md, with its labels, and every row
// its metric.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	code := regexp.MustCompile("`([a-z_]+)`")
	for _, row := range regexp.MustCompile("(?m)^\\| `(landbridge_[a-z_]+)` \\| \\w+ \\|([^|]*)\\|").FindAllStringSubmatch(string(page), -1) {
		if rows[row[1]] != nil {
			t.Errorf("docs/metrics.md has %s twice", row[1])
		}
		rows[row[1]] = []string{}
		for _, label := range code.FindAllStringSubmatch(row[2], -1) {
			rows[row[1]] = append(rows[row[1]], label[1])
		}
	}
	registered := &described{metrics: map[string][]string{}}
	newMetrics(registered)
	newGatewayMetrics(registered)
	registered.MustRegister(manage.NewCollector(nil, nil))
	if len(registered.metrics) < 10 {
		t.Fatalf("only %d metrics were found", len(registered.metrics))
	}
	for name, labels := range registered.metrics {
		switch row, ok := rows[name]; {
		case !ok:
			t.Errorf("docs/metrics.md lacks %s", name)
		case !slices.Equal(row, labels):
			t.Errorf("docs/metrics.md gives %s the labels %v; it has %v", name, row, labels)
		}
		delete(rows, name)
	}
	for name := range rows {
		t.Errorf("docs/metrics.md has %s, which is no metric", name)
	}
}
