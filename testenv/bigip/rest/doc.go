// Package rest is the iControl REST voice of the simulated BIG-IP: paths,
// authentication, queries, the form of answers and errors. What is true is
// decided by package mcp; this package only words it.
package rest

import (
	"bytes"
	"encoding/json"
)

// doc is a JSON object that keeps the order of its fields, which answers of
// devices have: kind, name, partition, fullPath, generation, selfLink, then
// the properties.
type doc []field

type field struct {
	name  string
	value any
}

func (d *doc) add(name string, value any) { *d = append(*d, field{name, value}) }

// get returns a field's value.
func (d doc) get(name string) (any, bool) {
	for _, f := range d {
		if f.name == name {
			return f.value, true
		}
	}
	return nil, false
}

// MarshalJSON writes the fields in their order.
func (d doc) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range d {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(f.name)
		if err != nil {
			return nil, err
		}
		value, err := encode(f.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encode writes JSON without escaping <, > and &, as devices do.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
