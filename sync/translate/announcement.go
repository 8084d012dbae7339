package translate

import "landbridge.dev/sync/state"

// Announcement is what VMs are told of a Service: its addresses that stand, and
// the endpoints of all its ports. VMs that no tenant allows are left out.
func Announcement(in Input, p Policy) *state.Announcement {
	t := &translation{Input: in, Policy: p, ref: in.Ref()}
	a := &state.Announcement{Service: t.ref, Addresses: Noted(in.Service)}
	state.SortAddresses(a.Addresses)
	for _, port := range in.Service.Spec.Ports {
		protocol, ok := protocolOf(port)
		if !ok {
			continue
		}
		announced := state.AnnouncedPort{RegistryPort: state.RegistryPort{Name: port.Name, Protocol: protocol, Number: uint16(port.Port)}}
		for _, six := range []bool{false, true} {
			endpoints := t.endpoints(port, six)
			best := bestOf(endpoints)
			for _, e := range endpoints {
				if e.condition == gone || e.vm && !t.vmAllowed(e.Address) {
					continue
				}
				announced.Endpoints = append(announced.Endpoints, state.AnnouncedEndpoint{Endpoint: e.Endpoint, Ready: takesClients(e.condition, best), VM: e.vm})
			}
		}
		a.Ports = append(a.Ports, announced)
	}
	return a
}

// vmAllowed says whether a tenant's entry allows VMs of the namespace an
// address.
func (t *translation) vmAllowed(a state.Address) bool {
	for _, entry := range t.Config.Tenants {
		if entry.Covers(t.ref.Namespace, t.NamespaceLabels) && entry.GrantsVM(a.IP) {
			return true
		}
	}
	return false
}
