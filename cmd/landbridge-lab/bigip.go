package main

import (
	"errors"
	"flag"

	"github.com/spf13/cobra"

	"landbridge.dev/testenv/bigip"
)

func newBIGIP() *cobra.Command {
	return &cobra.Command{
		Use:   "bigip [FLAG…]",
		Short: "Run a simulated BIG-IP, or a pair, on this machine",
		Long:  "Run a simulated BIG-IP until stopped. `landbridge-lab bigip --help` lists its flags.",
		// The simulator is a product of its own, with its own flags.
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			err := bigip.Command(cmd.Context(), args, cmd.OutOrStdout(), cmd.ErrOrStderr())
			if errors.Is(err, flag.ErrHelp) {
				return nil
			}
			return err
		},
	}
}
