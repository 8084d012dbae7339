package peer

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Conn is one connection of a client.
type Conn struct {
	peer *Peer
	c    net.Conn
	stop chan struct{} // closed when it has ended

	mu       sync.Mutex // of writes, and of what follows
	silent   bool
	channels map[uint16]*channel
}

// channel is an open channel.
type channel struct {
	published uint64   // confirms are numbered
	incoming  *Publish // whose content is not complete
	size      uint64   // of it, still to come
	delivered uint64
	closing   bool // by the peer: all is dropped until the client has agreed
}

// serve speaks until the connection ends.
func (c *Conn) serve() {
	defer close(c.stop)
	defer func() { _ = c.c.Close() }() // it may be cut
	r := bufio.NewReader(c.c)
	if _, err := io.ReadFull(r, make([]byte, 8)); err != nil {
		return
	}
	table := []byte{0, 0, 0, 0}
	c.send(method(0, connectionStart, byte(0), byte(9), table, longString("PLAIN"), longString("en_US")))
	for {
		f, err := readFrame(r)
		if err != nil {
			return
		}
		c.take(f)
	}
}

// beat sends heartbeats until the connection ends, or is silenced.
func (c *Conn) beat() {
	tick := time.NewTicker(heartbeat / 2)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.send(frame{kind: frameHeartbeat})
		case <-c.stop:
			return
		}
	}
}

// send writes frames together. A client that is gone is noticed by serve.
func (c *Conn) send(frames ...frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.silent {
		return
	}
	var all []byte
	for _, f := range frames {
		all = append(all, f.bytes()...)
	}
	_, _ = c.c.Write(all)
}

func (c *Conn) take(f frame) {
	if c.closes(f) {
		return
	}
	switch f.kind {
	case frameMethod:
		c.called(f)
	case frameHeader, frameBody:
		c.content(f)
	}
}

// closes says that a frame is of a channel which the peer closes, as brokers do:
// what was on its way by then is dropped.
func (c *Conn) closes(f frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := c.channels[f.channel]
	if ch == nil || !ch.closing {
		return false
	}
	if f.kind == frameMethod {
		ch.closing = f.name() != channelCloseOK
		return f.name() != channelClose
	}
	return true
}

// closeChannel closes a channel with a code, over a method.
func (c *Conn) closeChannel(channel uint16, code uint16, text string, over uint32) {
	c.mu.Lock()
	c.channels[channel].closing = true
	c.mu.Unlock()
	c.send(method(channel, channelClose, code, text, over))
}

// called answers a method.
func (c *Conn) called(f frame) {
	args := f.arguments()
	switch f.name() {
	case connectionStartOK:
		c.send(method(0, connectionTune, uint16(2047), uint32(131072), uint16(heartbeat/time.Second)))
	case connectionTuneOK:
	case connectionOpen:
		c.send(method(0, connectionOpenOK, ""))
	case connectionClose:
		c.send(method(0, connectionCloseOK))
	case channelOpen:
		c.mu.Lock()
		c.channels[f.channel] = &channel{}
		c.mu.Unlock()
		c.send(method(f.channel, channelOpenOK, longString("")))
	case channelClose:
		c.send(method(f.channel, channelCloseOK))
	case exchangeDeclare:
		c.send(method(f.channel, exchangeDeclareOK))
	case queueDeclare:
		number[uint16](args)
		queue := short(args)
		c.peer.declare(queue)
		c.send(method(f.channel, queueDeclareOK, queue, uint32(0), uint32(0)))
	case queueBind:
		c.send(method(f.channel, queueBindOK))
	case queueDelete:
		c.send(method(f.channel, queueDeleteOK, uint32(0)))
	case basicQos:
		c.send(method(f.channel, basicQosOK))
	case confirmSelect:
		c.send(method(f.channel, confirmSelectOK))
	case basicConsume:
		number[uint16](args)
		queue, tag := short(args), short(args)
		c.send(method(f.channel, basicConsumeOK, tag))
		c.peer.consumers <- &Consumer{Conn: c, Queue: queue, Tag: tag, channel: f.channel}
	case basicCancel:
		c.send(method(f.channel, basicCancelOK, short(args)))
	case basicPublish:
		number[uint16](args)
		p := &Publish{Conn: c, Exchange: short(args), Key: short(args), channel: f.channel}
		bits, _ := args.ReadByte()
		p.Mandatory = bits&1 != 0
		c.mu.Lock()
		ch := c.channels[f.channel]
		ch.published++
		p.Number, ch.incoming = ch.published, p
		c.mu.Unlock()
	case basicAck, basicNack:
		s := Settled{Tag: number[uint64](args), Ack: f.name() == basicAck}
		bits, _ := args.ReadByte()
		s.Multiple = bits&1 != 0
		c.peer.settled <- s
	case channelCloseOK, connectionCloseOK:
	default:
		c.peer.tb.Errorf("the peer knows no method %d.%d", f.name()>>16, f.name()&0xFFFF)
	}
}

// content takes the header of a message, or a part of its body.
func (c *Conn) content(f frame) {
	c.mu.Lock()
	ch := c.channels[f.channel]
	p := ch.incoming
	if f.kind == frameHeader {
		args := f.arguments() // after class and weight
		ch.size = number[uint64](args)
	} else {
		ch.size -= uint64(len(f.payload))
	}
	p.content = append(p.content, f)
	complete := ch.size == 0
	c.mu.Unlock()
	if complete {
		c.peer.publishes <- p
	}
}

// Block tells the client that nothing is taken; it may go on sending.
func (c *Conn) Block() { c.send(method(0, connectionBlocked, "low on memory")) }

// Unblock tells it that all is well again.
func (c *Conn) Unblock() { c.send(method(0, connectionFree)) }

// Cut ends the connection without a word.
func (c *Conn) Cut() { _ = c.c.Close() }

// Silence has the peer say nothing more, heartbeats neither. It reads on.
func (c *Conn) Silence() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.silent = true
}

// String names the client's end.
func (c *Conn) String() string { return fmt.Sprint(c.c.RemoteAddr()) }
