package tmm

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// flow is one connection through a virtual server: the client's side and the
// server's.
type flow struct {
	client, server *net.TCPConn
	member         *member
	virtual        *virtual
	once           sync.Once
}

// reset ends both sides with a TCP reset.
func (f *flow) reset() {
	f.once.Do(func() {
		for _, c := range []*net.TCPConn{f.client, f.server} {
			c.SetLinger(0) //nolint:errcheck // the connection may be gone already
			c.Close()
		}
	})
}

// carry copies both ways until both sides have ended, or one has failed.
func (f *flow) carry() {
	var wg sync.WaitGroup
	oneWay := func(dst, src *net.TCPConn, counts ...*atomic.Int64) {
		defer wg.Done()
		if err := pump(dst, src, counts); err != nil {
			f.reset()
			return
		}
		dst.CloseWrite() //nolint:errcheck // the other side may be gone
	}
	wg.Add(2)
	go oneWay(f.server, f.client, &f.member.counters.in, &f.virtual.counters.in)
	go oneWay(f.client, f.server, &f.member.counters.out, &f.virtual.counters.out)
	wg.Wait()
	f.once.Do(func() {
		f.client.Close()
		f.server.Close()
	})
}

// pump copies one direction, counting as it goes.
func pump(dst io.Writer, src io.Reader, counts []*atomic.Int64) error {
	buf := make([]byte, 16<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			for _, c := range counts {
				c.Add(int64(n))
			}
			if _, werr := dst.Write(buf[:n]); werr != nil {
				return werr
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
