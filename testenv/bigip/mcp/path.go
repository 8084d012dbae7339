package mcp

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// splitPath takes a full path apart: "/web/a/b/x" is partition web, sub-path
// a/b, name x.
func splitPath(path string) (partition, subPath, name string) {
	rest := strings.TrimPrefix(path, "/")
	partition, rest, ok := strings.Cut(rest, "/")
	if !ok {
		return "", "", partition
	}
	if i := strings.LastIndex(rest, "/"); i >= 0 {
		return partition, rest[:i], rest[i+1:]
	}
	return partition, "", rest
}

func joinPath(partition, subPath, name string) string {
	if subPath == "" {
		return "/" + partition + "/" + name
	}
	return "/" + partition + "/" + strings.Trim(subPath, "/") + "/" + name
}

// Absolute makes a path absolute: a relative one lies in folder.
func Absolute(path, folder string) string {
	if path == "" || strings.HasPrefix(path, "/") {
		return path
	}
	return strings.TrimSuffix(folder, "/") + "/" + path
}

// services are the port names that mcpd turns into numbers. Devices take them
// from /etc/services; these are the ones that configurations use.
func servicePort(name string) (int, bool) {
	switch name {
	case "any", "*":
		return 0, true
	case "http":
		return 80, true
	case "https":
		return 443, true
	}
	if n, err := strconv.ParseUint(name, 10, 16); err == nil {
		return int(n), true
	}
	if n, err := net.LookupPort("tcp", name); err == nil {
		return n, true
	}
	return 0, false
}

// splitMember takes the name of a pool member apart into its node and its
// port: "10.0.0.1:80", "web1:80", "2001:db8::1.80". An IPv6 address is set
// off from its port by a dot.
func splitMember(path string) (node, port string) {
	slash := strings.LastIndex(path, "/")
	dir, name := path[:slash+1], path[slash+1:]
	sep := memberSeparator(name)
	if sep < 0 {
		return path, ""
	}
	return dir + name[:sep], name[sep+1:]
}

func memberSeparator(name string) int {
	if strings.Count(name, ":") > 1 {
		return strings.LastIndex(name, ".")
	}
	return strings.LastIndex(name, ":")
}

// joinMember is the reverse of splitMember.
func joinMember(node string, port int) string {
	if strings.Count(node[strings.LastIndex(node, "/")+1:], ":") > 1 {
		return node + "." + strconv.Itoa(port)
	}
	return node + ":" + strconv.Itoa(port)
}

// Address is an IP address in a route domain.
type Address struct {
	IP netip.Addr
	RD int // route domain, 0 the default
}

// ParseAddress reads "10.0.0.1", "10.0.0.1%5", "2001:db8::1%5", "any" and
// "any6". Without "%" the address lies in route domain rd.
func ParseAddress(s string, rd int) (Address, bool) {
	host, zone, hasZone := strings.Cut(s, "%")
	if hasZone {
		n, err := strconv.ParseUint(zone, 10, 16)
		if err != nil {
			return Address{}, false
		}
		rd = int(n)
	}
	switch host {
	case "any", "0.0.0.0":
		return Address{IP: netip.IPv4Unspecified(), RD: rd}, true
	case "any6", "::":
		return Address{IP: netip.IPv6Unspecified(), RD: rd}, true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Zone() != "" {
		return Address{}, false
	}
	return Address{IP: ip, RD: rd}, true
}

// text writes the address as a device shows it: with its route domain unless it
// is def, that of the partition; the unspecified addresses as any and any6.
func (a Address) text(def int) string {
	switch {
	case a.IP == netip.IPv4Unspecified():
		return a.marked("any", def)
	case a.IP == netip.IPv6Unspecified():
		return a.marked("any6", def)
	}
	return a.name(def)
}

// name is how a device names an object after the address: "0.0.0.0" is not
// "any" there (destination /Common/0.0.0.0:0 with mask any, from the
// configurations of f5-bigip-journeys).
func (a Address) name(def int) string { return a.marked(a.IP.String(), def) }

func (a Address) marked(s string, def int) string {
	if a.RD != def {
		s += "%" + strconv.Itoa(a.RD)
	}
	return s
}

func (a Address) key(kind string) string {
	return kind + " " + a.IP.String() + "%" + strconv.Itoa(a.RD)
}

// hostMask is the mask of a single address.
func hostMask(ip netip.Addr) string {
	switch {
	case ip.IsUnspecified() && ip.Is4():
		return "any"
	case ip.IsUnspecified():
		return "any6"
	case ip.Is4():
		return "255.255.255.255"
	}
	return "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
}
