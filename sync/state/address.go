package state

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Address is an IP address in a route domain. It is comparable, and never
// holds an IPv6 zone or an IPv4 address mapped into IPv6.
type Address struct {
	IP netip.Addr
	// RouteDomain is 0, the device's default, up to 65534 (K03011: the
	// range of a BIG-IP route domain ID).
	RouteDomain uint16
}

// ParseAddress reads "10.0.0.1", "10.0.0.1%2" or "2001:db8::1%2", where the
// number after the per cent sign is a route domain.
func ParseAddress(s string) (Address, error) {
	ip, domain, hasDomain := strings.Cut(s, "%")
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return Address{}, fmt.Errorf("%q is not an IP address", s)
	}
	a := Address{IP: addr.Unmap()}
	if hasDomain {
		n, err := strconv.ParseUint(domain, 10, 16)
		if err != nil || n > 65534 {
			return Address{}, fmt.Errorf("%q: route domain %q is not a number from 0 to 65534", s, domain)
		}
		a.RouteDomain = uint16(n)
	}
	return a, nil
}

// String writes what ParseAddress reads; route domain 0 is not written.
func (a Address) String() string {
	if a.RouteDomain == 0 {
		return a.IP.String()
	}
	return a.IP.String() + "%" + strconv.Itoa(int(a.RouteDomain))
}

// Is6 says whether the address is of IPv6.
func (a Address) Is6() bool { return a.IP.Is6() }

// Compare orders by route domain, then by address.
func (a Address) Compare(b Address) int {
	if c := cmp.Compare(a.RouteDomain, b.RouteDomain); c != 0 {
		return c
	}
	return a.IP.Compare(b.IP)
}

// SortAddresses sorts addresses in place, and drops those that come again.
func SortAddresses(addresses []Address) []Address {
	slices.SortFunc(addresses, Address.Compare)
	return slices.Compact(addresses)
}

// Endpoint is an address and a port: a pool member's, or a virtual server's
// destination. It is comparable.
type Endpoint struct {
	Address
	Port uint16
}

// ParseEndpoint reads "10.0.0.1:80", "10.0.0.1%2:80", "[2001:db8::1]:80" or
// "[2001:db8::1%2]:80".
func ParseEndpoint(s string) (Endpoint, error) {
	host, port, ok := cutLast(s, ":")
	if !ok {
		return Endpoint{}, fmt.Errorf("%q has no port", s)
	}
	if inner, found := strings.CutPrefix(host, "["); found {
		host, found = strings.CutSuffix(inner, "]")
		if !found {
			return Endpoint{}, fmt.Errorf("%q: the bracket is not closed", s)
		}
	} else if strings.Contains(host, ":") {
		return Endpoint{}, fmt.Errorf("%q: write an IPv6 address with a port as [address]:port", s)
	}
	a, err := ParseAddress(host)
	if err != nil {
		return Endpoint{}, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return Endpoint{}, fmt.Errorf("%q: port %q is not a number from 1 to 65535", s, port)
	}
	return Endpoint{Address: a, Port: uint16(n)}, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// String writes what ParseEndpoint reads.
func (e Endpoint) String() string {
	port := strconv.Itoa(int(e.Port))
	if e.Is6() {
		return "[" + e.Address.String() + "]:" + port
	}
	return e.Address.String() + ":" + port
}

// Compare orders by address, then by port.
func (e Endpoint) Compare(o Endpoint) int {
	if c := e.Address.Compare(o.Address); c != 0 {
		return c
	}
	return cmp.Compare(e.Port, o.Port)
}

// Frontend is what a virtual server listens on. Two virtual servers of one
// backend cannot share one.
type Frontend struct {
	Endpoint
	Protocol Protocol
}

// String writes "203.0.113.10:80/tcp", for a route its prefix.
func (f Frontend) String() string {
	if f.Port == 0 && f.IP.IsValid() {
		return string(f.Protocol)
	}
	return f.Endpoint.String() + "/" + string(f.Protocol)
}

// Protocol is a transport protocol in BIG-IP's words.
type Protocol string

// The protocols that are served.
const (
	TCP Protocol = "tcp"
	UDP Protocol = "udp"
)
