package tmm

import (
	"net/netip"
	"testing"
	"time"
)

func TestChecksum(t *testing.T) {
	t.Parallel()
	// The example of RFC 1071, section 3: words 0001 f203 f4f5 f6f7.
	if got := checksum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}); got != 0x220d {
		t.Errorf("checksum %04x", got)
	}
}

// TestAlive: with ICMP or, where it is not permitted, by a TCP connect.
func TestAlive(t *testing.T) {
	t.Parallel()
	c := check{kind: "icmp", interval: 5 * time.Second, dest: "*"}
	if err := c.alive(t.Context(), netip.MustParseAddrPort("127.0.0.1:0")); err != nil {
		t.Errorf("loopback: %v", err)
	}
}
