package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"landbridge.dev/sync/reconcile"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// showEvery is how often a device is asked whether it shows what was ordered:
// each time it is read once.
const showEvery = 2 * time.Second

type shareCommand struct {
	common
	port    string
	yes     bool
	wait    bool
	timeout time.Duration
}

func newShare() *cobra.Command {
	c := &shareCommand{}
	cmd := &cobra.Command{
		Use:   "share NAMESPACE/SERVICE PERCENT",
		Short: "Move new connections between the pods and the VMs of a Service",
		Long: "Share shows what would change for a Service if PERCENT of its new connections\n" +
			"went to its pods, asks, and sets its annotation landbridge.dev/pod-share, or with\n" +
			"--port that of one port. A running controller does the rest; --wait waits for it.\n" +
			"Where the plan has a problem nothing is written.\n\n" +
			"It needs the rights to read what a controller reads, and to patch the Service.",
		Example: "  landbridge share shop/cart 25 --wait --config landbridge.yaml\n" +
			"  landbridge share shop/cart 0 --yes --config landbridge.yaml        # back to the VMs, at once\n" +
			"  landbridge share shop/cart 50 --port https --config landbridge.yaml",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: c.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.run(cmd.Context(), args[0], args[1], cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	c.register(f)
	f.StringVar(&c.port, "port", "", "name or number of a Service port, where ports have shares of their own")
	f.BoolVar(&c.yes, "yes", false, "do not ask")
	f.BoolVar(&c.wait, "wait", false, "wait until the device shows it")
	f.DurationVar(&c.timeout, "timeout", 2*time.Minute, "how long to wait; 0 for ever")
	return cmd
}

func (c *shareCommand) run(ctx context.Context, name, share string, w io.Writer) error {
	if c.timeout < 0 {
		return fmt.Errorf("--timeout %s must not be negative; 0 waits for ever", c.timeout)
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	svc, ref, err := getService(ctx, client, name)
	if err != nil {
		return err
	}
	changed, key, err := translate.WithShare(svc, share, c.port)
	if err != nil {
		return fmt.Errorf("%s: %w", ref, err)
	}
	view, err := c.look(ctx, reconcile.LookOptions{Instead: []*corev1.Service{changed}})
	if err != nil {
		return err
	}
	plan := view.PlanOf(time.Now(), func(r state.Ref) bool { return r == ref })
	if err := plan.Text(w); err != nil {
		return err
	}
	if len(plan.Faults()) > 0 {
		return fmt.Errorf("%s: with %s: %s there are the problems above, and nothing was changed", ref, key, share)
	}
	if svc.Annotations[key] == share {
		fmt.Fprintf(w, "%s: %s is %s already\n", ref, key, share)
	} else {
		if err := confirm(ctx, os.Stdin, w, fmt.Sprintf("Set %s: %s on %s?", key, share, ref), c.yes); err != nil {
			return err
		}
		if err := annotate(ctx, client, svc, map[string]any{key: share}); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s: %s is now %s\n", ref, key, share)
	}
	for _, a := range plan.Approvals {
		fmt.Fprintf(w, "%s: it waits for approval: %sapproved: %s\n", ref, translate.Prefix, a.Hash)
	}
	if !c.wait {
		return nil
	}
	return c.await(ctx, name, ref, w)
}

// await waits until the conditions are true of the Service as it is now, and
// nothing is left to change for it on a device.
func (c *shareCommand) await(ctx context.Context, name string, ref state.Ref, w io.Writer) error {
	began := time.Now()
	waiting := waitCommand{common: c.common, timeout: c.timeout}
	if err := waiting.run(ctx, name, io.Discard); err != nil {
		return err
	}
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout-time.Since(began))
		defer cancel()
	}
	last := errors.New("the time is over before the device was read")
	err := wait.PollUntilContextCancel(ctx, showEvery, true, func(ctx context.Context) (bool, error) {
		view, err := c.look(ctx, reconcile.LookOptions{})
		if err != nil {
			if ctx.Err() == nil {
				last = err
			}
			return false, nil
		}
		plan := view.PlanOf(time.Now(), func(r state.Ref) bool { return r == ref })
		if n := plan.Changes(); n > 0 {
			last = fmt.Errorf("changes still to be made: %d; see `landbridge plan`", n)
		}
		return plan.Changes() == 0, nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", ref, last)
	}
	_, err = fmt.Fprintf(w, "%s: the devices show it\n", ref)
	return err
}
