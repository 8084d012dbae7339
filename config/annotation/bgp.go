package annotation

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// wellKnown are the communities with a name (RFC 1997, RFC 7999). That of RFC
// 8326 is not among them: it says that a route is leaving, and is set by the
// speaker alone.
func wellKnown() []string { return []string{"no-export", "no-advertise", "blackhole"} }

// ParseCommunity reads a standard community "64512:100", a large one (RFC 8092)
// "64512:1:2", or a well-known one by its name, and writes it the one way that
// it is compared.
func ParseCommunity(s string) (string, error) {
	if slices.Contains(wellKnown(), s) {
		return s, nil
	}
	parts := strings.Split(s, ":")
	limit := uint64(1<<32 - 1)
	switch len(parts) {
	case 2:
		limit = 1<<16 - 1
	case 3:
	default:
		return "", fmt.Errorf("%q is no community: write 64512:100, a large one as 64512:1:2, or %s", s, strings.Join(wellKnown(), ", "))
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil || n > limit {
			return "", fmt.Errorf("%q is no community: %q is not a number from 0 to %d", s, part, limit)
		}
		parts[i] = strconv.FormatUint(n, 10)
	}
	if len(parts) == 2 && parts[0] == "65535" {
		return "", fmt.Errorf("%q is reserved (RFC 1997): write %s", s, strings.Join(wellKnown(), ", "))
	}
	return strings.Join(parts, ":"), nil
}

// ParseCommunities reads communities as ParseCommunity does, sorted, each once.
func ParseCommunities(s string) ([]string, error) {
	var all []string
	for word := range strings.SplitSeq(s, ",") {
		c, err := ParseCommunity(strings.TrimSpace(word))
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// ParsePeers reads names of BGP peers, sorted, each once.
func ParsePeers(s string) ([]string, error) {
	var all []string
	for word := range strings.SplitSeq(s, ",") {
		if word = strings.TrimSpace(word); word == "" {
			return nil, errors.New("names no peer, or one of the names is empty")
		}
		all = append(all, word)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// ParseMetric reads a local preference or a MED: 0 to 4294967295 (RFC 4271
// section 4.3).
func ParseMetric(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q must be a number from 0 to 4294967295", s)
	}
	return uint32(n), nil
}

// mostPrepend is how often our number is put before a path at most: longer
// paths are dropped by many networks.
const mostPrepend = 10

// ParsePrepend reads how often our number is put before the path once more.
func ParsePrepend(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil || n > mostPrepend {
		return 0, fmt.Errorf("%q must be a number from 0 to %d", s, mostPrepend)
	}
	return int(n), nil
}

func checkTrue(value string) error { return oneOf(value, "true") }

func checkPeers(value string) error {
	_, err := ParsePeers(value)
	return err
}

func checkCommunities(value string) error {
	_, err := ParseCommunities(value)
	return err
}

func checkMetric(value string) error {
	_, err := ParseMetric(value)
	return err
}

func checkPrepend(value string) error {
	_, err := ParsePrepend(value)
	return err
}
