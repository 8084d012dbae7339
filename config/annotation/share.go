package annotation

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// ParseShare reads pod-share: per cent, 0 to 100.
func ParseShare(value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > 100 || strconv.Itoa(n) != value {
		return 0, fmt.Errorf("%q must be a whole number from 0 to 100", value)
	}
	return n, nil
}

// VM is one of those that vm-members names.
type VM struct {
	// Address may carry a route domain: "10.0.0.5%2".
	Address string
	// Port is 0 where none is written.
	Port uint16
}

// String writes the VM as vm-members takes it.
func (v VM) String() string {
	switch {
	case v.Port == 0:
		return v.Address
	case strings.Contains(v.Address, ":"):
		return "[" + v.Address + "]:" + strconv.Itoa(int(v.Port))
	}
	return v.Address + ":" + strconv.Itoa(int(v.Port))
}

// ParseVMs reads vm-members.
func ParseVMs(value string) ([]VM, error) {
	var vms []VM
	for word := range strings.SplitSeq(value, ",") {
		word = strings.TrimSpace(word)
		vm, ok := parseVM(word)
		if !ok {
			return nil, fmt.Errorf("%q must be an address, or an address and a port such as 10.0.0.5:8080 or [2001:db8::5]:8080", word)
		}
		if slices.Contains(vms, vm) {
			return nil, fmt.Errorf("%s is there twice", word)
		}
		vms = append(vms, vm)
	}
	return vms, nil
}

func parseVM(word string) (VM, bool) {
	if host, ok := parseHost(word); ok {
		return VM{Address: host}, true
	}
	i := strings.LastIndexByte(word, ':')
	if i < 0 {
		return VM{}, false
	}
	host, number := word[:i], word[i+1:]
	inner, bracketed := strings.CutPrefix(host, "[")
	if bracketed {
		var closed bool
		if inner, closed = strings.CutSuffix(inner, "]"); !closed {
			return VM{}, false
		}
	}
	port, err := strconv.ParseUint(number, 10, 16)
	host, ok := parseHost(inner)
	if err != nil || port == 0 || !ok || bracketed != strings.Contains(host, ":") {
		return VM{}, false
	}
	return VM{Address: host, Port: uint16(port)}, true
}

// parseHost reads an address, with a route domain after a per cent sign, as it
// is written in one way.
func parseHost(word string) (string, bool) {
	ip, domain, hasDomain := strings.Cut(word, "%")
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return "", false
	}
	host := a.Unmap().String()
	if hasDomain {
		n, err := strconv.ParseUint(domain, 10, 16)
		if err != nil || n > 65534 {
			return "", false
		}
		host += "%" + strconv.FormatUint(n, 10)
	}
	return host, true
}

// ParsePath reads one full path on a device: join-pool and adopt.
func ParsePath(value string) (string, error) {
	paths, err := ParsePaths(value)
	if err != nil || len(paths) != 1 {
		return "", fmt.Errorf("%q must be one full path on the device, such as /web/shop", value)
	}
	return paths[0], nil
}

func checkPath(value string) error {
	_, err := ParsePath(value)
	return err
}

func checkVMs(value string) error {
	_, err := ParseVMs(value)
	return err
}

func checkShare(value string) error {
	_, err := ParseShare(value)
	return err
}

func checkFallback(value string) error { return oneOf(value, "vms", "both", "none") }
