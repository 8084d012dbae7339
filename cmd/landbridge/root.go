package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// common are the flags of every command that works on a cluster.
type common struct {
	config     string
	kubeconfig string
}

func (c *common) register(f *pflag.FlagSet) {
	f.StringVar(&c.config, "config", "/etc/landbridge/config.yaml", "configuration file")
	f.StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig file (default: $KUBECONFIG, the pod's ServiceAccount, or ~/.kube/config)")
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "landbridge",
		Short: "Keep F5 BIG-IP devices in step with annotated Kubernetes Services",
		Long: "Landbridge makes virtual servers and pools on F5 BIG-IP devices for annotated\n" +
			"Services, and keeps the pools' members in step with their endpoints.",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(
		newAgent(), newAllow(), newCheck(), newController(), newDead(), newGateway(), newImport(), newPlan(), newRelease(), newShare(), newStatus(), newVersion(), newWait(),
	)
	return root
}
