package rest

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEncode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   any
		want string
	}{
		{"fields keep their order", doc{{"b", 1}, {"a", int64(2)}}, `{"b":1,"a":2}`},
		{"maps are sorted", map[string]any{"b": true, "a": nil}, `{"a":null,"b":true}`},
		{"nothing is escaped for HTML", "<a&b>", `"<a&b>"`},
		{"what JSON needs is", "a\"b\\c\r\n\x01", `"a\"b\\c\r\n\u0001"`},
		{"text stays text", "Zürich 東京", `"Zürich 東京"`},
		{"bytes that are no text", "a\xffb", `"a\ufffdb"`},
		{"lists", []any{doc{}, []any{}, 1.5}, `[{},[],1.5]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := encode(c.in)
			if err != nil || string(got) != c.want {
				t.Errorf("got %s %v, want %s", got, err, c.want)
			}
			if !json.Valid(got) {
				t.Error("not JSON")
			}
		})
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		raw  string
		want []string // as a self link repeats it
		bad  bool
	}{
		{raw: "", want: nil},
		{raw: "$select=name,fullPath", want: []string{"$select=name%2CfullPath"}},
		{raw: "%24top=30&ver=14.1.0", want: []string{"$top=30"}},
		{raw: "expandSubcollections=true", want: []string{"expandSubcollections=true"}},
		{raw: "$top=x", bad: true},
		{raw: "$skip=-1", bad: true},
		{raw: "$filter=partition", bad: true},
		{raw: "$orderby=name", bad: true},
	} {
		t.Run(c.raw, func(t *testing.T) {
			t.Parallel()
			q, err := parseQuery(c.raw)
			if (err != nil) != c.bad {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(c.want, q.echo); !c.bad && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
