package mcp

import (
	"net/http"
	"strconv"
	"strings"
)

// Destination is where a virtual server listens.
type Destination struct {
	Address Address
	Port    int // 0: any
}

// DestinationOf reads the destination of a committed virtual server; its
// virtual address may have a name of its own.
func (s *Store) DestinationOf(vs *Object) (Destination, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.destinationOf(vs)
}

func (s *Store) destinationOf(vs *Object) (Destination, bool) {
	path, service := splitMember(vs.Str("destination"))
	port, ok := servicePort(service)
	if !ok {
		return Destination{}, false
	}
	partition, _, name := splitPath(path)
	rd := s.routeDomain(partition)
	if va, ok := s.find(virtualAddressKind, path); ok {
		name = va.Str("address")
	}
	a, ok := ParseAddress(name, rd)
	return Destination{Address: a, Port: port}, ok
}

func (tx *Tx) settleDestination(o, old *Object) (Destination, error) {
	text := o.Str("destination")
	slash := strings.LastIndex(text, "/")
	if slash < 0 {
		text = "/" + o.Partition + "/" + text
		slash = strings.LastIndex(text, "/")
	}
	sep := memberSeparator(text[slash+1:])
	if strings.HasPrefix(text[slash+1:], "any6.") {
		sep = len("any6")
	}
	if sep <= 0 {
		return Destination{}, invalidValue("destination", o.Str("destination"))
	}
	host, service := text[slash+1:][:sep], text[slash+1:][sep+1:]
	port, ok := servicePort(service)
	if !ok {
		return Destination{}, invalidValue("destination", o.Str("destination"))
	}
	partition, _, _ := splitPath(text)
	if !tx.folder("/" + partition) {
		return Destination{}, folderMissing("/" + partition)
	}
	va, err := tx.virtualAddress(partition, text[:slash+1]+host, host, o)
	if err != nil {
		return Destination{}, err
	}
	rd := tx.s.routeDomain(va.Partition)
	a, ok := ParseAddress(va.Str("address"), rd)
	if !ok {
		return Destination{}, invalidValue("destination", o.Str("destination"))
	}
	o.Props["destination"] = joinMember(va.Path, port)
	o.Props["mask"] = va.Str("mask")
	if old != nil && old.Str("destination") != o.Str("destination") {
		tx.releaseLater(old)
	}
	return Destination{Address: a, Port: port}, nil
}

// virtualAddress finds the virtual address of a destination or makes it.
func (tx *Tx) virtualAddress(partition, path, host string, vs *Object) (*Object, error) {
	if va := tx.get(Key{Kind: virtualAddressKind, Path: path}); va != nil {
		return va, nil
	}
	rd := tx.s.routeDomain(partition)
	a, ok := ParseAddress(host, rd)
	if !ok {
		return nil, invalidValue("destination", vs.Str("destination"))
	}
	if k, taken := tx.s.addresses[a.key(virtualAddressKind)]; taken {
		if p, _, _ := splitPath(k.Path); p == partition {
			return tx.get(k), nil
		}
	}
	body := map[string]any{"name": joinPath(partition, "", a.name(rd)), "address": a.text(rd)}
	mask := vs.Str("mask")
	if mask != "" && mask != hostMask(a.IP) {
		body["mask"] = mask
	}
	if a.IP.IsUnspecified() || body["mask"] != nil {
		// Nobody asks by ARP for a network; devices make its address so, as
		// their configuration files show.
		body["arp"], body["icmpEcho"] = "disabled", "disabled"
	}
	return tx.Create(virtualAddressKind, "", body)
}

func prepareVirtualAddress(tx *Tx, in *input) error {
	if a, _ := in.body["address"].(string); a == "" {
		if _, ok := ParseAddress(in.name, tx.s.routeDomain(in.partition)); ok {
			in.body["address"] = in.name
		}
	}
	return nil
}

func settleVirtualAddress(tx *Tx, o, old *Object) error {
	rd := tx.s.routeDomain(o.Partition)
	a, ok := ParseAddress(o.Str("address"), rd)
	if !ok {
		return invalidValue("address", o.Str("address"))
	}
	if o.Str("mask") == "" {
		o.Props["mask"] = hostMask(a.IP)
	}
	if old != nil {
		return nil
	}
	o.Props["address"] = a.text(rd)
	if holder, taken := tx.s.addresses[a.key(virtualAddressKind)]; taken && holder != o.Key() {
		return mcpError(http.StatusBadRequest, "0107176c", "Invalid Virtual Address, the IP address %s already exists.", a.text(rd))
	}
	return nil
}

// unshared refuses two virtual servers at one place (01070333).
func (tx *Tx) unshared(o *Object) error {
	place, ok := tx.s.addressOf(o)
	if !ok {
		return nil
	}
	if holder, taken := tx.s.addresses[place]; taken && holder != o.Key() {
		return mcpError(http.StatusBadRequest, "01070333", "Virtual Server %s illegally shares destination address, source address, service port, ip-protocol, and vlan with Virtual Server %s.", o.Path, holder.Path)
	}
	return nil
}

// addressOf is what an object holds alone: a node or virtual address its IP
// address, a virtual server its listener.
func (s *Store) addressOf(o *Object) (string, bool) {
	switch o.Kind.Path {
	case nodeKind, virtualAddressKind:
		if fqdnName(o.Props["fqdn"]) != "" && o.Str("ephemeral") != "true" {
			return "", false
		}
		a, ok := ParseAddress(o.Str("address"), s.routeDomain(o.Partition))
		return a.key(o.Kind.Path), ok
	case virtualKind:
		d, ok := s.destinationOf(o)
		return strings.Join([]string{
			d.Address.key(virtualKind), strconv.Itoa(d.Port), o.Str("ipProtocol"), o.Str("source"), strings.Join(o.Strings("vlans"), ","),
		}, " "), ok
	}
	return "", false
}

// dropVirtual removes the virtual address with its last virtual server.
func dropVirtual(tx *Tx, o *Object) error {
	tx.releaseLater(o)
	return nil
}

// releaseLater has the virtual address of a deleted or moved virtual server
// looked at when the transaction ends.
func (tx *Tx) releaseLater(vs *Object) {
	path, _ := splitMember(vs.Str("destination"))
	tx.idle = append(tx.idle, Key{Kind: virtualAddressKind, Path: path})
}

// release deletes virtual addresses that lost their last virtual server and
// are to be deleted with it.
func (tx *Tx) release() {
	for _, k := range tx.idle {
		va := tx.get(k)
		if va != nil && va.Str("autoDelete") == "true" && len(tx.s.referrersOf(k)) == 0 {
			tx.remove(va)
		}
	}
}
