package rest

import (
	"fmt"
	"net/http"
	"strings"

	"landbridge.dev/testenv/bigip/mcp"
)

// Roles of auth/user, by what they may do (BIG-IP User Account Administration,
// "User roles"): administrator and resource-administrator everything (the
// latter no users), manager all traffic objects of its partitions,
// application-editor change but not make nodes, pools, members and monitors,
// operator enable and disable nodes and members, guest and auditor read.

// roleIn returns the role of a user in a partition; "" is no access.
func (s *Server) roleIn(name, partition string) string {
	o, ok := s.store.Get(mcp.Key{Kind: "auth/user", Path: name})
	if !ok {
		return ""
	}
	return roleOf(o, partition)
}

func roleOf(u *mcp.Object, partition string) string {
	list, _ := u.Props["partitionAccess"].([]any)
	role := ""
	for _, e := range list {
		m, _ := e.(map[string]any)
		where, _ := m["name"].(string)
		r, _ := m["role"].(string)
		if r == "no-access" {
			continue
		}
		if where == "all-partitions" || where == partition {
			role = r
		}
		if partition == "Common" && role == "" {
			role = "guest" // Common can be read by whoever has a role anywhere
		}
	}
	return role
}

// isAdmin reports whether a user may do everything.
func (s *Server) isAdmin(name string) bool {
	r := s.roleIn(name, "all-partitions")
	return r == "admin" || r == "resource-admin"
}

// mayWrite refuses a change that the user's role does not allow.
func (s *Server) mayWrite(p place, w write) error {
	if s.isAdmin(w.user) {
		if p.kind.Path == "auth/user" && s.roleIn(w.user, "all-partitions") != "admin" && p.path != w.user {
			return denied(w.user, "modify", className(p.kind.Path))
		}
		return nil
	}
	if !strings.HasPrefix(p.kind.Path, "ltm/") {
		if p.kind.Path == "auth/user" && p.path == w.user && w.method == http.MethodPatch && onlyKeys(w.body, "password") {
			return nil
		}
		return s.unauthorized(w.user, w.method, w.path)
	}
	partition := partitionOf(p, w.body)
	switch s.roleIn(w.user, partition) {
	case "manager":
		if _, ok := w.body["metadata"]; ok {
			return denied(w.user, verb(w.method), className(p.kind.Path)+"_metadata")
		}
		return nil
	case "application-editor":
		if w.method != http.MethodPost && w.method != http.MethodDelete && editable(p.kind.Path) {
			return nil
		}
	case "operator":
		if w.method == http.MethodPatch && switchable(p.kind.Path) && onlyKeys(w.body, "session", "state") {
			return nil
		}
	}
	return denied(w.user, verb(w.method), className(p.kind.Path))
}

func editable(kind string) bool {
	return kind == "ltm/pool" || switchable(kind) || strings.HasPrefix(kind, "ltm/monitor/")
}

func switchable(kind string) bool { return kind == "ltm/pool/members" || kind == "ltm/node" }

func onlyKeys(body map[string]any, keys ...string) bool {
	n := 0
	for _, k := range keys {
		if _, ok := body[k]; ok {
			n++
		}
	}
	return n > 0 && n == len(body)
}

func verb(method string) string {
	switch method {
	case http.MethodPost:
		return "create"
	case http.MethodDelete:
		return "delete"
	}
	return "modify"
}

// partitionOf is where a change takes place: that of the object, of its
// parent, or the one that a creation names.
func partitionOf(p place, body map[string]any) string {
	path := p.path
	if p.parent != "" {
		path = p.parent
	}
	if path == "" {
		name, _ := body["name"].(string)
		if !strings.HasPrefix(name, "/") {
			if part, _ := body["partition"].(string); part != "" {
				return part
			}
			return "Common"
		}
		path = name
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first
}

// className is what mcpd calls a kind in its refusals (virtual_server_metadata
// is captured; the others are the names of its classes).
func className(kind string) string {
	switch kind {
	case "ltm/pool/members":
		return "pool_member"
	case "ltm/node":
		return "node_address"
	case "ltm/virtual":
		return "virtual_server"
	case "ltm/snat-translation":
		return "trans_addr"
	}
	if strings.HasPrefix(kind, "ltm/monitor/") {
		return "monitor"
	}
	return strings.NewReplacer("-", "_").Replace(kind[strings.LastIndex(kind, "/")+1:])
}

// denied is mcpd's refusal of a change, a 400 (f5-common-python #1516,
// f5-ansible #1175).
func denied(user, verb, class string) error {
	return mcpDenied("01070822", "Access Denied: user (%s) does not have %s access to object (%s)", user, verb, class)
}

func mcpDenied(code, format string, args ...any) error {
	return &mcp.Error{Status: http.StatusBadRequest, Message: code + ":3: " + fmt.Sprintf(format, args...), APIError: mcp.FromMCP}
}

// unauthorized is the refusal of the REST framework, for paths that a role
// does not reach at all.
func (s *Server) unauthorized(user, method, path string) error {
	return &frameworkError{http.StatusUnauthorized, fmt.Sprintf(
		"Authorization failed: user=https://localhost/mgmt/shared/authz/users/%s resource=/mgmt/tm/%s verb=%s uri:http://localhost:8100/mgmt/tm/%s referrer:127.0.0.1 sender:127.0.0.1",
		user, path, method, path)}
}

// mayRead refuses a GET that the user's role does not allow: self IPs and
// users to all but administrators, objects of partitions without a role.
func (s *Server) mayRead(name string, p place, path string) error {
	if s.isAdmin(name) {
		return nil
	}
	if p.kind.Path == "net/self" || p.kind.Path == "auth/user" && p.path != name {
		return s.unauthorized(name, http.MethodGet, path)
	}
	if p.path == "" && p.parent == "" || p.kind.Naming != mcp.InFolder {
		return nil
	}
	if partition := partitionOf(p, nil); s.roleIn(name, partition) == "" {
		return mcpDenied("01070823", "Read Access Denied: user (%s) type (%s) partition (%s)", name, p.kind.Noun, partition)
	}
	return nil
}

// visible reports whether a user sees an object in a collection.
func (s *Server) visible(name string, o *mcp.Object) bool {
	if o.Partition == "" || o.Kind.Parent() != nil {
		return true
	}
	return s.roleIn(name, o.Partition) != "" || s.isAdmin(name)
}
