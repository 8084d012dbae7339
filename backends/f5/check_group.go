package f5

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// failoverGroup is what a unit is called, and what the units are called that it
// shares a group with in which one takes over from the other, itself included.
func failoverGroup(ctx context.Context, s *session) (self string, units []string, err error) {
	if self, err = selfName(ctx, s); err != nil {
		return "", nil, err
	}
	var groups struct {
		Items []struct {
			Type    string `json:"type"`
			Devices subcollection[struct {
				Name string `json:"name"`
			}] `json:"devicesReference"`
		} `json:"items"`
	}
	if err := s.get(ctx, "cm/device-group"+expand, &groups); err != nil {
		return "", nil, err
	}
	units = []string{self}
	for _, g := range groups.Items {
		var names []string
		for _, d := range g.Devices.Items {
			names = append(names, d.Name)
		}
		if g.Type == "sync-failover" && slices.Contains(names, self) {
			units = append(units, names...)
		}
	}
	slices.Sort(units)
	return self, slices.Compact(units), nil
}

// groupFindings are about the units together: that one is active, and that
// they are of one device group.
func groupFindings(checks []*unitCheck) []Finding {
	var active, silent, words []string
	for _, c := range checks {
		words = append(words, c.session.host+" is "+c.standing)
		if c.standing == "" {
			silent = append(silent, c.session.host)
		}
		if c.active {
			active = append(active, c.session.host)
		}
	}
	if len(silent) == len(checks) {
		return nil // each has said why
	}
	f := Finding{Check: "failover", Level: OK}
	switch {
	case len(active) > 1:
		f.Level = Problem
		f.Message = fmt.Sprintf("%s all say that they are active for %s: see to the failover network of the devices", strings.Join(active, " and "), trafficGroup)
	case len(active) == 1:
		f.Message = "changes go to " + active[0]
	case len(checks) == 1:
		f.Level = Problem
		f.Message = words[0] + ", and hosts names no other unit: changes made there are lost with the next sync; add the active unit to hosts"
	case len(silent) > 0:
		f.Level = Problem
		f.Message = fmt.Sprintf("no unit that answers is active for %s (%s): nothing is changed until one is", trafficGroup, strings.Join(silent, ", ")+" does not answer")
	default:
		f.Level = Problem
		f.Message = fmt.Sprintf("no unit of hosts is active for %s (%s): bring one online on the devices, or add the unit that is active to hosts", trafficGroup, strings.Join(words, "; "))
	}
	return append([]Finding{f}, memberFindings(checks)...)
}

// memberFindings say whether hosts names the units of one device group, all of
// them.
func memberFindings(checks []*unitCheck) []Finding {
	var findings []Finding
	problem := func(level Level, format string, args ...any) {
		findings = append(findings, Finding{Check: "group", Level: level, Message: fmt.Sprintf(format, args...)})
	}
	configured := map[string]string{} // the unit's name in its group → host
	for _, c := range checks {
		if c.self == "" {
			continue
		}
		if other, twice := configured[c.self]; twice {
			problem(Problem, "%s and %s are one unit, %s: name each unit of the group once in hosts", other, c.session.host, c.self)
		}
		configured[c.self] = c.session.host
	}
	for _, c := range checks {
		var missing []string
		for _, d := range c.devices {
			if configured[d] == "" {
				missing = append(missing, d)
			}
		}
		switch {
		case len(checks) == 1 && len(missing) > 0:
			problem(Warning, "%s is one of a group, and hosts names it alone: after a failover changes go to a standby; add %s", c.session.host, strings.Join(missing, ", "))
		case len(configured) == len(checks) && len(checks) > 1 && len(c.devices)-len(missing) < len(configured):
			problem(Problem, "%s is not in one device group with the others of hosts; its group has %s: give each group a bigip entry of its own", c.session.host, strings.Join(c.devices, ", "))
		}
	}
	if len(findings) == 0 && len(checks) > 1 && len(configured) == len(checks) {
		problem(OK, "hosts names the units of one device group")
	}
	return findings
}
