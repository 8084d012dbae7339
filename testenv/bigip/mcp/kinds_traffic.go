package mcp

func trafficKinds() []*Kind {
	return []*Kind{
		{
			Path: "ltm/rule", Noun: "rule",
			Props: table(`
				apiAnonymous  str  -
				appService    str  -
				metadata      any  -
			`),
			settle: checkRule,
			refs:   ruleRefs,
		},
		policyKind(),
		{
			Path: "ltm/policy-strategy", Noun: "policy strategy",
			Props: table(`
				description  str  -
				strategy     str  -
			`),
			Subs: []*Kind{{Collection: "operands", Noun: "policy strategy operand", Naming: Plain, Open: true}},
		},
		{
			Path: "ltm/snat", Noun: "SNAT",
			Props: table(`
				autoLasthop    str   default
				automap        flag  -
				description    str   -
				mirror         enum:disabled,enabled  disabled
				origins        any   -
				snatpool       ref:ltm/snatpool  -  link
				sourcePort     str   preserve
				translation    ref:ltm/snat-translation  -  link
				vlans          refs:net/vlan/  -  link
				vlansDisabled  flag  true
				vlansEnabled   flag  -
			`),
		},
		{
			Path: "ltm/data-group/internal", Noun: "value list",
			Props: table(`
				appService   str  -
				description  str  -
				metadata     any  -
				records      any  -
				type         enum:ip,string,integer  -  create required
			`),
			settle: settleRecords,
		},
		{
			Path: "ltm/snatpool", Noun: "Snatpool",
			Props: table(`
				appService   str  -
				description  str  -
				members      refs:ltm/snat-translation  -  link required
				metadata     any  -
			`),
			prepare: prepareSnatPool,
		},
		{
			Path: "ltm/snat-translation", Noun: "SNAT translation address",
			Props: table(`
				address                str   -  create required
				appService             str   -
				arp                    enum:enabled,disabled  enabled
				connectionLimit        int   0
				description            str   -
				disabled               flag  -
				enabled                flag  true
				inheritedTrafficGroup  enum:true,false  true
				ipIdleTimeout          str   indefinite
				tcpIdleTimeout         str   indefinite
				trafficGroup           ref:cm/traffic-group  /Common/traffic-group-1  link
				udpIdleTimeout         str   indefinite
				unit                   int   1  ro
			`),
			prepare: prepareVirtualAddress,
		},
		{
			Path: "ltm/global-settings/general", Noun: "global settings", Naming: Singleton,
			Props: table(`
				gratuitousArpRate  int  0
				l2CacheTimeout     int  300
				maintenanceMode    enum:disabled,enabled  disabled
				mgmtAutoLastHop    enum:disabled,enabled  enabled
				shareSingleMac     str  vmw-compat
				snatPacketForward  enum:disabled,enabled  disabled
			`),
		},
		{
			Path: "ltm/global-settings/traffic-control", Noun: "global settings", Naming: Singleton,
			Props: table(`
				acceptIpOptions           enum:disabled,enabled  disabled
				acceptIpSourceRoute       enum:disabled,enabled  disabled
				allowIpSourceRoute        enum:disabled,enabled  disabled
				continueMatching          enum:disabled,enabled  disabled
				maxIcmpRate               int  100
				maxRejectRate             int  250
				maxRejectRateTimeout      int  30
				minPathMtu                int  296
				pathMtuDiscovery          enum:disabled,enabled  enabled
				portFindLinear            int  16
				portFindRandom            int  16
				portFindThresholdTimeout  int  30
				portFindThresholdTrigger  int  8
				portFindThresholdWarning  enum:disabled,enabled  enabled
				rejectUnmatched           enum:disabled,enabled  enabled
			`),
		},
		{
			Path: "ltm/eviction-policy", Noun: "eviction policy", Open: true,
		},
		{
			Path: "ltm/global-settings/connection", Noun: "global settings", Naming: Singleton,
			Props: table(`
				adaptiveReaperHiwater           int  95
				adaptiveReaperLowater           int  85
				autoLastHop                     enum:disabled,enabled  enabled
				defaultVsSynChallengeThreshold  str  infinite
				globalFlowEvictionPolicy        ref:ltm/eviction-policy  /Common/default-eviction-policy  link
				globalSynChallengeThreshold     str  64000
				syncookiesThreshold             int  16384
				vlanKeyedConn                   enum:disabled,enabled  enabled
				vlanSynCookie                   enum:disabled,enabled  enabled
			`),
		},
		{Path: "ltm/default-node-monitor", Noun: "default node monitor", Naming: Singleton, Props: table(`rule str -`)},
	}
}

// prepareSnatPool makes the translation of each member address, as a device
// does.
func prepareSnatPool(tx *Tx, in *input) error {
	p := Prop{Name: "members", Type: RefList}
	v, err := p.readList(in.body["members"])
	if err != nil {
		return err
	}
	list, _ := v.([]any)
	for i, m := range list {
		s, _ := m.(string)
		path := Absolute(s, "/"+in.partition)
		list[i] = path
		if _, ok := tx.s.find("ltm/snat-translation", path); ok {
			continue
		}
		partition, _, name := splitPath(path)
		if _, ok := ParseAddress(name, tx.s.routeDomain(partition)); !ok {
			return notFound("SNAT translation address", path)
		}
		if _, err := tx.Create("ltm/snat-translation", "", map[string]any{"name": path, "address": name}); err != nil {
			return err
		}
	}
	in.body["members"] = list
	return nil
}
