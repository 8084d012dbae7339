package mcp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Sources of an error, as the apiError field of an answer shows them.
const (
	FromREST = 1        // icrd, the REST daemon
	FromTran = 2        // the transaction worker
	FromMCP  = 3        // mcpd: the message begins with an eight-digit code
	FromTMSH = 26214401 // the tmsh parser that icrd writes through
	FromLost = 32768001 // mcpd itself is away
)

// Error is a refusal as a device words it.
type Error struct {
	Status   int    // HTTP status
	Message  string // with its code: "01020036:3: The requested Pool (/web/p) was not found."
	APIError int
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

func mcpError(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Message: code + ":3: " + fmt.Sprintf(format, args...), APIError: FromMCP}
}

func tmshError(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...), APIError: FromTMSH}
}

func restError(status int, format string, args ...any) *Error {
	return &Error{Status: status, Message: fmt.Sprintf(format, args...), APIError: FromREST}
}

// notFound: captured for pools and members; the same form for other nouns.
func notFound(noun, path string) *Error {
	return mcpError(http.StatusNotFound, "01020036", "The requested %s (%s) was not found.", noun, path)
}

// NotFound is the answer to a call that names an object which does not exist.
// GET of a missing member is answered by the REST daemon; everything else by
// mcpd (captured).
func NotFound(k *Kind, parent, path string, reading bool) *Error {
	if k.parent == nil {
		return notFound(k.Noun, path)
	}
	parent = strings.ReplaceAll(parent, nesting, " ")
	if reading {
		return restError(http.StatusNotFound, "Object not found - %s", path)
	}
	if k.Path == memberKind {
		node, port := splitMember(path)
		return notFound(k.Noun, fmt.Sprintf("%s %s %s", parent, node, port))
	}
	return notFound(k.Noun, parent+" "+path)
}

func alreadyExists(k *Kind, o *Object) *Error {
	where := o.Path
	if k.parent != nil {
		where = o.Parent + " " + o.Path
	}
	if o.Partition == "" {
		return mcpError(http.StatusConflict, "01020066", "The requested %s (%s) already exists.", k.Noun, where)
	}
	return mcpError(http.StatusConflict, "01020066", "The requested %s (%s) already exists in partition %s.", k.Noun, where, o.Partition)
}

func folderMissing(path string) *Error {
	return tmshError("The requested folder (%s) was not found.", path)
}

func unknownProperty(name string) *Error {
	return tmshError("%q unknown property", name)
}

// tmshName writes the name of a property as tmsh does, which icrd writes
// through: "loadBalancingMode" is "load-balancing-mode" (captured in refusals:
// terraform-provider-bigip #131, POSH-LTM-Rest #102).
func tmshName(name string) string {
	var b strings.Builder
	for i, c := range name {
		switch {
		case c == '_':
			c = '-'
		case c >= 'A' && c <= 'Z':
			if i > 0 {
				b.WriteByte('-')
			}
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}

func invalidValue(name string, value any) *Error {
	text, err := json.Marshal(value)
	if err != nil {
		text = []byte(`"?"`)
	}
	return tmshError("invalid property value %q:%s", tmshName(name), text)
}

// NothingToDo is the answer to a PUT or PATCH without a property (captured).
func NothingToDo() *Error {
	return tmshError("one or more properties must be specified")
}
