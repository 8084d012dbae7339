package state

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Profile attaches a profile to a virtual server.
type Profile struct {
	Path string
	// Context is "all", "clientside" or "serverside" (iControl REST,
	// ltm virtual profiles).
	Context string
}

// VirtualServer is a listener on a BIG-IP and where it sends its clients.
type VirtualServer struct {
	Backend     string
	Path        string // /partition/name
	Owner       Owner
	Destination Endpoint
	Protocol    Protocol
	Pool        string // full path; empty for none
	Profiles    []Profile
	// IRules are full paths, in the order in which they run.
	IRules []string
	// Policies are full paths of local traffic policies, sorted.
	Policies []string
	// Persistence is the full path of a persistence profile; empty for none.
	Persistence string
	// SNAT is "automap", "none", or the full path of a SNAT pool.
	SNAT string
	// Source is whom it listens to; the zero Prefix for everybody. Its
	// addresses are in the destination's route domain.
	Source netip.Prefix
	// VLANs are full paths of those that it listens on alone, sorted; empty
	// for all.
	VLANs []string
	// ConnectionLimit is how many connections it has at once; 0 for no limit.
	ConnectionLimit int
	// Disabled is a virtual server that takes nothing new and keeps the
	// connections that it has (K13064527).
	Disabled bool
	// Use is Own, or Adopted for one that others made.
	Use Use
	// Named are the properties that an adopted one is asked for, sorted; all
	// others stay as they stand. It is wanted, and stands on no device.
	Named []Property
	// Text is what others wrote in the description.
	Text string
	// Managed is a virtual server that an application service manages: never
	// touched.
	Managed bool
	// Follows are the IDs of After.
	Follows []ID
}

// Note is what the virtual server's description says.
func (v *VirtualServer) Note() Note {
	n := Note{Text: v.Text, Owner: v.Owner}
	if v.Use == Adopted {
		n.Adopted = v.Path
	}
	return n
}

// ID names the virtual server by its full path.
func (v *VirtualServer) ID() ID { return ID{Backend: v.Backend, Kind: KindVirtualServer, Name: v.Path} }

// OwnedBy is who made it.
func (v *VirtualServer) OwnedBy() Owner { return v.Owner }

// After names what must stand before it.
func (v *VirtualServer) After() []ID { return v.Follows }

// Frontend is the address, port and protocol that it alone may listen on.
func (v *VirtualServer) Frontend() Frontend {
	return Frontend{Endpoint: v.Destination, Protocol: v.Protocol}
}

// Lines is the wanted content.
func (v *VirtualServer) Lines() []string {
	lines := []string{
		"destination " + v.Frontend().String(),
		"owner " + v.Owner.Tag(),
		"pool " + v.Pool,
		"snat " + v.SNAT,
	}
	if v.Disabled {
		lines = append(lines, "disabled")
	}
	if v.Use != Own {
		lines = append(lines, v.Use.String())
	}
	if v.ConnectionLimit != 0 {
		lines = append(lines, "connection-limit "+strconv.Itoa(v.ConnectionLimit))
	}
	if v.Source.IsValid() {
		lines = append(lines, "source "+v.Source.String())
	}
	if v.Persistence != "" {
		lines = append(lines, "persistence "+v.Persistence)
	}
	if len(v.IRules) > 0 { // one line: their order counts
		lines = append(lines, "irules "+strings.Join(v.IRules, ", "))
	}
	for _, p := range v.Policies {
		lines = append(lines, "policy "+p)
	}
	for _, n := range v.VLANs {
		lines = append(lines, "vlan "+n)
	}
	for _, p := range v.Profiles {
		lines = append(lines, "profile "+p.Path+" "+p.Context)
	}
	slices.Sort(lines)
	return lines
}
