package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Binary is the product, built for one architecture.
type Binary struct {
	Arch string // as Go and OCI call it: amd64
	Path string
}

// Source is a checkout of the module.
type Source struct {
	Dir string
}

// Release reads version, commit and time from git. Without git all are those
// of no release: "dev", and the time 0.
func (s Source) Release(ctx context.Context) Release {
	r := Release{Version: "dev", Created: time.Unix(0, 0).UTC()}
	if out, err := s.git(ctx, "describe", "--tags", "--always", "--dirty"); err == nil {
		r.Version = out
	}
	if out, err := s.git(ctx, "rev-parse", "HEAD"); err == nil {
		r.Revision = out
	}
	if out, err := s.git(ctx, "log", "-1", "--format=%ct"); err == nil {
		if seconds, err := strconv.ParseInt(out, 10, 64); err == nil {
			r.Created = time.Unix(seconds, 0).UTC()
		}
	}
	return r
}

// Build builds the product for an architecture into a folder. The binary is
// static, and holds no path of this machine.
func (s Source) Build(ctx context.Context, r Release, arch, into string) (Binary, error) {
	b := Binary{Arch: arch, Path: filepath.Join(into, "landbridge-"+arch)}
	flags := fmt.Sprintf("-s -w -buildid= -X main.version=%s -X main.commit=%s", r.Version, r.Revision)
	_, err := s.run(ctx, []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch, "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0"},
		"go", "build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", flags, "-o", b.Path, "./cmd/landbridge")
	if err != nil {
		return b, fmt.Errorf("building landbridge for %s: %w", arch, err)
	}
	return b, nil
}

func (s Source) git(ctx context.Context, args ...string) (string, error) {
	return s.run(ctx, nil, "git", args...)
}

func (s Source) run(ctx context.Context, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = s.Dir, append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", errors.Join(err, errors.New(strings.TrimSpace(stderr.String())))
	}
	return strings.TrimSpace(string(out)), nil
}
