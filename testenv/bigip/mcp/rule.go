package mcp

import (
	"net/http"
	"regexp"
	"strings"
)

// checkRule looks at an iRule as far as storing it needs: its braces match, and
// the data groups that it names by their full paths are there.
func checkRule(tx *Tx, o, _ *Object) error {
	depth := 0
	text := o.Str("apiAnonymous")
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth < 0 {
			break
		}
	}
	if depth != 0 {
		return mcpError(http.StatusBadRequest, "01070151", "Rule [%s] error: %s:1: error: [parse error: missing or extra brace]", o.Path, o.Path)
	}
	for n, line := range strings.Split(text, "\n") {
		for _, group := range groupsIn(line) {
			if _, ok := tx.s.find(dataGroupKind, group); !ok {
				return mcpError(http.StatusBadRequest, "01070151", "Rule [%s] error: Unable to find value_list (%s) referenced at line %d: [%s]",
					o.Path, group, n+1, strings.TrimSpace(line))
			}
		}
	}
	return nil
}

const dataGroupKind = "ltm/data-group/internal"

// classCommand is a look-up in a data group that is named by its full path.
var classCommand = regexp.MustCompile(`\bclass\s+(?:match|search)\b.*?\b(?:equals|contains|starts_with|ends_with)\s+(/[\w./-]+)`)

func groupsIn(line string) []string {
	if strings.HasPrefix(strings.TrimSpace(line), "#") {
		return nil
	}
	var groups []string
	for _, m := range classCommand.FindAllStringSubmatch(line, -1) {
		groups = append(groups, m[1])
	}
	return groups
}

// ruleRefs: a data group that an iRule looks up cannot be deleted.
func ruleRefs(o *Object) []target {
	var out []target
	for line := range strings.Lines(o.Str("apiAnonymous")) {
		for _, group := range groupsIn(line) {
			out = append(out, target{dataGroupKind, group})
		}
	}
	return out
}
