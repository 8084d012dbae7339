package node

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// disks are the folders that a node keeps when its power fails, by where they
// are in the node.
func disks() map[string]string {
	return map[string]string{
		"/var/lib/kubelet": "kubelet", "/var/lib/containerd": "containerd", "/var/lib/cni": "cni",
		"/var/log/pods": "pods", "/var/log/containers": "containers",
	}
}

// hidden are the folders that are empty in a node, but for its disks.
func hidden() []string { return []string{"/run", "/var/lib", "/var/log"} }

// tunables are settings of the whole kernel that a kubelet wants so
// (k8s.io/kubernetes/pkg/kubelet/cm/container_manager_linux.go). A node finds
// them so, and the machine's stay as they are.
func tunables() map[string]string {
	return map[string]string{
		"vm/overcommit_memory": "1", "vm/panic_on_oom": "0",
		"kernel/panic": "10", "kernel/panic_on_oops": "1",
		"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
	}
}

// mountAll gives a node's first process the file systems of a machine of its
// own. Its disks are below dir.
func mountAll(dir string, all []hierarchy) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	const plain = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := mount("proc", "/proc", "proc", plain, ""); err != nil {
		return err
	}
	if err := mount("sysfs", "/sys", "sysfs", plain, ""); err != nil {
		return err
	}
	if err := mount("tmpfs", cgroupRoot, "tmpfs", plain, "mode=755"); err != nil {
		return err
	}
	for _, h := range all {
		if err := mount("cgroup", filepath.Join(cgroupRoot, h.Name), "cgroup", plain, h.Option); err != nil {
			return err
		}
	}
	for _, path := range hidden() {
		if err := mount("tmpfs", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
			return err
		}
	}
	for at, disk := range disks() {
		disk = filepath.Join(dir, "disk", disk)
		if err := os.MkdirAll(disk, 0o755); err != nil {
			return err
		}
		if err := mount(disk, at, "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	// What the kubelet mounts for pods has to be seen by containers that stand.
	if err := unix.Mount("", "/var/lib/kubelet", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing the mounts of /var/lib/kubelet: %w", err)
	}
	return mountTunables()
}

func mountTunables() error {
	for name, value := range tunables() {
		file := filepath.Join("/run/tunables", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := unix.Mount(file, filepath.Join("/proc/sys", name), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting over the kernel's setting %s: %w", name, err)
		}
	}
	return nil
}

// mount mounts a file system on a folder, which is made if need be.
func mount(source, at, kind string, flags uintptr, data string) error {
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(source, at, kind, flags, data); err != nil {
		return fmt.Errorf("mounting %s on %s: %w", source, at, err)
	}
	return nil
}
