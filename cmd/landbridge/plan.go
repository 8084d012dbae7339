package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/config"
	"landbridge.dev/sync/inquiry"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/reconcile"
	"landbridge.dev/sync/state"
)

// planHasChanges is the exit code of a plan with changes.
const planHasChanges exitCode = 2

type planCommand struct {
	common
	lease  leaseFlags
	output string
	files  manifests
	asking
}

func newPlan() *cobra.Command {
	p := &planCommand{}
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what would change now, and change nothing",
		Long: "Plan shows what the controller would change now, also where the configuration\n" +
			"says mode: plan or paused: true. It asks the running one, with the caller's rights\n" +
			"in the namespace, by an object of the kind Inquiry.\n\n" +
			"With --local, or --config, it reads the cluster and the devices once by itself. It\n" +
			"writes nothing then, and works with a device user that may only read. Of routes it\n" +
			"knows what Services remember of them, and of sessions with routers what the\n" +
			"controller says on its Lease.\n\n" +
			"With -f it shows, by itself, what would change if these manifests were applied now,\n" +
			"and only of their Services; other kinds are passed over. The API server is asked to\n" +
			"fill in and to check each of them without keeping it (dry run), which takes the\n" +
			"rights to get, create and update Services. Pods are not guessed at: a Service that\n" +
			"is not there yet is shown without members.\n\n" +
			"What waits for approval is shown with its hash, reason ApprovalRequired: approve it\n" +
			"by the annotation landbridge.dev/approved.\n\n" +
			"Exit code 0: nothing to change; 2: changes; 1: an error, or with -f a Service that\n" +
			"would be held as it stands for anything but a missing approval.",
		Example: "  landbridge plan -n shop\n" +
			"  landbridge plan --config landbridge.yaml     # before there is a controller\n" +
			"  landbridge plan --config landbridge.yaml -f service.yaml   # what a manifest would change",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p.local = p.byItself(cmd.Flags()) || p.files.given()
			return p.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	p.common.register(cmd.Flags())
	p.asking.register(cmd.Flags())
	p.lease.registerName(cmd.Flags(), leaseOfRelease)
	cmd.Flags().StringVarP(&p.output, "output", "o", "text", "text or json")
	p.files.register(cmd.Flags())
	return cmd
}

func (p *planCommand) run(ctx context.Context, w, notes io.Writer) error {
	if err := checkOutput(p.output); err != nil {
		return err
	}
	report := &plan.Report{}
	if !p.local {
		if err := p.ask(ctx, &p.common, &p.lease, inquiry.Question{About: inquiry.Plan}, state.Ref{}, report); err != nil {
			return err
		}
	} else if err := p.read(ctx, report, notes); err != nil {
		return err
	}
	var err error
	if p.output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		err = e.Encode(report)
	} else {
		err = report.Text(w)
	}
	switch {
	case err != nil:
		return err
	case p.files.given() && len(report.Faults()) > 0:
		return fmt.Errorf("%s: it would be held as it stands: see the problems above", report.Faults()[0].Service)
	case report.Changes() > 0:
		return planHasChanges
	}
	return nil
}

// read is the plan as the command finds it by itself.
func (p *planCommand) read(ctx context.Context, into *plan.Report, notes io.Writer) error {
	conf, err := config.Load(p.config)
	if err != nil {
		return err
	}
	if p.files.namespace = p.namespace; p.namespace == "" {
		p.files.namespace = metav1.NamespaceDefault
	}
	planned, err := p.files.planned(ctx, &p.common, notes)
	if err != nil {
		return err
	}
	view, said, err := p.lookAtSessions(ctx, &p.lease, notes, reconcile.LookOptions{Config: conf, Instead: planned})
	if err != nil {
		return err
	}
	switch {
	case p.files.given():
		refs := refsOf(planned)
		*into = *view.PlanOf(time.Now(), func(ref state.Ref) bool { return slices.Contains(refs, ref) })
	case p.namespace != "" && !p.all:
		*into = *view.PlanOf(time.Now(), p.of())
	default:
		*into = *view.Plan(time.Now())
		into.Sessions = changedSessions(said, view.Config)
	}
	return nil
}
