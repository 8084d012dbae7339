package mcp

import (
	"maps"
	"slices"
)

// FQDNNodes returns the nodes that name a host, and the host of each.
func (s *Store) FQDNNodes() map[Key]string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make(map[Key]string)
	for k, o := range s.objects[nodeKind] {
		if name := fqdnName(o.Props["fqdn"]); name != "" && o.Str("ephemeral") != "true" {
			out[k] = name
		}
	}
	return out
}

// Resolved tells what a host's name stands for now: the device makes ephemeral
// nodes and members "_auto_<address>" for them (captured), of all addresses
// with autopopulate and of the first without, and removes those that are no
// longer there.
func (s *Store) Resolved(node Key, addresses []string) error {
	return s.Update(func(tx *Tx) error {
		n := tx.get(node)
		if n == nil {
			return nil
		}
		if n.Map("fqdn")["autopopulate"] != "enabled" && len(addresses) > 1 {
			addresses = addresses[:1]
		}
		for _, k := range tx.s.referrersOf(node) {
			if m := tx.get(k); m != nil && k.Kind == memberKind && m.Str("ephemeral") != "true" {
				if err := tx.populate(n, m, addresses); err != nil {
					return err
				}
			}
		}
		return tx.sweep(n)
	})
}

// populate makes the ephemeral members of one FQDN member what they are to be.
func (tx *Tx) populate(n, m *Object, addresses []string) error {
	_, port := splitMember(m.Path)
	p, _ := servicePort(port)
	want := make(map[Key]string, len(addresses))
	for _, a := range addresses {
		path := joinMember(joinPath(n.Partition, n.SubPath, "_auto_"+a), p)
		want[Key{Kind: memberKind, Parent: m.Parent, Path: path}] = a
	}
	for _, it := range tx.items(Key{Kind: poolKind, Path: m.Parent}) {
		_, ok := want[it.Key()]
		_, itsPort := splitMember(it.Path)
		if !ok && itsPort == port && it.Str("ephemeral") == "true" && fqdnName(it.Props["fqdn"]) == fqdnName(n.Props["fqdn"]) {
			if err := tx.drop(it); err != nil {
				return err
			}
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(want), compareKeys) {
		if tx.get(k) == nil {
			if err := tx.ephemeral(n, m, k, want[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (tx *Tx) ephemeral(n, m *Object, k Key, address string) error {
	node, _ := splitMember(k.Path)
	if tx.get(Key{Kind: nodeKind, Path: node}) == nil {
		if tx.addressTaken(n, address) {
			return nil // a static node has the address: the device leaves it out
		}
		o, err := tx.Create(nodeKind, "", map[string]any{"name": node, "address": address})
		if err != nil {
			return err
		}
		tx.mark(o, n)
	}
	body := map[string]any{"name": k.Path}
	for _, p := range []string{"ratio", "priorityGroup", "connectionLimit", "session", "state", "monitor"} {
		body[p] = m.Props[p]
	}
	o, err := tx.Create(memberKind, k.Parent, body)
	if err != nil {
		return err
	}
	tx.mark(o, n)
	return nil
}

func (tx *Tx) addressTaken(n *Object, address string) bool {
	a, ok := ParseAddress(address, tx.s.routeDomain(n.Partition))
	if !ok {
		return true
	}
	_, taken := tx.s.addresses[a.key(nodeKind)]
	return taken
}

// mark makes an object ephemeral, of the host that it came from.
func (tx *Tx) mark(o, n *Object) {
	c := o.clone()
	c.Props["ephemeral"] = "true"
	fqdn := maps.Clone(c.Map("fqdn"))
	fqdn["autopopulate"], fqdn["tmName"] = n.Map("fqdn")["autopopulate"], fqdnName(n.Props["fqdn"])
	c.Props["fqdn"] = fqdn
	tx.put(c)
}

// sweep removes ephemeral nodes of a host that no member uses.
func (tx *Tx) sweep(n *Object) error {
	for k, o := range maps.Clone(tx.s.objects[nodeKind]) {
		if o.Str("ephemeral") == "true" && fqdnName(o.Props["fqdn"]) == fqdnName(n.Props["fqdn"]) && len(tx.s.referrersOf(k)) == 0 {
			if err := tx.drop(o); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropEphemeral takes along what an FQDN member populated.
func dropEphemeral(tx *Tx, o *Object) error {
	name := fqdnName(o.Props["fqdn"])
	if name == "" || o.Str("ephemeral") == "true" {
		return nil
	}
	node, _ := splitMember(o.Path)
	n := tx.get(Key{Kind: nodeKind, Path: node})
	if n == nil {
		return nil
	}
	if err := tx.populate(n, o, nil); err != nil {
		return err
	}
	return tx.sweep(n)
}
