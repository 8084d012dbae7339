// Package debian installs what the lab takes from Debian as it is: routers and
// brokers, which nobody builds from source. It is called outside of the
// namespaces, where the network is.
package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// policy tells Debian's packages not to start their services after they were
// installed: exit code 101 is "forbidden by policy" (invoke-rc.d(8)). What the
// lab starts it starts itself, in namespaces of its own.
const policy = "#!/bin/sh\nexit 101\n"

// policyFile is where invoke-rc.d looks for it.
const policyFile = "/usr/sbin/policy-rc.d"

// Install installs the packages that are missing, without a question and
// without starting any service; progress is told then, and only then. Several
// processes may call it at once: one installs, the others wait. It needs root
// where something is missing.
func Install(ctx context.Context, progress io.Writer, packages ...string) error {
	missing, err := Missing(ctx, packages...)
	if err != nil || len(missing) == 0 {
		return err
	}
	names := strings.Join(missing, " ")
	if os.Geteuid() != 0 {
		return fmt.Errorf("packages of Debian are missing, and only root can install them: run `apt-get install --no-install-recommends %s` as root", names)
	}
	fmt.Fprintf(progress, "installing from Debian: %s, once, about a minute (or waiting for another process that does so now)\n", names)
	unlock, err := lockedfile.MutexAt(filepath.Join(os.TempDir(), "landbridge-debian.lock")).Lock()
	if err != nil {
		return fmt.Errorf("installing %s: %w", names, err)
	}
	defer unlock()
	if missing, err = Missing(ctx, packages...); err != nil || len(missing) == 0 {
		return err // another process installed them meanwhile
	}
	began := time.Now()
	if err := install(ctx, missing); err != nil {
		return fmt.Errorf("installing %s: %w", names, err)
	}
	fmt.Fprintf(progress, "  %s: %.0f s\n", names, time.Since(began).Seconds())
	return nil
}

// Missing are those of the packages that are not installed, in their order.
func Missing(ctx context.Context, packages ...string) ([]string, error) {
	var missing []string
	for _, p := range packages {
		out, err := exec.CommandContext(ctx, "dpkg-query", "--show", "--showformat=${db:Status-Status}", p).Output()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			return nil, fmt.Errorf("looking for the Debian package %s: %w", p, err)
		}
		if string(out) != "installed" {
			missing = append(missing, p)
		}
	}
	return missing, nil
}

func install(ctx context.Context, packages []string) (err error) {
	forbidden, err := forbidServices()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, forbidden()) }()
	// Another program of the machine may hold dpkg's lock for a while.
	apt := []string{"--yes", "--quiet", "--option", "DPkg::Lock::Timeout=300"}
	if err := run(ctx, "apt-get", append(apt, "update")...); err != nil {
		return err
	}
	return run(ctx, "apt-get", append(append(apt, "install", "--no-install-recommends"), packages...)...)
}

// forbidServices puts the policy in its place, unless the machine has one of
// its own, and returns what takes it away.
func forbidServices() (allow func() error, err error) {
	f, err := os.OpenFile(policyFile, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if errors.Is(err, os.ErrExist) {
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(policy)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(policyFile))
	}
	return func() error { return os.Remove(policyFile) }, nil
}

// run runs a program that asks nothing.
func run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out.String())
	}
	return nil
}
