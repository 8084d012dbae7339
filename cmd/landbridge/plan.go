package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"k8s.io/client-go/kubernetes"

	"landbridge.dev/backends/f5"
	"landbridge.dev/config"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/reconcile"
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
			"change now. It writes nothing, and works with a device user that may only read.\n\n" +
			"Exit code 0: nothing to change; 2: changes; 1: an error.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	p.register(cmd.Flags())
	cmd.Flags().StringVarP(&p.output, "output", "o", "text", "text or json")
	return cmd
}

func (p *planCommand) run(ctx context.Context, w io.Writer) error {
	if p.output != "text" && p.output != "json" {
		return fmt.Errorf("--output %q must be text or json", p.output)
	}
	report, err := p.report(ctx)
	if err != nil {
		return err
	}
	if err := write(w, report, p.output); err != nil {
		return err
	}
	if report.Changes() > 0 {
		return planHasChanges
	}
	return nil
}

func (p *planCommand) report(ctx context.Context) (*plan.Report, error) {
	c, err := config.Load(p.config)
	if err != nil {
		return nil, err
	}
	kube, err := p.restConfig()
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(kube)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	identity, err := identify(ctx, client, c)
	if err != nil {
		return nil, err
	}
	backends, logOut, err := devices(c, identity, zap.NewNop(), f5.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		return nil, err
	}
	defer logOut()
	return reconcile.Plan(ctx, reconcile.PlanOptions{Client: client, Config: c, Identity: identity, Backends: backends})
}

func write(w io.Writer, report *plan.Report, output string) error {
	if output == "text" {
		return report.Text(w)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(report)
}
