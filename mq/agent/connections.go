package agent

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// established is the state of an open connection in /proc/net/tcp
// (include/net/tcp_states.h).
const established = "01"

// connections are how many are open to one of these addresses and ports, those
// from loopback left out: checks and the like. It reads what Linux shows to
// everybody; elsewhere there are none.
func connections(to []netip.AddrPort) int {
	n := 0
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		n += countOpen(f, to)
		f.Close()
	}
	return n
}

// countOpen counts the open connections of a table of /proc/net.
func countOpen(table io.Reader, to []netip.AddrPort) int {
	n := 0
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != established {
			continue
		}
		local, ok := socket(fields[1])
		remote, known := socket(fields[2])
		if ok && known && slices.Contains(to, local) && !remote.Addr().IsLoopback() {
			n++
		}
	}
	return n
}

// socket reads "0100007F:1F90": the address is in 32-bit words of the machine's
// byte order.
func socket(text string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	number, bad := strconv.ParseUint(port, 16, 16)
	if err != nil || bad != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	a, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(a.Unmap(), uint16(number)), ok
}
