package translate

import (
	"cmp"
	"slices"
	"strings"

	"landbridge.dev/config/annotation"
	"landbridge.dev/sync/state"
)

// stockKind is what the profiles that come with a device are (ltm profile,
// TMOS 14.1); empty for any other, of which the name does not tell.
func stockKind(path string) string {
	name, stock := strings.CutPrefix(path, "/Common/")
	if !stock {
		return ""
	}
	switch name {
	case "tcp", "tcp-legacy", "tcp-lan-optimized", "tcp-wan-optimized", "tcp-mobile-optimized", "mptcp-mobile-optimized",
		"f5-tcp-lan", "f5-tcp-mobile", "f5-tcp-progressive", "f5-tcp-wan":
		return "tcp"
	case "udp", "udp_decrement_ttl", "udp_gtm_dns", "udp_preserve_ttl":
		return "udp"
	case "sctp":
		return "sctp"
	case "fastL4", "full-acceleration":
		return "fastl4"
	case "fasthttp":
		return "fasthttp"
	case "http", "http-explicit", "http-transparent":
		return "http"
	case "http2":
		return "http2"
	case "oneconnect":
		return "one-connect"
	case "clientssl", "clientssl-insecure-compatible", "clientssl-secure":
		return "client-ssl"
	case "serverssl", "serverssl-insecure-compatible":
		return "server-ssl"
	}
	return ""
}

// isProtocol says whether a kind of profile carries a protocol: a virtual
// server has one on each side.
func isProtocol(kind string) bool {
	switch kind {
	case "tcp", "udp", "sctp", "fastl4", "fasthttp":
		return true
	}
	return false
}

// The sides of a connection, as iControl REST names them.
const (
	bothSides  = "all"
	clientSide = "clientside"
	serverSide = "serverside"
)

// profilesOf are a port's profiles, sorted. Beside others the protocol's own
// is named where none of them, by its name, is one of a protocol.
func (t *translation) profilesOf(s *settings, port int, protocol state.Protocol, persistence string) []state.Profile {
	own := state.Profile{Path: "/Common/" + string(protocol), Context: bothSides}
	v, written := s.valueOf("profiles", port)
	if !written {
		if persistence == stockCookie && !lent(s, port) { // what stands has its own
			t.noHTTP(s, port)
		}
		return []state.Profile{own}
	}
	parsed, err := annotation.ParseProfiles(v.text)
	if err != nil {
		return []state.Profile{own}
	}
	var profiles []state.Profile
	whole := true // each of them is known by its name
	hasProtocol, hasHTTP := false, false
	for _, p := range parsed {
		kind := stockKind(p.Path)
		profiles = append(profiles, state.Profile{Path: p.Path, Context: sideOf(p.Side, kind)})
		whole = whole && kind != ""
		hasProtocol = hasProtocol || isProtocol(kind)
		hasHTTP = hasHTTP || kind == "http" || kind == "fasthttp"
	}
	if whole && !hasProtocol {
		profiles = append(profiles, own)
	}
	if whole && !hasHTTP && persistence == stockCookie {
		t.noHTTP(s, port)
	}
	if why := together(profiles, string(protocol), whole); why != "" {
		t.once("BadAnnotation", v.from+": "+v.text+": "+why)
	}
	slices.SortFunc(profiles, func(a, b state.Profile) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Context, b.Context))
	})
	return profiles
}

func sideOf(side, kind string) string {
	switch {
	case side == "client", side == "" && kind == "client-ssl":
		return clientSide
	case side == "server", side == "" && kind == "server-ssl":
		return serverSide
	}
	return bothSides
}

// noHTTP finds fault with cookies where no profile reads HTTP (01070309).
func (t *translation) noHTTP(s *settings, port int) {
	v, _ := s.valueOf("persistence", port)
	t.once("BadAnnotation", v.from+": cookie: Cookie persistence requires an HTTP or FastHTTP profile to be associated with the virtual server; add /Common/http to "+Prefix+"profiles")
}

// together says why profiles do not go together on a virtual server, in the
// device's words; empty where they do, as far as their names tell (01070096,
// 01070097, 01070734). whole says that the name of each tells.
func together(profiles []state.Profile, protocol string, whole bool) string {
	for i, a := range profiles {
		kind := stockKind(a.Path)
		for _, b := range profiles[:i] {
			other := stockKind(b.Path)
			meet := a.Context == b.Context || a.Context == bothSides || b.Context == bothSides
			if (a.Path == b.Path || kind != "" && kind == other && kind != "client-ssl" && kind != "server-ssl") && meet {
				return "the virtual server lists duplicate profiles: " + b.Path + " and " + a.Path
			}
			if isProtocol(kind) && isProtocol(other) && (isFast(kind) || isFast(other)) {
				return "found disallowed profile: not any of (FastL4 Profile, FastHTTP Profile) beside another of a protocol: " + b.Path + " and " + a.Path
			}
		}
		switch {
		case kind == "client-ssl" && a.Context != clientSide, kind == "server-ssl" && a.Context != serverSide:
			return a.Path + " serves the other side; a client-ssl profile is ;client, a server-ssl profile ;server"
		case kind == "fasthttp" && protocol != "tcp", isProtocol(kind) && !isFast(kind) && kind != protocol:
			return "the virtual server lists profiles incompatible with its protocol: " + a.Path + " on a " + strings.ToUpper(protocol) + " port"
		}
	}
	return oneSided(profiles, protocol, whole)
}

func isFast(kind string) bool { return kind == "fastl4" || kind == "fasthttp" }

// oneSided: where a protocol's profile serves one side, another serves the
// other.
func oneSided(profiles []state.Profile, protocol string, whole bool) string {
	sides := map[string]bool{}
	for _, p := range profiles {
		if isProtocol(stockKind(p.Path)) {
			sides[p.Context] = true
		}
	}
	if !whole || len(sides) == 0 || sides[bothSides] || sides[clientSide] && sides[serverSide] {
		return ""
	}
	missing := clientSide
	if sides[clientSide] {
		missing = serverSide
	}
	return "less than the required minimum number of profiles found: exactly 1 of (" + strings.ToUpper(protocol) + " Profile (" + missing + ")); name one for the other side too"
}
