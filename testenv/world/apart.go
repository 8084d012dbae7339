package world

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"landbridge.dev/testenv/netns"
)

// vmNumber reads the number that a VM's name ends in.
func vmNumber(name string) (int, error) {
	n, err := strconv.Atoi(name[strings.LastIndexByte(name, '-')+1:])
	if err != nil || n < 1 || n > 9 {
		return 0, fmt.Errorf("VM %q: the name must end in -1 to -9", name)
	}
	return n, nil
}

// SetApart gives the VM with this name a network namespace of its own, joined to
// this one by a cable: what is started for it from then on runs in there. It
// ends with the world.
func (w *World) SetApart(name string) (*netns.Host, error) {
	n, err := vmNumber(name)
	if err != nil {
		return nil, err
	}
	if h := w.Apart(name); h != nil {
		return h, nil
	}
	network := w.Addresses.VMs()
	here := netip.PrefixFrom(nth(network.Addr(), 100+n), network.Bits())
	h, err := netns.NewHost(fmt.Sprintf("vm%d-%d", w.Addresses.block, n), here, netip.PrefixFrom(w.Addresses.VM(n), network.Bits()))
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.apart[name] = h
	w.pods[w.Addresses.VM(n).String()] = name
	w.mu.Unlock()
	return h, h.Reach(w.Addresses.VM(n))
}

// Apart is the network namespace of a VM; nil for one that has none.
func (w *World) Apart(name string) *netns.Host {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.apart[name]
}

// StartAgentOn is StartAgent on a VM that was set apart.
func (w *World) StartAgentOn(vm, name, file string) (*Controller, error) {
	h := w.Apart(vm)
	if h == nil {
		return nil, fmt.Errorf("VM %s has no network namespace of its own", vm)
	}
	return w.launchBy(h.Start, name, "", []string{"agent", "--config", w.path(file)})
}
