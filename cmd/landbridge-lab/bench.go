package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"landbridge.dev/image"
	"landbridge.dev/testenv/netns"
	"landbridge.dev/testenv/scale"
	"landbridge.dev/testenv/world"
)

func newBench() *cobra.Command {
	o := benchOptions{}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what Landbridge promises in numbers, and print a table",
		Long: "Measures at a small and at a large number of Services, in worlds of their own with a\n" +
			"simulated device, then runs the benchmarks of the parts, and prints all beside what is\n" +
			"promised. The numbers are of this machine now; those that compare do so in one run.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return inside(cmd.Context(), netns.Options{
				Prepare: func(ctx context.Context) error { return world.Prepare(ctx, cmd.OutOrStdout()) },
			}, func(ctx context.Context) error { return bench(ctx, cmd.OutOrStdout(), o) })
		},
	}
	cmd.Flags().IntVar(&o.small, "small", 1000, "`Services` of the small scene")
	cmd.Flags().IntVar(&o.large, "large", 25000, "`Services` of the large one; 0 leaves it out")
	cmd.Flags().IntVar(&o.flips, "flips", 500, "`changes` of an endpoint that are measured in each")
	cmd.Flags().BoolVar(&o.parts, "parts", true, "run the benchmarks of the parts too, with the go command")
	return cmd
}

type benchOptions struct {
	small, large, flips int
	parts               bool
}

// figure is one line of the table.
type figure struct{ what, goal, measured string }

func bench(ctx context.Context, out io.Writer, o benchOptions) error {
	began := time.Now()
	fmt.Fprintf(out, "%d Services\n", o.small)
	small, err := scale.Measure(ctx, scale.Options{Services: o.small, Endpoints: 4, Flips: o.flips, Progress: out})
	if err != nil {
		return err
	}
	rows := smallRows(o, small)
	if o.large > 0 {
		fmt.Fprintf(out, "%d Services\n", o.large)
		large, err := scale.Measure(ctx, scale.Options{Services: o.large, Endpoints: 10, Flips: o.flips, Progress: out})
		if err != nil {
			return err
		}
		rows = append(rows, largeRows(o, small, large)...)
	}
	var failed error
	if o.parts {
		var more []figure
		more, failed = partRows(ctx, out)
		rows = append(rows, more...)
	}
	fmt.Fprintf(out, "\ncommit %s, %s, simulated device\n\n", image.Source{Dir: "."}.Release(ctx).Version, time.Since(began).Round(time.Second))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WHAT\tGOAL\tMEASURED")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%s\t%s\n", r.what, r.goal, r.measured)
	}
	return errors.Join(table.Flush(), failed)
}

func smallRows(o benchOptions, f scale.Figures) []figure {
	l := f.Latency
	return []figure{
		{
			fmt.Sprintf("EndpointSlice write → call at the BIG-IP, %d Services", o.small),
			"p50 < 2 ms, p99 < 10 ms more than a bare watch",
			fmt.Sprintf("p50 %s more (%s − %s), p99 %s more (%s − %s)",
				ms(l.Device.P50-l.Watch.P50), ms(l.Device.P50), ms(l.Watch.P50),
				ms(l.Device.P99-l.Watch.P99), ms(l.Device.P99), ms(l.Watch.P99)),
		},
		{"calls for a flip of readiness", "1", fmt.Sprintf("%.3f", float64(l.Calls)/float64(o.flips))},
	}
}

func largeRows(o benchOptions, small, large scale.Figures) []figure {
	a, b := small.Latency, large.Latency
	return []figure{
		{
			fmt.Sprintf("the same at %d Services × 10 endpoints", o.large), "≤ 1.5 ×",
			fmt.Sprintf("p50 %.2f × (%s), p99 %.2f × (%s); the bare watch %.2f × and %.2f ×",
				ratio(b.Device.P50, a.Device.P50), ms(b.Device.P50), ratio(b.Device.P99, a.Device.P99), ms(b.Device.P99),
				ratio(b.Watch.P50, a.Watch.P50), ratio(b.Watch.P99, a.Watch.P99)),
		},
		{
			fmt.Sprintf("restart at %d Services in step", o.large), "0 writes; reads by pages; < 30 s",
			fmt.Sprintf("%d writes, %d reads, %.1f s", large.RestartWrites, large.RestartReads, large.Restart.Seconds()),
		},
		{
			fmt.Sprintf("memory at %d Services × 10 endpoints", o.large), "< 500 MB",
			fmt.Sprintf("%d MB resident, %d MB at most", large.RSS/1e6, large.PeakRSS/1e6),
		},
		{fmt.Sprintf("from an empty device to %d Services in step", o.large), "", fmt.Sprintf("%.0f s", large.Onboarding.Seconds())},
	}
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }
