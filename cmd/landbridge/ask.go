package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"landbridge.dev/sync/inquiry"
	"landbridge.dev/sync/state"
)

// asking says who is asked about which Services: the running controller, or the
// cluster and the devices themselves.
type asking struct {
	local     bool
	namespace string
	all       bool
	patience  time.Duration
}

func (a *asking) register(f *pflag.FlagSet) {
	f.BoolVar(&a.local, "local", false, "read cluster and devices by itself, with --config and its credentials, instead of asking the running controller; --config implies it")
	f.StringVarP(&a.namespace, "namespace", "n", "", "namespace of the Services (default: that of the kubeconfig; with --local all)")
	f.BoolVarP(&a.all, "all-namespaces", "A", false, "the Services of all namespaces: asked in the controller's, --lease-namespace")
	f.DurationVar(&a.patience, "patience", 30*time.Second, "how long to wait for the controller's answer")
}

// byItself says whether the command reads by itself.
func (a *asking) byItself(f *pflag.FlagSet) bool { return a.local || f.Changed("config") }

// of says which Services are meant where the command reads by itself.
func (a *asking) of() func(state.Ref) bool {
	return func(ref state.Ref) bool { return a.namespace == "" || a.all || ref.Namespace == a.namespace }
}

// ask has the controller answer q, about one Service or, without one, those
// that the flags name, and reads the answer.
func (a *asking) ask(ctx context.Context, c *common, l *leaseFlags, q inquiry.Question, service state.Ref, into any) error {
	if a.patience <= 0 {
		return fmt.Errorf("--patience %s must be longer", a.patience)
	}
	var err error
	switch {
	case !service.IsZero():
		q.Namespace, q.Service = service.Namespace, service.Name
	case a.all:
		q.AllNamespaces, q.Namespace = true, l.controllersNamespace()
	case a.namespace != "":
		q.Namespace = a.namespace
	default:
		if q.Namespace, _, err = c.clientConfig().Namespace(); err != nil {
			return fmt.Errorf("kubeconfig: %w", err)
		}
	}
	kube, err := c.restConfig()
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(kube)
	if err != nil {
		return fmt.Errorf("kubernetes: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, a.patience+time.Duration(q.MeasureSeconds)*time.Second)
	defer cancel()
	answer, err := inquiry.Ask(ctx, client, q)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("the controller's answer: %w", err)
	}
	return nil
}

// clientConfig is the kubeconfig.
func (c *common) clientConfig() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{})
}
