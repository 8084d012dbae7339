package tmm

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// lateport has a connection from a given address take its port only when it
// connects. Without it the port is taken at bind, where one that waits in
// TIME-WAIT to any destination is not free: the machine's 28,000 ports then
// last for 28,000 connections a minute (IP_BIND_ADDRESS_NO_PORT, ip(7)).
func lateport(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		// Where the kernel does not know it, the port is taken at once.
		unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1) //nolint:errcheck,gosec // see above
	})
}
