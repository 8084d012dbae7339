package rest

import (
	"net/http"
	"slices"
	"strings"

	"landbridge.dev/testenv/bigip/mcp"
)

// command carries out POSTs that are commands rather than changes of objects:
// saving, syncing, failing over. handled is false for everything else.
func (s *Server) command(c *call, rest string) (answer any, handled bool, err error) {
	if c.Method != http.MethodPost {
		return nil, false, nil
	}
	switch rest {
	case "sys/config", "cm", "cm/config-sync", "sys/failover":
	default:
		return nil, false, nil
	}
	body, err := decodeBody(c.body)
	if err != nil {
		return nil, true, err
	}
	if !s.isAdmin(c.user.name) && s.roleIn(c.user.name, "all-partitions") != "manager" {
		return nil, true, s.unauthorized(c.user.name, c.Method, rest)
	}
	if err := s.o.Unit.Writable(); err != nil {
		return nil, true, err
	}
	switch rest {
	case "sys/config":
		answer, err = s.save(body)
	case "sys/failover":
		answer, err = s.failover(body)
	default:
		answer, err = s.sync(body)
	}
	return answer, true, err
}

func (s *Server) save(body map[string]any) (any, error) {
	switch body["command"] {
	case "save":
		if err := s.o.Unit.Save(); err != nil {
			return nil, err
		}
		var d doc
		d.add("kind", "tm:sys:config:savestate")
		d.add("command", "save")
		if o, ok := body["options"]; ok {
			d.add("options", o)
		}
		return d, nil
	case "load":
		return doc{{"kind", "tm:sys:config:loadstate"}, {"command", "load"}}, nil
	}
	return nil, badCommand(body)
}

func badCommand(body map[string]any) error {
	cmd, _ := body["command"].(string)
	return &mcp.Error{Status: http.StatusBadRequest, Message: "invalid command \"" + cmd + "\"", APIError: mcp.FromTMSH}
}

// sync reads utilCmdArgs "config-sync [force-full-load-push] to-group DG".
func (s *Server) sync(body map[string]any) (any, error) {
	args, _ := body["utilCmdArgs"].(string)
	words := strings.Fields(args)
	if body["command"] != "run" || !slices.Contains(words, "config-sync") && len(words) < 2 {
		return nil, badCommand(body)
	}
	to, from := slices.Index(words, "to-group"), slices.Index(words, "from-group")
	i := max(to, from)
	if i < 0 || i+1 >= len(words) {
		return nil, badCommand(body)
	}
	force := slices.Contains(words, "force-full-load-push")
	if err := s.o.Unit.Sync(words[i+1], to >= 0, force); err != nil {
		return nil, err
	}
	return doc{{"kind", "tm:cm:runstate"}, {"command", "run"}, {"utilCmdArgs", args}}, nil
}

func (s *Server) failover(body map[string]any) (any, error) {
	if body["command"] != "run" {
		return nil, badCommand(body)
	}
	group, _ := body["trafficGroup"].(string)
	action := ""
	args, _ := body["utilCmdArgs"].(string)
	for _, a := range []string{"standby", "offline", "online"} {
		if body[a] == true || slices.Contains(strings.Fields(args), a) {
			action = a
		}
	}
	if action == "" {
		return nil, badCommand(body)
	}
	if err := s.o.Unit.Failover(action, group); err != nil {
		return nil, err
	}
	d := doc{{"kind", "tm:sys:failover:runstate"}, {"command", "run"}}
	if args != "" {
		d.add("utilCmdArgs", args)
	} else {
		d.add(action, true)
	}
	return d, nil
}
