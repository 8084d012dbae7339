package load

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// patience is how long a client waits to be let in, and for an answer: far
// longer than either takes on a machine that is busy with other things.
const patience = 15 * time.Second

// conn is one client's connection.
type conn struct {
	c    net.Conn
	from *bufio.Reader
	host string
}

func newConn(c net.Conn, to netip.AddrPort) *conn {
	return &conn{c: c, from: bufio.NewReader(c), host: to.String()}
}

func (c *conn) close() { _ = c.c.Close() }

// ask asks who is there; last says that it is the last question. The far ends
// of the lab answer "pod=NAME …", whatever they are.
func (c *conn) ask(last bool) (who string, err error) {
	if err := c.c.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	question := "GET / HTTP/1.1\r\nHost: " + c.host + "\r\n"
	if last {
		question += "Connection: close\r\n"
	}
	if _, err := io.WriteString(c.c, question+"\r\n"); err != nil {
		return "", err
	}
	answer, err := http.ReadResponse(c.from, nil)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	name, ok := strings.CutPrefix(string(body), "pod=")
	words := strings.Fields(name)
	if answer.StatusCode != http.StatusOK || !ok || len(words) == 0 {
		return "", fmt.Errorf("status %d: %q", answer.StatusCode, body)
	}
	return words[0], nil
}

// kind is a failure in a word or two: "timeout", or what the error ends in, such
// as "refused", "reset by peer", "EOF".
func kind(err error) string {
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return "timeout"
	}
	text := err.Error()
	return strings.TrimPrefix(text[strings.LastIndex(text, ": ")+1:], " ")
}
