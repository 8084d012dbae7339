// Package programs builds what the test environment runs of others' programs in
// Go, each from a module that pins its version, and keeps it for later runs. It
// is called outside of the namespaces, where the network is.
package programs

import (
	"bytes"
	"context"
	"crypto/sha256"
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
)

// CacheEnv names the environment variable that overrides where built programs
// are kept; the default is landbridge in the user's cache folder.
const CacheEnv = "LANDBRIDGE_CACHE"

// Set is what is built together from one module.
type Set struct {
	// Name is the beginning of the folder's name in the cache, and Title what
	// people are told.
	Name, Title string

	// Module is the folder of the module below testenv.
	Module string

	// Takes says how long a build takes, for people.
	Takes string

	Programs []Program

	// Release is the module whose version is stamped into the programs, as
	// Kubernetes' own build does; empty: none is. Without it the API server,
	// kubectl and kubelet cannot parse their version
	// (k8s.io/component-base/version/base.go).
	Release string
}

// Program is an executable and the main package that it is built from.
type Program struct{ Name, Package string }

// Build returns the folder with the programs of a set, and builds them if no
// run before has. The build takes the network and minutes; progress then says
// so, and each step with its seconds. Otherwise nothing is printed, and it takes
// milliseconds. Several processes may call it at once: one builds, the others
// wait.
//
// The result is kept under a hash of the module, of the Go release and of the
// flags.
func Build(ctx context.Context, progress io.Writer, s Set) (string, error) {
	dir, err := s.build(ctx, progress)
	if err != nil {
		return "", fmt.Errorf("building %s: %w", s.Title, err)
	}
	return dir, nil
}

func (s Set) build(ctx context.Context, progress io.Writer) (string, error) {
	b := builder{set: s, progress: progress}
	var err error
	if b.module, err = moduleDir(ctx, s.Module); err != nil {
		return "", err
	}
	key, err := b.key(ctx)
	if err != nil {
		return "", err
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, s.Name+"-"+key)
	if exists(dir) {
		return dir, nil
	}
	return dir, b.buildInto(ctx, dir)
}

// builder runs the go command in the module that pins the programs.
type builder struct {
	set      Set
	module   string // its folder
	progress io.Writer
}

// flags are the same for every program of a set.
func (b builder) flags(version string) []string {
	link := "-s -w"
	if b.set.Release != "" {
		const pkg = "k8s.io/component-base/version"
		major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
		minor, _, _ := strings.Cut(rest, ".")
		link += fmt.Sprintf(" -X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s", pkg, version, major, minor)
	}
	return []string{"-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags=" + link}
}

// key names a build by all that its result depends on.
func (b builder) key(ctx context.Context) (string, error) {
	h := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(b.module, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(data), data)
	}
	env, err := b.run(ctx, "env", "GOVERSION", "GOOS", "GOARCH", "GOAMD64", "GOARM64", "GOEXPERIMENT")
	if err != nil {
		return "", err
	}
	fmt.Fprintln(h, env, b.set.Programs, b.flags(""))
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), nil
}

// buildInto builds all programs and shows them at dir when they are complete.
func (b builder) buildInto(ctx context.Context, dir string) (err error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	fmt.Fprintf(b.progress, "building %s into %s: once, about %s on 2 cores (or waiting for another process that does so now)\n", b.set.Title, dir, b.set.Takes)
	unlock, err := lockedfile.MutexAt(dir + ".lock").Lock()
	if err != nil {
		return err
	}
	defer unlock()
	if exists(dir) {
		return nil // another process built it meanwhile
	}
	version := ""
	if b.set.Release != "" {
		if version, err = b.run(ctx, "list", "-m", "-f", "{{.Version}}", b.set.Release); err != nil {
			return err
		}
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".part-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	for _, p := range b.set.Programs {
		began := time.Now()
		args := append([]string{"build", "-o", filepath.Join(tmp, p.Name)}, b.flags(version)...)
		if _, err := b.run(ctx, append(args, p.Package)...); err != nil {
			return err
		}
		fmt.Fprintf(b.progress, "  %s: %.0f s\n", p.Name, time.Since(began).Seconds())
	}
	return os.Rename(tmp, dir)
}

// run is one go command in the module, hermetic: without cgo, workspaces and
// the caller's GOFLAGS.
func (b builder) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s in %s: %w\n%s", args[0], b.module, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}

// SourceTree is the checkout: the one that this file was compiled from, where
// the compiler recorded its path, otherwise the one that the process runs in.
func SourceTree(ctx context.Context) (string, error) {
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		if root := filepath.Join(filepath.Dir(file), "..", ".."); exists(filepath.Join(root, "go.mod")) {
			return root, nil
		}
	}
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "landbridge.dev").Output()
	if root := strings.TrimSpace(string(out)); err == nil && exists(filepath.Join(root, "testenv")) {
		return root, nil
	}
	return "", errors.New("the source tree is not found: run this inside a checkout of landbridge.dev")
}

// moduleDir is the folder of a module below testenv.
func moduleDir(ctx context.Context, module string) (string, error) {
	root, err := SourceTree(ctx)
	return filepath.Join(root, "testenv", module), err
}

// CacheDir is where built programs are kept.
func CacheDir() (string, error) {
	if dir := os.Getenv(CacheEnv); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w: set %s to a folder for built programs", err, CacheEnv)
	}
	return filepath.Join(dir, "landbridge"), nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
