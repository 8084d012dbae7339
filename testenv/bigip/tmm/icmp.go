package tmm

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"time"
)

// errNoICMP: this process may not send ICMP.
var errNoICMP = errors.New("ICMP is not permitted here")

// ICMP message types (RFC 792, RFC 4443).
const (
	echoRequest4, echoReply4 = 8, 0
	echoRequest6, echoReply6 = 128, 129
)

// ping sends one echo request and waits for its answer until ctx ends. It
// wants what ping(8) wants: a group in ping_group_range, or CAP_NET_RAW.
func ping(ctx context.Context, to netip.Addr) error {
	conn, peer, err := openICMP(to)
	if err != nil {
		return errors.Join(errNoICMP, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // ends the probe
	defer stop()
	request, token := echoRequest(to)
	if _, err := conn.WriteTo(request, peer); err != nil {
		return err
	}
	reply := byte(echoReply4)
	if to.Is6() {
		reply = echoReply6
	}
	buf := make([]byte, 1500)
	for {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			return err
		}
		if n > 8 && buf[0] == reply && bytes.Equal(buf[8:n], token) {
			return nil
		}
	}
}

// echoRequest makes a request and the payload to know its answer by: a socket
// may see the answers to others, and the kernel may change the identifier.
func echoRequest(to netip.Addr) (message, token []byte) {
	token = make([]byte, 16)
	rand.Read(token)
	kind := byte(echoRequest4)
	if to.Is6() {
		kind = echoRequest6
	}
	message = append([]byte{kind, 0, 0, 0, token[0], token[1], 0, 1}, token...)
	if to.Is4() { // the kernel reckons the checksum of ICMPv6
		binary.BigEndian.PutUint16(message[2:], checksum(message))
	}
	return message, token
}

// checksum is that of RFC 1071, over an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum) //nolint:gosec // folded above
}

// rawICMP opens a raw socket, which only a privileged process may.
func rawICMP(to netip.Addr) (net.PacketConn, net.Addr, error) {
	network, local := "ip4:icmp", "0.0.0.0"
	if to.Is6() {
		network, local = "ip6:ipv6-icmp", "::"
	}
	c, err := net.ListenPacket(network, local)
	return c, &net.IPAddr{IP: to.AsSlice()}, err
}
