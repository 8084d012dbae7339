package node

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/rogpeppe/go-internal/lockedfile"

	"landbridge.dev/testenv/programs"
)

// PodImage is on every node: the application of package app, which also is what
// holds a pod's namespaces.
const PodImage = "localhost/pod:1"

// buildPod builds the program in PodImage.
func buildPod(ctx context.Context) (string, error) {
	cache, err := programs.CacheDir()
	if err != nil {
		return "", err
	}
	root, err := programs.SourceTree(ctx)
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "bin", "pod")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	unlock, err := lockedfile.MutexAt(path + ".lock").Lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path+".new", "./testenv/node/pod")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program of pods: %w\n%s", err, out)
	}
	return path, os.Rename(path+".new", path)
}

// writeImage writes an image with one static program in Docker's format
// (github.com/moby/docker-image-spec), which containerd imports.
func writeImage(file, program, name string) (err error) {
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	layer, err := pack(map[string][]byte{"pod": content})
	if err != nil {
		return err
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": []string{"/pod"}, "User": "65532:65532"},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{name}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	all, err := pack(map[string][]byte{"config.json": config, "layer.tar": layer, "manifest.json": manifest})
	if err != nil {
		return err
	}
	return os.WriteFile(file, all, 0o644)
}

// pack packs files into a tar.
func pack(files map[string][]byte) ([]byte, error) {
	var raw bytes.Buffer
	w := tar.NewWriter(&raw)
	var errs []error
	for name, content := range files {
		errs = append(errs, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(content))}))
		_, err := w.Write(content)
		errs = append(errs, err)
	}
	err := errors.Join(append(errs, w.Close())...)
	return raw.Bytes(), err
}
