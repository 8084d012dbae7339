package kube

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

// Binaries are the paths of the control plane's programs.
type Binaries struct {
	Etcd, APIServer, ControllerManager, Kubectl string
}

// Build returns the programs, and builds those of this source tree's versions
// if no run before has. The build takes the network and about five minutes on
// two cores; progress then says so, and each step with its seconds. Otherwise
// nothing is printed, and it takes milliseconds. Several processes may call it
// at once: one builds, the others wait.
//
// The versions are those of the module in the folder binaries; the result is
// kept under a hash of that module, of the Go release and of the flags.
func Build(ctx context.Context, progress io.Writer) (Binaries, error) {
	b := builder{progress: progress}
	var err error
	if b.module, err = moduleDir(ctx); err != nil {
		return Binaries{}, fmt.Errorf("building Kubernetes: %w", err)
	}
	key, err := b.key(ctx)
	if err != nil {
		return Binaries{}, fmt.Errorf("building Kubernetes: %w", err)
	}
	cache, err := cacheDir()
	if err != nil {
		return Binaries{}, fmt.Errorf("building Kubernetes: %w", err)
	}
	dir := filepath.Join(cache, "kubernetes-"+key)
	if !exists(dir) {
		if err := b.buildInto(ctx, dir); err != nil {
			return Binaries{}, fmt.Errorf("building Kubernetes: %w", err)
		}
	}
	return Binaries{
		Etcd:              filepath.Join(dir, "etcd"),
		APIServer:         filepath.Join(dir, "kube-apiserver"),
		ControllerManager: filepath.Join(dir, "kube-controller-manager"),
		Kubectl:           filepath.Join(dir, "kubectl"),
	}, nil
}

// program is an executable and the main package that it is built from.
type program struct{ name, pkg string }

func programs() []program {
	return []program{
		{"etcd", "go.etcd.io/etcd/server/v3"},
		{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"},
		{"kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"},
		{"kubectl", "k8s.io/kubernetes/cmd/kubectl"},
	}
}

// builder runs the go command in the module that pins the programs.
type builder struct {
	module   string // its folder
	progress io.Writer
}

// flags are the same for every program. The version is stamped because the
// API server and kubectl cannot parse the default one
// (k8s.io/component-base/version/base.go).
func (b builder) flags(version string) []string {
	const pkg = "k8s.io/component-base/version"
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	return []string{
		"-trimpath", "-buildvcs=false", "-mod=readonly",
		fmt.Sprintf("-ldflags=-s -w -X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s", pkg, version, major, minor),
	}
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
	fmt.Fprintln(h, env, programs(), b.flags(""))
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), nil
}

// buildInto builds all programs and shows them at dir when they are complete.
func (b builder) buildInto(ctx context.Context, dir string) (err error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	fmt.Fprintf(b.progress, "building etcd and Kubernetes into %s: once, about 5 minutes on 2 cores (or waiting for another process that does so now)\n", dir)
	unlock, err := lockedfile.MutexAt(dir + ".lock").Lock()
	if err != nil {
		return err
	}
	defer unlock()
	if exists(dir) {
		return nil // another process built it meanwhile
	}
	version, err := b.run(ctx, "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".part-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	for _, p := range programs() {
		began := time.Now()
		args := append([]string{"build", "-o", filepath.Join(tmp, p.name)}, b.flags(version)...)
		if _, err := b.run(ctx, append(args, p.pkg)...); err != nil {
			return err
		}
		fmt.Fprintf(b.progress, "  %s: %.0f s\n", p.name, time.Since(began).Seconds())
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
		return "", fmt.Errorf("go %s in %s: %w\n%s", args[0], b.module, err, tail(stderr.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}

// moduleDir finds the module that pins the programs: beside this source file,
// where the compiler recorded its path, otherwise in the checkout that the
// process runs in.
func moduleDir(ctx context.Context) (string, error) {
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		if dir := filepath.Join(filepath.Dir(file), "binaries"); exists(dir) {
			return dir, nil
		}
	}
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "landbridge.dev").Output()
	if dir := filepath.Join(strings.TrimSpace(string(out)), "testenv", "kube", "binaries"); err == nil && exists(dir) {
		return dir, nil
	}
	return "", errors.New("the source tree is not found: run this inside a checkout of landbridge.dev")
}

func cacheDir() (string, error) {
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
