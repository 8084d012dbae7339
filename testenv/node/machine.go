package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// groupPrefix is what the name of a cluster's control group begins with.
const groupPrefix = "landbridge-"

// machine is one node, with power or without.
type machine struct {
	name string
	dir  string // its disk, configuration and logs
	site site
	spec string // the path of what its first process is told

	powered time.Time
	cmd     *exec.Cmd     // its first process; nil before it was started
	done    chan struct{} // closed when that has ended, and with it all others
	group   cgroup
}

func (m *machine) ended() bool {
	select {
	case <-m.done:
		return true
	default:
		return false
	}
}

// power starts a node's first process.
func (c *Cluster) power(m *machine) (err error) {
	if m.cmd != nil && !m.ended() {
		return fmt.Errorf("node %s runs already", m.name)
	}
	if m.group, err = c.group.make(m.name); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(m.dir, "init.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(self)
	cmd.Args[0] = m.name
	cmd.Env = append(os.Environ(), initEnv+"="+m.spec)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWCGROUP | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
	}
	if err := c.startIn(m.group, cmd); err != nil {
		return fmt.Errorf("starting node %s: %w", m.name, err)
	}
	m.powered, m.cmd, m.done = time.Now(), cmd, make(chan struct{})
	done := m.done
	go func() {
		defer close(done)
		_ = cmd.Wait() // its log says why
	}()
	return plug(linkPrefix+m.name, cmd.Process.Pid)
}

// startIn starts a process in a control group, which is the root of its
// namespace of groups. A process begins in the groups of the thread that made
// it, so one of ours goes there and comes back.
func (c *Cluster) startIn(g cgroup, cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := g.enter(); err != nil {
		return errors.Join(err, c.own.enter())
	}
	return errors.Join(cmd.Start(), c.own.enter())
}

// cut ends a node at once and removes what the kernel keeps of it.
func (c *Cluster) cut(ctx context.Context, m *machine) error {
	if m.cmd == nil {
		return nil
	}
	if err := m.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ending node %s: %w", m.name, err)
	}
	select {
	case <-m.done:
	case <-ctx.Done():
		return fmt.Errorf("ending node %s: %w", m.name, ctx.Err())
	}
	return errors.Join(removeLink(linkPrefix+m.name), m.group.remove(ctx))
}

// sweepAge is how old a group without a process has to be to count as left
// behind by a cluster that was killed.
const sweepAge = time.Minute

// sweep removes groups of clusters that were killed as a whole, and could not
// clean up.
func sweep(own cgroup) error {
	for _, dir := range own {
		left, err := filepath.Glob(filepath.Join(dir, groupPrefix+"*"))
		if err != nil {
			return err
		}
		for _, group := range left {
			info, err := os.Stat(group)
			if err != nil || time.Since(info.ModTime()) < sweepAge || populated(group) {
				continue
			}
			_ = removeGroups(group) // another's sweep may be at it
		}
	}
	return nil
}

// populated says whether a process is in a group or below, or that is not known.
func populated(group string) bool {
	found := false
	err := filepath.WalkDir(group, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		processes, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		found = found || len(processes) > 0
		return err
	})
	return found || err != nil
}
