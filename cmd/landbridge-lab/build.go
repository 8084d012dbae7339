package main

import (
	"github.com/spf13/cobra"

	"landbridge.dev/testenv/world"
)

// newBuild is what `make test` runs first: a cold build takes minutes, which
// nobody sees inside `go test`, and which its time limit would count.
func newBuild() *cobra.Command {
	return &cobra.Command{
		Use:   "build",
		Short: "Build what the lab needs, if it is not in the cache yet, and say so",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return world.Prepare(cmd.Context(), cmd.OutOrStdout())
		},
	}
}
