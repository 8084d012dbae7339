package translate

import (
	"net/netip"
	"slices"
	"strings"

	"landbridge.dev/sync/state"
)

// sources are the prefixes of one family from which clients may come, sorted;
// empty for everybody. Where the Service names some, and none of this family,
// nobody could: that is found fault with rather than let everybody in.
func (t *translation) sources(six bool) []netip.Prefix {
	ranges := t.Service.Spec.LoadBalancerSourceRanges
	if len(ranges) == 0 {
		return nil
	}
	var prefixes []netip.Prefix
	for _, text := range ranges {
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			t.once("BadSourceRange", "spec.loadBalancerSourceRanges: "+text+" is not a prefix such as 192.0.2.0/24")
			return nil
		}
		if p.Addr().Is6() == six {
			prefixes = append(prefixes, p.Masked())
		}
	}
	if len(prefixes) == 0 {
		family, all := "IPv4", "0.0.0.0/0"
		if six {
			family, all = "IPv6", "::/0"
		}
		t.once("BadSourceRange", "spec.loadBalancerSourceRanges names no "+family+" prefix, and the Service has an "+family+" address: add one, "+all+" for everybody")
		return nil
	}
	slices.SortFunc(prefixes, netip.Prefix.Compare)
	prefixes = slices.Compact(prefixes)
	if slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Bits() == 0 }) {
		return nil
	}
	return prefixes
}

// limitSources lets only clients from the Service's source ranges through a
// virtual server: one prefix is its source, of several a data group holds the
// list and an iRule looks it up before any other runs.
func (t *translation) limitSources(v *state.VirtualServer) []state.Object {
	prefixes := t.sources(v.Destination.Is6())
	switch len(prefixes) {
	case 0:
		return nil
	case 1:
		v.Source = prefixes[0]
		return nil
	}
	path := v.Path + "_src"
	v.IRules = slices.Concat([]string{path}, v.IRules)
	return []state.Object{
		&state.DataGroup{Backend: v.Backend, Path: path, Owner: v.Owner, Prefixes: prefixes},
		&state.IRule{Backend: v.Backend, Path: path, Owner: v.Owner, Text: sourceRule(path)},
	}
}

// sourceRule refuses clients whose address is in no prefix of a data group.
// In a route domain the address ends in %ID, which the prefixes do not.
func sourceRule(dataGroup string) string {
	return `when CLIENT_ACCEPTED {
    if { ![class match -- [getfield [IP::client_addr] "%" 1] equals ` + dataGroup + `] } {
        reject
    }
}`
}

// affinityOf is the persistence profile of ours for a virtual server.
func affinityOf(v *state.VirtualServer, seconds int) *state.Persistence {
	return &state.Persistence{Backend: v.Backend, Path: v.Path + "_p", Owner: v.Owner, Timeout: seconds}
}
