package mcp

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxString is the longest string that mcpd takes in a property: 65535 bytes
// (error 01020057 beyond).
const maxString = 65535

// Seal shows a secret as a device does that keeps it encrypted: "$M$", two
// characters of salt, and a block in base64 (captured from monitors).
func Seal(secret string) string {
	if secret == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(secret))
	return fmt.Sprintf("$M$%02x$%s", sum[31], base64.StdEncoding.EncodeToString(sum[:16]))
}

// Read checks a written value against the property and returns what is
// stored; nil means that the property goes back to being absent.
func (p *Prop) Read(v any) (any, error) {
	switch p.Type {
	case String:
		return p.readString(v)
	case Integer:
		return p.readInt(v)
	case Flag, Bool:
		return p.readBool(v)
	case List, RefList:
		return p.readList(v)
	case Ref:
		s, err := p.readString(v)
		if s == "none" || s == "" {
			return p.Default, err
		}
		return s, err
	}
	if s, ok := v.(string); ok && (s == "none" || s == "") {
		return p.Default, nil
	}
	return Normalize(v), nil
}

func (p *Prop) readString(v any) (any, error) {
	var s string
	switch t := v.(type) {
	case string:
		s = t
	case int64:
		s = strconv.FormatInt(t, 10)
	case bool:
		s = strconv.FormatBool(t)
	case nil:
		s = ""
	default:
		return nil, invalidValue(p.Name, v)
	}
	if len(s) > maxString {
		return nil, mcpError(http.StatusBadRequest, "01020057", "The string with more than 65535 characters cannot be stored in a message.")
	}
	if len(p.Enum) > 0 && !slices.Contains(p.Enum, s) {
		return nil, invalidValue(p.Name, v)
	}
	if s == "" || s == "none" {
		if len(p.Enum) > 0 {
			return s, nil
		}
		if p.KeepNone && s == "none" {
			return s, nil
		}
		return p.Default, nil
	}
	return s, nil
}

func (p *Prop) readInt(v any) (any, error) {
	var n int64
	switch t := v.(type) {
	case int64:
		n = t
	case string:
		parsed, err := strconv.ParseInt(t, 10, 64)
		if err != nil {
			return nil, invalidValue(p.Name, v)
		}
		n = parsed
	default:
		return nil, invalidValue(p.Name, v)
	}
	if n < p.Min || n > p.Max {
		return nil, invalidValue(p.Name, v)
	}
	return n, nil
}

func (p *Prop) readBool(v any) (any, error) {
	switch t := v.(type) {
	case bool:
		return t, nil
	case string:
		switch t {
		case "true", "yes", "enabled":
			return true, nil
		case "false", "no", "disabled":
			return false, nil
		}
	}
	return nil, invalidValue(p.Name, v)
}

func (p *Prop) readList(v any) (any, error) {
	switch t := v.(type) {
	case nil:
		return p.Default, nil
	case string:
		if t == "" || t == "none" {
			return p.Default, nil
		}
		var out []any
		for _, s := range strings.Fields(strings.ReplaceAll(t, ",", " ")) {
			out = append(out, s)
		}
		return out, nil
	case []any:
		out := make([]any, 0, len(t))
		for _, e := range t {
			switch s := e.(type) {
			case string:
				out = append(out, s)
			case map[string]any:
				name, ok := s["name"].(string)
				if !ok {
					return nil, invalidValue(p.Name, v)
				}
				if part, ok := s["partition"].(string); ok && !strings.HasPrefix(name, "/") {
					name = "/" + part + "/" + name
				}
				out = append(out, name)
			default:
				return nil, invalidValue(p.Name, v)
			}
		}
		if len(out) == 0 {
			return p.Default, nil
		}
		return out, nil
	}
	return nil, invalidValue(p.Name, v)
}
