// Package image puts the product into a container image, without a container
// engine: a static binary on an empty root, for each architecture. The same
// source gives the same bytes: nothing of the machine or the clock gets in.
package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// User and group that the image runs as, by number, so that a kubelet can see
// that they are not root.
const User = "65532:65532"

// Release is what an image is made of, and says of itself.
type Release struct {
	// Version is that of the product: v1.2.3.
	Version string
	// Revision is the commit; it may be empty.
	Revision string
	// Created is the time that all in the image has, that of the commit.
	Created time.Time
}

// file is one in the image.
type file struct {
	mode    int64
	content []byte
}

// of makes the image of one architecture from a static binary.
func (r Release) of(arch, binary string, licences []Licence) (v1.Image, error) {
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	sbom, err := r.SBOM(binary, licences)
	if err != nil {
		return nil, err
	}
	about := map[string]file{
		"etc/passwd":     {0o444, []byte("root:x:0:0:root:/:/sbin/nologin\nlandbridge:x:65532:65532:landbridge:/:/sbin/nologin\n")},
		"etc/group":      {0o444, []byte("root:x:0:\nlandbridge:x:65532:\n")},
		"etc/landbridge": {mode: 0o555},
		"sbom.spdx.json": {0o444, sbom},
	}
	for _, l := range licences {
		for name, text := range l.Texts {
			about[path.Join(l.Folder(), name)] = file{0o444, text}
		}
	}
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	for _, files := range []map[string]file{about, {"landbridge": {0o555, program}}} {
		layer, err := r.layer(files)
		if err != nil {
			return nil, err
		}
		if image, err = mutate.Append(image, mutate.Addendum{Layer: layer, MediaType: types.OCILayer, History: v1.History{Created: v1.Time{Time: r.Created}, CreatedBy: "landbridge-lab image"}}); err != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: r.Created}
	config.Config = v1.Config{
		User: User, Entrypoint: []string{"/landbridge"}, WorkingDir: "/", Env: []string{"PATH=/"},
		Labels: r.labels(licences),
	}
	return mutate.ConfigFile(image, config)
}

// labels are those of the OCI image specification (annotations.md).
func (r Release) labels(licences []Licence) map[string]string {
	const prefix = "org.opencontainers.image."
	labels := map[string]string{
		prefix + "title":       "landbridge",
		prefix + "description": "Keeps F5 BIG-IP devices, BGP routes and RabbitMQ queues in step with Kubernetes Services",
		prefix + "url":         "https://landbridge.dev",
		prefix + "version":     r.Version,
		prefix + "created":     r.Created.UTC().Format(time.RFC3339),
	}
	if len(licences) > 0 { // the product's own is the first
		labels[prefix+"licenses"] = licences[0].expression()
	}
	if r.Revision != "" {
		labels[prefix+"revision"] = r.Revision
	}
	return labels
}

// layer packs files, with the folders that they are in, in the order of their
// names. One whose content is nil is a folder.
func (r Release) layer(files map[string]file) (v1.Layer, error) {
	all := maps.Clone(files)
	for name := range files {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			all[dir] = file{mode: 0o555}
		}
	}
	var raw bytes.Buffer
	w := tar.NewWriter(&raw)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := all[name]
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: f.mode, Size: int64(len(f.content)), ModTime: r.Created, Format: tar.FormatPAX}
		if f.content == nil {
			h.Typeflag, h.Name = tar.TypeDir, name+"/"
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw.Bytes())), nil },
		tarball.WithCompressionLevel(gzip.BestCompression), tarball.WithCompressedCaching, tarball.WithMediaType(types.OCILayer))
}
