//go:build !linux

package tmm

import "syscall"

// lateport is there for Linux; elsewhere the port is taken at bind.
func lateport(_, _ string, _ syscall.RawConn) error { return nil }
