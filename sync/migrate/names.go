package migrate

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"

	"landbridge.dev/sync/state"
)

// longestName is what the API admits for a Service (RFC 1035).
const longestName = 63

// name is one for a Service that no other here has: that of the virtual server,
// as far as the API admits it.
func (w *writer) name(path string) string {
	base := serviceName(path[strings.LastIndex(path, "/")+1:])
	name := base
	for n := 2; w.names[name]; n++ {
		end := "-" + strconv.Itoa(n)
		name = strings.TrimRight(base[:min(len(base), longestName-len(end))], "-") + end
	}
	w.names[name] = true
	return name
}

// serviceName makes a DNS label that begins with a letter of a name.
func serviceName(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		if r < 'a' || r > 'z' {
			if r < '0' || r > '9' {
				r = '-'
			}
			if b.Len() == 0 && r != '-' {
				b.WriteString("vs-")
			}
		}
		if r != '-' || b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
			b.WriteRune(r)
		}
	}
	label := b.String()
	label = strings.Trim(label[:min(len(label), longestName)], "-")
	if label == "" {
		return "vs"
	}
	return label
}

// portName is what a Service port is called by those who know its number.
func portName(v *state.VirtualServer) string {
	switch {
	case v.Protocol == state.TCP && v.Destination.Port == 80:
		return "http"
	case v.Protocol == state.TCP && v.Destination.Port == 443:
		return "https"
	case v.Destination.Port == 53:
		return "dns-" + string(v.Protocol)
	}
	return string(v.Protocol) + "-" + strconv.Itoa(int(v.Destination.Port))
}

// quoted is a string in YAML, of which JSON is a part.
func quoted(s string) string {
	text, err := json.Marshal(strings.ToValidUTF8(s, "?"))
	if err != nil {
		return `""` // no string is an error
	}
	return string(text)
}

// clean is text that stays in its line of a comment.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, s)
}
