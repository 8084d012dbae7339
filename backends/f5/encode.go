package f5

import (
	"slices"
	"strconv"
	"strings"

	"landbridge.dev/sync/state"
)

// none takes a property away that holds a name.
const none = "none"

// properties are what a PATCH changes, by name in iControl REST.
type properties map[string]any

func (p properties) set(changed bool, name string, value any) {
	if changed {
		p[name] = value
	}
}

func encodeNode(n *state.Node) nodeCreate {
	return nodeCreate{place: placeOf(n.Path), Address: n.Address.String(), Description: n.Owner.Tag()}
}

// nodeChanges are those that a node can take: its address and name stay.
func nodeChanges(before, after *state.Node) properties {
	p := properties{}
	p.set(before.Owner != after.Owner, "description", after.Owner.Tag())
	return p
}

func encodeMember(m state.Member) memberCreate {
	w := memberCreate{
		Name: memberName(m.Node, m.Endpoint.Port), Ratio: m.Ratio, Priority: m.Priority,
		Description: state.MemberNote(m.Owner, m.Drain, m.Terminating),
	}
	if m.Admin != state.Enabled {
		w.Session, w.State = adminWire(m.Admin)
	}
	return w
}

// adminWire writes what was ordered for a member: session and state together,
// as the device's own pages do (K13310).
func adminWire(a state.Admin) (session, up string) {
	switch a {
	case state.Offline:
		return "user-disabled", "user-down"
	case state.Disabled:
		return "user-disabled", "user-up"
	default:
		return "user-enabled", "user-up"
	}
}

func memberChanges(before, after state.Member) properties {
	p := properties{}
	if before.Admin != after.Admin {
		p["session"], p["state"] = adminWire(after.Admin)
	}
	note := state.MemberNote(after.Owner, after.Drain, after.Terminating)
	p.set(note != state.MemberNote(before.Owner, before.Drain, before.Terminating), "description", note)
	p.set(before.Ratio != after.Ratio, "ratio", after.Ratio)
	p.set(before.Priority != after.Priority, "priorityGroup", after.Priority)
	return p
}

func encodePool(pool *state.Pool) poolCreate {
	w := poolCreate{
		place: placeOf(pool.Path), Description: pool.Owner.Tag(), LoadBalancingMode: pool.Mode,
		Monitor: strings.Join(pool.Monitors, " and "), ReselectTries: pool.ReselectTries, SlowRampTime: pool.SlowRamp,
	}
	for _, m := range pool.Members {
		w.Members = append(w.Members, encodeMember(m))
	}
	return w
}

// poolChanges never names members: a list of them would replace what others
// put there.
func poolChanges(before, after *state.Pool) properties {
	p := properties{}
	p.set(before.Owner != after.Owner, "description", after.Owner.Tag())
	p.set(before.Mode != after.Mode, "loadBalancingMode", after.Mode)
	p.set(before.ReselectTries != after.ReselectTries, "reselectTries", after.ReselectTries)
	p.set(before.SlowRamp != after.SlowRamp, "slowRampTime", after.SlowRamp)
	p.set(!slices.Equal(before.Monitors, after.Monitors), "monitor", orNone(strings.Join(after.Monitors, " and ")))
	return p
}

func orNone(name string) string {
	if name == "" {
		return none
	}
	return name
}

func encodeVirtual(v *state.VirtualServer) virtualCreate {
	at := placeOf(v.Path)
	return virtualCreate{
		place: at, Description: v.Owner.Tag(),
		Destination: destinationName(at.Partition, v.Destination), Mask: hostMask(v.Destination.Address),
		Source: anySource(v.Destination.Address), IPProtocol: string(v.Protocol), Pool: v.Pool,
		Profiles: encodeProfiles(v.Profiles), SNAT: encodeSNAT(v.SNAT), Disabled: v.Disabled,
	}
}

func virtualChanges(before, after *state.VirtualServer) properties {
	p := properties{}
	p.set(before.Owner != after.Owner, "description", after.Owner.Tag())
	if before.Destination != after.Destination {
		p["destination"] = destinationName(placeOf(after.Path).Partition, after.Destination)
	}
	if before.Destination.Address != after.Destination.Address {
		p["mask"], p["source"] = hostMask(after.Destination.Address), anySource(after.Destination.Address)
	}
	p.set(before.Protocol != after.Protocol, "ipProtocol", string(after.Protocol))
	p.set(before.Pool != after.Pool, "pool", orNone(after.Pool))
	p.set(!slices.Equal(before.Profiles, after.Profiles), "profiles", encodeProfiles(after.Profiles))
	p.set(before.SNAT != after.SNAT, "sourceAddressTranslation", encodeSNAT(after.SNAT))
	switch { // two properties, of which one is there at a time
	case after.Disabled && !before.Disabled:
		p["disabled"] = true
	case before.Disabled && !after.Disabled:
		p["enabled"] = true
	}
	return p
}

func encodeProfiles(profiles []state.Profile) []profileRef {
	refs := make([]profileRef, len(profiles))
	for i, p := range profiles {
		refs[i] = profileRef{Name: p.Path, Context: p.Context}
	}
	return refs
}

func encodeSNAT(snat string) snatWire {
	switch snat {
	case "", none:
		return snatWire{Type: none}
	case "automap":
		return snatWire{Type: "automap"}
	}
	return snatWire{Type: "snat", Pool: snat}
}

func hostMask(a state.Address) string {
	if a.Is6() {
		return "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
	}
	return "255.255.255.255"
}

// anySource is every client, in the destination's route domain.
func anySource(a state.Address) string {
	source, prefix := "0.0.0.0", "/0"
	if a.Is6() {
		source = "::"
	}
	if a.RouteDomain != 0 {
		source += "%" + strconv.Itoa(int(a.RouteDomain))
	}
	return source + prefix
}

func encodeMonitor(m *state.Monitor) monitorCreate {
	return monitorCreate{
		place: placeOf(m.Path), Description: m.Owner.Tag(),
		Interval: m.Interval, Timeout: m.Timeout, Send: orNone(m.Send), Receive: m.Receive,
	}
}

func monitorChanges(before, after *state.Monitor) properties {
	p := properties{}
	p.set(before.Owner != after.Owner, "description", after.Owner.Tag())
	p.set(before.Interval != after.Interval, "interval", after.Interval)
	p.set(before.Timeout != after.Timeout, "timeout", after.Timeout)
	p.set(before.Send != after.Send, "send", orNone(after.Send))
	p.set(before.Receive != after.Receive, "recv", orNone(after.Receive))
	return p
}
