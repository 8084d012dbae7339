// Package netns runs a program again in namespaces of its own: network, pid,
// mount and uts, and a user namespace where the caller is not root. In there
// whole address ranges are local, so that any address of them can be listened
// on and connected to, every port is free, nothing collides with the machine
// or with another run, and every process dies with the first one, also when
// that one is killed.
//
// The way in has three steps. The caller's process, outside, prepares what
// needs the real network and starts itself again in new namespaces. That
// process is pid 1 in there: it mounts /proc, makes the ranges local, starts
// the program a last time, passes signals on to it and reaps what others
// orphan. The last process finds itself inside and does the work. All three
// are the same executable with the same arguments.
//
// Nothing is mounted, routed or configured outside of the new namespaces.
package netns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// exitFailed is the exit code when the namespaces could not be had or set up;
// env(1) and its kin use it for "the wrapper itself failed".
const exitFailed = 125

// Options say what the namespaces hold and what happens around them. The zero
// value is of use.
type Options struct {
	// Prepare runs outside, before the namespaces are made, on every run:
	// what needs the real network, such as fetching and building programs,
	// belongs there. An error of it ends the run.
	Prepare func(context.Context) error

	// Ranges are made local inside; nil means DefaultRanges().
	Ranges []netip.Prefix

	// Started is called outside as soon as the first process inside exists,
	// with its pid as seen outside. That pid is what Command takes.
	Started func(pid int)
}

// DefaultRanges are the addresses of the test world: pods, nodes, virtual and
// self addresses of load balancers, VMs.
func DefaultRanges() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.244.0.0/16"),    // pods
		netip.MustParsePrefix("172.18.0.0/24"),    // nodes
		netip.MustParsePrefix("203.0.113.0/24"),   // virtual addresses
		netip.MustParsePrefix("198.51.100.0/24"),  // self addresses, routers
		netip.MustParsePrefix("10.20.0.0/16"),     // VMs
		netip.MustParsePrefix("100.64.0.0/10"),    // clients
		netip.MustParsePrefix("fd00:10:244::/56"), // pods
		netip.MustParsePrefix("fd00:172:18::/64"), // nodes
		netip.MustParsePrefix("2001:db8::/32"),    // virtual and self addresses
		netip.MustParsePrefix("fd00:10:20::/64"),  // VMs
	}
}

// HostAddrs are the addresses that the machine itself has inside, besides
// loopback: the source of a connection for which no other was chosen.
func HostAddrs() (v4, v6 netip.Addr) {
	return netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8:ffff::1")
}

// Inside reports whether this process, however it was started, runs in
// namespaces made by this package.
func Inside() bool {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return false
	}
	return unix.ByteSliceToString(u.Domainname[:]) == domain
}

// Main is the body of a TestMain whose tests run inside:
//
//	func TestMain(m *testing.M) { netns.Main(m, netns.Options{Prepare: …}) }
//
// It does not return.
func Main(m Runner, o Options) { os.Exit(Tests(m, o).Run()) }

// Runner is what *testing.M and what wraps it have in common.
type Runner interface{ Run() int }

// Tests wraps m such that its tests run inside. It is for a TestMain that has
// further wrappers, as in testscript.Main(netns.Tests(m, o), commands).
func Tests(m Runner, o Options) Runner { return tests{m, o} }

type tests struct {
	m Runner
	o Options
}

func (t tests) Run() int {
	code, err := Enter(context.Background(), t.o)
	switch {
	case errors.Is(err, ErrInside):
		return t.m.Run()
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	return code
}

// ErrInside is what Enter returns where there is nothing left to enter: the
// caller goes on with its work.
var ErrInside = errors.New("already inside the namespaces")

// Enter runs this program again inside, with the same arguments, environment
// and standard files, and returns its exit code (128 + n for signal n) when
// all of it is gone. Inside, the same call returns ErrInside. Signals that end
// a program are passed on. When ctx ends, the inside is told to end by
// SIGTERM; if this process dies, the inside dies with it.
func Enter(ctx context.Context, o Options) (int, error) {
	if Inside() {
		return 0, ErrInside
	}
	if o.Ranges == nil {
		o.Ranges = DefaultRanges()
	}
	if isInit() {
		os.Exit(runInit(o))
	}
	if o.Prepare != nil {
		if err := o.Prepare(ctx); err != nil {
			return 0, fmt.Errorf("preparing: %w", err)
		}
	}
	return outside(ctx, o)
}

// outside starts pid 1 of the new namespaces and waits for its end.
func outside(ctx context.Context, o Options) (int, error) {
	// Caught before the start: none may end this process and leave the
	// inside unasked.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, passedOn()...)
	defer signal.Stop(signals)

	// The kernel sends the parent-death signal when the thread that started
	// the child ends, so this one is kept until the child is gone.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd, err := start()
	if err != nil {
		return 0, err
	}
	if o.Started != nil {
		o.Started(cmd.Process.Pid)
	}
	ended := make(chan struct{})
	passing := make(chan struct{})
	go func() {
		defer close(passing)
		done := ctx.Done()
		for {
			select {
			case s := <-signals:
				_ = cmd.Process.Signal(s) // it may just have ended
			case <-done:
				_ = cmd.Process.Signal(syscall.SIGTERM)
				done = nil
			case <-ended:
				return
			}
		}
	}()
	err = cmd.Wait()
	close(ended)
	<-passing
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("waiting for the first process of the namespaces: %w", err)
	}
	return exitCode(cmd.ProcessState.Sys().(syscall.WaitStatus)), nil
}

// passedOn are the signals that outside and init hand to the program.
func passedOn() []os.Signal {
	return []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}
}

// exitCode is the shell's: 128 + n for a process ended by signal n.
func exitCode(s syscall.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}

// start makes the namespaces and starts this program as their first process.
// Root needs no user namespace and is freer without one (mounting control
// groups for real nodes); root of a container may be refused all others
// unless it takes one.
func start() (*exec.Cmd, error) {
	if os.Geteuid() == 0 {
		cmd, err := startIn(0)
		if err == nil || !errors.Is(err, unix.EPERM) {
			return cmd, explain(err)
		}
	}
	cmd, err := startIn(unix.CLONE_NEWUSER)
	return cmd, explain(err)
}

func startIn(user uintptr) (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), initEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | user,
		Pdeathsig:  syscall.SIGKILL,
		// A terminal sends Ctrl-C to its whole foreground group: outside of
		// it, the program gets the one that is passed on, and no second.
		Setpgid: true,
	}
	if user != 0 {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return cmd, cmd.Start()
}

// explain turns the kernel's refusal into what a person can act on.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("network, pid and mount namespaces are refused (%w): run as root, "+
			"or allow user namespaces to unprivileged users (sysctl user.max_user_namespaces above 0, "+
			"kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0, where they exist); "+
			"in a container, start it with --privileged", err)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("this kernel lacks network, pid, mount or user namespaces (%w): use one built with CONFIG_NAMESPACES", err)
	}
	return fmt.Errorf("starting the first process of the namespaces: %w", err)
}
