package histories

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"landbridge.dev/sync/state"
)

var errRefused = errors.New("refused")

// by makes a call as a person does.
func (s *simulated) by(method, path string, body any) error {
	status, _ := s.device.Do(method, "/mgmt/tm/ltm/"+path, body)
	if status >= http.StatusBadRequest {
		return errRefused
	}
	return nil
}

func tilde(path string) string { return url.PathEscape(strings.ReplaceAll(path, "/", "~")) }

func (s *simulated) make(o state.Object) bool {
	body := properties(o)
	switch o := o.(type) {
	case *state.Node:
		body["address"] = o.Address.String()
		return s.by(http.MethodPost, "node", place(body, o.Path)) == nil
	case *state.Pool:
		return s.by(http.MethodPost, "pool", place(body, o.Path)) == nil
	case *state.VirtualServer:
		sep, mask := ":", "255.255.255.255"
		if o.Destination.Is6() {
			sep, mask = ".", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
		}
		body["destination"], body["mask"] = "/web/"+o.Destination.IP.String()+sep+"80", mask
		body["ipProtocol"] = string(o.Protocol)
		return s.by(http.MethodPost, "virtual", place(body, o.Path)) == nil
	case *state.PoolMember:
		name, _ := strings.CutPrefix(nameOf(o), "member ")
		body["name"], _, _ = strings.Cut(name, " of ")
		return s.by(http.MethodPost, "pool/"+tilde(o.Pool)+"/members", body) == nil
	}
	return false
}

func place(body map[string]any, path string) map[string]any {
	words := strings.Split(path, "/")
	body["partition"], body["name"] = words[1], words[2]
	return body
}

func (s *simulated) alter(o state.Object) bool {
	return s.by(http.MethodPatch, pathOf(o), properties(o)) == nil
}

func (s *simulated) remove(o state.Object) bool {
	return s.by(http.MethodDelete, pathOf(o), nil) == nil
}

func pathOf(o state.Object) string {
	switch o := o.(type) {
	case *state.Node:
		return "node/" + tilde(o.Path)
	case *state.Pool:
		return "pool/" + tilde(o.Path)
	case *state.VirtualServer:
		return "virtual/" + tilde(o.Path)
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
			body["description"] = state.MemberNote(o.Owner, o.Drain, o.Terminating)
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
