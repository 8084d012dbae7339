package peer

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
	"testing"
	"time"
)

// heartbeat is what the peer asks for: a client gives up a silent peer after
// one and a half of it.
const heartbeat = 4 * time.Second

// many is how much may wait for a test to look at it.
const many = 1 << 14

// Peer listens for clients. It ends with its test.
type Peer struct {
	tb        testing.TB
	listener  net.Listener
	publishes chan *Publish
	consumers chan *Consumer
	settled   chan Settled
	serving   sync.WaitGroup

	mu       sync.Mutex
	conns    []*Conn
	declared map[string]int // how often, by queue
	ended    bool
}

// New listens on the loopback interface.
func New(tb testing.TB) *Peer {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Peer{
		tb: tb, listener: l, publishes: make(chan *Publish, many), consumers: make(chan *Consumer, many), settled: make(chan Settled, many),
		declared: map[string]int{},
	}
	p.serving.Go(p.accept)
	tb.Cleanup(p.close)
	return p
}

func (p *Peer) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		conn := &Conn{peer: p, c: c, stop: make(chan struct{}), channels: map[uint16]*channel{}}
		p.mu.Lock()
		if p.ended {
			_ = c.Close()
		}
		p.conns = append(p.conns, conn)
		p.mu.Unlock()
		p.serving.Go(conn.serve)
		p.serving.Go(conn.beat)
	}
}

func (p *Peer) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.ended = true
	for _, c := range p.conns {
		c.Cut()
	}
	p.mu.Unlock()
	p.serving.Wait()
}

// URL is the peer's address, as an AMQP URL.
func (p *Peer) URL() string { return "amqp://" + p.listener.Addr().String() }

func (p *Peer) declare(queue string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.declared[queue]++
}

// Declared is how often a queue was declared.
func (p *Peer) Declared(queue string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.declared[queue]
}

// next waits for what comes on a channel.
func next[T any](p *Peer, what string, from <-chan T) T {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(p.tb.Context(), time.Minute)
	defer cancel()
	select {
	case v := <-from:
		return v
	case <-ctx.Done():
		p.tb.Fatalf("no %s came", what)
		panic("not reached")
	}
}

// Published waits for the next message that is published.
func (p *Peer) Published() *Publish {
	p.tb.Helper()
	return next(p, "message", p.publishes)
}

// Publishes is where Published takes messages from, for who waits for something
// else beside.
func (p *Peer) Publishes() <-chan *Publish { return p.publishes }

// Consumed waits for the next consumer.
func (p *Peer) Consumed() *Consumer {
	p.tb.Helper()
	return next(p, "consumer", p.consumers)
}

// Settled waits for the next word on deliveries.
func (p *Peer) Settled() Settled {
	p.tb.Helper()
	return next(p, "acknowledgement", p.settled)
}

// Settlements is where Settled takes words from, for who waits for something
// else beside.
func (p *Peer) Settlements() <-chan Settled { return p.settled }

// Unsettled fails the test where a word on deliveries has come.
func (p *Peer) Unsettled() {
	p.tb.Helper()
	select {
	case s := <-p.settled:
		p.tb.Errorf("deliveries were settled: %+v", s)
	default:
	}
}

// Settled is an acknowledgement, or its opposite.
type Settled struct {
	Tag      uint64
	Ack      bool
	Multiple bool
}

// Publish is a message that was published, and waits for its end.
type Publish struct {
	Conn          *Conn
	Exchange, Key string
	Mandatory     bool
	Number        uint64 // on its channel

	channel uint16
	content []frame // as it came: what is returned is the same
}

// Channel is the number of its channel.
func (p *Publish) Channel() uint16 { return p.channel }

// Body is what it says.
func (p *Publish) Body() string {
	var b []byte
	for _, f := range p.content {
		if f.kind == frameBody {
			b = append(b, f.payload...)
		}
	}
	return string(b)
}

// Ack confirms it; with multiple also all before it on the channel.
func (p *Publish) Ack(multiple bool) { p.Conn.send(p.word(basicAck, multiple)) }

// Nack refuses it.
func (p *Publish) Nack() { p.Conn.send(p.word(basicNack, false)) }

func (p *Publish) word(name uint32, multiple bool) frame {
	bits := byte(0)
	if multiple {
		bits = 1
	}
	return method(p.channel, name, p.Number, bits)
}

// Return gives it back as unroutable. Brokers confirm it after that.
func (p *Publish) Return() {
	p.Conn.send(append([]frame{method(p.channel, basicReturn, uint16(312), "NO_ROUTE", p.Exchange, p.Key)}, p.content...)...)
}

// CloseChannel closes its channel with a code, with all that is in flight there.
func (p *Publish) CloseChannel(code uint16, text string) {
	p.Conn.closeChannel(p.channel, code, text, basicPublish)
}

// Consumer is a client's consumer.
type Consumer struct {
	Conn       *Conn
	Queue, Tag string

	channel uint16
}

// CloseChannel closes its channel with a code: what it has not settled is the
// queue's again.
func (c *Consumer) CloseChannel(code uint16, text string) {
	c.Conn.closeChannel(c.channel, code, text, 0)
}

// Deliver gives it a message without properties, and says by which tag.
func (c *Consumer) Deliver(body string) uint64 { return c.DeliverWith(nil, body) }

// DeliverWith gives it a message with headers, as a table is on the wire, without
// its length; nil for no properties.
func (c *Consumer) DeliverWith(headers []byte, body string) uint64 {
	c.Conn.mu.Lock()
	ch := c.Conn.channels[c.channel]
	ch.delivered++
	tag := ch.delivered
	c.Conn.mu.Unlock()
	header := []byte{0, 60, 0, 0}
	header = binary.BigEndian.AppendUint64(header, uint64(len(body)))
	if headers == nil {
		header = append(header, 0, 0)
	} else {
		header = append(header, 0x20, 0)
		header = binary.BigEndian.AppendUint32(header, uint32(len(headers)))
		header = append(header, headers...)
	}
	c.Conn.send(
		method(c.channel, basicDeliver, c.Tag, tag, byte(0), "", c.Queue),
		frame{kind: frameHeader, channel: c.channel, payload: header},
		frame{kind: frameBody, channel: c.channel, payload: []byte(body)},
	)
	return tag
}
