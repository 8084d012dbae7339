package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"landbridge.dev/sync/reconcile"
)

// How long an allowance holds, and how often a controller looks for one.
const (
	allowFor   = 10 * time.Minute
	allowEvery = 3 * time.Second
)

// allowAnnotation on the leader's Lease carries "HASH UNTIL", the time in RFC
// 3339, several joined by commas: who may let a plan through is whoever may
// patch the Lease.
const allowAnnotation = "landbridge.dev/allow"

type allowCommand struct {
	common
	lease leaseFlags
}

func newAllow() *cobra.Command {
	a := &allowCommand{}
	cmd := &cobra.Command{
		Use:   "allow HASH",
		Short: "Let the plan with this hash through the brake, for ten minutes",
		Long: "Allow releases a brake for exactly the removals that it holds now. Their hash\n" +
			"stands in the condition and the event of each Service concerned, reason Braked,\n" +
			"and in the controller's log.\n\n" +
			"It needs the rights to get and to patch the leader's Lease, which the controller\n" +
			"has: in its pod no more is to be said than the hash.",
		Example: "  landbridge allow 0123456789ab    # the hash in the condition of a Service, reason Braked",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd.Context(), args[0], cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.kubeconfig, "kubeconfig", "", "kubeconfig file (default: $KUBECONFIG, the pod's ServiceAccount, or ~/.kube/config)")
	a.lease.registerName(f, leaseOfRelease)
	return cmd
}

func (a *allowCommand) run(ctx context.Context, hash string, w io.Writer) error {
	if !regexp.MustCompile(`^[0-9a-f]{12}$`).MatchString(hash) {
		return fmt.Errorf("%q is not a plan's hash: 12 hex digits, as in the message of a Service with the reason Braked", hash)
	}
	kube, err := a.restConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(kube)
	if err != nil {
		return fmt.Errorf("kubernetes: %w", err)
	}
	namespace := a.lease.controllersNamespace()
	until := time.Now().Add(allowFor).UTC().Truncate(time.Second)
	leases := client.CoordinationV1().Leases(namespace)
	lease, err := leases.Get(ctx, a.lease.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("there is no lease %s in namespace %s: name that of the controller with --lease-namespace and --lease-name", a.lease.name, namespace)
	}
	if err != nil {
		return fmt.Errorf("lease %s/%s: %w", namespace, a.lease.name, err)
	}
	given := []string{hash + " " + until.Format(time.RFC3339)}
	for _, other := range parseAllowances(lease.Annotations[allowAnnotation]) {
		if other.hash != hash && time.Now().Before(other.until) {
			given = append(given, other.hash+" "+other.until.Format(time.RFC3339))
		}
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"annotations": map[string]string{allowAnnotation: strings.Join(given, ",")},
	}})
	if err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	_, err = leases.Patch(ctx, a.lease.name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "landbridge-allow"})
	if err != nil {
		return fmt.Errorf("lease %s/%s: %w", namespace, a.lease.name, err)
	}
	_, err = fmt.Fprintf(w, "plan %s is allowed until %s\n", hash, until.Format(time.RFC3339))
	return err
}

// watchAllowances takes up what `landbridge allow` wrote on the Lease.
func (l *leaseFlags) watchAllowances(ctx context.Context, client kubernetes.Interface, r *reconcile.Reconciler, log *zap.Logger) error {
	namespace, err := l.leaseNamespace()
	if err != nil {
		return err
	}
	tick := time.NewTicker(allowEvery)
	defer tick.Stop()
	last := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		lease, err := client.CoordinationV1().Leases(namespace).Get(ctx, l.name, metav1.GetOptions{})
		if err != nil || lease.Annotations[allowAnnotation] == last {
			continue // while the API server is away nothing is allowed anew
		}
		last = lease.Annotations[allowAnnotation]
		for _, given := range parseAllowances(last) {
			if time.Now().Before(given.until) {
				log.Info("plan allowed", zap.String("hash", given.hash), zap.Time("until", given.until))
				r.Allow(given.hash, given.until)
			}
		}
	}
}

// allowance is one plan that was let through, and until when.
type allowance struct {
	hash  string
	until time.Time
}

// parseAllowances reads the annotation; what cannot be read allows nothing.
func parseAllowances(s string) []allowance {
	var given []allowance
	for entry := range strings.SplitSeq(s, ",") {
		hash, at, _ := strings.Cut(entry, " ")
		if until, err := time.Parse(time.RFC3339, at); err == nil {
			given = append(given, allowance{hash: hash, until: until})
		}
	}
	return given
}
