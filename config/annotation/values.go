package annotation

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// None is the value that takes away what a class gives.
const None = "none"

// Required is the value of approval, here and of a tenant.
const Required = "required"

// longestDrain bounds drain-timeout: what shall last longer is "none".
const longestDrain = 24 * time.Hour

// mostSeconds is the longest interval and timeout of a monitor (tmsh
// reference, ltm monitor).
const mostSeconds = 86400

// mostConnections is the largest connection limit of a virtual server (tmsh
// reference, ltm virtual).
const mostConnections = 4294967295

// ParseDrain reads a drain-timeout: negative for "none".
func ParseDrain(value string) (time.Duration, error) {
	if value == None {
		return -1, nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 || d > longestDrain {
		return 0, fmt.Errorf("%q must be a duration such as 60s or 5m, at most 24h, or none", value)
	}
	return d, nil
}

// ParseSeconds reads monitor-interval and monitor-timeout.
func ParseSeconds(value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > mostSeconds {
		return 0, fmt.Errorf("%q must be a number of seconds from 1 to %d", value, mostSeconds)
	}
	return n, nil
}

// ParseLimit reads a connection-limit; 0 is no limit.
func ParseLimit(value string) (int, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 || n > mostConnections {
		return 0, fmt.Errorf("%q must be a number of connections from 0 (no limit) to %d", value, mostConnections)
	}
	return int(n), nil
}

// Modes are the load-balancing modes of a pool (tmsh reference, ltm pool).
func Modes() []string {
	return []string{
		"dynamic-ratio-member", "dynamic-ratio-node", "fastest-app-response", "fastest-node",
		"least-connections-member", "least-connections-node", "least-sessions", "observed-member", "observed-node",
		"predictive-member", "predictive-node", "ratio-least-connections-member", "ratio-least-connections-node",
		"ratio-member", "ratio-node", "ratio-session", "round-robin",
	}
}

// ParseMode reads a load-balancing-mode.
func ParseMode(value string) (string, error) {
	if strings.HasPrefix(value, "weighted-least-connections-") {
		return "", fmt.Errorf("%q needs a connection limit on every member or node, which Landbridge does not set; use ratio-least-connections-member", value)
	}
	if !slices.Contains(Modes(), value) {
		return "", fmt.Errorf("%q must be one of %s", value, strings.Join(Modes(), ", "))
	}
	return value, nil
}

// objectPath is the full path of an object on a BIG-IP.
var objectPath = regexp.MustCompile(`^/[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.:%-]*)+$`)

// IsPath says whether a value is the full path of an object on a BIG-IP.
func IsPath(value string) bool { return objectPath.MatchString(value) }

// list splits a comma-separated list. Empty and repeated words are errors.
func list(value string) ([]string, error) {
	var words []string
	for word := range strings.SplitSeq(value, ",") {
		word = strings.TrimSpace(word)
		switch {
		case word == "":
			return nil, fmt.Errorf("%q must be a list with commas between, and no empty place", value)
		case slices.Contains(words, word):
			return nil, fmt.Errorf("%q names %s twice", value, word)
		}
		words = append(words, word)
	}
	return words, nil
}

// ParsePaths reads a list of full paths, in their order; "none" is none.
func ParsePaths(value string) ([]string, error) {
	if value == None {
		return nil, nil
	}
	words, err := list(value)
	if err != nil {
		return nil, err
	}
	for _, w := range words {
		if !IsPath(w) {
			return nil, fmt.Errorf("%q must be a full path such as /Common/name", w)
		}
	}
	return words, nil
}

// ParseSNAT reads snat: "automap", "none", or the full path of a SNAT pool.
func ParseSNAT(value string) (string, error) {
	if value != "automap" && value != None && !IsPath(value) {
		return "", fmt.Errorf("%q must be automap, none, or the full path of a SNAT pool", value)
	}
	return value, nil
}

// The persistences that are named by a word.
const (
	SourceAddress = "source-address"
	Cookie        = "cookie"
)

// ParsePersistence reads persistence: SourceAddress, Cookie, None, or the full
// path of a persistence profile.
func ParsePersistence(value string) (string, error) {
	if value != SourceAddress && value != Cookie && value != None && !IsPath(value) {
		return "", fmt.Errorf("%q must be source-address, cookie, none, or the full path of a persistence profile", value)
	}
	return value, nil
}

// Profile is one of profiles.
type Profile struct {
	Path string
	// Side is "client", "server", or empty where none is written.
	Side string
}

// ParseProfiles reads a list of profiles, in their order.
func ParseProfiles(value string) ([]Profile, error) {
	words, err := list(value)
	if err != nil {
		return nil, err
	}
	profiles := make([]Profile, 0, len(words))
	for _, w := range words {
		path, side, written := strings.Cut(w, ";")
		path, side = strings.TrimSpace(path), strings.TrimSpace(side)
		if !IsPath(path) || written && side != "client" && side != "server" {
			return nil, fmt.Errorf("%q must be a full path such as /Common/tcp, with ;client or ;server where it holds for one side alone", w)
		}
		profiles = append(profiles, Profile{Path: path, Side: side})
	}
	return profiles, nil
}
