package state

import "slices"

// Announcement is what VMs are told of a Service.
type Announcement struct {
	Service Ref
	// Addresses are its virtual addresses that stand, sorted.
	Addresses []Address
	Ports     []AnnouncedPort // in the Service's order
}

// AnnouncedPort is a port of a Service with its endpoints.
type AnnouncedPort struct {
	RegistryPort
	Endpoints []AnnouncedEndpoint // sorted
}

// AnnouncedEndpoint is an endpoint; Ready says that it takes clients, and VM
// that no pod stands behind it.
type AnnouncedEndpoint struct {
	Endpoint
	Ready, VM bool
}

// Same says whether two announcements are the same in all.
func (a *Announcement) Same(o *Announcement) bool {
	return a.Service == o.Service && slices.Equal(a.Addresses, o.Addresses) &&
		slices.EqualFunc(a.Ports, o.Ports, func(x, y AnnouncedPort) bool {
			return x.RegistryPort == y.RegistryPort && slices.Equal(x.Endpoints, y.Endpoints)
		})
}
