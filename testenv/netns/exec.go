package netns

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
)

// Command is a command that runs in the namespaces of the process with the
// given pid, in the folder dir of their file system, as their root. It is
// called outside, with the pid that Options.Started was given. The entering is
// done by nsenter(1) of util-linux, which Debian marks as essential: a Go
// program has several threads, and the kernel lets only a single-threaded one
// into a user or mount namespace.
func Command(ctx context.Context, pid int, dir, name string, args ...string) (*exec.Cmd, error) {
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return nil, fmt.Errorf("entering the namespaces: %w: install util-linux", err)
	}
	enter := []string{"--target", strconv.Itoa(pid), "--net", "--mount", "--pid", "--uts", "--ipc", "--wdns=" + dir}
	other, err := otherUser(pid)
	if err != nil {
		return nil, fmt.Errorf("entering the namespaces of process %d: %w", pid, err)
	}
	if other {
		enter = append(enter, "--user", "--preserve-credentials")
	}
	enter = append(enter, "--", name)
	return exec.CommandContext(ctx, nsenter, append(enter, args...)...), nil
}

// otherUser reports whether pid lives in another user namespace than we do.
func otherUser(pid int) (bool, error) {
	theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/user", pid))
	if err != nil {
		return false, err
	}
	ours, err := os.Readlink("/proc/self/ns/user")
	if err != nil {
		return false, err
	}
	return theirs != ours, nil
}
