package mcp

func cmKinds(o Options) []*Kind {
	return []*Kind{
		{
			Path: "cm/device", Noun: "Device", ReadOnly: true,
			Props: table(`
				activeModules      list  []  ro
				alternateIp        str   none
				baseMac            str   00:0c:29:00:00:01  ro
				build              str   0.0.4  ro
				cert               ref:cm/cert   /Common/dtdi.crt  link ro
				chassisId          str   00000000-0000-0000-000000000001  ro
				chassisType        str   individual  ro
				comment            str   -
				configsyncIp       str   none
				contact            str   -
				description        str   -
				edition            str   none  ro
				failoverState      str   active  ro
				haCapacity         int   0
				hostname           str   -  ro
				key                ref:cm/key   /Common/dtdi.key  link ro
				location           str   -
				managementIp       str   127.0.0.1  ro
				marketingName      str   "BIG-IP Virtual Edition"  ro
				mgmtUnicastMode    str   both
				mirrorIp           str   any6
				mirrorSecondaryIp  str   any6
				multicastIp        str   any6
				multicastPort      int   0
				optionalModules    list  []  ro
				platformId         str   Z100  ro
				product            str   BIG-IP  ro
				selfDevice         str   true  ro
				timeZone           str   America/Los_Angeles  ro
				unicastAddress     any   -
				version            str   ` + o.Version + `  ro
			`),
		},
		{
			Path: "cm/device-group", Noun: "device group",
			Props: table(`
				asmSync                       enum:enabled,disabled  disabled
				autoSync                      enum:enabled,disabled  disabled
				description                   str  -
				fullLoadOnSync                enum:true,false  false
				incrementalConfigSyncSizeMax  int  1024
				networkFailover               enum:enabled,disabled  disabled
				saveOnAutoSync                enum:true,false  false
				type                          enum:sync-only,sync-failover  sync-only
			`),
			Subs: []*Kind{{
				Collection: "devices", Noun: "device group member",
				Props: table(`
					setSyncLeader  flag  -
				`),
			}},
		},
		{
			Path: "cm/traffic-group", Noun: "traffic group",
			Props: table(`
				autoFailbackEnabled  enum:true,false  false
				autoFailbackTime     int  60
				description          str  -
				failoverMethod       str  ha-order
				haLoadFactor         int  1
				isFloating           enum:true,false  true  ro
				mac                  str  none
				monitor              any  {}
				unitId               int  1  ro
			`),
		},
		{
			Path: "cm/trust-domain", Noun: "trust domain", ReadOnly: true,
			Props: table(`
				guid        str  -  ro
				md5sum      str  -  ro
				status      str  standalone  ro
				trustGroup  str  /Common/device_trust_group  ro
			`),
		},
	}
}
