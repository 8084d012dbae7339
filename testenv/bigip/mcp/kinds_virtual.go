package mcp

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

const (
	virtualKind        = "ltm/virtual"
	virtualAddressKind = "ltm/virtual-address"
)

func virtualKinds() []*Kind {
	return []*Kind{
		{
			Path: virtualKind, Noun: "Virtual Server",
			Props: table(`
				addressStatus               enum:yes,no  yes
				appService                  str  -
				autoLasthop                 str  default
				clonePools                  any  -
				cmpEnabled                  enum:yes,no  yes
				connectionLimit             int:0-4294967295  0
				creationTime                str  -  ro
				description                 str  -
				destination                 str  -  required
				dhcpRelay                   flag  -
				disabled                    flag  -
				enabled                     flag  true
				evictionProtected           enum:disabled,enabled  disabled  since:15
				fallbackPersistence         ref:ltm/persistence/  -  link
				flowEvictionPolicy          str  -
				fwEnforcedPolicy            str  -
				gtmScore                    int  0
				internal                    flag  -
				ipForward                   flag  -
				ipIntelligencePolicy        str  -
				ipProtocol                  str  any
				l2Forward                   flag  -
				lastHopPool                 ref:ltm/pool  -  link
				lastModifiedTime            str  -  ro
				mask                        str  -
				metadata                    any  -
				mirror                      enum:disabled,enabled  disabled
				mobileAppTunnel             enum:disabled,enabled  disabled
				nat64                       enum:disabled,enabled  disabled
				persist                     any  -
				pool                        ref:ltm/pool  -  link
				rateClass                   str  -
				rateLimit                   str  disabled
				rateLimitDstMask            int  0
				rateLimitMode               str  object
				rateLimitSrcMask            int  0
				reject                      flag  -
				rules                       refs:ltm/rule  -  link
				securityLogProfiles         list  -
				serversslUseSni             enum:disabled,enabled  disabled  since:15
				serviceDownImmediateAction  enum:drop,none,reset  none
				source                      str  -
				sourceAddressTranslation    any  {"type":"none"}
				sourcePort                  enum:preserve,preserve-strict,change  preserve
				synCookieStatus             str  not-activated  ro
				trafficMatchingCriteria     str  -
				translateAddress            enum:enabled,disabled  enabled
				translatePort               enum:enabled,disabled  enabled
				vlansDisabled               flag  true
				vlansEnabled                flag  -
				vlans                       refs:net/vlan/  -  link
				vsIndex                     int  -  ro
			`),
			Subs: []*Kind{
				{
					Collection: "profiles", Noun: "virtual server profile",
					Props:   table(`context enum:all,clientside,serverside all`),
					prepare: prepareAttached("ltm/profile/"),
					refs:    attachedRefs("ltm/profile/"),
				},
				{
					Collection: "policies", Noun: "virtual server policy",
					prepare: prepareAttached("ltm/policy"),
					refs:    attachedRefs("ltm/policy"),
				},
			},
			settle: settleVirtual,
			after:  defaultProfiles,
			gone:   dropVirtual,
			refs:   virtualRefs,
		},
		{
			Path: virtualAddressKind, Noun: "Virtual Address",
			Props: table(`
				address                str  -  create required
				appService             str  -
				arp                    enum:enabled,disabled  enabled
				autoDelete             enum:true,false  true
				connectionLimit        int:0-4294967295  0
				description            str  -
				enabled                enum:yes,no  yes
				floating               enum:enabled,disabled  enabled
				icmpEcho               enum:enabled,disabled,selective,all,always,any  enabled
				inheritedTrafficGroup  enum:true,false  false
				mask                   str  -
				metadata               any  -
				routeAdvertisement     enum:enabled,disabled,selective,all,always,any  disabled
				serverScope            enum:any,all,none  any
				spanning               enum:enabled,disabled  disabled
				trafficGroup           ref:cm/traffic-group  /Common/traffic-group-1  link
				unit                   int  1  ro
			`),
			prepare: prepareVirtualAddress,
			settle:  settleVirtualAddress,
		},
	}
}

// prepareAttached names an item after the profile or policy that it attaches.
func prepareAttached(group string) func(*Tx, *input) error {
	return func(tx *Tx, in *input) error {
		vs := tx.get(Key{Kind: virtualKind, Path: in.parent})
		written, _ := in.body["name"].(string)
		path := written
		if !strings.HasPrefix(written, "/") {
			if p, _ := in.body["partition"].(string); p != "" {
				path = "/" + p + "/" + written
			} else if vs != nil {
				path = tx.resolve(group, written, vs)
			}
		}
		in.partition, in.subPath, in.name = splitPath(path)
		return nil
	}
}

func attachedRefs(group string) func(*Object) []target {
	return func(o *Object) []target { return []target{{group, o.Path}} }
}

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

// settleVirtual completes a virtual server: destination, mask, source, its
// virtual address, and that no other listens at the same place.
func settleVirtual(tx *Tx, o, old *Object) error {
	now := tx.s.opts.Clock().UTC().Format(time.RFC3339)
	if old == nil {
		tx.s.vsIndex++
		o.Props["vsIndex"] = tx.s.vsIndex
		o.Props["creationTime"] = now
	}
	o.Props["lastModifiedTime"] = now
	if old != nil {
		o.Props["lastModifiedTime"] = old.Props["lastModifiedTime"]
		if !sameProps(o, old) {
			o.Props["lastModifiedTime"] = now
		}
	}
	dest, err := tx.settleDestination(o, old)
	if err != nil {
		return err
	}
	if err := settleSource(o, dest, tx.s.routeDomain(o.Partition)); err != nil {
		return err
	}
	if err := tx.settlePersistence(o); err != nil {
		return err
	}
	if err := settleSNAT(tx, o); err != nil {
		return err
	}
	return tx.unshared(o)
}

func (tx *Tx) settleDestination(o, old *Object) (Destination, error) {
	text := o.Str("destination")
	slash := strings.LastIndex(text, "/")
	if slash < 0 {
		text = "/" + o.Partition + "/" + text
		slash = strings.LastIndex(text, "/")
	}
	sep := memberSeparator(text[slash+1:])
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
	body := map[string]any{"name": joinPath(partition, "", a.text(rd)), "address": a.text(rd)}
	if mask := vs.Str("mask"); mask != "" && mask != hostMask(a.IP) {
		body["mask"] = mask
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

func settleSource(o *Object, dest Destination, def int) error {
	text := o.Str("source")
	everyone := "0.0.0.0/0"
	if dest.Address.IP.Is6() {
		everyone = "::/0"
	}
	host, bits, ok := strings.Cut(text, "/")
	host, zone, hasZone := strings.Cut(host, "%")
	if text == "" {
		host, bits, _ = strings.Cut(everyone, "/")
	} else if !ok {
		bits = "32"
		if strings.Contains(host, ":") {
			bits = "128"
		}
	}
	p, err := netip.ParsePrefix(host + "/" + bits)
	if err != nil {
		return invalidValue("source", text)
	}
	if p.Addr().Is4() != dest.Address.IP.Is4() {
		return mcpError(http.StatusBadRequest, "01070734", "Configuration error: %s: source and destination address families differ.", o.Path)
	}
	rd := dest.Address.RD
	if n, err := strconv.Atoi(zone); hasZone && err == nil {
		rd = n
	}
	mark := ""
	if rd != def {
		mark = "%" + strconv.Itoa(rd)
	}
	o.Props["source"] = p.Masked().Addr().String() + mark + "/" + strconv.Itoa(p.Bits())
	return nil
}

// settlePersistence writes persist as captured: a list of one object with
// name, partition and tmDefault.
func (tx *Tx) settlePersistence(o *Object) error {
	var names []any
	switch v := o.Props["persist"].(type) {
	case nil:
		return nil
	case string:
		names = []any{v}
	case []any:
		names = v
	}
	out := make([]any, 0, len(names))
	for _, n := range names {
		entry := map[string]any{"tmDefault": "yes"}
		path := ""
		switch t := n.(type) {
		case string:
			path = t
		case map[string]any:
			path, _ = t["name"].(string)
			if p, _ := t["partition"].(string); p != "" && !strings.HasPrefix(path, "/") {
				path = "/" + p + "/" + path
			}
			if d, _ := t["tmDefault"].(string); d != "" {
				entry["tmDefault"] = d
			}
		}
		path = tx.resolve("ltm/persistence/", path, o)
		partition, subPath, name := splitPath(path)
		entry["name"], entry["partition"] = name, partition
		if subPath != "" {
			entry["subPath"] = subPath
		}
		out = append(out, entry)
	}
	delete(o.Props, "persist")
	if len(out) > 0 {
		o.Props["persist"] = out
	}
	return nil
}

// PersistencePaths returns the persistence profiles of a virtual server.
func PersistencePaths(vs *Object) []string {
	list, _ := vs.Props["persist"].([]any)
	var out []string
	for _, e := range list {
		m, _ := e.(map[string]any)
		name, _ := m["name"].(string)
		partition, _ := m["partition"].(string)
		sub, _ := m["subPath"].(string)
		out = append(out, joinPath(partition, sub, name))
	}
	return out
}

func settleSNAT(tx *Tx, o *Object) error {
	m := o.Map("sourceAddressTranslation")
	kind, _ := m["type"].(string)
	pool, _ := m["pool"].(string)
	out := map[string]any{"type": kind}
	switch kind {
	case "none", "automap", "lsn":
	case "snat":
		if pool == "" {
			return mcpError(http.StatusBadRequest, "01070734", "Configuration error: Virtual server %s: a SNAT pool must be specified.", o.Path)
		}
		out["pool"] = tx.resolve("ltm/snatpool", pool, o)
	default:
		return invalidValue("sourceAddressTranslation", m)
	}
	o.Props["sourceAddressTranslation"] = out
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

func virtualRefs(o *Object) []target {
	va, _ := splitMember(o.Str("destination"))
	out := []target{{virtualAddressKind, va}}
	for _, p := range PersistencePaths(o) {
		out = append(out, target{"ltm/persistence/", p})
	}
	if p, _ := o.Map("sourceAddressTranslation")["pool"].(string); p != "" {
		out = append(out, target{"ltm/snatpool", p})
	}
	return out
}

// defaultProfiles gives a new virtual server the protocol profile that it was
// not given: fastL4 where there is none at all, tcp or udp beside others.
func defaultProfiles(tx *Tx, o, old *Object) error {
	if old != nil {
		return nil
	}
	items := tx.items(o.Key())
	profiles := 0
	for _, it := range items {
		if it.Kind.Collection != "profiles" {
			continue
		}
		profiles++
		if p, ok := tx.s.find("ltm/profile/", it.Path); ok && isProtocolProfile(p.Kind.Path) {
			return nil
		}
	}
	name := "/Common/fastL4"
	if profiles > 0 {
		name = "/Common/" + o.Str("ipProtocol")
		if _, ok := tx.s.find("ltm/profile/", name); !ok {
			return nil
		}
	}
	_, err := tx.Create(virtualKind+"/profiles", o.Path, map[string]any{"name": name})
	return err
}

func isProtocolProfile(kind string) bool {
	switch kind {
	case "ltm/profile/tcp", "ltm/profile/udp", "ltm/profile/fastl4", "ltm/profile/sctp", "ltm/profile/ipother", "ltm/profile/fasthttp":
		return true
	}
	return false
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
