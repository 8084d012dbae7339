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
		Short: "Keep F5 BIG-IP devices, routes and queues in step with annotated Kubernetes Services",
		Long: "Landbridge makes virtual servers and pools on F5 BIG-IP devices for annotated\n" +
			"Services, and keeps the pools' members in step with their endpoints. It announces\n" +
			"addresses of Services and networks of pods to routers, by BGP. And its gateway\n" +
			"hands the messages of RabbitMQ queues to pods, beside VMs that consume them or\n" +
			"that register over the broker.\n\n" +
			"A person asks with status, plan and wait, which need no more than a kubeconfig;\n" +
			"moves traffic with share, gives back with release; and looks with check why a\n" +
			"controller does not get on. controller, gateway and agent are what runs.",
		Example: "  landbridge status -n shop\n" +
			"  landbridge status shop/cart\n" +
			"  landbridge plan -n shop",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(
		newAgent(), newAllow(), newCheck(), newController(), newDead(), newGateway(), newImport(), newPlan(), newRelease(), newShare(), newStatus(), newVersion(), newWait(),
	)
	return root
}
