package broker

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
)

// What the library reads of headers (amqp091-go, read.go): it closes the
// connection over a list or a table with more entries, or one that lies deeper.
const (
	mostEntries = 8192
	mostDepth   = 32
)

// sieve is a connection that takes off headers that the library cannot read. The
// broker carries them, and whoever publishes may set them: without this one
// message closed a connection that many share, and was given again at once to
// the next, without end. What was taken off is named in HeaderGone.
type sieve struct {
	net.Conn
	in    *bufio.Reader
	frame []byte // the last with headers
	ready []byte // of it, to be read
	pass  int    // bytes of the frame that is being read as it came
}

func newSieve(c net.Conn) *sieve { return &sieve{Conn: c, in: bufio.NewReaderSize(c, 32<<10)} }

// Frames are a kind, a channel, a size, so many bytes, and one that ends them.
const (
	frameHead   = 1 + 2 + 4
	frameHeader = 2
	// mostFrame is what is asked of a broker; a larger one the library refuses.
	mostFrame = 128 << 10
	// leastFrame is the least that any broker may send.
	leastFrame = 4 << 10
)

// Read reads what the broker sends, but for those headers.
func (s *sieve) Read(b []byte) (int, error) {
	if len(s.ready) == 0 && s.pass == 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	if len(s.ready) > 0 {
		n := copy(b, s.ready)
		s.ready = s.ready[n:]
		return n, nil
	}
	n, err := s.in.Read(b[:min(len(b), s.pass)])
	s.pass -= n
	return n, err
}

// next begins a frame.
func (s *sieve) next() error {
	head, err := s.in.Peek(frameHead)
	if err != nil {
		return err
	}
	size := frameHead + int(binary.BigEndian.Uint32(head[3:])) + 1
	if head[0] != frameHeader || size > mostFrame {
		s.pass = size
		return nil
	}
	s.frame = slices.Grow(s.frame[:0], size)[:size]
	if _, err := io.ReadFull(s.in, s.frame); err != nil {
		return err
	}
	s.ready = sifted(s.frame)
	return nil
}

// sifted is a frame of a message's properties, without headers that the library
// cannot read.
func sifted(frame []byte) []byte {
	const (
		flags                                 = frameHead + 2 + 2 + 8 // after class, weight and the body's size
		hasType, hasEncoding, hasHeaders byte = 0x80, 0x40, 0x20      // in this order
	)
	if len(frame) < flags+2 || frame[flags]&hasHeaders == 0 {
		return frame
	}
	at := flags + 2
	for _, has := range []byte{hasType, hasEncoding} {
		if frame[flags]&has != 0 && at < len(frame) {
			at += 1 + int(frame[at])
		}
	}
	if len(frame) < at+4 {
		return frame
	}
	end := at + 4 + int(binary.BigEndian.Uint32(frame[at:]))
	if end >= len(frame) {
		return frame
	}
	headers, gone := siftTable(frame[at+4 : end])
	if gone == nil {
		return frame
	}
	note := goneNote(gone)
	if len(headers)+len(note) > end-at-4 && len(frame) > leastFrame {
		headers = nil // a frame must not become larger than the broker may send
	}
	headers = append(headers, note...)
	out := binary.BigEndian.AppendUint32(slices.Clone(frame[:at]), uint32(len(headers))) // of one frame
	out = append(append(out, headers...), frame[end:]...)
	binary.BigEndian.PutUint32(out[3:], uint32(len(out)-frameHead-1))
	return out
}

// goneNote is the entry of a table that names what is not in it any more.
func goneNote(gone []string) []byte {
	const most = 120
	names := strings.Join(gone, ", ")
	if len(names) > most {
		names = names[:most] + "…"
	}
	if names == "" {
		names = "?"
	}
	names = strings.ToValidUTF8(names, "?")
	note := append([]byte{byte(len(HeaderGone))}, HeaderGone+"S"...)
	note = binary.BigEndian.AppendUint32(note, uint32(len(names))) // of few
	return append(note, names...)
}

// siftTable is a table without what cannot be read, and the names of that. Of too
// many entries half as many as can be read stay.
func siftTable(table []byte) (kept []byte, gone []string) {
	type entry struct {
		from, to int
		readable bool
	}
	entries, readable := make([]entry, 0, 16), true
	for at := 0; at < len(table); {
		e := entry{from: at, to: len(table)}
		if value := at + 1 + int(table[at]); value < len(table) {
			size, fine := field(table[value:], 0)
			if size > 0 { // else nobody knows where it ends
				e.to, e.readable = value+size, fine
			}
		}
		readable = readable && e.readable
		entries = append(entries, e)
		at = e.to
	}
	most := mostEntries - 1 // and ours
	switch {
	case len(entries) > most:
		most = mostEntries / 2
	case readable: // mostly
		return table, nil
	}
	for i, e := range entries {
		if e.readable && i < most {
			kept = append(kept, table[e.from:e.to]...)
			continue
		}
		name := table[e.from+1 : min(e.to, e.from+1+int(table[e.from]))]
		gone = append(gone, string(name))
	}
	return kept, gone
}

// field is the size of the field that b begins with, 0 where that is not known,
// and whether the library can read it in a table or list of this depth.
func field(b []byte, depth int) (size int, readable bool) {
	if len(b) == 0 {
		return 0, false
	}
	switch b[0] {
	case 'V':
		return 1, true
	case 't', 'b', 'B':
		size = 2
	case 's', 'u':
		size = 3
	case 'I', 'i', 'f':
		size = 5
	case 'D':
		size = 6
	case 'l', 'd', 'T':
		size = 9
	case 'S', 'x', 'A', 'F':
		if len(b) < 5 {
			return 0, false
		}
		size = 5 + int(binary.BigEndian.Uint32(b[1:]))
	default:
		return 0, false
	}
	if size > len(b) {
		return 0, false
	}
	if b[0] == 'A' || b[0] == 'F' {
		return size, fields(b[5:size], b[0] == 'F', depth+1)
	}
	return size, true
}

// fields says whether the library can read what a table or a list holds.
func fields(b []byte, named bool, depth int) bool {
	if depth > mostDepth {
		return false
	}
	for n := 0; len(b) > 0; n++ {
		if named {
			if 1+int(b[0]) >= len(b) {
				return false
			}
			b = b[1+int(b[0]):]
		}
		size, readable := field(b, depth)
		if size == 0 || !readable || n >= mostEntries {
			return false
		}
		b = b[size:]
	}
	return true
}
