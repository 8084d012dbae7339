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
	"runtime"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"

	"landbridge.dev/testenv/kube"
)

// Prepare builds what a world needs: the Kubernetes programs, once, and
// landbridge itself from this source tree. It is called outside of the
// namespaces, since a first build takes the network. progress is told what is
// built and how long it takes; when nothing is left to do it is told nothing.
func Prepare(ctx context.Context, progress io.Writer) error {
	if _, err := kube.Build(ctx, progress); err != nil {
		return err
	}
	binary, err := Binary()
	if err != nil {
		return err
	}
	return build(ctx, binary, progress)
}

// Binary is where Prepare leaves the landbridge program: one built with the
// race detector if this program is.
func Binary() (string, error) {
	dir, err := CacheDir()
	if err != nil {
		return "", err
	}
	kind := "bin"
	if raceEnabled {
		kind = "bin-race"
	}
	return filepath.Join(dir, kind, "landbridge"), nil
}

// CacheDir is where built programs are kept.
func CacheDir() (string, error) {
	if dir := os.Getenv(kube.CacheEnv); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w: set %s to a folder for built programs", err, kube.CacheEnv)
	}
	return filepath.Join(dir, "landbridge"), nil
}

// longBuild is what a build with a warm cache does not take.
const longBuild = 10 * time.Second

// build builds landbridge. The go command knows what is up to date; several
// processes may build at once.
func build(ctx context.Context, binary string, progress io.Writer) error {
	root, err := sourceTree(ctx)
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
	args := []string{"build", "-o", binary + ".new"}
	if raceEnabled {
		args = append(args, "-race")
	}
	if _, err := os.Stat(binary); errors.Is(err, os.ErrNotExist) {
		fmt.Fprintf(progress, "building landbridge into %s: once, up to a minute or two on 2 cores\n", filepath.Dir(binary))
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/landbridge")...)
	cmd.Dir = root
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

// sourceTree finds the checkout: the one that this file was compiled from,
// otherwise the one that the process runs in.
func sourceTree(ctx context.Context) (string, error) {
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		root := filepath.Join(filepath.Dir(file), "..", "..")
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			return root, nil
		}
	}
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "landbridge.dev").Output()
	if err != nil {
		return "", errors.New("the source tree is not found: run this inside a checkout of landbridge.dev")
	}
	return strings.TrimSpace(string(out)), nil
}
