package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"landbridge.dev/backends/f5"
	"landbridge.dev/config"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/migrate"
	"landbridge.dev/sync/state"
)

type importCommand struct {
	config    string
	device    string
	adopt     bool
	namespace string
	selector  string
}

func newImport() *cobra.Command {
	c := &importCommand{}
	cmd := &cobra.Command{
		Use:   "import --device NAME [VIRTUAL…]",
		Short: "Print Services that join or adopt what stands on a BIG-IP",
		Long: "Import reads the virtual servers and pools of a BIG-IP, with a user that may only\n" +
			"read, and prints manifests of Services that join their pools or, with --adopt,\n" +
			"adopt them: for all of them, or for those that are named as /PARTITION/NAME. Comments\n" +
			"say what is not carried over, and what is left out and why.\n\n" +
			"It asks no cluster and changes nothing. Look the manifests through, apply them, and\n" +
			"see with `landbridge plan` what they do: they move no traffic.",
		Example: "  landbridge import --device dc1 -n shop --config landbridge.yaml\n" +
			"  landbridge import --device dc1 -n shop -l app=cart --adopt /web/shop_vs --config landbridge.yaml > cart.yaml",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args, cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.StringVar(&c.config, "config", "/etc/landbridge/config.yaml", "configuration file")
	f.StringVar(&c.device, "device", "", "configured name of the BIG-IP")
	f.BoolVar(&c.adopt, "adopt", false, "adopt virtual servers, instead of joining their pools")
	f.StringVarP(&c.namespace, "namespace", "n", metav1.NamespaceDefault, "namespace of the Services")
	f.StringVarP(&c.selector, "selector", "l", "", "labels of the pods, as KEY=VALUE,…; without it they are left to be filled in")
	return cmd
}

func (c *importCommand) run(ctx context.Context, virtuals []string, w io.Writer) error {
	if problems := validation.IsDNS1123Label(c.namespace); len(problems) > 0 {
		return fmt.Errorf("--namespace %q: %s", c.namespace, strings.Join(problems, "; "))
	}
	selector, err := labels.ConvertSelectorToLabelsMap(c.selector)
	if err != nil {
		return fmt.Errorf("--selector %q must be KEY=VALUE,…: %w", c.selector, err)
	}
	have, err := c.read(ctx)
	if err != nil {
		return err
	}
	text, err := migrate.Manifests(have, migrate.Options{
		Device: c.device, Adopt: c.adopt, Namespace: c.namespace, Selector: selector, Virtuals: virtuals,
	})
	if err != nil {
		return fmt.Errorf("bigip %s: %w", c.device, err)
	}
	_, err = io.WriteString(w, text)
	return err
}

// read reads the device once, and logs out.
func (c *importCommand) read(ctx context.Context) (have *state.Set, err error) {
	conf, err := config.Load(c.config)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(conf.BIGIP))
	for _, b := range conf.BIGIP {
		names = append(names, b.Name)
	}
	b, ok := conf.Device(c.device)
	if !ok {
		return nil, fmt.Errorf("--device %q is not configured; configured are: %s", c.device, strings.Join(names, ", "))
	}
	backend, err := device(b, state.Identity{Cluster: conf.Cluster}, false, zap.NewNop(), f5.NewMetrics(prometheus.NewRegistry()), nil)
	if err != nil {
		return nil, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), logoutTimeout)
		defer cancel()
		err = errors.Join(err, backend.Close(ctx))
	}()
	have, err = backend.Read(ctx, apply.Scope{})
	if err != nil {
		return nil, fmt.Errorf("bigip %s: %w", c.device, err)
	}
	return have, nil
}
