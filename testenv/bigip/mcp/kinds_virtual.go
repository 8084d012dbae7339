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
			final:  checkProfiles,
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
