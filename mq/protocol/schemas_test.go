package protocol_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"landbridge.dev/mq/protocol"
)

const schemas = "../../docs/schemas"

// schema is the one with this name.
func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	files, err := filepath.Glob(filepath.Join(schemas, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := c.AddResource("https://landbridge.dev/schemas/v1/"+filepath.Base(f), document(t, f)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile("https://landbridge.dev/schemas/v1/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func document(t *testing.T, path string) any {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return value(t, raw)
}

func value(t *testing.T, raw []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// kinds are the messages by their schema's name.
func kinds() map[string]any {
	return map[string]any{
		"registration": &protocol.Registration{}, "answer": &protocol.Answer{}, "announcement": &protocol.Announcement{},
		"snapshot-request": &protocol.SnapshotRequest{}, "snapshot": &protocol.Snapshot{},
	}
}

// kindOf is the kind of message that a file is an example of.
func kindOf(path string) string {
	name := strings.TrimSuffix(filepath.Base(path), ".json")
	best := ""
	for kind := range kinds() {
		if (name == kind || strings.HasPrefix(name, kind+"-")) && len(kind) > len(best) {
			best = kind
		}
	}
	return best
}

// Every example is as its schema says, and what the program reads of it and
// writes again is the same.
func TestExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(schemas, "examples", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range files {
		kind := kindOf(f)
		seen[kind] = true
		s := schema(t, kind)
		if err := s.Validate(document(t, f)); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		message := kinds()[kind]
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(message); err != nil {
			t.Errorf("%s: the program does not know it all: %v", f, err)
		}
		again, err := json.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(value(t, again)); err != nil {
			t.Errorf("%s, as the program writes it: %v", f, err)
		}
		var before, after any
		if json.Unmarshal(raw, &before) != nil || json.Unmarshal(again, &after) != nil || len(before.(map[string]any)) != len(after.(map[string]any)) {
			t.Errorf("%s reads %s and is written %s", f, raw, again)
		}
	}
	for kind := range kinds() {
		if !seen[kind] {
			t.Errorf("%s has no example", kind)
		}
	}
}

// What the schemas refuse.
func TestSchemasRefuse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ kind, message string }{
		{"registration", `{}`},
		{"registration", `{"v":2,"op":"leave","service":"shop/orders","instance":"vm-1","boot":"a","seq":1}`},
		{"registration", `{"v":1,"op":"register","service":"shop/orders","instance":"vm-1","boot":"a","seq":1}`},
		{"registration", `{"v":1,"op":"leave","service":"orders","instance":"vm-1","boot":"a","seq":1}`},
		{"registration", `{"v":1,"op":"leave","service":"shop/orders","instance":"VM 1","boot":"a","seq":1}`},
		{"registration", `{"v":1,"op":"leave","service":"shop/orders","instance":"vm-1","boot":"a","seq":-1}`},
		{"registration", `{"v":1,"op":"register","service":"shop/orders","instance":"vm-1","boot":"a","seq":1,"addresses":["host"],"ports":[{"port":80}]}`},
		{"answer", `{"v":1,"service":"","instance":"","seq":0,"accepted":false}`},
		{"snapshot-request", `{"v":1,"services":[]}`},
		{"snapshot", `{"v":1,"announcements":[{"v":1}]}`},
	} {
		if schema(t, tc.kind).Validate(value(t, []byte(tc.message))) == nil {
			t.Errorf("%s: %s is taken", tc.kind, tc.message)
		}
	}
}

// The reader of messages from others never panics, and takes no other version.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"v":1,"op":"leave","service":"shop/orders","instance":"vm-1","boot":"a","seq":1}`))
	f.Add([]byte(`{"v":1e309}`))
	f.Add([]byte("\xff{"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m protocol.Registration
		if err := protocol.Decode(raw, &m); err == nil && m.V != protocol.Version {
			t.Errorf("%q is taken for version %d", raw, m.V)
		}
	})
}
