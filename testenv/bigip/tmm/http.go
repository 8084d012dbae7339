package tmm

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// serveHTTP carries a connection of a virtual server with an HTTP profile and
// cookie persistence: the cookie of the first request says which member, and
// the first answer sets it. Later requests on the connection stay with that
// member, as on a device without OneConnect.
func (e *Engine) serveHTTP(v *virtual, conf *virtualSettings, client *net.TCPConn) {
	stop := context.AfterFunc(e.ctx, func() { refuse(client) })
	defer stop()
	fromClient := bufio.NewReader(client)
	req, err := http.ReadRequest(fromClient)
	if err != nil {
		refuse(client)
		return
	}
	name := conf.persistence.cookie
	if name == "" {
		name = cookieName(conf.pool.path)
	}
	var wish *member
	if c, err := req.Cookie(name); err == nil {
		wish = conf.pool.byCookie(c.Value)
	}
	server, m, err := e.connect(conf, addrOf(client.RemoteAddr()), wish)
	if err != nil {
		refuse(client)
		return
	}
	defer m.release()
	f := &flow{client: client, server: server, member: m, virtual: v}
	if !m.track(f) {
		f.reset()
		return
	}
	defer m.untrack(f)
	if !v.track(f) {
		f.reset()
		return
	}
	defer v.untrack(f)
	defer f.reset()
	cookie := ""
	if m != wish {
		cookie = fmt.Sprintf("%s=%s; path=/; Httponly", name, encodeMember(m.conf.Load().addr))
	}
	e.exchange(f, req, fromClient, cookie)
}

// exchange passes requests and answers until one side ends.
func (e *Engine) exchange(f *flow, req *http.Request, fromClient *bufio.Reader, cookie string) {
	fromServer := bufio.NewReader(f.server)
	toServer := countingWriter{f.server, []addable{&f.member.counters.in, &f.virtual.counters.in}}
	toClient := countingWriter{f.client, []addable{&f.member.counters.out, &f.virtual.counters.out}}
	for {
		f.member.counters.requests.Add(1)
		f.virtual.counters.requests.Add(1)
		if req.Header["User-Agent"] == nil {
			req.Header["User-Agent"] = []string{""} // keeps net/http from adding its own
		}
		if req.Write(toServer) != nil {
			return
		}
		resp, err := http.ReadResponse(fromServer, req)
		if err != nil {
			return
		}
		if cookie != "" {
			resp.Header.Add("Set-Cookie", cookie)
			cookie = ""
		}
		last := req.Close || resp.Close
		err = resp.Write(toClient)
		resp.Body.Close()
		if err != nil || last || resp.StatusCode == http.StatusSwitchingProtocols {
			return
		}
		if req, err = http.ReadRequest(fromClient); err != nil {
			return
		}
	}
}

type addable interface{ Add(int64) int64 }

// countingWriter counts what it writes.
type countingWriter struct {
	net.Conn
	counts []addable
}

func (w countingWriter) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	for _, c := range w.counts {
		c.Add(int64(n))
	}
	return n, err
}

// cookieName is "BIGipServer" and the pool: its name in Common, its path with
// tildes elsewhere (F5 K83419154).
func cookieName(pool string) string {
	if name, ok := strings.CutPrefix(pool, "/Common/"); ok {
		return "BIGipServer" + name
	}
	return "BIGipServer" + strings.ReplaceAll(pool, "/", "~")
}

// encodeMember is the value of a persistence cookie (F5 K6917): for IPv4 the
// address as a little-endian number, the port with its bytes swapped, and
// 0000; for IPv6 "vi" with the address in hexadecimal and the port.
func encodeMember(a netip.AddrPort) string {
	if a.Addr().Is4() {
		b := a.Addr().As4()
		swapped := a.Port()<<8 | a.Port()>>8
		return fmt.Sprintf("%d.%d.0000", binary.LittleEndian.Uint32(b[:]), swapped)
	}
	b := a.Addr().As16()
	return fmt.Sprintf("vi%x.%d", b, a.Port())
}

// byCookie finds the member that a cookie names, if it may serve persisted
// clients.
func (p *pool) byCookie(value string) *member {
	value = strings.Trim(value, `"`)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.members {
		if encodeMember(m.conf.Load().addr) == value && m.usable(true) {
			return m
		}
	}
	return nil
}
