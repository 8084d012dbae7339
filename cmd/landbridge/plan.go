package main

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/spf13/cobra"
)

// planHasChanges is the exit code of a plan with changes.
const planHasChanges exitCode = 2

type planCommand struct {
	common
	output string
}

func newPlan() *cobra.Command {
	p := &planCommand{}
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what would change now, and change nothing",
		Long: "Plan reads the cluster and the devices once and shows what a controller would\n" +
			"change now, also where the configuration says mode: plan or paused: true. It\n" +
			"writes nothing, and works with a device user that may only read.\n\n" +
			"Exit code 0: nothing to change; 2: changes; 1: an error.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	p.register(cmd.Flags())
	cmd.Flags().StringVarP(&p.output, "output", "o", "text", "text or json")
	return cmd
}

func (p *planCommand) run(ctx context.Context, w io.Writer) error {
	if err := checkOutput(p.output); err != nil {
		return err
	}
	view, err := p.look(ctx)
	if err != nil {
		return err
	}
	report := view.Plan(time.Now())
	if p.output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		err = e.Encode(report)
	} else {
		err = report.Text(w)
	}
	if err == nil && report.Changes() > 0 {
		return planHasChanges
	}
	return err
}
