package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker: -X main.version=v1.2.3.
var version = "dev"

// commit is set by the linker where Go itself does not stamp it: in images,
// which are the same wherever they are built.
var commit = "" //nolint:gochecknoglobals // the linker sets nothing else

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  landbridge version",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return printVersion(cmd.OutOrStdout()) },
	}
}

func printVersion(w io.Writer) error {
	built := commit
	if built == "" {
		built = "unknown commit"
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				built = s.Value
			}
		}
	}
	_, err := fmt.Fprintf(w, "landbridge %s (%s, %s)\n", version, built, runtime.Version())
	return err
}
