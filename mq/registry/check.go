package registry

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"landbridge.dev/mq/protocol"
	"landbridge.dev/sync/state"
)

// Belongs says whose an address is that no VM may have, in words such as "a
// pod"; "" for nobody's.
type Belongs func(netip.Addr) string

// refuse is the verdict on a message that is not followed.
func refuse(code protocol.Code, format string, args ...any) Verdict {
	return Verdict{Code: code, Message: fmt.Sprintf(format, args...)}
}

// How names look. An instance is shown in Kubernetes; a boot is anything short.
var (
	instanceName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$`)
	bootName     = regexp.MustCompile(`^[-A-Za-z0-9_.:]{1,64}$`)
	zoneName     = regexp.MustCompile(`^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$`)
	serviceName  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
)

// checkNames reads who a message is about.
func checkNames(m *protocol.Registration) (state.Ref, *Verdict) {
	bad := func(what string) (state.Ref, *Verdict) {
		v := refuse(protocol.Malformed, "%s", what)
		return state.Ref{}, &v
	}
	switch {
	case !slices.Contains([]protocol.Op{protocol.Register, protocol.Heartbeat, protocol.Drain, protocol.Leave}, m.Op):
		return bad("op must be register, heartbeat, drain or leave")
	case !serviceName.MatchString(m.Service):
		return bad("service must be NAMESPACE/NAME")
	case !instanceName.MatchString(m.Instance):
		return bad("instance must be 1 to 63 of a-z, 0-9, - and . that begin and end in a letter or digit")
	case !bootName.MatchString(m.Boot):
		return bad("boot must be 1 to 64 of A-Z, a-z, 0-9 and -_.:")
	case !zoneName.MatchString(m.Zone):
		return bad("zone must be at most 63 of A-Z, a-z, 0-9 and -_.")
	}
	namespace, name, _ := strings.Cut(m.Service, "/")
	return state.Ref{Namespace: namespace, Name: name}, nil
}

// mayRegister says whether a user may register for a Service at all.
func mayRegister(offer *state.Registry, user string) bool {
	return slices.ContainsFunc(offer.Grants, func(g state.RegistryGrant) bool { return slices.Contains(g.Users, user) })
}

// check makes a VM of a registration, or says what is wrong with it. have is
// the lease that the instance has; nil for none.
func (r *roll) check(m *protocol.Registration, user string, have *lease, belongs Belongs, now time.Time) (state.VM, *Verdict) {
	vm := state.VM{Instance: m.Instance, User: user, Boot: m.Boot, Zone: m.Zone, Lease: leaseOf(m.LeaseSeconds)}
	fault := r.addresses(m, &vm, belongs)
	if fault == nil {
		fault = r.ports(m, &vm)
	}
	if fault == nil {
		fault = r.place(&vm, have, now)
	}
	return vm, fault
}

// leaseOf is the lease that is given where so many seconds are asked for.
func leaseOf(seconds int) time.Duration {
	if seconds <= 0 {
		return protocol.DefaultLease
	}
	bounded := min(seconds, int(protocol.MostLease/time.Second)) // else a duration may overflow
	return max(protocol.LeastLease, time.Duration(bounded)*time.Second)
}

// addresses reads a VM's addresses. One entry of the tenants' list has to allow
// all of them to the user.
func (r *roll) addresses(m *protocol.Registration, vm *state.VM, belongs Belongs) *Verdict {
	bad := func(format string, args ...any) *Verdict {
		v := refuse(protocol.BadAddress, format, args...)
		return &v
	}
	if len(m.Addresses) == 0 || len(m.Addresses) > 2 {
		return bad("addresses must be one of IPv4, one of IPv6, or one of each")
	}
	for _, text := range m.Addresses {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" || a.Is4In6() {
			return bad("%q is no address such as 10.20.0.5 or 2001:db8::5", text)
		}
		if slices.ContainsFunc(vm.Addresses, func(o netip.Addr) bool { return o.Is4() == a.Is4() }) {
			return bad("addresses must be of different families")
		}
		vm.Addresses = append(vm.Addresses, a)
	}
	slices.SortFunc(vm.Addresses, netip.Addr.Compare)
	for _, a := range vm.Addresses {
		if whose := special(a); whose != "" {
			return bad("%s is %s", a, whose)
		}
	}
	if !granted(r.offer, *vm) {
		return bad("%v is in no network that a tenant of the Service has for VMs of user %q (vmCIDRs)", vm.Addresses, vm.User)
	}
	for _, a := range vm.Addresses {
		if whose := belongs(a); whose != "" {
			return bad("%s is %s", a, whose)
		}
	}
	return nil
}

// granted says whether one entry of the tenants' list allows a VM's user all of
// its addresses.
func granted(offer *state.Registry, vm state.VM) bool {
	return slices.ContainsFunc(offer.Grants, func(g state.RegistryGrant) bool {
		return slices.Contains(g.Users, vm.User) && !slices.ContainsFunc(vm.Addresses, func(a netip.Addr) bool {
			return !slices.ContainsFunc(g.Networks, func(p netip.Prefix) bool { return p.Contains(a) })
		})
	})
}

// metadata are the addresses at which clouds tell machines their secrets, as
// far as they are not link-local.
var metadata = []netip.Addr{ //nolint:gochecknoglobals // a table of constants
	netip.MustParseAddr("fd00:ec2::254"),   // AWS, IPv6
	netip.MustParseAddr("fd20:ce::254"),    // Google Cloud, IPv6
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("192.0.0.192"),     // Oracle Cloud
	netip.MustParseAddr("168.63.129.16"),   // Azure, wire server
}

// special says what an address is that no machine has for others to call.
func special(a netip.Addr) string {
	switch {
	case a.IsUnspecified():
		return "no machine's address"
	case a.IsLoopback():
		return "a loopback address"
	case a.IsLinkLocalUnicast():
		return "a link-local address"
	case a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "no unicast address"
	case slices.Contains(metadata, a):
		return "a metadata service"
	}
	return ""
}

// ports reads a VM's ports: each is one of the Service's, and none is there
// twice.
func (r *roll) ports(m *protocol.Registration, vm *state.VM) *Verdict {
	bad := func(format string, args ...any) *Verdict {
		v := refuse(protocol.BadPort, format, args...)
		return &v
	}
	if len(m.Ports) == 0 || len(m.Ports) > len(r.offer.Ports) {
		return bad("ports must be 1 to %d: the Service has so many", len(r.offer.Ports))
	}
	for _, p := range m.Ports {
		port := state.RegistryPort{Name: p.Name, Protocol: state.Protocol(strings.ToLower(p.Protocol))}
		if port.Protocol == "" {
			port.Protocol = state.TCP
		}
		if p.Name == "" && len(r.offer.Ports) == 1 {
			port.Name = r.offer.Ports[0].Name
		}
		if p.Port < 1 || p.Port > 65535 {
			return bad("port %d must be 1 to 65535", p.Port)
		}
		same := func(o state.RegistryPort) bool { return o.Name == port.Name && o.Protocol == port.Protocol }
		if !slices.ContainsFunc(r.offer.Ports, same) {
			return bad("the Service has no port %q of %s", port.Name, port.Protocol)
		}
		if slices.ContainsFunc(vm.Ports, same) {
			return bad("port %q of %s is there twice", port.Name, port.Protocol)
		}
		port.Number = uint16(p.Port)
		vm.Ports = append(vm.Ports, port)
	}
	slices.SortFunc(vm.Ports, state.RegistryPort.Compare)
	return nil
}

// place finds out whether there is room for a VM: nobody else who is alive has
// its name or one of its addresses.
func (r *roll) place(vm *state.VM, have *lease, now time.Time) *Verdict {
	refused := func(code protocol.Code, format string, args ...any) *Verdict {
		v := refuse(code, format, args...)
		return &v
	}
	if have == nil {
		switch {
		case r.offer.Held:
			return refused(protocol.Held, "no VM may register now: the Service's condition landbridge.dev/VMs says why")
		case len(r.leases) >= mostVMs:
			return refused(protocol.Quota, "%d VMs are registered, and no more may be", mostVMs)
		}
	}
	if have != nil && have.vm.Boot != vm.Boot && have.alive(now) && !have.draining && !slices.Equal(have.vm.Addresses, vm.Addresses) {
		return refused(protocol.Conflict, "instance %s is registered at %v, by a VM that is alive: give each VM a name of its own", vm.Instance, have.vm.Addresses)
	}
	for name, other := range r.leases {
		if name != vm.Instance && other.alive(now) && overlaps(other.vm, *vm) {
			return refused(protocol.Conflict, "instance %s, which is alive, has an address and port of this one: give each VM its own", name)
		}
	}
	return nil
}

// overlaps says whether two VMs have an address and a port in common.
func overlaps(a, b state.VM) bool {
	return slices.ContainsFunc(a.Addresses, func(x netip.Addr) bool { return slices.Contains(b.Addresses, x) }) &&
		slices.ContainsFunc(a.Ports, func(x state.RegistryPort) bool {
			return slices.ContainsFunc(b.Ports, func(y state.RegistryPort) bool { return x.Number == y.Number && x.Protocol == y.Protocol })
		})
}
