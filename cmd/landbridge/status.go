package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"landbridge.dev/config"
	"landbridge.dev/sync/inquiry"
	"landbridge.dev/sync/reconcile"
	"landbridge.dev/sync/state"
)

// measureOne is for how long the share of a single Service is measured.
const measureOne = 5 * time.Second

type statusCommand struct {
	common
	lease   leaseFlags
	output  string
	measure time.Duration
	asking
}

func newStatus() *cobra.Command {
	s := &statusCommand{}
	cmd := &cobra.Command{
		Use:   "status [NAMESPACE/SERVICE]",
		Short: "Show how Services stand on the devices, and why",
		Long: "Status asks the running controller, with the caller's rights in the namespace, by\n" +
			"an object of the kind Inquiry; with --local, or --config, it reads the cluster and\n" +
			"the devices once by itself. It shows a line for each Service\n" +
			"that speaks to Landbridge: its address, its pods and VMs, how many are up and how\n" +
			"many drain, the share of the pods where there are both, how many of its routes\n" +
			"are announced, and its condition; then the sessions with routers. With the name\n" +
			"of one, why, each member, and what each router is told.\n\n" +
			"The share is, in per cent: asked/as the members' ratios stand/measured. It is\n" +
			"measured from the device's counters of new connections, for --measure.\n\n" +
			"Exit code 0; 1 if a device cannot be read, whose part is left out then, or if\n" +
			"there is no such Service.",
		Example: "  landbridge status -n shop\n" +
			"  landbridge status shop/cart\n" +
			"  landbridge status --config landbridge.yaml   # by itself, also without a controller",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: s.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && !cmd.Flags().Changed("measure") {
				s.measure = measureOne
			}
			s.local = s.byItself(cmd.Flags())
			return s.run(cmd.Context(), args, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	s.common.register(cmd.Flags())
	s.asking.register(cmd.Flags())
	s.lease.registerName(cmd.Flags(), leaseOfRelease)
	cmd.Flags().StringVarP(&s.output, "output", "o", "text", "text or json")
	cmd.Flags().DurationVar(&s.measure, "measure", 0, "for how long the share is measured; 0: not (default 5s for one Service)")
	return cmd
}

func (s *statusCommand) run(ctx context.Context, args []string, w, notes io.Writer) error {
	if err := checkOutput(s.output); err != nil {
		return err
	}
	if s.measure < 0 {
		return fmt.Errorf("--measure %s must not be negative; 0 measures nothing", s.measure)
	}
	var of state.Ref
	if len(args) == 1 {
		ref, ok := state.ParseRef(args[0])
		if !ok {
			return fmt.Errorf("%q must be NAMESPACE/SERVICE", args[0])
		}
		of = ref
	}
	status := &reconcile.Status{}
	question := inquiry.Question{About: inquiry.Status, MeasureSeconds: int(s.measure.Round(time.Second) / time.Second)}
	var err error
	if s.local {
		status, err = s.read(ctx, of, notes)
	} else {
		err = s.ask(ctx, &s.common, &s.lease, question, of, status)
	}
	if err != nil {
		return err
	}
	if len(args) == 1 {
		status.Services = slices.DeleteFunc(status.Services, func(svc reconcile.ServiceStatus) bool { return svc.Service != args[0] })
		if len(status.Services) == 0 {
			return fmt.Errorf("service %s: it is not there, or has no annotation of Landbridge", args[0])
		}
	}
	switch {
	case s.output == "json":
		err = status.JSON(w)
	case len(args) == 1:
		err = status.Services[0].Words(w)
	default:
		err = status.Table(w)
	}
	for _, u := range status.Unread {
		err = errors.Join(err, fmt.Errorf("%s: what stands there is not shown: %s", u.Backend, u.Error))
	}
	return err
}

// read is the status as the command finds it by itself.
func (s *statusCommand) read(ctx context.Context, of state.Ref, notes io.Writer) (*reconcile.Status, error) {
	conf, err := config.Load(s.config)
	if err != nil {
		return nil, err
	}
	view, _, err := s.lookAtSessions(ctx, &s.lease, notes, reconcile.LookOptions{
		Config: conf, Partial: true, Measure: s.measure, MeasureOf: of, Queues: lookAtQueues(conf),
	})
	if err != nil {
		return nil, err
	}
	status := view.Status(time.Now())
	if s.namespace != "" && !s.all && of.IsZero() {
		status = status.Of(s.of())
	}
	return status, nil
}
