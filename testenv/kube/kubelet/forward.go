package kubelet

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/tools/cache"
)

// rotation hands out backends in turn.
type rotation struct {
	to   atomic.Pointer[backends]
	next atomic.Uint64
}

func (r *rotation) route(to backends) { r.to.Store(&to) }

func (r *rotation) pick() (to netip.AddrPort, local bool) {
	b := r.to.Load()
	return b.addrs[r.next.Add(1)%uint64(len(b.addrs))], b.local
}

// tcpSocket forwards the connections to one node port.
type tcpSocket struct {
	rotation
	node     netip.Addr
	power    context.Context // ends the connections
	listener net.Listener
	accepted sync.WaitGroup  // the accepting goroutine
	open     *sync.WaitGroup // the connections; the proxy waits for them
}

func listenTCP(key socketKey, to backends, open *sync.WaitGroup) (socket, error) {
	l, err := net.Listen("tcp", key.addr.String())
	if err != nil {
		return nil, err
	}
	s := &tcpSocket{node: key.addr.Addr(), power: key.power, listener: l, open: open}
	s.route(to)
	s.accepted.Go(s.accept)
	return s, nil
}

func (s *tcpSocket) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		s.open.Go(func() { s.forward(c.(*net.TCPConn)) })
	}
}

func (s *tcpSocket) close() {
	_ = s.listener.Close()
	s.accepted.Wait()
}

// forward joins a client's connection to a backend. The source address is the
// node's, as after masquerading, or with Local the client's own, which in a
// test's namespace is local as well.
func (s *tcpSocket) forward(client *net.TCPConn) {
	defer client.Close()
	to, local := s.pick()
	source := s.node
	if local {
		source = client.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()
	}
	d := net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: source.AsSlice()}}
	backend, err := d.DialContext(s.power, "tcp", to.String())
	if err != nil {
		_ = client.SetLinger(0) // reset it, nearest to the backend's refusal
		return
	}
	defer backend.Close()
	defer context.AfterFunc(s.power, func() { _ = client.Close(); _ = backend.Close() })()
	var both sync.WaitGroup
	both.Go(func() { copyHalf(backend.(*net.TCPConn), client) })
	both.Go(func() { copyHalf(client, backend.(*net.TCPConn)) })
	both.Wait()
}

// copyHalf copies one direction and passes its end on: an orderly one as
// such, a broken connection as a broken one.
func copyHalf(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		_ = to.SetLinger(0)
		_ = to.Close()
		_ = from.Close()
		return
	}
	_ = to.CloseWrite()
}

// healthSocket is the kind of a healthCheckNodePort.
const healthSocket = "health"

// health answers a load balancer's question whether this node has endpoints,
// as kube-proxy does (k8s.io/kubernetes/pkg/proxy/healthcheck).
type health struct {
	server  *http.Server
	local   atomic.Int64
	serving sync.WaitGroup
}

func listenHealth(name cache.ObjectName, addr netip.AddrPort) (socket, error) {
	l, err := net.Listen("tcp", addr.String())
	if err != nil {
		return nil, err
	}
	h := &health{}
	h.server = &http.Server{
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			n := h.local.Load()
			w.Header().Set("Content-Type", "application/json")
			if n == 0 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			_ = json.NewEncoder(w).Encode(map[string]any{
				"service":             map[string]string{"namespace": name.Namespace, "name": name.Name},
				"localEndpoints":      n,
				"serviceProxyHealthy": true,
			})
		}),
	}
	h.serving.Go(func() { _ = h.server.Serve(l) }) // ends with close
	return h, nil
}

func (h *health) route(to backends) { h.local.Store(int64(len(to.addrs))) }

func (h *health) close() {
	_ = h.server.Close()
	h.serving.Wait()
}
