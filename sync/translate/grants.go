package translate

import (
	"landbridge.dev/config"
	"landbridge.dev/config/annotation"
	"landbridge.dev/sync/state"
)

// use is something that the Service uses on the device and that a tenant has
// to be granted: a class, or an object by its path.
type use struct {
	from, what string
	granted    func(grant) []string
	mode       state.Mode // what happens where it is not granted
}

// grantUses keeps of the tenants' entries those that allow all that the
// Service uses: one entry alone must allow all of a request. Where none is
// left, the first that none allows is found fault with.
func (t *translation) grantUses(s *settings) {
	for _, u := range t.uses(s) {
		if len(s.grants) == 0 {
			return
		}
		var left []grant
		var given []string
		for _, g := range s.grants {
			given = append(given, u.granted(g)...)
			if config.Granted(u.granted(g), u.what) {
				left = append(left, g)
			}
		}
		if len(left) == 0 {
			where := "on device " + s.device
			if s.partition != "" {
				where = "for partition " + s.partition + " " + where
			}
			t.fault(u.mode, "NotGranted", "%s: %s is not granted to namespace %s %s beside all else that it asks for; granted are: %s",
				u.from, u.what, t.ref.Namespace, where, listed(given))
		}
		s.grants = left
	}
}

// uses are what the Service's annotations name, in the order of keys and
// ports. What a class names is granted with the class, and what every virtual
// server has to everybody.
func (t *translation) uses(s *settings) []use {
	var uses []use
	for _, key := range []struct {
		name    string
		paths   func(string) []string
		granted func(grant) []string
	}{
		{"join-pool", onePath, func(g grant) []string { return g.JoinPools }},
		{"adopt", onePath, func(g grant) []string { return g.Adopt }},
		{"class", func(v string) []string { return []string{v} }, func(g grant) []string { return g.Classes }},
		{"profiles", profilePaths, func(g grant) []string { return g.Profiles }},
		{"irules", listPaths, func(g grant) []string { return g.IRules }},
		{"ltm-policies", listPaths, func(g grant) []string { return g.LTMPolicies }},
		{"vlans", listPaths, func(g grant) []string { return g.VLANs }},
		{"snat", onePath, func(g grant) []string { return g.SNATPools }},
		{"monitor", monitorPaths, func(g grant) []string { return g.Monitors }},
		{"persistence", onePath, func(g grant) []string { return g.Persistence }},
	} {
		for _, port := range t.places() {
			v, ok := s.values[place{key.name, port}]
			if !ok || v.text == "" {
				continue
			}
			if _, there := t.Config.Classes[v.text]; key.name == "class" && !there {
				continue // found fault with before
			}
			for _, path := range key.paths(v.text) {
				mode := state.Hold
				if k, _ := annotation.Find(key.name); k.Freezes {
					mode = state.Freeze
				}
				uses = append(uses, use{from: v.from, what: path, granted: key.granted, mode: mode})
			}
		}
	}
	return uses
}

func listPaths(value string) []string {
	paths, err := annotation.ParsePaths(value)
	if err != nil {
		return nil // found fault with before
	}
	return paths
}

func onePath(value string) []string {
	if annotation.IsPath(value) {
		return []string{value}
	}
	return nil
}

// profilePaths leaves out what every virtual server has.
func profilePaths(value string) []string {
	profiles, err := annotation.ParseProfiles(value)
	if err != nil {
		return nil
	}
	var paths []string
	for _, p := range profiles {
		if p.Path != "/Common/tcp" && p.Path != "/Common/udp" {
			paths = append(paths, p.Path)
		}
	}
	return paths
}

func monitorPaths(value string) []string {
	monitors, err := annotation.ParseMonitors(value)
	if err != nil {
		return nil
	}
	var paths []string
	for _, m := range monitors {
		if m.Path != "" {
			paths = append(paths, m.Path)
		}
	}
	return paths
}
