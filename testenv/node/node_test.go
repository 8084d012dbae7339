package node

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a cluster does as a whole is played by `landbridge-lab e2e`, which builds
// what it takes. These are the parts that need nothing.

const hybrid = `9:name=systemd:/
8:pids:/
7:blkio:/
6:freezer:/
5:devices:/
4:memory:/sessions/1
3:cpuset:/
2:cpuacct:/
1:cpu:/
0::/
`

func TestHierarchies(t *testing.T) {
	t.Parallel()
	all, err := parse(hybrid)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 9 || all[0] != (hierarchy{"systemd", "none,name=systemd", "/"}) {
		t.Errorf("hierarchies: %v", all)
	}
	if got, want := ownCgroup(all)[5], "/sys/fs/cgroup/memory/sessions/1"; got != want {
		t.Errorf("the memory group is %s, want %s", got, want)
	}
}

func TestMachineWithoutHierarchies(t *testing.T) {
	t.Parallel()
	_, err := parse("0::/user.slice\n")
	if err == nil || !strings.Contains(err.Error(), "no control groups of version 1 for cpu: boot it with") {
		t.Errorf("error: %v", err)
	}
}

func TestImage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program, file := filepath.Join(dir, "program"), filepath.Join(dir, "image.tar")
	if err := os.WriteFile(program, []byte("static"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writeImage(file, program, PodImage); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found := map[string]string{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		found[h.Name] = string(content)
	}
	want := `[{"Config":"config.json","Layers":["layer.tar"],"RepoTags":["localhost/pod:1"]}]`
	if diff := cmp.Diff(want, found["manifest.json"]); diff != "" {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}
	if !strings.Contains(found["layer.tar"], "static") || !strings.Contains(found["config.json"], `"diff_ids":["sha256:`) {
		t.Errorf("the image is %v", found)
	}
}
