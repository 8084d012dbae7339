package histories

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"landbridge.dev/sync/state"
)

// call is a change by its path below /mgmt/tm/ltm.
type call struct{ method, path string }

// touches are the things that stand and that a call would alter or remove.
func (u *unit) touches(c call) map[string]thing {
	words := strings.Split(c.path, "/")
	touched := map[string]thing{}
	add := func(kind, parent, path string) {
		if name, t, ok := u.thing(kind, parent, path); ok {
			t.gone = c.method == http.MethodDelete
			touched[name] = t
		}
	}
	switch {
	case kindsOf()["ltm/"+c.path] != "": // something is made
	case words[0] == "pool" && len(words) == 2:
		add("ltm/pool", "", fullPath(words[1]))
		if c.method == http.MethodDelete {
			for _, m := range u.device.Objects("ltm/pool/members", fullPath(words[1])) {
				add("ltm/pool/members", fullPath(words[1]), m)
			}
		}
	case words[0] == "pool" && len(words) == 3:
		add("ltm/pool", "", fullPath(words[1]))
	case words[0] == "pool" && len(words) == 4:
		add("ltm/pool/members", fullPath(words[1]), fullPath(words[3]))
	case words[0] == "node", words[0] == "virtual", words[0] == "rule":
		add("ltm/"+words[0], "", fullPath(words[1]))
	case len(words) == 3 && kindsOf()["ltm/"+words[0]+"/"+words[1]] != "":
		add("ltm/"+words[0]+"/"+words[1], "", fullPath(words[2]))
	default:
		u.simulated.play.violated("a call to what no plan speaks of: %s %s", c.method, c.path)
	}
	return touched
}

// kindsOf are the kinds of objects that are observed, by those of iControl
// REST. Members are seen with their pools.
func kindsOf() map[string]state.Kind {
	return map[string]state.Kind{
		"ltm/node": state.KindNode, "ltm/pool": state.KindPool, "ltm/virtual": state.KindVirtualServer,
		"ltm/monitor/tcp": state.KindMonitor, "ltm/monitor/http": state.KindMonitor, "ltm/monitor/https": state.KindMonitor, "ltm/monitor/udp": state.KindMonitor,
		"ltm/rule": state.KindIRule, "ltm/data-group/internal": state.KindDataGroup, "ltm/persistence/source-addr": state.KindPersistence,
	}
}

func fullPath(word string) string {
	path, err := url.PathUnescape(word)
	if err != nil {
		return word
	}
	return strings.ReplaceAll(path, "~", "/")
}

// thing is an object as the device shows it, without what it reports by
// itself.
func (u *unit) thing(kind, parent, path string) (name string, t thing, ok bool) {
	key := path
	if parent != "" {
		key = parent + " " + path
	}
	o, ok := u.device.Object(kind, key)
	if !ok {
		return "", thing{}, false
	}
	for _, volatile := range []string{"selfLink", "generation", "membersReference", "profilesReference", "policiesReference"} {
		delete(o, volatile)
	}
	if up, _ := o["state"].(string); up != "user-down" {
		delete(o, "state")
	}
	if session, _ := o["session"].(string); session == "monitor-enabled" {
		o["session"] = "user-enabled"
	}
	if kind == "ltm/virtual" {
		o["profiles"], o["policies"] = u.device.Objects("ltm/virtual/profiles", path), u.device.Objects("ltm/virtual/policies", path)
	}
	content, err := json.Marshal(o)
	if err != nil {
		u.simulated.play.violated("%s %s cannot be written: %v", kind, path, err)
	}
	description, _ := o["description"].(string)
	own, _ := o["name"].(string)
	t = thing{content: string(content)}
	switch kind {
	case "ltm/node":
		t.owner = ownerOf(description, own, false)
		return "node " + path, t, true
	case "ltm/pool/members":
		t.owner, t.within = ownerOf(description, own, false), "pool "+parent
		address, _ := o["address"].(string)
		if a, err := state.ParseAddress(address); err == nil {
			t.at = state.Endpoint{Address: a, Port: portOf(path)}
		}
		note := state.ParseNote(description)
		t.drain, t.terminating = note.Drain, note.Terminating
		return "member " + path + " of " + parent, t, true
	case "ltm/rule":
		text, _ := o["apiAnonymous"].(string)
		description, _, _ = strings.Cut(text, "\n")
	}
	t.owner = ownerOf(description, own, true)
	return string(kindsOf()[kind]) + " " + path, t, true
}

// portOf is the port that a member's path ends in.
func portOf(path string) uint16 {
	n, err := strconv.ParseUint(path[strings.LastIndexAny(path, ".:")+1:], 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

func (u *unit) things() map[string]thing {
	all := map[string]thing{}
	add := func(kind, parent, path string) {
		if name, t, ok := u.thing(kind, parent, path); ok {
			all[name] = t
		}
	}
	for kind, of := range kindsOf() {
		for _, path := range u.device.Objects(kind, "") {
			if of != state.KindNode && strings.HasPrefix(path, "/Common/") {
				continue // came with the device, or stands there for ours to refer to
			}
			add(kind, "", path)
			if kind != "ltm/pool" {
				continue
			}
			for _, m := range u.device.Objects("ltm/pool/members", path) {
				add("ltm/pool/members", path, m)
			}
		}
	}
	return all
}
