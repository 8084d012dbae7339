package tmm

import (
	"sync/atomic"

	"landbridge.dev/testenv/bigip/rest"
)

// counters are updated without a lock while traffic flows.
type counters struct {
	current, most, total atomic.Int64
	in, out              atomic.Int64 // bytes
	requests             atomic.Int64
	sessions             atomic.Int64
}

func (c *counters) open() {
	c.total.Add(1)
	n := c.current.Add(1)
	for {
		m := c.most.Load()
		if n <= m || c.most.CompareAndSwap(m, n) {
			return
		}
	}
}

func (c *counters) close() { c.current.Add(-1) }

// read returns the counts. Packets are not seen by a proxy over sockets: they
// are reckoned from the bytes at 1460 a packet.
func (c *counters) read() rest.Counters {
	in, out := c.in.Load(), c.out.Load()
	return rest.Counters{
		Current: c.current.Load(), Max: c.most.Load(), Total: c.total.Load(),
		BytesIn: in, BytesOut: out, PacketsIn: packets(in), PacketsOut: packets(out),
		Requests: c.requests.Load(), Sessions: c.sessions.Load(),
	}
}

func packets(bytes int64) int64 { return (bytes + 1459) / 1460 }
