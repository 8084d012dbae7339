package world

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"

	"landbridge.dev/testenv/debian"
	"landbridge.dev/testenv/kube"
	"landbridge.dev/testenv/node"
	"landbridge.dev/testenv/programs"
	"landbridge.dev/testenv/router"
)

// Prepare installs and builds what a world needs: packages of Debian and the
// Kubernetes programs, once, and landbridge itself from this source tree. It is
// called outside of the namespaces, since a first time takes the network.
// progress is told what is done and how long it takes; when nothing is left to
// do it is told nothing.
func Prepare(ctx context.Context, progress io.Writer) error {
	if err := debian.Install(ctx, progress, packages()...); err != nil {
		return err
	}
	if _, err := kube.Build(ctx, progress); err != nil {
		return err
	}
	binary, err := Binary()
	if err != nil {
		return err
	}
	return build(ctx, binary, progress)
}

// PrepareNodes is Prepare for a world with real nodes.
func PrepareNodes(ctx context.Context, progress io.Writer) error {
	if err := node.Prepare(ctx, progress); err != nil {
		return err
	}
	return Prepare(ctx, progress)
}

// packages are those that a world runs as they come from Debian.
func packages() []string { return append([]string{"rabbitmq-server"}, router.Packages()...) }

// Binary is where Prepare leaves the landbridge program: one built with the
// race detector if this program is.
func Binary() (string, error) {
	dir, err := programs.CacheDir()
	if err != nil {
		return "", err
	}
	kind := "bin"
	if raceEnabled {
		kind = "bin-race"
	}
	return filepath.Join(dir, kind, "landbridge"), nil
}

// longBuild is what a build with a warm cache does not take.
const longBuild = 10 * time.Second

// build builds landbridge. The go command knows what is up to date; several
// processes may build at once.
func build(ctx context.Context, binary string, progress io.Writer) error {
	root, err := programs.SourceTree(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(binary), 0o755); err != nil {
		return err
	}
	unlock, err := lockedfile.MutexAt(binary + ".lock").Lock()
	if err != nil {
		return err
	}
	defer unlock()
	began := time.Now()
	// What the image has (package image), so that it is compiled once.
	args, env := []string{"build", "-o", binary + ".new"}, []string{"CGO_ENABLED=0"}
	if raceEnabled {
		args, env = append(args, "-race"), nil
	} else {
		args = append(args, "-trimpath")
	}
	if _, err := os.Stat(binary); errors.Is(err, os.ErrNotExist) {
		fmt.Fprintf(progress, "building landbridge into %s: once, up to a minute or two on 2 cores\n", filepath.Dir(binary))
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/landbridge")...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building landbridge: %w\n%s", err, out.String())
	}
	if took := time.Since(began); took > longBuild {
		fmt.Fprintf(progress, "  landbridge: %.0f s\n", took.Seconds())
	}
	return os.Rename(binary+".new", binary) // a running one keeps its file
}
