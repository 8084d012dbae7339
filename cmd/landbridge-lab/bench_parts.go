package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
)

// part is a benchmark of a package that says how we compare with what does
// nothing else, in one run.
type part struct {
	what, goal string
	pkg, name  string
	times      string // how often it is run
	reports    []reported
}

// reported is a figure of a benchmark: the unit that it is reported in, and what
// that is called in the table.
type reported struct{ metric, unit string }

func parts() []part {
	return []part{
		{"burst: 1,000 pools change at once, 30 ms a call", "≤ 1.2 × a bare client", "./backends/f5", "BurstOf1000Pools", "3x", []reported{{"ratio", "×"}}},
		{"queue → pod → acknowledged, messages a second, concurrency", "≥ 0.8 × a bare client", "./mq/dispatch", "Dispatch", "3x", []reported{{"ratio", "×"}}},
		{"queue → pod, added latency", "", "./mq/dispatch", "Latency", "3x", []reported{{"ms-more", "ms more than a bare client, p50"}}},
		{"gateway's heap with 100,000 messages queued", "", "./mq/dispatch", "Backlog", "3x", []reported{{"MB", "MB more"}}},
		{"publish over HTTP, messages a second, concurrency", "≥ 0.8 × a bare handler", "./mq/publish", "Publish", "3x", []reported{{"ratio", "×"}}},
		{"publish in batches, messages a second", "≥ 0.8 × a bare publisher", "./mq/publish", "Batch", "3x", []reported{{"ratio", "×"}}},
		{"25,000 routes to two routers", "≤ 1.5 × bare GoBGP", "./backends/bgp", "Announce", "3x", []reported{{"ratio", "×"}}},
		{
			"a Service → its route at the router (BIRD), after one write of ours", "p50 < 2 ms, p99 < 10 ms more than a bare watch",
			"./testenv", "ServiceToRoute", "200x", []reported{
				{"more-p50-ms", "ms more, p50"}, {"more-p99-ms", "ms more, p99"}, {"write-p50-ms", "ms of it such a write by a bare client, p50"},
				{"ours-p50-ms", "ms what is left, p50"},
			},
		},
	}
}

// partRows runs the benchmarks of the parts. They are in the source tree, so
// the lab must be run from there. One that fails has a row that says so, and the
// error says of which.
func partRows(ctx context.Context, out io.Writer) ([]figure, error) {
	var rows []figure
	var failed error
	for _, p := range parts() {
		fmt.Fprintf(out, "%s: %s\n", p.pkg, p.name)
		cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^Benchmark"+p.name+"$", "-benchtime", p.times, p.pkg)
		raw, err := cmd.CombinedOutput()
		rows = append(rows, found(p, string(raw))...)
		if err != nil {
			fmt.Fprintf(out, "%s", raw)
			failed = errors.Join(failed, fmt.Errorf("benchmark %s of %s: %w", p.name, p.pkg, err))
			rows = append(rows, figure{p.what, p.goal, "failed, as printed above"})
		}
	}
	return rows, failed
}

// found are the rows of a benchmark's output: one for each of its cases.
func found(p part, output string) []figure {
	var rows []figure
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		name, kase, _ := strings.Cut(strings.TrimSuffix(fields[0], fmt.Sprintf("-%d", runtime.GOMAXPROCS(0))), "/")
		if name != "Benchmark"+p.name {
			continue
		}
		var measured []string
		for i := 2; i+1 < len(fields); i++ {
			for _, r := range p.reports {
				if fields[i+1] == r.metric {
					measured = append(measured, fields[i]+" "+r.unit)
				}
			}
		}
		if len(measured) > 0 {
			rows = append(rows, figure{strings.TrimSpace(p.what + " " + kase), p.goal, strings.Join(measured, ", ")})
		}
	}
	return rows
}
