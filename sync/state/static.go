package state

import "net/netip"

// PodNetworks stands for the Service that owns what is made for the networks of
// pods. No Service has its name: a namespace has no dot in its own.
func PodNetworks() Ref { return Ref{Namespace: "landbridge.dev", Name: "pod-networks"} }

// StaticRoute is the way of a BIG-IP to a network (net route).
type StaticRoute struct {
	Backend string
	Path    string // /partition/name
	Owner   Owner
	// Network is the zero Prefix where it is no network of the default route
	// domain, as it may be of a route that is not ours.
	Network netip.Prefix
	// Gateway is not read of a route that is not ours.
	Gateway netip.Addr
}

// ID names the route by its full path. The network is fixed when it is made.
func (r *StaticRoute) ID() ID { return ID{Backend: r.Backend, Kind: KindStaticRoute, Name: r.Path} }

// OwnedBy is who made it.
func (r *StaticRoute) OwnedBy() Owner { return r.Owner }

// After is empty: a static route needs nothing before it.
func (r *StaticRoute) After() []ID { return nil }

// Lines is the wanted content.
func (r *StaticRoute) Lines() []string {
	lines := []string{"network " + r.Network.String(), "owner " + r.Owner.Tag()}
	if r.Gateway.IsValid() {
		lines = append([]string{"gateway " + r.Gateway.String()}, lines...)
	}
	return lines
}
