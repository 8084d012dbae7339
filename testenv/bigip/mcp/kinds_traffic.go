package mcp

import "net/http"

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
		},
		{
			Path: "ltm/policy", Noun: "policy",
			Props: table(`
				appService    str   -
				controls      list  -
				description   str   -
				legacy        flag  -
				metadata      any   -
				requires      list  -
				rules         any   -
				status        str   published
				strategy      ref:ltm/policy-strategy  /Common/first-match  link
			`),
		},
		{
			Path: "ltm/policy-strategy", Noun: "policy strategy",
			Props: table(`description str -`),
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
		{Path: "ltm/default-node-monitor", Noun: "default node monitor", Naming: Singleton, Props: table(`rule str none`)},
	}
}

// checkRule looks at an iRule as far as storing it needs: its braces match.
func checkRule(_ *Tx, o, _ *Object) error {
	depth := 0
	text := o.Str("apiAnonymous")
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth < 0 {
			break
		}
	}
	if depth != 0 {
		return mcpError(http.StatusBadRequest, "01070151", "Rule [%s] error: %s:1: error: [parse error: missing or extra brace]", o.Path, o.Path)
	}
	return nil
}

// settleRecords gives each record the empty data that a device shows.
func settleRecords(_ *Tx, o, _ *Object) error {
	list, _ := o.Props["records"].([]any)
	out := make([]any, 0, len(list))
	for _, r := range list {
		switch t := r.(type) {
		case string:
			out = append(out, map[string]any{"name": t, "data": ""})
		case map[string]any:
			data, _ := t["data"].(string)
			out = append(out, map[string]any{"name": t["name"], "data": data})
		}
	}
	if len(out) > 0 {
		o.Props["records"] = out
	}
	return nil
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
