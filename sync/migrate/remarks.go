package migrate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// remarks are what a manifest does not say and a person should know: what stays
// on the device by itself, and what gets in the way of a share.
func (w *writer) remarks(v *state.VirtualServer, pool *state.Pool) []string {
	var remarks []string
	if stays := settings(v); len(stays) > 0 {
		remarks = append(remarks, "stays on the device, and no annotation says so: "+strings.Join(stays, "; "))
	}
	if v.Disabled {
		remarks = append(remarks, "it is disabled on the device, and stays so")
	}
	if !plan.LooksAtRatios(pool.Mode) {
		way := "set ratio-member there before a share from 1 to 99"
		if w.Adopt {
			way = "the first share from 1 on sets ratio-member, and leaving puts it back"
		}
		remarks = append(remarks, "load-balancing mode "+pool.Mode+" ignores ratios: "+way)
	}
	if pool.SlowRamp > 0 {
		remarks = append(remarks, fmt.Sprintf("slow ramp time %d s: a member that comes gets its part step by step, and a share is reached that much later", pool.SlowRamp))
	}
	if groups := priorities(pool); len(groups) > 1 || pool.MinActive > 0 {
		remarks = append(remarks, fmt.Sprintf("priority groups %s, at least %d active: a share divides the highest alone", joined(groups), pool.MinActive))
	}
	if ports := ports(pool); len(ports) > 1 {
		target, _ := targetPort(v, pool)
		remarks = append(remarks, fmt.Sprintf("members have the ports %s; targetPort is %d until you change it", joined(ports), target))
	}
	if len(pool.Members) == 0 {
		remarks = append(remarks, "the pool has no member with an address: nobody is its VM side, and pods take all that comes")
	}
	return remarks
}

// settings are those of a virtual server that it keeps.
func settings(v *state.VirtualServer) []string {
	var s []string
	list := func(what string, values []string) {
		if len(values) > 0 {
			s = append(s, what+" "+strings.Join(values, ", "))
		}
	}
	var profiles []string
	for _, p := range v.Profiles {
		profiles = append(profiles, p.Path)
	}
	list("profiles", profiles)
	list("iRules", v.IRules)
	list("policies", v.Policies)
	if v.Persistence != "" {
		list("persistence", []string{v.Persistence})
	}
	if v.SNAT != "" && v.SNAT != "none" {
		list("snat", []string{v.SNAT})
	}
	list("vlans", v.VLANs)
	if v.Source.IsValid() && v.Source.Bits() > 0 {
		list("source", []string{v.Source.String()})
	}
	if v.ConnectionLimit > 0 {
		list("connection limit", []string{strconv.Itoa(v.ConnectionLimit)})
	}
	return s
}

func priorities(p *state.Pool) []int {
	var groups []int
	for _, m := range p.Members {
		groups = append(groups, m.Priority)
	}
	return distinct(groups)
}

func ports(p *state.Pool) []int {
	var ports []int
	for _, m := range p.Members {
		if m.Endpoint.Port != 0 {
			ports = append(ports, int(m.Endpoint.Port))
		}
	}
	return distinct(ports)
}

func distinct(numbers []int) []int {
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

func joined(numbers []int) string {
	var words []string
	for _, n := range numbers {
		words = append(words, strconv.Itoa(n))
	}
	return strings.Join(words, ", ")
}

// targetPort is the lowest port that members have, or without any that of the
// virtual server. It is not ok where they serve every port.
func targetPort(v *state.VirtualServer, p *state.Pool) (port int, ok bool) {
	if found := ports(p); len(found) > 0 {
		return found[0], true
	}
	return int(v.Destination.Port), len(p.Members) == 0
}

// sixOnly says whether the pods have to be reached by IPv6.
func sixOnly(v *state.VirtualServer, p *state.Pool) bool {
	if len(p.Members) == 0 {
		return v.Destination.Is6()
	}
	return !slices.ContainsFunc(p.Members, func(m state.Member) bool { return !m.Endpoint.Is6() })
}
