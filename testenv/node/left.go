package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
)

// Dir is the cluster's own folder, which Stop removes.
func (c *Cluster) Dir() string { return c.dir }

// Left says what is left of a cluster after Stop, by the folder that it had:
// nil if nothing is.
func Left(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	if strings.Contains(string(mounts), dir) {
		return fmt.Errorf("mounts below %s are left", dir)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		return fmt.Errorf("%s is left", dir)
	}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return err
	}
	for _, path := range commands {
		line, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(line), dir) {
			return fmt.Errorf("a process is left: %s", strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	for _, link := range links {
		if name := link.Attrs().Name; name == Bridge || strings.HasPrefix(name, linkPrefix) {
			return fmt.Errorf("the interface %s is left", name)
		}
	}
	all, err := hierarchies()
	if err != nil {
		return err
	}
	for _, group := range ownCgroup(all) {
		if _, err := os.Stat(filepath.Join(group, groupPrefix+filepath.Base(dir))); !os.IsNotExist(err) {
			return fmt.Errorf("a control group of %s is left", group)
		}
	}
	return nil
}
