package bgp

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"

	api "github.com/osrg/gobgp/v3/api"
	"golang.org/x/sys/unix"
)

// connection is the TCP connection of a session. The zero one is none.
type connection struct {
	local, remote netip.AddrPort
}

func connectionOf(peer string, t *api.Transport) connection {
	local, errLocal := netip.ParseAddr(t.GetLocalAddress())
	remote, errRemote := netip.ParseAddr(peer)
	if errLocal != nil || errRemote != nil {
		return connection{}
	}
	return connection{
		local:  netip.AddrPortFrom(local.Unmap(), uint16(t.GetLocalPort())),
		remote: netip.AddrPortFrom(remote, uint16(t.GetRemotePort())),
	}
}

// cut ends the connection below GoBGP, as the end of this process would: the
// peer sees no Cease, which would take its reason to keep our routes away (RFC
// 4724 section 5). GoBGP v3 cannot close a session in any other way. The socket
// is found among this process's own; shutting it down leaves the descriptor to
// GoBGP.
func (c connection) cut() error {
	if c == (connection{}) {
		return nil // the session is not up
	}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("looking for the connection to %s: %w", c.remote, err)
	}
	for _, f := range files {
		fd, err := strconv.Atoi(f.Name())
		if err != nil {
			continue
		}
		found, err := c.cutIf(fd)
		if found {
			return err
		}
	}
	return nil // it has just gone
}

// cutIf shuts the descriptor down if it is the connection. It looks at a copy,
// which nobody can close meanwhile and give to something else.
func (c connection) cutIf(fd int) (found bool, err error) {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return false, nil // it has been closed: then it is not the one
	}
	defer func() { err = errors.Join(err, unix.Close(own)) }()
	local, errLocal := unix.Getsockname(own)
	remote, errRemote := unix.Getpeername(own)
	if errLocal != nil || errRemote != nil || addrPort(local) != c.local || addrPort(remote) != c.remote {
		return false, nil
	}
	if err := unix.Shutdown(own, unix.SHUT_RDWR); err != nil && !errors.Is(err, unix.ENOTCONN) {
		return true, fmt.Errorf("cutting the connection to %s: %w", c.remote, err)
	}
	return true, nil
}

func addrPort(a unix.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}
