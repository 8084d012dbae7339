package world

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"landbridge.dev/testenv/app"
)

// VMPort is the port on which a VM of a world serves.
const VMPort = 8080

// VM is a service on a machine that is no pod: it answers HTTP as the pods of
// the lab do, with "pod=NAME ip=ADDRESS client=ADDRESS:PORT".
type VM struct {
	Name    string
	Address netip.Addr
	server  *http.Server
	serving sync.WaitGroup
}

// VMs are the world's VM addresses.
func (a *Addresses) VMs() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 20, byte(a.block), 0}), 24)
}

// VM is the address of the nth VM, 1 to 9.
func (a *Addresses) VM(n int) netip.Addr { return nth(a.VMs().Addr(), n) }

// StartVM starts the VM with this name, which ends in its number: "vm-1". It
// ends with StopVM, or with the world.
func (w *World) StartVM(name string) (*VM, error) {
	n, err := vmNumber(name)
	if err != nil {
		return nil, err
	}
	vm := &VM{Name: name, Address: w.Addresses.VM(n)}
	listen := func(at netip.AddrPort) (net.Listener, error) { return net.Listen("tcp", at.String()) }
	if h := w.Apart(name); h != nil {
		listen = h.Listen
	}
	l, err := listen(netip.AddrPortFrom(vm.Address, VMPort))
	if err != nil {
		return nil, fmt.Errorf("VM %s: %w", name, err)
	}
	vm.server = &http.Server{
		ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		Handler: app.New(name, func() bool { return true }),
	}
	vm.serving.Go(func() { _ = vm.server.Serve(l) }) // ends with stop
	w.mu.Lock()
	defer w.mu.Unlock()
	w.vms[name] = vm
	w.pods[vm.Address.String()] = name
	return vm, nil
}

// StopVM switches a VM off: its connections break.
func (w *World) StopVM(name string) error {
	w.mu.Lock()
	vm := w.vms[name]
	delete(w.vms, name)
	w.mu.Unlock()
	if vm == nil {
		return fmt.Errorf("there is no VM %s", name)
	}
	vm.stop()
	return nil
}

func (vm *VM) stop() {
	_ = vm.server.Close()
	vm.serving.Wait()
}

// stopVMs switches all of them off.
func (w *World) stopVMs() {
	w.mu.Lock()
	vms := w.vms
	w.vms = map[string]*VM{}
	w.mu.Unlock()
	for _, vm := range vms {
		vm.stop()
	}
}
