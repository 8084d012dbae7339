package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"landbridge.dev/deb"
	"landbridge.dev/image"
)

func newDeb() *cobra.Command {
	var output string
	var archs []string
	cmd := &cobra.Command{
		Use:   "deb",
		Short: "Build the agent's Debian packages",
		Long: "Deb builds landbridge from this checkout for each architecture, and packs it with\n" +
			"the agent's systemd unit for Debian. The same commit gives the same bytes.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return pack(cmd.Context(), cmd.OutOrStdout(), output, archs)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "bin", "the folder for them")
	cmd.Flags().StringSliceVar(&archs, "arch", []string{"amd64", "arm64"}, "architectures")
	return cmd
}

// pack builds a package for each architecture into a folder.
func pack(ctx context.Context, w io.Writer, output string, archs []string) (err error) {
	source := image.Source{Dir: "."}
	release := source.Release(ctx)
	if err := os.MkdirAll(output, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "landbridge-deb-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, arch := range archs {
		p := deb.Package{Release: release, Source: "."}
		if p.Binary, err = source.Build(ctx, release, arch, dir); err != nil {
			return err
		}
		if p.Licences, err = source.Licences(ctx, p.Binary.Path); err != nil {
			return err
		}
		raw, err := p.Bytes()
		if err != nil {
			return err
		}
		to := filepath.Join(output, p.File())
		if err := os.WriteFile(to, raw, 0o644); err != nil {
			return err
		}
		fmt.Fprintln(w, to)
	}
	return nil
}
