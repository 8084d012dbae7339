package netns

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// domain is the NIS domain name of the uts namespace: the mark by which
	// every process inside, with whatever environment, knows where it is.
	domain = "landbridge-netns"

	// initEnv tells the first process that it is the one.
	initEnv = "LANDBRIDGE_NETNS_INIT"
)

// isInit reports whether this process is pid 1 of namespaces that Enter made.
func isInit() bool { return os.Getpid() == 1 && os.Getenv(initEnv) != "" }

// runInit is the life of pid 1. Its end ends every process inside.
func runInit(o Options) int {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, append(passedOn(), syscall.SIGCHLD)...)
	if err := setUp(o); err != nil {
		fmt.Fprintf(os.Stderr, "setting up the namespaces: %v\n", err)
		return exitFailed
	}
	pid, err := startBody()
	if err != nil {
		fmt.Fprintf(os.Stderr, "starting the program inside the namespaces: %v\n", err)
		return exitFailed
	}
	for s := range signals {
		if s != syscall.SIGCHLD {
			_ = syscall.Kill(pid, s.(syscall.Signal)) // it may just have ended
			continue
		}
		if code, ended := reap(pid); ended {
			return code
		}
	}
	return exitFailed // not reached: signals is never closed
}

// startBody starts the program itself. No Wait of os/exec watches it: reap
// takes every child.
func startBody() (int, error) {
	exe, err := os.Executable()
	if err != nil {
		return 0, err
	}
	if err := os.Unsetenv(initEnv); err != nil {
		return 0, err
	}
	cmd := exec.Command(exe, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	return cmd.Process.Pid, nil
}

// reap takes all children that have ended and reports body's exit code if it
// is among them.
func reap(body int) (code int, ended bool) {
	for {
		var s syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &s, syscall.WNOHANG, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil || pid == 0:
			return code, ended
		case pid == body && (s.Exited() || s.Signaled()):
			code, ended = exitCode(s), true
		}
	}
}

// setUp gives the namespaces their own /proc and their addresses, and the mark
// last, so that whoever sees it finds all of it done.
func setUp(o Options) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w (in a container: start it with --privileged, so that /proc is not masked)", err)
	}
	if err := makeLocal(o.Ranges); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte("landbridge")); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	if err := unix.Setdomainname([]byte(domain)); err != nil {
		return fmt.Errorf("setting the domain name: %w", err)
	}
	return nil
}
