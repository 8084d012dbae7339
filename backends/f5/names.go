package f5

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"landbridge.dev/sync/state"
)

// Paths of collections below /mgmt/tm.
const (
	nodesPath     = "ltm/node"
	poolsPath     = "ltm/pool"
	virtualsPath  = "ltm/virtual"
	addressesPath = "ltm/virtual-address"
	monitorsPath  = "ltm/monitor/" // and the type
	groupsPath    = "ltm/data-group/internal"
	rulesPath     = "ltm/rule"
	// staticRoutesPath are the ways to networks.
	staticRoutesPath = "net/route"
	// persistencesPath are the profiles that keep to a client's address.
	persistencesPath = "ltm/persistence/source-addr"
)

// objectPath is the URL of an object: "/web/a%1" stands at "~web~a%251"
// (selfLinks captured on TMOS 14.1.4 and 12.1.0).
func objectPath(collection, fullPath string) string {
	return collection + "/" + url.PathEscape(strings.ReplaceAll(fullPath, "/", "~"))
}

func membersPath(pool string) string { return objectPath(poolsPath, pool) + "/members" }

func memberPath(pool, node string, port uint16) string {
	return objectPath(membersPath(pool), memberName(node, port))
}

// memberName is a member's full path: its node's, and the port after a colon,
// or after a dot where the node is named by an IPv6 address.
func memberName(node string, port uint16) string {
	sep := ":"
	_, name := splitDir(node)
	ip, _, _ := strings.Cut(name, "%")
	if a, err := netip.ParseAddr(ip); err == nil && a.Is6() {
		sep = "."
	}
	return node + sep + strconv.Itoa(int(port))
}

// splitMemberName is the other way round. The port is 0 for "any", and where
// it cannot be read.
func splitMemberName(fullPath string) (node string, port uint16) {
	i := strings.LastIndexAny(fullPath, ".:")
	if i < 0 {
		return fullPath, 0
	}
	n, err := strconv.ParseUint(fullPath[i+1:], 10, 16)
	if err != nil {
		n = 0
	}
	return fullPath[:i], uint16(n)
}

// destinationName writes what a virtual server in a partition listens on:
// "/web/203.0.113.10%2:80", "/web/2001:db8::1.80".
func destinationName(partition string, e state.Endpoint) string {
	return memberName("/"+partition+"/"+e.Address.String(), e.Port)
}

// splitDestination is the other way round: the full path of the virtual
// address, and the port.
func splitDestination(destination string) (virtualAddress string, port uint16) {
	return splitMemberName(destination)
}

// addressOfPath reads the address that a path ends in, if it does.
func addressOfPath(fullPath string) (state.Address, bool) {
	_, name := splitDir(fullPath)
	a, err := state.ParseAddress(name)
	return a, err == nil
}

// place is where an object stands, in the properties that a POST takes.
type place struct {
	Name      string `json:"name"`
	Partition string `json:"partition"`
	SubPath   string `json:"subPath,omitempty"`
}

// placeOf takes "/web/folder/name" apart.
func placeOf(fullPath string) place {
	dir, name := splitDir(fullPath)
	partition, sub, _ := strings.Cut(strings.TrimPrefix(dir, "/"), "/")
	return place{Name: name, Partition: partition, SubPath: sub}
}

// path is the other way round.
func (p place) path() string {
	dir := "/" + p.Partition
	if p.SubPath != "" {
		dir += "/" + p.SubPath
	}
	return dir + "/" + p.Name
}

// splitDir cuts a full path at its last slash.
func splitDir(fullPath string) (dir, name string) {
	i := strings.LastIndexByte(fullPath, '/')
	if i < 0 {
		return "", fullPath
	}
	return fullPath[:i], fullPath[i+1:]
}

// isPrefixed says whether an object's name is one that its owner's cluster
// gives: lb_<cluster>_…
func isPrefixed(fullPath string, o state.Owner) bool {
	_, name := splitDir(fullPath)
	return strings.HasPrefix(name, "lb_"+o.Cluster+"_")
}
