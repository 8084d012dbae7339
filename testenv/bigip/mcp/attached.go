package mcp

import (
	"net/http"
	"strings"
)

// prepareAttached names an item after the profile or policy that it attaches.
func prepareAttached(group string) func(*Tx, *input) error {
	return func(tx *Tx, in *input) error {
		vs := tx.get(Key{Kind: virtualKind, Path: in.parent})
		written, _ := in.body["name"].(string)
		path := written
		if !strings.HasPrefix(written, "/") {
			if p, _ := in.body["partition"].(string); p != "" {
				sub, _ := in.body["subPath"].(string)
				path = joinPath(p, sub, written)
			} else if vs != nil {
				path = tx.resolve(group, written, vs)
			}
		}
		in.partition, in.subPath, in.name = splitPath(path)
		if p, ok := tx.s.find(group, path); ok && in.body["context"] == nil {
			if side := sideOf(p.Kind.Path); side != "" {
				in.body["context"] = side
			}
		}
		return nil
	}
}

func attachedRefs(group string) func(*Object) []target {
	return func(o *Object) []target { return []target{{group, o.Path}} }
}

// sideOf is the side of a connection that a profile serves unless it is told
// otherwise; "" for a policy.
func sideOf(kind string) string {
	switch {
	case kind == "ltm/profile/client-ssl":
		return "clientside"
	case kind == "ltm/profile/server-ssl":
		return "serverside"
	case strings.HasPrefix(kind, "ltm/profile/"):
		return "all"
	}
	return ""
}

// attachment is a profile on a virtual server.
type attachment struct{ kind, context string }

func (tx *Tx) attachments(vs *Object) []attachment {
	var out []attachment
	for _, it := range tx.items(vs.Key()) {
		if it.Kind.Collection != "profiles" {
			continue
		}
		if p, ok := tx.s.find("ltm/profile/", it.Path); ok {
			out = append(out, attachment{strings.TrimPrefix(p.Kind.Path, "ltm/profile/"), it.Str("context")})
		}
	}
	return out
}

// serves reports whether the profile is there for a side of the connection.
func (a attachment) serves(side string) bool { return a.context == side || a.context == "all" }

// defaultProfiles gives a new virtual server the protocol profile that it was
// not given: fastL4 where there is none at all, tcp or udp beside others
// (f5-openstack-agent makes HTTP virtual servers so).
func defaultProfiles(tx *Tx, o, old *Object) error {
	if old != nil {
		return nil
	}
	have := tx.attachments(o)
	for _, a := range have {
		if isProtocolProfile(a.kind) {
			return nil
		}
	}
	name := "/Common/fastL4"
	if len(have) > 0 {
		name = "/Common/" + o.Str("ipProtocol")
		if _, ok := tx.s.find("ltm/profile/", name); !ok {
			return nil
		}
	}
	_, err := tx.Create(virtualKind+"/profiles", o.Path, map[string]any{"name": name})
	return err
}

func isProtocolProfile(kind string) bool {
	switch kind {
	case "tcp", "udp", "sctp", "fastl4", "fasthttp", "ipother":
		return true
	}
	return false
}

// checkProfiles refuses the combinations of profiles that are known to be
// refused: 01070096 (terraform-provider-bigip #433), 01070097, "Found
// disallowed profile" (f5-ansible #34), "Less than the required minimum number
// of profiles" (f5-appsvcs-templates #146), "Required profile", and cookie
// persistence without an HTTP profile (01070309).
func checkProfiles(tx *Tx, o *Object) error {
	have := tx.attachments(o)
	if err := alone(o, have); err != nil {
		return err
	}
	for _, side := range []string{"clientside", "serverside"} {
		if err := oneProtocol(o, have, side); err != nil {
			return err
		}
	}
	return checkHTTP(tx, o, have)
}

// alone: one profile of a type on each side, and fastL4 and fasthttp beside no
// other protocol. TLS profiles may be several, one for each name.
func alone(o *Object, have []attachment) error {
	for i, a := range have {
		for _, b := range have[:i] {
			same := a.kind == b.kind && a.kind != "client-ssl" && a.kind != "server-ssl"
			if same && (a.context == b.context || a.context == "all" || b.context == "all") {
				return mcpError(http.StatusBadRequest, "01070097", "Virtual server %s lists duplicate profiles.", o.Path)
			}
			if isProtocolProfile(a.kind) && isProtocolProfile(b.kind) && (isFast(a.kind) || isFast(b.kind)) {
				return profileError("Found disallowed profile on %s: Not Any Of (FastL4 Profile, FastHTTP Profile)", o.Path)
			}
		}
	}
	return nil
}

func isFast(kind string) bool { return kind == "fastl4" || kind == "fasthttp" }

// oneProtocol: where there is a TCP, UDP or SCTP profile, each side has one,
// and it is of the virtual server's own protocol.
func oneProtocol(o *Object, have []attachment, side string) error {
	some, here := false, false
	for _, a := range have {
		switch a.kind {
		case "tcp", "udp", "sctp":
		default:
			continue
		}
		some = true
		here = here || a.serves(side)
		if p := o.Str("ipProtocol"); p != "any" && p != a.kind {
			return mcpError(http.StatusBadRequest, "01070096", "Virtual server %s lists profiles incompatible with its protocol.", o.Path)
		}
	}
	if some && !here {
		return profileError("Less than the required minimum number of profiles found on %s: Exactly 1 of (UDP Profile (%[2]s), TCP Profile (%[2]s), SCTP Profile (%[2]s))", o.Path, side)
	}
	return nil
}

// checkHTTP: what needs an HTTP profile has one.
func checkHTTP(tx *Tx, o *Object, have []attachment) error {
	html := false
	for _, a := range have {
		switch a.kind {
		case "http", "fasthttp":
			return nil
		case "html":
			html = true
		}
	}
	for _, path := range PersistencePaths(o) {
		if p, ok := tx.s.find("ltm/persistence/", path); ok && p.Kind.Path == "ltm/persistence/cookie" {
			return mcpError(http.StatusBadRequest, "01070309", "Cookie persistence requires an HTTP or FastHTTP profile to be associated with the virtual server.")
		}
	}
	if html {
		return profileError("Required profile profile_http not present for virtual server %s", o.Path)
	}
	return nil
}

func profileError(format string, args ...any) error {
	return mcpError(http.StatusBadRequest, "01070734", "Configuration error: "+format, args...)
}
