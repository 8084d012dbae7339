package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroupRoot is where the hierarchies are mounted.
const cgroupRoot = "/sys/fs/cgroup"

// hierarchy is one of the kernel's hierarchies of control groups, version 1.
type hierarchy struct {
	Name   string // its folder in cgroupRoot: "memory"
	Option string // of mount(8): "memory", "none,name=systemd"
	own    string // the group of this process, from the root of the hierarchy
}

// needed are the controllers without which a kubelet does not start, and the
// hierarchy that runc finds its groups by.
func needed() []string {
	return []string{"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd"}
}

// hierarchies are those that this process is in (cgroups(7)), without that of
// version 2.
func hierarchies() ([]hierarchy, error) {
	raw, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	return parse(string(raw))
}

func parse(text string) ([]hierarchy, error) {
	var all []hierarchy
	for line := range strings.Lines(text) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 || part[1] == "" {
			continue
		}
		h := hierarchy{Name: part[1], Option: part[1], own: part[2]}
		if name, named := strings.CutPrefix(part[1], "name="); named {
			h.Name, h.Option = name, "none,"+part[1]
		}
		all = append(all, h)
	}
	for _, name := range needed() {
		if !slices.ContainsFunc(all, func(h hierarchy) bool { return h.Name == name }) {
			return nil, fmt.Errorf("it has no control groups of version 1 for %s: boot it with systemd.unified_cgroup_hierarchy=0 (version 2 alone was never tried)", name)
		}
	}
	return all, nil
}

// cgroup is one group in every hierarchy: the paths of its folders.
type cgroup []string

// ownCgroup is the one that this process is in.
func ownCgroup(all []hierarchy) cgroup {
	var g cgroup
	for _, h := range all {
		g = append(g, filepath.Join(cgroupRoot, h.Name, h.own))
	}
	return g
}

// make makes a group below.
func (g cgroup) make(name string) (cgroup, error) {
	var below cgroup
	for _, dir := range g {
		dir = filepath.Join(dir, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, fmt.Errorf("making a control group: %w", err)
		}
		below = append(below, dir)
		// A group without processors and memory takes no process (cpuset(7)).
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			value, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file))
			if errors.Is(err, fs.ErrNotExist) {
				continue // another controller's
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, file), value, 0)
			}
			if err != nil {
				return nil, fmt.Errorf("making a control group: %w", err)
			}
		}
	}
	return below, nil
}

// enter moves the calling thread, and no other of this process, into the group.
func (g cgroup) enter() error {
	tid := strconv.Itoa(unix.Gettid())
	for _, dir := range g {
		if err := os.WriteFile(filepath.Join(dir, "tasks"), []byte(tid), 0); err != nil {
			return fmt.Errorf("entering a control group: %w", err)
		}
	}
	return nil
}

// remove removes the group with all below it, once its processes have ended.
func (g cgroup) remove(ctx context.Context) error {
	again := time.NewTicker(pollInterval)
	defer again.Stop()
	for _, dir := range g {
		for {
			err := removeGroups(dir)
			if err == nil {
				break
			}
			select {
			case <-again.C:
			case <-ctx.Done():
				return fmt.Errorf("removing a control group: %w", err)
			}
		}
	}
	return nil
}

// removeGroups removes the folders of a group and of those below, which have
// files that cannot be removed.
func removeGroups(dir string) error {
	below, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range below {
		if entry.IsDir() {
			if err := removeGroups(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
		return &fs.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}
