package histories

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"landbridge.dev/sync/state"
)

var errRefused = errors.New("refused")

// by makes a call as a person does.
func (u *unit) by(method, path string, body any) error {
	status, _ := u.device.Do(method, "/mgmt/tm/ltm/"+path, body)
	if status >= http.StatusBadRequest {
		return errRefused
	}
	return nil
}

func (s *simulated) make(o state.Object) bool   { return s.active().make(o) }
func (s *simulated) alter(o state.Object) bool  { return s.active().alter(o) }
func (s *simulated) remove(o state.Object) bool { return s.active().remove(o) }

func (u *unit) make(o state.Object) bool {
	body := properties(o)
	switch o := o.(type) {
	case *state.Node:
		body["address"] = o.Address.String()
		return u.by(http.MethodPost, "node", place(body, o.Path)) == nil
	case *state.Pool:
		return u.by(http.MethodPost, "pool", place(body, o.Path)) == nil
	case *state.VirtualServer:
		sep, mask := ":", "255.255.255.255"
		if o.Destination.Is6() {
			sep, mask = ".", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
		}
		body["destination"], body["mask"] = "/web/"+o.Destination.IP.String()+sep+"80", mask
		body["ipProtocol"] = string(o.Protocol)
		return u.by(http.MethodPost, "virtual", place(body, o.Path)) == nil
	case *state.PoolMember:
		name, _ := strings.CutPrefix(nameOf(o), "member ")
		body["name"], _, _ = strings.Cut(name, " of ")
		return u.by(http.MethodPost, "pool/"+tilde(o.Pool)+"/members", body) == nil
	}
	return false
}

func place(body map[string]any, path string) map[string]any {
	words := strings.Split(path, "/")
	body["partition"], body["name"] = words[1], words[2]
	return body
}

func (u *unit) alter(o state.Object) bool {
	return u.by(http.MethodPatch, pathOf(o), properties(o)) == nil
}

func (u *unit) remove(o state.Object) bool {
	return u.by(http.MethodDelete, pathOf(o), nil) == nil
}

func pathOf(o state.Object) string {
	switch o := o.(type) {
	case *state.Node:
		return "node/" + tilde(o.Path)
	case *state.Pool:
		return "pool/" + tilde(o.Path)
	case *state.VirtualServer:
		return "virtual/" + tilde(o.Path)
	case *state.Monitor:
		return "monitor/" + o.Type + "/" + tilde(o.Path)
	case *state.IRule:
		return "rule/" + tilde(o.Path)
	case *state.DataGroup:
		return "data-group/internal/" + tilde(o.Path)
	case *state.Persistence:
		return "persistence/source-addr/" + tilde(o.Path)
	case *state.PoolMember:
		name, _ := strings.CutPrefix(nameOf(o), "member ")
		name, _, _ = strings.Cut(name, " of ")
		return "pool/" + tilde(o.Pool) + "/members/" + tilde(name)
	}
	return ""
}

// properties are those that a person may change.
func properties(o state.Object) map[string]any {
	description := ""
	if !o.OwnedBy().IsZero() {
		description = o.OwnedBy().Tag()
	}
	body := map[string]any{"description": description}
	switch o := o.(type) {
	case *state.Monitor:
		body["interval"], body["timeout"] = o.Interval, o.Timeout
	case *state.Persistence:
		body["timeout"] = strconv.Itoa(o.Timeout)
	case *state.DataGroup:
		records := []any{}
		for _, prefix := range o.Prefixes {
			records = append(records, map[string]any{"name": prefix.String()})
		}
		body["records"] = records
	case *state.IRule:
		body = map[string]any{"apiAnonymous": o.Text}
		if description != "" {
			body["apiAnonymous"] = "# " + description + "\n" + o.Text
		}
	case *state.Pool:
		body["loadBalancingMode"] = o.Mode
	case *state.VirtualServer:
		body["pool"] = o.Pool
		if o.Pool == "" {
			body["pool"] = "none"
		}
		body["enabled"] = true
		if o.Disabled {
			delete(body, "enabled")
			body["disabled"] = true
		}
	case *state.PoolMember:
		if !o.Owner.IsZero() {
			body["description"] = o.Note().String()
		}
		body["session"], body["state"], body["ratio"] = "user-enabled", "user-up", o.Ratio
		switch o.Admin {
		case state.Offline:
			body["session"], body["state"] = "user-disabled", "user-down"
		case state.Disabled:
			body["session"] = "user-disabled"
		case state.Enabled:
		}
	}
	return body
}
