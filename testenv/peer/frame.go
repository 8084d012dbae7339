package peer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// Frame types, and the byte that ends each frame.
const (
	frameMethod    = 1
	frameHeader    = 2
	frameBody      = 3
	frameHeartbeat = 8
	frameEnd       = 0xCE
)

// Methods that are told apart or sent, as class<<16 | method.
const (
	connectionStart   = 10<<16 | 10
	connectionStartOK = 10<<16 | 11
	connectionTune    = 10<<16 | 30
	connectionTuneOK  = 10<<16 | 31
	connectionOpen    = 10<<16 | 40
	connectionOpenOK  = 10<<16 | 41
	connectionClose   = 10<<16 | 50
	connectionCloseOK = 10<<16 | 51
	connectionBlocked = 10<<16 | 60
	connectionFree    = 10<<16 | 61
	channelOpen       = 20<<16 | 10
	channelOpenOK     = 20<<16 | 11
	channelClose      = 20<<16 | 40
	channelCloseOK    = 20<<16 | 41
	exchangeDeclare   = 40<<16 | 10
	exchangeDeclareOK = 40<<16 | 11
	queueDeclare      = 50<<16 | 10
	queueDeclareOK    = 50<<16 | 11
	queueBind         = 50<<16 | 20
	queueBindOK       = 50<<16 | 21
	queueDelete       = 50<<16 | 40
	queueDeleteOK     = 50<<16 | 41
	basicQos          = 60<<16 | 10
	basicQosOK        = 60<<16 | 11
	basicConsume      = 60<<16 | 20
	basicConsumeOK    = 60<<16 | 21
	basicCancel       = 60<<16 | 30
	basicCancelOK     = 60<<16 | 31
	basicPublish      = 60<<16 | 40
	basicReturn       = 60<<16 | 50
	basicDeliver      = 60<<16 | 60
	basicAck          = 60<<16 | 80
	basicNack         = 60<<16 | 120
	confirmSelect     = 85<<16 | 10
	confirmSelectOK   = 85<<16 | 11
)

// frame is one frame.
type frame struct {
	kind    byte
	channel uint16
	payload []byte
}

func readFrame(r io.Reader) (frame, error) {
	var head [7]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{kind: head[0], channel: binary.BigEndian.Uint16(head[1:]), payload: make([]byte, binary.BigEndian.Uint32(head[3:]))}
	if _, err := io.ReadFull(r, f.payload); err != nil {
		return frame{}, err
	}
	var end [1]byte
	if _, err := io.ReadFull(r, end[:]); err != nil {
		return frame{}, err
	}
	if end[0] != frameEnd {
		return frame{}, fmt.Errorf("a frame ends in %#x", end[0])
	}
	return f, nil
}

// bytes is the frame on the wire.
func (f frame) bytes() []byte {
	b := []byte{f.kind}
	b = binary.BigEndian.AppendUint16(b, f.channel)
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.payload)))
	b = append(b, f.payload...)
	return append(b, frameEnd)
}

// method makes a method's frame of what it consists of: string is a short
// string, []byte stands as it is.
func method(channel uint16, name uint32, parts ...any) frame {
	b := binary.BigEndian.AppendUint32(nil, name)
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			b = append(append(b, byte(len(p))), p...)
		case []byte:
			b = append(b, p...)
		case byte:
			b = append(b, p)
		case uint16:
			b = binary.BigEndian.AppendUint16(b, p)
		case uint32:
			b = binary.BigEndian.AppendUint32(b, p)
		case uint64:
			b = binary.BigEndian.AppendUint64(b, p)
		default:
			panic(fmt.Sprintf("a method has no part like %T", p))
		}
	}
	return frame{kind: frameMethod, channel: channel, payload: b}
}

// longString is a string with four bytes of length.
func longString(s string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...)
}

// name is a method frame's method.
func (f frame) name() uint32 { return binary.BigEndian.Uint32(f.payload) }

// arguments reads a method's arguments, one after the other.
func (f frame) arguments() *bytes.Reader { return bytes.NewReader(f.payload[4:]) }

func short(r *bytes.Reader) string {
	n, _ := r.ReadByte() // what is missing is empty
	b := make([]byte, n)
	_, _ = io.ReadFull(r, b)
	return string(b)
}

func number[T uint16 | uint64](r *bytes.Reader) (n T) {
	_ = binary.Read(r, binary.BigEndian, &n) // what is missing is 0
	return n
}
