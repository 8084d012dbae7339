package dispatch_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/broker/scene"
)

// A connection that is not used is closed before a pod's server would: Node's does
// after 5 s, and a message that goes out just then is lost with it.
func TestIdleConnection(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.Must(err)
	defer l.Close()
	ended := make(chan error, 1)
	go func() { ended <- answerOnce(l, 5*time.Second) }()
	address := netip.MustParseAddrPort(l.Addr().String())
	c := consumer(s)
	c.Endpoints = []state.Endpoint{{Address: state.Address{IP: address.Addr()}, Port: address.Port()}}
	s.Publish("orders.work", messages(1)...)
	start(s).Set(ref, c)
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("the idle connection: %v", err)
	}
}

// answerOnce answers one request, and says how its connection ended in the time
// after that.
func answerOnce(l net.Listener, within time.Duration) error {
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	from := bufio.NewReader(conn)
	r, err := http.ReadRequest(from)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	_, err = from.ReadByte()
	return err
}
