package mcp

import (
	"slices"
	"strings"
)

// Availability is how a device describes the state of a node, member, pool or
// virtual server: the three status.* entries of its statistics.
type Availability struct {
	State   string // available, offline, unknown
	Enabled string // enabled, disabled, disabled-by-parent
	Reason  string
}

const (
	unknownChildren = "The children pool member(s) either don't have service checking enabled, or service check results are not available yet"
	childrenDown    = "The children pool member(s) are down"
)

// AvailabilityOf describes a node, member, pool or virtual server. Wordings
// are captured where one is known; the others follow the device's own pages.
func (s *Store) AvailabilityOf(o *Object) Availability {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch o.Kind.Path {
	case memberKind:
		return s.memberAvailability(o)
	case nodeKind:
		return s.nodeAvailability(o)
	case poolKind:
		return s.poolAvailability(o)
	case virtualKind:
		return s.virtualAvailability(o)
	case virtualAddressKind:
		return s.addressAvailability(o)
	}
	return Availability{State: "unknown", Enabled: "enabled"}
}

func (s *Store) memberAvailability(o *Object) Availability {
	node, _ := splitMember(o.Path)
	parent := s.objects[nodeKind][Key{Kind: nodeKind, Path: node}]
	a := s.checked(o, "Pool member is available", "Pool member has been marked down by a monitor",
		"Pool member does not have service checking enabled", "Pool member is being checked, no result yet")
	if parent == nil {
		return a
	}
	up := s.nodeAvailability(parent)
	switch {
	case a.Reason == "Forced down":
	case up.Reason == "Forced down":
		return Availability{State: "offline", Enabled: "disabled-by-parent", Reason: "Parent forced down"}
	case up.State == "offline":
		a.State, a.Reason = "offline", "Parent down"
	case up.Enabled == "disabled" && a.Enabled == "enabled":
		a.Enabled, a.Reason = "disabled-by-parent", a.Reason+", parent disabled"
	}
	return a
}

func (s *Store) nodeAvailability(o *Object) Availability {
	return s.checked(o, "Node address is available", "Node address has been marked down by a monitor",
		"Node address does not have service checking enabled", "Node address is being checked, no result yet")
}

func (s *Store) checked(o *Object, up, down, unchecked, checking string) Availability {
	a := Availability{State: "unknown", Enabled: "enabled", Reason: unchecked}
	st, ok := s.statuses[o.Key()]
	if len(s.monitorsOf(o).Paths) > 0 || strings.HasPrefix(st.Monitor, "fqdn-") {
		switch {
		case !ok || st.Monitor == "checking":
			a.Reason = checking
		case st.Monitor == "up" || strings.HasPrefix(st.Monitor, "fqdn-up"):
			a.State, a.Reason = "available", up
		case st.Monitor == "down" || st.Monitor == "fqdn-down":
			a.State, a.Reason = "offline", down
		}
		if st.Reason != "" {
			a.Reason = st.Reason
		}
	}
	switch {
	case o.Str("state") == "user-down":
		return Availability{State: "offline", Enabled: "disabled", Reason: "Forced down"}
	case o.Str("session") == "user-disabled":
		a.Enabled = "disabled"
		if st := s.statuses[o.Key()]; st.Reason == "" { // a monitor's own words stand alone (captured)
			a.Reason += ", user disabled"
		}
	}
	return a
}

func (s *Store) poolAvailability(o *Object) Availability {
	a := Availability{State: "unknown", Enabled: "enabled", Reason: unknownChildren}
	members := s.list(memberKind, o.Path)
	if len(members) == 0 {
		return a
	}
	states := make([]string, 0, len(members))
	enabled := 0
	for _, m := range members {
		ma := s.memberAvailability(m)
		if ma.Enabled == "enabled" {
			enabled++
		}
		states = append(states, ma.State)
	}
	switch {
	case slices.Contains(states, "available"):
		a.State, a.Reason = "available", "The pool is available"
	case !slices.Contains(states, "unknown"):
		a.State, a.Reason = "offline", childrenDown
	}
	if enabled == 0 {
		a.Enabled, a.Reason = "disabled", "The children pool member(s) might be disabled"
	}
	return a
}

func (s *Store) virtualAvailability(o *Object) Availability {
	a := Availability{State: "unknown", Enabled: "enabled", Reason: unknownChildren}
	if p := s.objects[poolKind][Key{Kind: poolKind, Path: o.Str("pool")}]; p != nil {
		pa := s.poolAvailability(p)
		a.State, a.Reason = pa.State, pa.Reason
		if a.State == "available" {
			a.Reason = "The virtual server is available"
		}
	}
	if st, ok := s.statuses[o.Key()]; ok && st.Reason != "" {
		a.State, a.Reason = "offline", st.Reason
	}
	switch {
	case o.Flag("disabled"):
		a.Enabled, a.Reason = "disabled", "The virtual server is disabled"
	case s.addressOff(o):
		a.Enabled, a.Reason = "disabled-by-parent", "The virtual address is disabled"
	}
	return a
}

func (s *Store) addressOff(vs *Object) bool {
	path, _ := splitMember(vs.Str("destination"))
	va := s.objects[virtualAddressKind][Key{Kind: virtualAddressKind, Path: path}]
	return va != nil && va.Str("enabled") == "no"
}

func (s *Store) addressAvailability(o *Object) Availability {
	a := Availability{State: "unknown", Enabled: "enabled", Reason: unknownChildren}
	for _, k := range s.referrersOf(o.Key()) {
		vs := s.objects[k.Kind][k]
		if vs == nil {
			continue
		}
		va := s.virtualAvailability(vs)
		if va.State == "available" || a.State == "unknown" {
			a.State, a.Reason = va.State, va.Reason
		}
	}
	if o.Str("enabled") == "no" {
		a.Enabled, a.Reason = "disabled", "The virtual address is disabled"
	}
	return a
}
