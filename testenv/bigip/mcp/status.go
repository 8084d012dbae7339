package mcp

import "strings"

// Status is what the monitors say of a pool member or a node. It is state of
// the running device, not configuration: it has no generation, is in no
// snapshot, and watchers are not told of it.
type Status struct {
	// Monitor is "up", "down", "checking" (no result yet), "unchecked" (no
	// monitor), or for FQDN members "fqdn-up" and the like.
	Monitor string
	// Reason is the text that a device adds where it has more to say than
	// the state, such as why a monitor failed.
	Reason string
}

// SetStatus records what monitors say of a member or node.
func (s *Store) SetStatus(k Key, st Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects[k.Kind][k] == nil {
		return
	}
	s.statuses[k] = st
}

// Status returns what was last recorded. Without a record it is "unchecked"
// for what has no monitor, "checking" for the rest.
func (s *Store) Status(k Key) Status {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o := s.objects[k.Kind][k]
	if st := s.statuses[k]; o != nil && strings.HasPrefix(st.Monitor, "fqdn-") {
		return st
	}
	if o == nil || len(s.monitorsOf(o).Paths) == 0 {
		return Status{Monitor: "unchecked"}
	}
	if st, ok := s.statuses[k]; ok {
		return st
	}
	return Status{Monitor: "checking"}
}

// MonitorsOf returns the rule that watches a member or a node: its own, or for
// "default" that of its pool, or the device's default node monitor.
func (s *Store) MonitorsOf(o *Object) MonitorRule {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.monitorsOf(o)
}

func (s *Store) monitorsOf(o *Object) MonitorRule {
	text := o.Str("monitor")
	if text != "default" {
		return ParseMonitorRule(text)
	}
	switch o.Kind.Path {
	case memberKind:
		if p := s.objects[poolKind][Key{Kind: poolKind, Path: o.Parent}]; p != nil {
			return ParseMonitorRule(p.Str("monitor"))
		}
	case nodeKind:
		d := s.objects["ltm/default-node-monitor"][Key{Kind: "ltm/default-node-monitor"}]
		if d != nil {
			return ParseMonitorRule(d.Str("rule"))
		}
	}
	return MonitorRule{}
}
