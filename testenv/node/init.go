package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// initEnv names the spec to a node's first process.
	initEnv = "LANDBRIDGE_NODE_INIT"

	// startPatience is how long what a node starts may take to answer. On a
	// machine that has nothing else to do it takes a second.
	startPatience = 2 * time.Minute

	pollInterval = 20 * time.Millisecond

	containerdSocket = "/run/containerd/containerd.sock"
)

// spec is what a node's first process is told.
type spec struct {
	Name        string
	Dir         string // its folder, the same seen from inside
	Here        site
	Others      []site
	Hierarchies []hierarchy
	Images      []string // tar files
	Containerd  string   // the folder of its programs

	// Programs are started in this order once containerd runs.
	Programs [][]string
}

// Init is the life of a node's first process, and does not return then; in any
// other process it does nothing. Whoever calls Start calls it first thing in
// main.
func Init() {
	path := os.Getenv(initEnv)
	if path == "" || os.Getpid() != 1 {
		return
	}
	if err := live(path); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(1)
}

// live runs a node until one of its programs ends, or for good.
func live(path string) error {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	var s spec
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err == nil {
		err = os.Unsetenv(initEnv)
	}
	if err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(s.Name)); err != nil {
		return err
	}
	if err := mountAll(s.Dir, s.Hierarchies); err != nil {
		return err
	}
	if err := s.connect(); err != nil {
		return err
	}
	running := map[int]string{}
	containerd := filepath.Join(s.Containerd, "containerd")
	if err := s.start(running, containerd, "--config="+filepath.Join(s.Dir, containerdFile)); err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return err
	}
	for _, p := range s.Programs {
		if err := s.start(running, p[0], p[1:]...); err != nil {
			return err
		}
	}
	for range ended {
		if name, how := reap(running); name != "" {
			return fmt.Errorf("%s ended: %s", name, how)
		}
	}
	return nil // not reached: ended is never closed
}

// connect waits for the node's interface and gives it its addresses.
func (s *spec) connect() error {
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	if err := await(ctx, nodeLink, func() bool { _, err := netlink.LinkByName(nodeLink); return err == nil }); err != nil {
		return err
	}
	if err := configure(nodeLink, s.Here.Address); err != nil {
		return err
	}
	for _, other := range s.Others {
		if err := route(other.Pods, other.Address); err != nil {
			return err
		}
	}
	return route(netip.PrefixFrom(netip.IPv4Unspecified(), 0), Gateway())
}

// load waits for containerd and gives it the images.
func (s *spec) load() error {
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	err := await(ctx, "containerd", func() bool {
		c, err := net.Dial("unix", containerdSocket)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	for _, image := range s.Images {
		ctr := exec.CommandContext(ctx, filepath.Join(s.Containerd, "ctr"), "--namespace=k8s.io", "images", "import", image)
		if out, err := ctr.CombinedOutput(); err != nil {
			return fmt.Errorf("importing the image %s: %w\n%s", image, err, out)
		}
	}
	return nil
}

// start starts a program with its output in NAME.log. It is waited for by reap.
func (s *spec) start(running map[int]string, path string, args ...string) error {
	name := filepath.Base(path)
	log, err := os.OpenFile(filepath.Join(s.Dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	// The shim is found by its name.
	cmd.Env = append(os.Environ(), "PATH="+s.Containerd+":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	if err := cmd.Start(); err != nil {
		return err
	}
	running[cmd.Process.Pid] = name
	return nil
}

// reap takes all children that have ended, among them what others left behind,
// and tells of one of the node's programs.
func reap(running map[int]string) (name, how string) {
	for {
		var s syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &s, syscall.WNOHANG, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil || pid == 0:
			return name, how
		case running[pid] != "" && (s.Exited() || s.Signaled()):
			name, how = running[pid], fmt.Sprintf("exit code %d", s.ExitStatus())
			if s.Signaled() {
				how = s.Signal().String()
			}
		}
	}
}

// await polls until something is there.
func await(ctx context.Context, what string, there func() bool) error {
	again := time.NewTicker(pollInterval)
	defer again.Stop()
	for !there() {
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		}
	}
	return nil
}
