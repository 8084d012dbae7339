package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"landbridge.dev/sync/reconcile"
	"landbridge.dev/sync/state"
)

type statusCommand struct {
	common
	output string
}

func newStatus() *cobra.Command {
	s := &statusCommand{}
	cmd := &cobra.Command{
		Use:   "status [NAMESPACE/SERVICE]",
		Short: "Show how Services stand on the devices, and why",
		Long: "Status reads the cluster and the devices once and shows a line for each Service\n" +
			"that speaks to Landbridge: its address, its members, how many are up and how\n" +
			"many drain, and its condition. With the name of one, why, and each member.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return s.run(cmd.Context(), args, cmd.OutOrStdout()) },
	}
	s.register(cmd.Flags())
	cmd.Flags().StringVarP(&s.output, "output", "o", "text", "text or json")
	return cmd
}

func (s *statusCommand) run(ctx context.Context, args []string, w io.Writer) error {
	if err := checkOutput(s.output); err != nil {
		return err
	}
	if len(args) == 1 {
		if _, ok := state.ParseRef(args[0]); !ok {
			return fmt.Errorf("%q must be NAMESPACE/SERVICE", args[0])
		}
	}
	view, err := s.look(ctx)
	if err != nil {
		return err
	}
	status := view.Status()
	if len(args) == 1 {
		status.Services = slices.DeleteFunc(status.Services, func(svc reconcile.ServiceStatus) bool { return svc.Service != args[0] })
		if len(status.Services) == 0 {
			return fmt.Errorf("service %s: it is not there, or has no annotation of Landbridge", args[0])
		}
	}
	switch {
	case s.output == "json":
		return status.JSON(w)
	case len(args) == 1:
		return status.Services[0].Words(w)
	}
	return status.Table(w)
}
