package config

import (
	"fmt"
	"slices"
	"strings"

	"landbridge.dev/config/annotation"
)

// communityPattern says whether a grant can be read: a community, in which any
// number may be *.
func communityPattern(s string) error {
	_, err := annotation.ParseCommunity(strings.ReplaceAll(s, "*", "0"))
	if err != nil || slices.ContainsFunc(strings.Split(s, ":"), func(part string) bool { return len(part) > 1 && strings.Contains(part, "*") }) {
		return fmt.Errorf("%q must be a community, in which a whole number may be *: 64512:*, 64512:1:*, no-export", s)
	}
	return nil
}

// GrantsCommunity says whether the entry allows a community as annotation.ParseCommunity
// writes it.
func (t Tenant) GrantsCommunity(community string) bool {
	want := strings.Split(community, ":")
	return slices.ContainsFunc(t.BGPCommunities, func(pattern string) bool {
		parts := strings.Split(pattern, ":")
		return len(parts) == len(want) && matchesParts(parts, want)
	})
}

func matchesParts(pattern, parts []string) bool {
	for i := range pattern {
		if pattern[i] != "*" && pattern[i] != parts[i] {
			return false
		}
	}
	return true
}

// GrantsPeer says whether the entry allows announcing to a peer.
func (t Tenant) GrantsPeer(name string) bool { return slices.Contains(t.BGPPeers, name) }
