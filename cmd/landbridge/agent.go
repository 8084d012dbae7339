package main

import (
	"github.com/spf13/cobra"

	"landbridge.dev/mq/agent"
)

func newAgent() *cobra.Command {
	var path, level string
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "On a VM: register its services over the broker, and tell it where pods are",
		Long: "Agent registers the services of a VM with a cluster for as long as their health\n" +
			"checks pass, and keeps files with the endpoints of the cluster's services. It\n" +
			"needs no right but to reach the broker and to write those files. When it is told\n" +
			"to stop it asks for no new clients, waits for the connections, and leaves.",
		Example: "  landbridge agent --config /etc/landbridge/agent.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, _, err := newLogger(level)
			if err != nil {
				return err
			}
			c, err := agent.Load(path)
			if err != nil {
				return err
			}
			agent.New(c, log).Run(cmd.Context())
			log.Info("stopped")
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "config", "/etc/landbridge/agent.yaml", "configuration file")
	cmd.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	return cmd
}
