package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Possible says why this machine cannot run nodes, if it cannot; nil if it can
// as far as is known before. It looks only.
func Possible() error {
	if os.Geteuid() != 0 {
		return errors.New("it takes root, for containers, mounts and control groups; run this as root")
	}
	all, err := hierarchies()
	if err != nil {
		return err
	}
	for _, dir := range ownCgroup(all) {
		if _, err := os.Stat(filepath.Join(dir, "tasks")); err != nil {
			return fmt.Errorf("its control groups are not mounted where they usually are: %w", err)
		}
	}
	systems, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return err
	}
	if !strings.Contains(string(systems), "\toverlay\n") {
		return errors.New("its kernel has no file system overlay, which containers are made of: `modprobe overlay` may help")
	}
	return nil
}
