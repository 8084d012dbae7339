package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"landbridge.dev/config"
	"landbridge.dev/sync/reconcile"
	"landbridge.dev/sync/report"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

type releaseCommand struct {
	common
	keep, remove bool
	all          bool
	yes          bool
	timeout      time.Duration
}

func newRelease() *cobra.Command {
	c := &releaseCommand{}
	cmd := &cobra.Command{
		Use:   "release NAMESPACE/SERVICE --keep|--remove",
		Short: "Give a Service back: Landbridge lets go of it and of what stands outside",
		Long: "Release shows what would change, asks, and takes the annotations of Landbridge\n" +
			"away from a Service; the running controller then lets go of it, and release\n" +
			"waits until it has. With --keep all stays outside as it stands, without our tags,\n" +
			"and goes on serving. With --remove our members drain and go, and so does all else\n" +
			"that is ours; what others made stays, and is put back to what it was.\n\n" +
			"It can be repeated where it was broken off. It needs the rights to read what a\n" +
			"controller reads, and to patch the Service.",
		Example: "  landbridge release shop/cart --keep --config landbridge.yaml     # all stays as it serves\n" +
			"  landbridge release shop/cart --remove --config landbridge.yaml   # what is ours drains and goes",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: c.completeService,
		RunE:              func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args, cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	c.register(f)
	f.BoolVar(&c.keep, "keep", false, "leave all outside as it stands")
	f.BoolVar(&c.remove, "remove", false, "remove what is ours outside, and put back what was lent")
	f.BoolVar(&c.all, "all", false, "all Services of the cluster, or of the namespaces in the configuration")
	f.BoolVar(&c.yes, "yes", false, "do not ask")
	f.DurationVar(&c.timeout, "timeout", 5*time.Minute, "how long to wait for the controller; 0 for ever")
	return cmd
}

func (c *releaseCommand) check(args []string) error {
	switch {
	case c.keep == c.remove:
		return errors.New("say with --keep or --remove what is to become of what stands outside")
	case c.all == (len(args) == 1):
		return errors.New("name one NAMESPACE/SERVICE, or all of them with --all")
	case c.timeout < 0:
		return fmt.Errorf("--timeout %s must not be negative; 0 waits for ever", c.timeout)
	}
	return nil
}

func (c *releaseCommand) run(ctx context.Context, args []string, w io.Writer) error {
	if err := c.check(args); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	services, err := c.services(ctx, client, args)
	if err != nil {
		return err
	}
	var refs []state.Ref
	var changed, asked []*corev1.Service
	var refused error
	for _, svc := range services {
		ref := state.Ref{Namespace: svc.Namespace, Name: svc.Name}
		after, err := translate.Leaving(svc, c.keep)
		if err != nil {
			refused = errors.Join(refused, fmt.Errorf("%s: %w", ref, err))
			continue
		}
		refs, asked, changed = append(refs, ref), append(asked, svc), append(changed, after)
	}
	if len(refs) == 0 {
		if refused == nil {
			_, err := fmt.Fprintln(w, "no Service has anything of Landbridge")
			return err
		}
		return refused
	}
	view, err := c.look(ctx, reconcile.LookOptions{Instead: changed})
	if err != nil {
		return err
	}
	if err := view.PlanOf(time.Now(), func(ref state.Ref) bool { return slices.Contains(refs, ref) }).Text(w); err != nil {
		return err
	}
	if c.remove {
		fmt.Fprintln(w, "What drains goes when it has, and the rest of what is ours with it.")
	}
	for _, svc := range asked {
		if translate.AsksQueue(svc) {
			fmt.Fprintf(w, "%s/%s: gateways take nothing more from its queue, and what its pods have is settled; the queue itself is not ours, and stays.\n", svc.Namespace, svc.Name)
		}
	}
	if err := confirm(ctx, os.Stdin, w, fmt.Sprintf("Release %s?", words(refs)), c.yes); err != nil {
		return err
	}
	for i, svc := range asked {
		if err := annotate(ctx, client, svc, difference(svc, changed[i])); err != nil {
			return err
		}
	}
	return errors.Join(c.await(ctx, client, refs, w), refused)
}

// words names one Service, or counts several.
func words(refs []state.Ref) string {
	if len(refs) == 1 {
		return refs[0].String()
	}
	return fmt.Sprintf("%d Services", len(refs))
}

// services are those to be released.
func (c *releaseCommand) services(ctx context.Context, client kubernetes.Interface, args []string) ([]*corev1.Service, error) {
	if len(args) == 1 {
		svc, ref, err := getService(ctx, client, args[0])
		if err == nil && !ofOurs(svc) {
			err = fmt.Errorf("%s: the Service has nothing of Landbridge", ref)
		}
		return []*corev1.Service{svc}, err
	}
	conf, err := config.Load(c.config)
	if err != nil {
		return nil, err
	}
	namespaces := conf.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	var services []*corev1.Service
	for _, namespace := range namespaces {
		list, err := client.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("services: %w", err)
		}
		for i := range list.Items {
			if svc := &list.Items[i]; ofOurs(svc) && svc.DeletionTimestamp == nil {
				services = append(services, svc)
			}
		}
	}
	return services, nil
}

// ofOurs says whether there is anything on a Service to be released.
func ofOurs(svc *corev1.Service) bool {
	return translate.Addressed(svc) || report.Touched(svc) || len(translate.Keys(svc)) > 0
}

// difference is what makes one Service's annotations those of another.
func difference(before, after *corev1.Service) map[string]any {
	changes := map[string]any{}
	for key := range before.Annotations {
		if _, stays := after.Annotations[key]; !stays {
			changes[key] = nil
		}
	}
	for key, value := range after.Annotations {
		if before.Annotations[key] != value {
			changes[key] = value
		}
	}
	return changes
}

// await waits until a controller has let go of each Service, and takes the
// last of our keys away from it.
func (c *releaseCommand) await(ctx context.Context, client kubernetes.Interface, refs []state.Ref, w io.Writer) error {
	within := ctx
	if c.timeout > 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	var failed error
	for _, ref := range refs {
		g := &giving{client: client, ref: ref, last: errNoAnswer}
		if err := g.await(ctx, within); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", ref, err))
			continue
		}
		fmt.Fprintf(w, "%s is released\n", ref)
	}
	return failed
}

// giving is a Service that is given back.
type giving struct {
	client kubernetes.Interface
	ref    state.Ref
	last   error // why it is not yet, as far as is known
}

var errNoAnswer = errors.New("the API server did not answer")

// await waits until a controller has let go of the Service, until within ends.
// One for which no time was left is looked at once, to say how it stands.
func (g *giving) await(ctx, within context.Context) error {
	err := wait.PollUntilContextCancel(within, waitEvery, true, g.look)
	if err == nil || within.Err() == nil {
		return err
	}
	if errors.Is(g.last, errNoAnswer) && ctx.Err() == nil {
		once, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if done, err := g.look(once); done || err != nil {
			return err
		}
	}
	return g.last
}

// look is true when a controller has let go of the Service, and the last of our
// keys is gone from it.
func (g *giving) look(ctx context.Context) (bool, error) {
	svc, err := g.client.CoreV1().Services(g.ref.Namespace).Get(ctx, g.ref.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case apierrors.IsForbidden(err):
		return false, err
	case err != nil:
		return false, nil //nolint:nilerr // without an answer the last one holds, until the time is over
	case translate.Addressed(svc):
		return false, errors.New("somebody gave it annotations of Landbridge again, and it is served on")
	case report.Touched(svc):
		g.last = stillHeld(svc)
		return false, nil
	}
	rest := map[string]any{}
	for _, key := range translate.Keys(svc) {
		rest[key] = nil
	}
	if len(rest) == 0 {
		return true, nil
	}
	g.last = annotate(ctx, g.client, svc, rest)
	return g.last == nil, nil
}

// stillHeld says why a controller has not let go of a Service.
func stillHeld(svc *corev1.Service) error {
	const way = "no controller has let go of it yet: it does as soon as one runs and reaches the device; run this command again then"
	if c := meta.FindStatusCondition(svc.Status.Conditions, report.Programmed); c != nil && c.Status != metav1.ConditionTrue {
		return fmt.Errorf("%s (%s: %s)", way, c.Reason, c.Message)
	}
	return errors.New(way)
}
