package mcp

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// settleRecords gives each record the empty data that a device shows, and an
// address without one a length.
func settleRecords(_ *Tx, o, _ *Object) error {
	list, _ := o.Props["records"].([]any)
	out := make([]any, 0, len(list))
	for _, r := range list {
		name, data := "", ""
		switch t := r.(type) {
		case string:
			name = t
		case map[string]any:
			name, _ = t["name"].(string)
			data, _ = t["data"].(string)
		}
		if o.Str("type") == "ip" {
			var ok bool
			if name, ok = recordAddress(name); !ok {
				return invalidValue("records", list)
			}
		}
		out = append(out, map[string]any{"name": name, "data": data})
	}
	if len(out) > 0 {
		o.Props["records"] = out
	}
	return nil
}

// recordAddress writes an address record with its length, and its bits beyond
// that cleared; a route domain stays.
func recordAddress(name string) (string, bool) {
	host, bits, hasBits := strings.Cut(name, "/")
	host, domain, hasDomain := strings.Cut(host, "%")
	a, err := netip.ParseAddr(host)
	if err != nil {
		return "", false
	}
	if !hasBits {
		bits = strconv.Itoa(a.BitLen())
	}
	p, err := a.Prefix(atoi(bits))
	if err != nil {
		return "", false
	}
	if hasDomain {
		domain = "%" + domain
	}
	return p.Addr().String() + domain + "/" + bits, true
}

// atoi is -1 for what is no number.
func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// EditRecords changes single records of a data group by a clause in tmsh's
// language, as the query parameter "options" of a PATCH gives it: "records add
// { key { data value } }", "records modify ...", "records delete { key }"
// (captured, 17.1.2.1).
func (tx *Tx) EditRecords(k Key, clause string) (*Object, error) {
	old := tx.get(k)
	if old == nil {
		return nil, NotFound(tx.s.mustKind(k.Kind), k.Parent, k.Path, false)
	}
	words := strings.Fields(strings.NewReplacer("{", " { ", "}", " } ").Replace(clause))
	if k.Kind != "ltm/data-group/internal" || len(words) < 4 || words[0] != "records" || words[2] != "{" || words[len(words)-1] != "}" {
		return nil, tmshError("%q unexpected argument", clause)
	}
	records, _ := old.Props["records"].([]any)
	records = slices.Clone(records)
	for _, r := range readRecords(words[3 : len(words)-1]) {
		var err error
		if records, err = editRecord(old, records, words[1], r); err != nil {
			return nil, err
		}
	}
	o := old.clone()
	o.Props["records"] = records
	if len(records) == 0 {
		delete(o.Props, "records")
	}
	return o, tx.store(o, old, &input{kind: o.Kind})
}

// readRecords reads "key { data value } key2 { } key3".
func readRecords(words []string) []map[string]any {
	var out []map[string]any
	for i := 0; i < len(words); i++ {
		r := map[string]any{"name": strings.Trim(words[i], `"`), "data": ""}
		if i+1 < len(words) && words[i+1] == "{" {
			end := i + 1 + slices.Index(words[i+1:], "}")
			if end <= i {
				end = len(words) - 1
			}
			if end > i+2 && words[i+2] == "data" {
				r["data"] = strings.Trim(strings.Join(words[i+3:end], " "), `"`)
			}
			i = end
		}
		out = append(out, r)
	}
	return out
}

func editRecord(o *Object, records []any, verb string, r map[string]any) ([]any, error) {
	at := slices.IndexFunc(records, func(have any) bool {
		m, _ := have.(map[string]any)
		return m["name"] == r["name"]
	})
	name, _ := r["name"].(string)
	noun := "class " + o.Str("type") + " item"
	switch {
	case verb == "add" && at >= 0:
		return nil, mcpError(409, "01020066", "The requested %s (%s %s) already exists in partition %s.", noun, o.Path, name, o.Partition)
	case verb == "add":
		return append(records, r), nil
	case at < 0:
		return nil, notFound(noun, o.Path+" "+name)
	case verb == "delete":
		return slices.Delete(records, at, at+1), nil
	case verb == "modify":
		records[at] = r
		return records, nil
	}
	return nil, tmshError("%q unexpected argument", verb)
}
