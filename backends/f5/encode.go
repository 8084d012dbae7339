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

// describe changes a description, in which the text of others stays.
func (p properties) describe(before, after state.Note) {
	was, is := before.String(), after.String()
	p.set(was != is, "description", is)
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
		Description: m.Note().String(),
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
	p.describe(before.Note(), after.Note())
	p.set(before.Ratio != after.Ratio, "ratio", after.Ratio)
	p.set(before.Priority != after.Priority, "priorityGroup", after.Priority)
	return p
}

func encodePool(pool *state.Pool) poolCreate {
	w := poolCreate{
		place: placeOf(pool.Path), Description: pool.Note().String(), LoadBalancingMode: pool.Mode,
		Monitor: strings.Join(pool.Monitors, " and "), ReselectTries: pool.ReselectTries, SlowRampTime: pool.SlowRamp,
		MinActiveMembers: pool.MinActive,
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
	p.describe(before.Note(), after.Note())
	p.set(before.MinActive != after.MinActive, "minActiveMembers", after.MinActive)
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
		place: at, Description: v.Note().String(),
		Destination: destinationName(at.Partition, v.Destination), Mask: hostMask(v.Destination.Address),
		Source: sourceOf(v), IPProtocol: string(v.Protocol), Pool: v.Pool,
		Profiles: encodeProfiles(v.Profiles), SNAT: encodeSNAT(v.SNAT), Disabled: v.Disabled,
		Rules: v.IRules, Policies: encodePolicies(v.Policies), Persist: encodePersist(v.Persistence),
		VLANs: v.VLANs, OnVLANs: len(v.VLANs) > 0, Limit: v.ConnectionLimit,
	}
}

func virtualChanges(before, after *state.VirtualServer) properties {
	p := properties{}
	p.describe(before.Note(), after.Note())
	if before.Destination != after.Destination {
		p["destination"] = destinationName(placeOf(after.Path).Partition, after.Destination)
	}
	if before.Destination.Address != after.Destination.Address {
		p["mask"] = hostMask(after.Destination.Address)
	}
	p.set(sourceOf(before) != sourceOf(after), "source", sourceOf(after))
	p.set(before.Protocol != after.Protocol, "ipProtocol", string(after.Protocol))
	p.set(before.Pool != after.Pool, "pool", orNone(after.Pool))
	p.set(!slices.Equal(before.Profiles, after.Profiles), "profiles", encodeProfiles(after.Profiles))
	p.set(before.SNAT != after.SNAT, "sourceAddressTranslation", encodeSNAT(after.SNAT))
	p.set(!slices.Equal(before.IRules, after.IRules), "rules", append([]string{}, after.IRules...))
	p.set(!slices.Equal(before.Policies, after.Policies), "policies", encodePolicies(after.Policies))
	p.set(before.Persistence != after.Persistence, "persist", encodePersist(after.Persistence))
	p.set(before.ConnectionLimit != after.ConnectionLimit, "connectionLimit", after.ConnectionLimit)
	if !slices.Equal(before.VLANs, after.VLANs) {
		p.setVLANs(after.VLANs)
	}
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

func encodeMonitor(m *state.Monitor) monitorCreate {
	w := monitorCreate{
		place: placeOf(m.Path), Description: m.Owner.Tag(),
		Interval: m.Interval, Timeout: m.Timeout, Send: orNone(m.Send), Receive: m.Receive,
	}
	if m.Port != 0 {
		w.Destination = "*:" + strconv.Itoa(int(m.Port))
	}
	return w
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
