package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"landbridge.dev/sync/reconcile"
	"landbridge.dev/sync/report"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// waitEvery is how often the Service is asked for.
const waitEvery = 250 * time.Millisecond

type waitCommand struct {
	common
	timeout time.Duration
}

func newWait() *cobra.Command {
	c := &waitCommand{}
	cmd := &cobra.Command{
		Use:   "wait NAMESPACE/SERVICE",
		Short: "Wait until a Service is served as it asks",
		Long: "Wait returns when the conditions speak of the Service as it is now and are true.\n" +
			"When the time is over it says what they say, and ends with exit code 1. It\n" +
			"needs the right to get the Service, and no more.",
		Example: "  landbridge wait shop/cart\n" +
			"  landbridge wait shop/cart --timeout 5m",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeService,
		RunE:              func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0], cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig file (default: $KUBECONFIG, the pod's ServiceAccount, or ~/.kube/config)")
	f.DurationVar(&c.timeout, "timeout", time.Minute, "how long to wait; 0 for ever")
	return cmd
}

func (c *waitCommand) run(ctx context.Context, name string, w io.Writer) error {
	ref, ok := state.ParseRef(name)
	if !ok {
		return fmt.Errorf("%q must be NAMESPACE/SERVICE", name)
	}
	if c.timeout < 0 {
		return fmt.Errorf("--timeout %s must not be negative; 0 waits for ever", c.timeout)
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	last := errors.New("the API server did not answer")
	err = wait.PollUntilContextCancel(ctx, waitEvery, true, func(ctx context.Context) (bool, error) {
		svc, err := client.CoreV1().Services(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
		var answer apierrors.APIStatus
		if errors.As(err, &answer) {
			last = err
		}
		if err != nil {
			return false, nil //nolint:nilerr // without an answer the last one holds, until the time is over
		}
		last = standing(svc)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", ref, last)
	}
	_, err = fmt.Fprintf(w, "%s is served\n", ref)
	return err
}

// standing is why a Service is not served as it asks; nil if it is.
func standing(svc *corev1.Service) error {
	c := meta.FindStatusCondition(svc.Status.Conditions, report.Programmed)
	switch {
	case svc.DeletionTimestamp != nil:
		return errors.New("it is being deleted")
	case c == nil && !translate.Addressed(svc):
		return errors.New("it has no annotation of Landbridge, so that no controller serves it: add landbridge.dev/partition or landbridge.dev/class")
	case c == nil:
		return errors.New("no controller has looked at it yet")
	case !reconcile.Current(svc):
		return fmt.Errorf("the controller has not come to its current state yet; of the one before: %s: %s", c.Reason, c.Message)
	case c.Status != metav1.ConditionTrue:
		return fmt.Errorf("%s: %s", c.Reason, c.Message)
	}
	for _, c := range svc.Status.Conditions { // those of its parts
		if strings.HasPrefix(c.Type, translate.Prefix) && c.Status != metav1.ConditionTrue {
			return fmt.Errorf("%s: %s: %s", c.Type, c.Reason, c.Message)
		}
	}
	return nil
}
