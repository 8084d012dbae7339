package mcp

func netKinds() []*Kind {
	return []*Kind{
		{
			Path: "net/vlan", Noun: "VLAN", Group: "net/vlan/",
			Props: table(`
				autoLasthop        str  default
				cmpHash            str  default
				dagRoundRobin      enum:enabled,disabled  disabled
				dagTunnel          str  outer
				description        str  -
				failsafe           enum:enabled,disabled  disabled
				failsafeAction     str  failover-restart-tm
				failsafeTimeout    int  90
				fwdMode            str  l3
				hardwareSyncookie  enum:enabled,disabled  disabled
				ifIndex            int  -  ro
				learning           str  enable-forward
				mtu                int:576-9198  1500
				sflow              any  {"pollInterval":0,"pollIntervalGlobal":"yes","samplingRate":0,"samplingRateGlobal":"yes"}
				sourceChecking     enum:enabled,disabled  disabled
				synFloodRateLimit  int  1000
				syncacheThreshold  int  6000
				tag                int:1-4094  -
			`),
			Subs: []*Kind{{
				Collection: "interfaces", Noun: "VLAN interface",
				Props: table(`
					tagged    flag  -
					untagged  flag  -
					tagMode   str   -
				`),
			}},
			settle: numberInterface,
		},
		{
			Path: "net/tunnels/tunnel", Noun: "Tunnel", Group: "net/vlan/",
			Props: table(`
				autoLasthop       str  default
				description       str  -
				idleTimeout       int  300
				ifIndex           int  -  ro
				key               int  0
				localAddress      str  any6
				mode              str  bidirectional
				mtu               int  0
				profile           str  -
				remoteAddress     str  any6
				secondaryAddress  str  any6
				tos               str  preserve
				transparent       enum:enabled,disabled  disabled
				usePmtu           enum:enabled,disabled  enabled
			`),
			settle: numberInterface,
		},
		{
			Path: "net/self", Noun: "Self IP",
			Props: table(`
				address                str   -  create required
				addressSource          str   from-user  ro
				allowService           any   -
				description            str   -
				floating               enum:enabled,disabled  disabled  ro
				fwEnforcedPolicy       str   -
				inheritedTrafficGroup  enum:true,false  false
				trafficGroup           ref:cm/traffic-group  /Common/traffic-group-local-only  link
				unit                   int   0  ro
				vlan                   ref:net/vlan/  -  link required
			`),
			settle: settleSelf,
		},
		{
			Path: "net/route", Noun: "route entry",
			Props: table(`
				blackhole    flag  -
				description  str   -
				gw           str   -
				mtu          int:0-65535  0
				network      str   -  create
				pool         ref:ltm/pool  -  link
				tmInterface  ref:net/vlan/  -  link
			`),
			settle: settleRoute,
		},
		{
			Path: "net/route-domain", Noun: "route domain",
			Props: table(`
				connectionLimit     int   0
				description         str   -
				id                  int:0-65534  -  create
				parent              ref:net/route-domain  -  link
				strict              enum:enabled,disabled  enabled
				throughputCapacity  str   infinite
				vlans               refs:net/vlan/  -  link
			`),
			settle: settleRouteDomain,
		},
		{
			Path: "net/arp", Noun: "ARP",
			Props: table(`
				description  str  -
				ipAddress    str  -  required
				macAddress   str  -  required
			`),
		},
		forwarding("net/fdb/tunnel", "FDB tunnel"),
		forwarding("net/fdb/vlan", "FDB VLAN"),
	}
}

func numberInterface(tx *Tx, o, old *Object) error {
	if old == nil {
		o.Props["ifIndex"] = int64(96 + 16*(len(tx.s.objects["net/vlan"])+len(tx.s.objects["net/tunnels/tunnel"])+1))
		if o.Kind.Path == "net/vlan" && o.Props["tag"] == nil {
			o.Props["tag"] = int64(4094 - len(tx.s.objects["net/vlan"]))
		}
	}
	return nil
}

// settleSelf: a self IP in a floating traffic group floats.
func settleSelf(tx *Tx, o, _ *Object) error {
	o.Props["floating"], o.Props["unit"] = "disabled", int64(0)
	if g, ok := tx.s.find("cm/traffic-group", o.Str("trafficGroup")); ok && g.Str("isFloating") == "true" {
		o.Props["floating"], o.Props["unit"] = "enabled", int64(1)
	}
	if o.Props["allowService"] == "none" {
		delete(o.Props, "allowService")
	}
	return nil
}

// settleRoute: one route for each network of a partition.
func settleRoute(tx *Tx, o, old *Object) error {
	network := o.Str("network")
	if network == "" {
		network = "default"
		o.Props["network"] = network
	}
	targets := 0
	for _, p := range []string{"gw", "pool", "tmInterface"} {
		if o.Str(p) != "" {
			targets++
		}
	}
	if o.Flag("blackhole") {
		targets++
	}
	if targets == 0 {
		return mcpError(400, "01070734", "Configuration error: The route (%s) must have a gateway, pool, VLAN or be a blackhole.", o.Path)
	}
	if old != nil {
		return nil
	}
	for _, other := range tx.s.objects["net/route"] {
		if other.Path != o.Path && other.Str("network") == network && other.Partition == o.Partition {
			return mcpError(400, "01070330", "Static route %s already exists as %s.", network, other.Path)
		}
	}
	return nil
}

func settleRouteDomain(_ *Tx, o, old *Object) error {
	if old != nil || o.Props["id"] != nil {
		return nil
	}
	p := Prop{Name: "id", Type: Integer, Max: 65534}
	n, err := p.readInt(o.Name)
	if err != nil {
		return tmshError("%q must be specified", "id")
	}
	o.Props["id"] = n
	return nil
}

// forwarding is a table of MAC addresses and where they are.
func forwarding(path, noun string) *Kind {
	return &Kind{
		Path: path, Noun: noun,
		Props: table(`description str -`),
		Subs: []*Kind{{
			Collection: "records", Noun: "FDB record", Naming: Plain,
			Props: table(`
				description  str  -
				endpoint     str  -
				interface    str  -
			`),
		}},
	}
}
