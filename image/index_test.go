package image_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"landbridge.dev/image"
)

// small is a product that is quickly built for any architecture, from another
// module for each.
var small = map[string]string{
	"go.mod": `module example.com/small

go 1.25

require (
	example.com/for-amd64 v1.0.0
	example.com/for-arm64 v1.0.0
)

replace (
	example.com/for-amd64 => ./for-amd64
	example.com/for-arm64 => ./for-arm64
)
`,
	"LICENSE": "", // the product's own

	"cmd/landbridge/main.go":       "package main\n\nfunc main() {}\n",
	"cmd/landbridge/main_amd64.go": "package main\n\nimport _ \"example.com/for-amd64\"\n",
	"cmd/landbridge/main_arm64.go": "package main\n\nimport _ \"example.com/for-arm64\"\n",

	"for-amd64/go.mod": "module example.com/for-amd64\n", "for-amd64/a.go": "package a\n", "for-amd64/LICENSE": "of amd64",
	"for-arm64/go.mod": "module example.com/for-arm64\n", "for-arm64/a.go": "package a\n", "for-arm64/LICENSE": "of arm64",
}

// Of two architectures each has an image of its own: its platform, the labels, and
// what it is built from, by its SBOM and its licences.
func TestIndex(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range small {
		if name == "LICENSE" {
			text = string(read(t, filepath.Join("..", "LICENSE")))
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	release := image.Release{Version: "v1.2.3", Revision: "0123abc", Created: time.Unix(1_700_000_000, 0).UTC()}
	archs := []string{"amd64", "arm64"}
	made, err := image.Source{Dir: dir}.Index(t.Context(), release, archs, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	tar, into := filepath.Join(t.TempDir(), "image.tar"), t.TempDir()
	if err := image.Write(made, "landbridge:test", tar); err != nil {
		t.Fatal(err)
	}
	unpack(t, bytes.NewReader(read(t, tar)), into)
	index := named(t, into)
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != len(archs) {
		t.Fatalf("the index has %d images, want those for %v", len(manifest.Manifests), archs)
	}
	for i, arch := range archs {
		m := manifest.Manifests[i]
		if diff := cmp.Diff(&v1.Platform{OS: "linux", Architecture: arch}, m.Platform); diff != "" {
			t.Errorf("%s: platform (-want +got):\n%s", arch, diff)
		}
		of, err := index.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		testArch(t, of, arch)
	}
}

func testArch(t *testing.T, of v1.Image, arch string) {
	t.Helper()
	config, err := of.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS != "linux" || config.Architecture != arch {
		t.Errorf("%s: the image says that it is for %s/%s", arch, config.OS, config.Architecture)
	}
	const prefix = "org.opencontainers.image."
	for label, want := range map[string]string{"version": "v1.2.3", "revision": "0123abc", "licenses": "Apache-2.0", "created": "2023-11-14T22:13:20Z"} {
		if got := config.Config.Labels[prefix+label]; got != want {
			t.Errorf("%s: label %s is %q, want %q", arch, label, got, want)
		}
	}
	root := t.TempDir()
	files := mutate.Extract(of)
	defer files.Close()
	unpack(t, files, root)
	var sbom struct {
		Packages []struct{ Name string }
	}
	if err := json.Unmarshal(read(t, filepath.Join(root, "sbom.spdx.json")), &sbom); err != nil {
		t.Fatal(err)
	}
	var built []string
	for _, p := range sbom.Packages {
		built = append(built, p.Name)
	}
	slices.Sort(built)
	if diff := cmp.Diff([]string{"example.com/for-" + arch, "example.com/small", "std"}, built); diff != "" {
		t.Errorf("%s: the SBOM (-want +got):\n%s", arch, diff)
	}
	licences, err := filepath.Glob(filepath.Join(root, "licenses", "example.com", "for-*", "LICENSE"))
	if err != nil || len(licences) != 1 || string(read(t, licences[0])) != "of "+arch {
		t.Errorf("%s: licences are %v, %v", arch, licences, err)
	}
}
