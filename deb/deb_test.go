package deb_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"landbridge.dev/deb"
	"landbridge.dev/image"
	"landbridge.dev/mq/agent"
)

var release = image.Release{Version: "v1.2.3-rc1-4-g0123abc", Revision: "0123abc", Created: time.Unix(1_700_000_000, 0).UTC()}

// run runs a program of Debian's.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// dpkg reads the package, installs it into a folder, in which it runs, and
// removes it.
func TestPackage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	binary, err := image.Source{Dir: ".."}.Build(t.Context(), release, runtime.GOARCH, dir)
	if err != nil {
		t.Fatal(err)
	}
	p := deb.Package{Release: release, Binary: binary, Licences: licences(), Source: "..", Stored: true}
	raw, err := p.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, p.File())
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if want := "landbridge-agent_1.2.3~rc1+4.g0123abc_" + runtime.GOARCH + ".deb"; p.File() != want {
		t.Errorf("%s, want %s", p.File(), want)
	}
	for _, want := range []string{"Package: landbridge-agent", "Version: 1.2.3~rc1+4.g0123abc", "Architecture: " + runtime.GOARCH} {
		if info := run(t, "dpkg-deb", "-I", path); !strings.Contains(info, want) {
			t.Errorf("no %q in\n%s", want, info)
		}
	}
	list := run(t, "dpkg-deb", "-c", path)
	for _, want := range []string{"-rwxr-xr-x root/root ", " ./usr/bin/landbridge\n", " ./usr/lib/systemd/system/landbridge-agent.service\n", "drwx------ root/root         0 2023-11-14 22:13 ./etc/landbridge/mq/\n", "/licenses/example.com/m@v1.0.0/LICENSE\n", "/licenses/landbridge.dev/LICENSE\n"} {
		if !strings.Contains(list, want) {
			t.Errorf("no %q in\n%.3000s", want, list)
		}
	}

	root := filepath.Join(dir, "root")
	for _, name := range []string{"updates", "info", "triggers"} {
		if err := os.MkdirAll(filepath.Join(root, "var/lib/dpkg", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dpkg := []string{"--root=" + root, "--force-not-root", "--force-script-chrootless", "--force-architecture"}
	run(t, "dpkg", append(dpkg, "--install", path)...)
	if help := run(t, filepath.Join(root, "usr/bin/landbridge"), "agent", "--help"); !strings.Contains(help, "/etc/landbridge/agent.yaml") {
		t.Errorf("the agent says\n%s", help)
	}
	unit, err := os.ReadFile(filepath.Join(root, "usr/lib/systemd/system/landbridge-agent.service"))
	if err != nil || !strings.Contains(string(unit), "ExecStart=/usr/bin/landbridge agent ") {
		t.Errorf("the unit: %v\n%s", err, unit)
	}
	if _, err := agent.Load(filepath.Join(root, "usr/share/doc/landbridge-agent/examples/agent.yaml")); err != nil {
		t.Errorf("the example: %v", err)
	}
	run(t, "dpkg", append(dpkg, "--remove", "landbridge-agent")...)
	if _, err := os.Stat(filepath.Join(root, "usr/bin/landbridge")); err == nil {
		t.Error("after its removal it is there")
	}
}

// licences stand for those of a binary: package image finds the true ones.
func licences() []image.Licence {
	return []image.Licence{{Module: "landbridge.dev", IDs: []string{"Apache-2.0"}, Texts: map[string][]byte{"LICENSE": []byte("ours\n")}}, {Module: "example.com/m", Version: "v1.0.0", IDs: []string{"MIT"}, Texts: map[string][]byte{"LICENSE": []byte("do as you like\n")}}}
}

// The same source gives the same bytes, and whoever packs it is not in them.
func TestPackagesAreReproducible(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "landbridge")
	var first []byte
	for i, mode := range []os.FileMode{0o700, 0o644} {
		if err := errors.Join(os.WriteFile(program, []byte("a program"), mode), os.Chmod(program, mode)); err != nil {
			t.Fatal(err)
		}
		p := deb.Package{Release: release, Binary: image.Binary{Arch: "arm64", Path: program}, Licences: licences(), Source: ".."}
		got, err := p.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = got
		}
		if !bytes.Equal(first, got) {
			t.Error("packed twice it is not the same")
		}
	}
}

// Debian orders versions as their makers meant them.
func TestVersionsOrder(t *testing.T) {
	t.Parallel()
	last := ""
	for _, v := range []string{"dev", "v1.2.3-rc1", "v1.2.3-rc1-4-g0123abc", "v1.2.3", "v1.2.3-1-g0123abc", "v1.2.3-dirty", "v1.2.4"} {
		now := strings.Split(deb.Package{Release: image.Release{Version: v}}.File(), "_")[1]
		if last != "" {
			run(t, "dpkg", "--compare-versions", last, "lt", now)
		}
		last = now
	}
}
