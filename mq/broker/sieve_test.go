package broker_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/mq/broker"
	"landbridge.dev/testenv/peer"
)

// sized is a field of a kind that has a length.
func sized(kind byte, content []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(content))), content...)
}

// entry is an entry of a table.
func entry(name string, field []byte) []byte {
	return append(append([]byte{byte(len(name))}, name...), field...)
}

func nested(kind byte, depth int) []byte {
	field := []byte{'V'}
	for range depth {
		if kind == 'F' {
			field = entry("n", field)
		}
		field = sized(kind, field)
	}
	return field
}

// delivering is a consumer of a peer, by a connection that must not close.
func delivering(t *testing.T) (*peer.Consumer, *broker.Subscription) {
	t.Helper()
	p := peer.New(t)
	sub, err := await(t, connect(t, p)).Consume(broker.Consumer{Queue: "q", Tag: "t", Prefetch: 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Close)
	return p.Consumed(), sub
}

// Headers that the library closes a connection over are taken off, and named;
// the others stay.
func TestHeadersThatCannotBeRead(t *testing.T) {
	t.Parallel()
	region := entry("region", sized('S', []byte("eu")))
	var many []byte
	for i := range 9000 {
		many = append(many, entry(strconv.Itoa(i), []byte{'V'})...)
	}
	for _, test := range []struct {
		name   string
		field  []byte // of the header "odd"
		behind []byte
		gone   any // nil: all can be read
	}{
		{"a list of what can be read", sized('A', bytes.Repeat([]byte{'t', 1}, 8192)), region, nil},
		{"a longer list", sized('A', bytes.Repeat([]byte{'t', 1}, 8193)), region, "odd"},
		{"a table of more entries", sized('F', many), region, "odd"},
		{"lists as deep as can be read", nested('A', 32), region, nil},
		{"deeper lists", nested('A', 33), region, "odd"},
		{"tables as deep as can be read", nested('F', 32), region, nil},
		{"deeper tables", nested('F', 33), region, "odd"},
		{"a list of something unknown", sized('A', []byte{'L', 0, 0, 0, 0, 0, 0, 0, 0}), region, "odd"},
		{"something unknown, and all behind it", []byte{'L', 0, 0, 0, 0, 0, 0, 0, 0}, nil, "odd"},
		{"a decimal", []byte{'D', 2, 0, 0, 0, 1}, region, nil},
		{"a long text", sized('S', bytes.Repeat([]byte{'x'}, 100<<10)), region, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			consumer, sub := delivering(t)
			table := append(append(bytes.Clone(region), entry("odd", test.field)...), test.behind...)
			consumer.DeliverWith(table, "a")
			consumer.Deliver("b")
			d, _ := sub.Next(t.Context().Done())
			if d == nil {
				t.Fatalf("the connection ended: %v", sub.Err())
			}
			_, odd := d.Headers["odd"]
			if d.Headers["region"] != "eu" || d.Headers[broker.HeaderGone] != test.gone || odd != (test.gone == nil) {
				t.Errorf("region %v, odd is there: %t, gone %v", d.Headers["region"], odd, d.Headers[broker.HeaderGone])
			}
			if next, _ := sub.Next(t.Context().Done()); next == nil || string(next.Body) != "b" {
				t.Errorf("then came %+v", next)
			}
		})
	}
	t.Run("more headers than can be read", func(t *testing.T) {
		t.Parallel()
		consumer, sub := delivering(t)
		consumer.DeliverWith(many, "a")
		d, _ := sub.Next(t.Context().Done())
		if d == nil {
			t.Fatalf("the connection ended: %v", sub.Err())
		}
		if gone, _ := d.Headers[broker.HeaderGone].(string); len(d.Headers) != 4097 || !strings.HasPrefix(gone, "4096, 4097, ") {
			t.Errorf("%d headers are left, and %q gone", len(d.Headers), gone)
		}
	})
}

// Whatever a table is on the wire, its message comes, and what can be read is as
// it was.
func TestAnyHeaders(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	consumer, sub := delivering(t)
	for i := range 5000 {
		table := randomTable(random, 0)
		whole := i%2 == 0
		if !whole && len(table) > 0 { // a byte of it is another
			table[random.IntN(len(table))] = byte(random.IntN(256))
		}
		body := strconv.Itoa(i)
		consumer.DeliverWith(append(entry("first", []byte{'t', 1}), table...), body)
		d, _ := sub.Next(t.Context().Done())
		if d == nil {
			t.Fatalf("message %d, with %q: %v", i, table, sub.Err())
		}
		want := map[string]any{"body": body, "first": true, "gone": nil}
		got := map[string]any{"body": string(d.Body), "first": d.Headers["first"], "gone": d.Headers[broker.HeaderGone]}
		if diff := cmp.Diff(want, got); diff != "" && (whole || got["first"] != true || got["body"] != body) {
			t.Fatalf("message %d, with %q (-want +got):\n%s", i, table, diff)
		}
		if err := d.Ack(); err != nil {
			t.Fatal(err)
		}
	}
}

// randomTable is a table that is in order, of few entries.
func randomTable(random *rand.Rand, depth int) []byte {
	var table []byte
	for i := range random.IntN(5) {
		table = append(table, entry("k"+strconv.Itoa(i), randomField(random, depth))...)
	}
	return table
}

func randomField(random *rand.Rand, depth int) []byte {
	kinds := "VtbBsuIifDldTSxAF"
	if depth > 4 {
		kinds = "VtbBsuIifDldTSx"
	}
	kind := kinds[random.IntN(len(kinds))]
	switch kind {
	case 'S', 'x':
		return sized(kind, bytes.Repeat([]byte{'x'}, random.IntN(40)))
	case 'A':
		var list []byte
		for range random.IntN(5) {
			list = append(list, randomField(random, depth+1)...)
		}
		return sized(kind, list)
	case 'F':
		return sized(kind, randomTable(random, depth+1))
	}
	size := map[byte]int{'V': 0, 't': 1, 'b': 1, 'B': 1, 's': 2, 'u': 2, 'D': 5, 'l': 8, 'd': 8, 'T': 8}[kind]
	if strings.IndexByte("Iif", kind) >= 0 {
		size = 4
	}
	return append([]byte{kind}, make([]byte, size)...)
}
