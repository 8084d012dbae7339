package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"landbridge.dev/image"
)

type imageCommand struct {
	output, name string
	archs        []string
}

func newImage() *cobra.Command {
	i := &imageCommand{}
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Build the product's container image into a tar file",
		Long: "Image builds landbridge from this checkout for each architecture, and puts it\n" +
			"on an empty root, with the licences and an SBOM of what it is built from, into\n" +
			"a tar file in OCI's image layout. It needs no container engine, and the same\n" +
			"commit gives the same bytes.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return i.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.StringVarP(&i.output, "output", "o", "bin/landbridge-image.tar", "the tar file")
	f.StringVar(&i.name, "name", "", "name and tag of the image (default: landbridge and the version)")
	f.StringSliceVar(&i.archs, "arch", []string{"amd64", "arm64"}, "architectures")
	return cmd
}

func (i *imageCommand) run(ctx context.Context, w io.Writer) (err error) {
	if len(i.archs) == 0 {
		return errors.New("--arch names no architecture")
	}
	source := image.Source{Dir: "."}
	release := source.Release(ctx)
	if i.name == "" {
		i.name = "landbridge:" + release.Version
	}
	if err := os.MkdirAll(filepath.Dir(i.output), 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "landbridge-image-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	index, err := source.Index(ctx, release, i.archs, dir)
	if err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	if err := image.Write(index, i.name, i.output); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: %s@%s\n", i.output, i.name, digest)
	return nil
}
