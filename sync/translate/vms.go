package translate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"landbridge.dev/config"
	"landbridge.dev/config/annotation"
	"landbridge.dev/sync/state"
)

// mostMembers is how many members a pool of ours may have. No device is known
// to take more at once; what asks for more is a slip.
const mostMembers = 65535

// grantVMs keeps of the tenants' entries those whose networks hold all VMs
// that vm-members names.
func (t *translation) grantVMs(s *settings) {
	for _, port := range t.places() {
		v, ok := s.values[place{"vm-members", port}]
		if !ok {
			continue
		}
		vms, err := annotation.ParseVMs(v.text)
		if err != nil {
			continue // found fault with before
		}
		for _, vm := range vms {
			a, err := state.ParseAddress(vm.Address)
			if err != nil || len(s.grants) == 0 {
				continue
			}
			left := slices.DeleteFunc(slices.Clone(s.grants), func(g grant) bool { return !g.GrantsVM(a.IP) })
			if len(left) == 0 {
				t.hold("VMNotGranted", "%s: %s is in no network that a tenant of namespace %s has for VMs; vmCIDRs are: %s", v.from, a, t.ref.Namespace, listed(networks(s.grants)))
				return
			}
			s.grants = left
		}
	}
}

func networks(grants []grant) []string {
	var all []string
	for _, g := range grants {
		all = append(all, g.VMCIDRs...)
	}
	return all
}

// vmsOf are the VM members that vm-members names for a port, of any family.
func (t *translation) vmsOf(s *settings, port int) []state.Member {
	v, ok := s.valueOf("vm-members", port)
	if !ok {
		return nil
	}
	vms, err := annotation.ParseVMs(v.text)
	if err != nil {
		return nil // found fault with before
	}
	_, forPort := s.values[place{"vm-members", port}]
	var members []state.Member
	for _, vm := range vms {
		if vm.Port != 0 && !forPort && len(t.Service.Spec.Ports) > 1 {
			t.once("BadAnnotation", v.from+": "+vm.String()+" has a port, and the Service has several: write "+v.from+"."+portName(t.Service.Spec.Ports[0])+" and the like")
			return nil
		}
		number := vm.Port
		if number == 0 {
			if number, ok = targetPort(t.Service.Spec.Ports[port]); !ok {
				t.once("BadAnnotation", v.from+": "+vm.Address+" needs its port written, since target port "+t.Service.Spec.Ports[port].TargetPort.String()+" is a name")
				return nil
			}
		}
		a, err := state.ParseAddress(vm.Address)
		if err != nil {
			return nil
		}
		m := state.Member{Endpoint: state.Endpoint{Address: a, Port: number}, Ratio: 1, VM: true}
		t.listed[m.Endpoint] = true
		members = append(members, m)
	}
	return members
}

// targetPort is a Service port's target port where it is a number.
func targetPort(p corev1.ServicePort) (uint16, bool) {
	if p.TargetPort.Type == intstr.String && p.TargetPort.StrVal != "" {
		return 0, false
	}
	if p.TargetPort.IntVal != 0 {
		return uint16(p.TargetPort.IntVal), true
	}
	return uint16(p.Port), true
}

// isVM says whether no Pod stands behind an endpoint.
func isVM(e discoveryv1.Endpoint) bool { return e.TargetRef == nil || e.TargetRef.Kind != "Pod" }

// vmEndpoints are the VM members that stand in EndpointSlices made by hand:
// endpoints without a Pod behind them.
func (t *translation) vmEndpoints(port corev1.ServicePort, six bool) []state.Member {
	if !slices.ContainsFunc(t.Slices, func(s *discoveryv1.EndpointSlice) bool { return slices.ContainsFunc(s.Endpoints, isVM) }) {
		return nil // as with most Services, and cheaper than to look at each port
	}
	endpoints := slices.DeleteFunc(t.endpoints(port, six), func(e endpoint) bool { return !e.vm })
	best := bestOf(endpoints)
	var members []state.Member
	for _, e := range endpoints {
		if !slices.ContainsFunc(t.granted, func(g grant) bool { return g.GrantsVM(e.IP) }) {
			t.once("VMNotGranted", "endpoint "+e.Address.String()+" has no Pod behind it, so that it is a VM, and is in no network that a tenant of namespace "+
				t.ref.Namespace+" has for VMs; vmCIDRs are: "+listed(networks(t.granted)))
			continue
		}
		m := memberOf(e, best)
		m.VM = true
		members = append(members, m)
	}
	return members
}

// withVMs adds the VM side to a pool's members, which are those of its pods or
// nodes, and finds fault with a mode that could not divide it.
func (t *translation) withVMs(s *settings, port int, six bool, pool *state.Pool) {
	vms := t.vmEndpoints(t.Service.Spec.Ports[port], six)
	for _, m := range t.vmsOf(s, port) {
		if m.Endpoint.Is6() == six {
			vms = append(vms, m)
		}
	}
	for _, m := range vms {
		if !slices.ContainsFunc(pool.Members, func(o state.Member) bool { return o.Endpoint == m.Endpoint }) {
			pool.Members = append(pool.Members, m)
		}
	}
	state.SortMembers(pool.Members)
	if len(pool.Members) > mostMembers {
		t.freeze("TooManyMembers", "port %s has %d endpoints, and a pool takes at most %d members", portName(t.Service.Spec.Ports[port]), len(pool.Members), mostMembers)
	}
	pool.Share = t.share(s, port)
	if (len(vms) == 0 && !pool.Share.Registry) || byRatio(pool.Mode) || pool.Use != state.Own {
		return
	}
	if v, written := s.valueOf("load-balancing-mode", port); written {
		t.hold("BadAnnotation", "%s: with VM members a pool needs a mode that looks at ratios: ratio-member or ratio-least-connections-member", v.from)
	}
	pool.Mode = "ratio-member"
}

// strayVMs finds fault with VMs of a family that the port is not served in.
func (t *translation) strayVMs(s *settings, port int, served [2]bool) {
	v, _ := s.valueOf("vm-members", port)
	for _, m := range t.vmsOf(s, port) {
		if !served[family(m.Endpoint.Is6())] {
			t.hold("BadAnnotation", "%s: %s is of another family than the port is served in", v.from, m.Endpoint.Address)
			return
		}
	}
}

// share is how a port's connections are divided.
func (t *translation) share(s *settings, port int) state.Share {
	share := state.Share{Registry: t.Config.MQ != nil && t.Service.Annotations[Prefix+"vm-registry"] != ""}
	if v, ok := s.valueOf("pod-share", port); ok {
		percent, err := annotation.ParseShare(v.text)
		share.Percent, share.Given = percent, err == nil
	}
	if v, ok := s.valueOf("fallback", port); ok {
		share.FallbackGiven = true
		switch v.text {
		case "both":
			share.Fallback = state.FallbackBoth
		case "none":
			share.Fallback = state.FallbackNone
		}
	}
	return share
}

// borrows says whether a tenant may have settings of foreign members of a pool
// changed.
func (t *translation) borrows(s *settings, path string) bool {
	return slices.ContainsFunc(s.grants, func(g grant) bool { return config.Granted(g.Borrow, path) })
}
