package main

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A benchmark's cases are rows, each with the one figure that is asked for.
func TestFound(t *testing.T) {
	t.Parallel()
	output := strings.ReplaceAll(`goos: linux
BenchmarkDispatch/1-2     3   1234567 ns/op   1900 msg/s-bare   1800 msg/s-gateway   0.9474 ratio
BenchmarkDispatch/128-2   3   1234567 ns/op   19800 msg/s-bare   19999 msg/s-gateway   1.010 ratio
BenchmarkDispatched-2     3   1234567 ns/op   7 ratio
PASS
`, "-2 ", fmt.Sprintf("-%d ", runtime.GOMAXPROCS(0)))
	p := part{what: "concurrency", goal: "≥ 0.8 ×", name: "Dispatch", reports: []reported{{"ratio", "×"}}}
	want := [][3]string{{"concurrency 1", "≥ 0.8 ×", "0.9474 ×"}, {"concurrency 128", "≥ 0.8 ×", "1.010 ×"}}
	var got [][3]string
	for _, f := range found(p, output) {
		got = append(got, [3]string{f.what, f.goal, f.measured})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p.what = "burst"
	if rows := found(p, "BenchmarkDispatch  3  1 ns/op  0.5 ratio\n"); len(rows) != 1 || rows[0].what != "burst" {
		t.Errorf("without cases: %+v", rows)
	}
}
