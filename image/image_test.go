package image_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"landbridge.dev/image"
)

// build builds the image for this machine's architecture as its user does: the
// command runs without the race detector, under which packing takes minutes.
func build(t *testing.T) (tar string) {
	t.Helper()
	tar = filepath.Join(t.TempDir(), "image.tar")
	cmd := exec.CommandContext(t.Context(), "go", "run", "./cmd/landbridge-lab", "image", "--arch", runtime.GOARCH, "--name", "landbridge:test", "-o", tar)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return tar
}

func TestImage(t *testing.T) {
	t.Parallel()
	tar := build(t)
	t.Run("same bytes twice", func(t *testing.T) {
		first, second := read(t, tar), read(t, build(t))
		if !bytes.Equal(first, second) {
			t.Error("built twice, the tar files differ")
		}
	})
	dir := t.TempDir()
	f, err := os.Open(tar)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unpack(t, f, dir)
	index := named(t, dir)
	release := image.Source{Dir: ".."}.Release(t.Context())
	t.Run("layout", func(t *testing.T) { testLayout(t, index, release) })
	t.Run("run", func(t *testing.T) { testRun(t, index, release) })
}

// named is what the layout in a folder has under the image's name.
func named(t *testing.T, dir string) v1.ImageIndex {
	t.Helper()
	list, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := list.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 || manifest.Manifests[0].Annotations["io.containerd.image.name"] != "landbridge:test" {
		t.Fatalf("index.json lists %+v", manifest.Manifests)
	}
	index, err := list.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// Each module that the product is built from has a licence that is known.
func TestLicences(t *testing.T) {
	t.Parallel()
	source := image.Source{Dir: ".."}
	binary, err := source.Build(t.Context(), image.Release{Version: "v1.2.3"}, runtime.GOARCH, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	licences, err := source.Licences(t.Context(), binary.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range licences {
		if len(l.IDs) == 0 {
			t.Errorf("%s %s: no licence was recognized among %d files", l.Module, l.Version, len(l.Texts))
		}
	}
}

// The tar file holds a valid image under its name, which runs as nobody.
func testLayout(t *testing.T, index v1.ImageIndex, release image.Release) {
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	config, err := single(t, index).ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != image.User || config.Architecture != runtime.GOARCH || config.OS != "linux" {
		t.Errorf("user %q, %s/%s", config.Config.User, config.OS, config.Architecture)
	}
	const prefix = "org.opencontainers.image."
	want := map[string]string{prefix + "version": release.Version, prefix + "revision": release.Revision, prefix + "created": release.Created.Format(time.RFC3339), prefix + "licenses": "Apache-2.0"}
	got := map[string]string{}
	for label := range want {
		got[label] = config.Config.Labels[label]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

// What is in the image runs there without anything else, as a user who may
// write nothing.
func testRun(t *testing.T, index v1.ImageIndex, release image.Release) {
	root := t.TempDir()
	files := mutate.Extract(single(t, index))
	defer files.Close()
	unpack(t, files, root)
	for _, name := range []string{"etc/passwd", "licenses/landbridge.dev/LICENSE", "licenses/std@" + strings.TrimPrefix(runtime.Version(), "go") + "/LICENSE"} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Error(err)
		}
	}
	testSBOM(t, filepath.Join(root, "sbom.spdx.json"))
	if err := os.Chmod(filepath.Dir(root), 0o755); err != nil { // on the way to root
		t.Fatal(err)
	}
	cmd := exec.Command("/landbridge", "version")
	cmd.Dir, cmd.Env = "/", []string{"PATH=/"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65532, Gid: 65532}
	} else { // who is not root may do so in a user namespace of his own
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 65532, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 65532, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if want := fmt.Sprintf("landbridge %s (%s, %s)\n", release.Version, release.Revision, runtime.Version()); err != nil || string(out) != want {
		t.Errorf("landbridge version: %q, %v; want %q", out, err, want)
	}
}

func testSBOM(t *testing.T, path string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		SPDXVersion string
		Packages    []struct{ SPDXID, Name, VersionInfo, LicenseConcluded string }
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	ids, names := map[string]bool{}, map[string]string{}
	for _, p := range d.Packages {
		if ids[p.SPDXID] {
			t.Errorf("%s is there twice", p.SPDXID)
		}
		ids[p.SPDXID], names[p.Name] = true, p.LicenseConcluded
	}
	for name, licence := range map[string]string{"landbridge.dev": "Apache-2.0", "std": "BSD-3-Clause", "go.uber.org/zap": "MIT", "k8s.io/client-go": "Apache-2.0"} {
		if names[name] != licence {
			t.Errorf("%s is under %q, want %s", name, names[name], licence)
		}
	}
	for name := range names {
		if strings.HasPrefix(name, "github.com/google/go-containerregistry") {
			t.Errorf("%s is no part of the product", name)
		}
	}
}

func single(t *testing.T, index v1.ImageIndex) v1.Image {
	t.Helper()
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	i, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// unpack writes the files of a tar stream below a folder. All of them are the
// root's, as in a container.
func unpack(t *testing.T, from io.Reader, into string) {
	t.Helper()
	r := tar.NewReader(from)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(into, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			if h.Mode&0o222 != 0 || h.Uid != 0 {
				t.Errorf("%s may be written by uid %d, mode %o", h.Name, h.Uid, h.Mode)
			}
			continue // made with what is in it
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, os.FileMode(h.Mode)); err != nil {
			t.Fatal(err)
		}
	}
}
