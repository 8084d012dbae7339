package mcp

import (
	"net/http"
	"strconv"
	"strings"
)

const (
	poolKind   = "ltm/pool"
	memberKind = "ltm/pool/members"
	nodeKind   = "ltm/node"
)

// loadBalancingModes are those of tmsh "ltm pool" (tmsh reference, 14.1).
const loadBalancingModes = "dynamic-ratio-member,dynamic-ratio-node,fastest-app-response,fastest-node," +
	"least-connections-member,least-connections-node,least-sessions,observed-member,observed-node," +
	"predictive-member,predictive-node,ratio-least-connections-member,ratio-least-connections-node," +
	"ratio-member,ratio-node,ratio-session,round-robin,weighted-least-connections-member,weighted-least-connections-node"

func poolKinds() []*Kind {
	return []*Kind{
		{
			Path: poolKind, Noun: "Pool",
			Props: table(`
				allowNat                enum:yes,no  yes
				allowSnat               enum:yes,no  yes
				appService              str  -
				autoscaleGroupId        str  -
				description             str  -
				gatewayFailsafeDevice   str  -
				ignorePersistedWeight   enum:disabled,enabled  disabled
				ipTosToClient           str  pass-through
				ipTosToServer           str  pass-through
				linkQosToClient         str  pass-through
				linkQosToServer         str  pass-through
				loadBalancingMode       enum:` + loadBalancingModes + `  round-robin
				metadata                any  -
				minActiveMembers        int:0-65535  0
				minUpMembers            int:0-65535  0
				minUpMembersAction      enum:failover,reboot,restart-all  failover
				minUpMembersChecking    enum:disabled,enabled  disabled
				monitor                 str  -
				profiles                str  -
				queueDepthLimit         int:0-4294967295  0
				queueOnConnectionLimit  enum:disabled,enabled  disabled
				queueTimeLimit          int:0-4294967295  0
				reselectTries           int:0-65535  0
				serviceDownAction       enum:drop,none,reselect,reset  none
				slowRampTime            int:0-900  10
			`),
			Subs:   []*Kind{memberSub()},
			settle: settleMonitorRule,
			refs:   monitorRefs,
		},
		{
			Path: nodeKind, Noun: "Node",
			Props: table(`
				address          str  -  create required
				appService       str  -
				connectionLimit  int:0-4294967295  0
				description      str  -
				dynamicRatio     int:1-100000  1
				ephemeral        str  false  ro
				fqdn             any  {"addressFamily":"ipv4","autopopulate":"disabled","downInterval":5,"interval":"3600"}
				logging          enum:disabled,enabled  disabled
				metadata         any  -
				monitor          str  default  none
				rateLimit        str  disabled
				ratio            int:1-65535  1
				session          enum:user-enabled,user-disabled  user-enabled
				state            enum:user-up,user-down  user-up
			`),
			prepare: prepareNode,
			settle:  settleNode,
			refs:    monitorRefs,
		},
	}
}

func memberSub() *Kind {
	return &Kind{
		Collection: "members", Noun: "Pool Member",
		Props: table(`
			address          str  -  create required
			appService       str  -
			connectionLimit  int:0-4294967295  0
			description      str  -
			dynamicRatio     int:1-100000  1
			ephemeral        str  false  ro
			fqdn             any  {"autopopulate":"disabled"}
			inheritProfile   enum:enabled,disabled  enabled
			logging          enum:disabled,enabled  disabled
			metadata         any  -
			monitor          str  default  none
			priorityGroup    int:0-65535  0
			profiles         str  -
			rateLimit        str  disabled
			ratio            int:1-65535  1
			session          enum:user-enabled,user-disabled  user-enabled
			state            enum:user-up,user-down  user-up
		`),
		prepare: prepareMember,
		settle:  settleMonitorRule,
		gone:    dropEphemeral,
		refs:    memberRefs,
	}
}

// prepareNode takes the address from the name where it is not given, and that
// of an FQDN node is any6 (captured).
func prepareNode(_ *Tx, in *input) error {
	if a, _ := in.body["address"].(string); a != "" {
		return nil
	}
	if fqdnName(in.body["fqdn"]) != "" {
		in.body["address"] = "any6"
		return nil
	}
	if _, ok := ParseAddress(in.name, 0); ok {
		in.body["address"] = in.name
	}
	return nil
}

func fqdnName(v any) string {
	m, _ := v.(map[string]any)
	for _, key := range []string{"tmName", "name"} {
		if s, _ := m[key].(string); s != "" && s != "none" {
			return s
		}
	}
	return ""
}

// settleNode checks the address: unique in its route domain, whatever the
// partition.
func settleNode(tx *Tx, o, old *Object) error {
	rd := tx.s.routeDomain(o.Partition)
	a, ok := ParseAddress(o.Str("address"), rd)
	if !ok {
		return invalidValue("address", o.Str("address"))
	}
	if old == nil {
		o.Props["address"] = a.text(rd)
		if fqdnName(o.Props["fqdn"]) == "" {
			if holder, taken := tx.s.addresses[a.key(nodeKind)]; taken && holder != o.Key() {
				return mcpError(http.StatusBadRequest, "0107176c", "Invalid Node, the IP address %s already exists.", a.text(rd))
			}
		}
	}
	return settleMonitorRule(tx, o, old)
}

// prepareMember finds or makes the node of a new member and writes its name
// as devices do: the port as a number.
func prepareMember(tx *Tx, in *input) error {
	sep := memberSeparator(in.name)
	if sep <= 0 {
		return tmshError("HTML Tag-like Content in the Request URL/Body")
	}
	node, service := in.name[:sep], in.name[sep+1:]
	if !tx.folder("/" + in.partition) {
		return mcpError(http.StatusBadRequest, "01070734", "Configuration error: Can't associate Pool Member (%s %s %s) folder does not exist",
			in.parent, joinPath(in.partition, in.subPath, node), service)
	}
	port, ok := servicePort(service)
	if !ok {
		return mcpError(http.StatusBadRequest, "01070734", "Configuration error: Invalid service: %s", service)
	}
	in.name = joinMember(node, port)
	path := joinPath(in.partition, in.subPath, node)
	if in.kept(tx) {
		return nil
	}
	if n := tx.get(Key{Kind: nodeKind, Path: path}); n != nil {
		in.body["address"] = n.Str("address")
		if name := fqdnName(n.Props["fqdn"]); name != "" {
			in.body["fqdn"] = map[string]any{"autopopulate": n.Map("fqdn")["autopopulate"], "tmName": name}
		}
		return nil
	}
	return in.makeNode(tx, path, node)
}

// kept reports whether the member that the input names is there already.
func (in *input) kept(tx *Tx) bool {
	k := Key{Kind: memberKind, Parent: in.parent, Path: joinPath(in.partition, in.subPath, in.name)}
	return tx.get(k) != nil
}

func (in *input) makeNode(tx *Tx, path, node string) error {
	body := map[string]any{"name": path}
	address, _ := in.body["address"].(string)
	name := fqdnName(in.body["fqdn"])
	switch {
	case name != "":
		body["fqdn"] = in.body["fqdn"]
	case address != "":
		body["address"] = address
	default:
		if _, ok := ParseAddress(node, 0); !ok {
			return notFound("Node", path)
		}
		body["address"] = node
	}
	n, err := tx.Create(nodeKind, "", body)
	if err != nil {
		return err
	}
	in.body["address"] = n.Str("address")
	return nil
}

// memberRefs: a member names its node, and its monitors.
func memberRefs(o *Object) []target {
	node, _ := splitMember(o.Path)
	return append(monitorRefs(o), target{nodeKind, node})
}

// NodeOf returns the full path of a pool member's node.
func NodeOf(member *Object) string {
	node, _ := splitMember(member.Path)
	return node
}

// PortOf returns the port of a pool member; 0 is any.
func PortOf(member *Object) int {
	_, port := splitMember(member.Path)
	n, err := strconv.Atoi(port)
	if err != nil {
		return 0
	}
	return n
}

// MonitorRule is what a monitor property says: all of the monitors named, or
// at least Min of them, must find the member up.
type MonitorRule struct {
	Min   int // 0: all
	Paths []string
}

// ParseMonitorRule reads "/Common/tcp", "/Common/http and /Common/tcp" and
// "min 1 of { /Common/http /Common/tcp }"; a trailing space, as TMOS 13 and
// older write it, is accepted.
func ParseMonitorRule(s string) MonitorRule {
	var r MonitorRule
	f := strings.Fields(strings.NewReplacer("{", " ", "}", " ").Replace(s))
	if len(f) > 2 && f[0] == "min" {
		if n, err := strconv.Atoi(f[1]); err == nil {
			r.Min = n
		}
		f = f[2:]
	}
	for _, w := range f {
		if w != "and" && w != "of" && w != "none" && w != "default" && w != "/Common/none" {
			r.Paths = append(r.Paths, w)
		}
	}
	return r
}

// String writes the rule as TMOS 14.1 does.
func (r MonitorRule) String() string {
	if r.Min > 0 {
		return "min " + strconv.Itoa(r.Min) + " of { " + strings.Join(r.Paths, " ") + " }"
	}
	return strings.Join(r.Paths, " and ")
}

func settleMonitorRule(tx *Tx, o, _ *Object) error {
	text := o.Str("monitor")
	switch text {
	case "", "default":
		return nil
	case "none", "/Common/none":
		o.Props["monitor"] = "/Common/none"
		return nil
	}
	r := ParseMonitorRule(text)
	for i, p := range r.Paths {
		r.Paths[i] = tx.resolve("ltm/monitor/", p, o)
	}
	o.Props["monitor"] = r.String()
	return nil
}

func monitorRefs(o *Object) []target {
	var out []target
	for _, p := range ParseMonitorRule(o.Str("monitor")).Paths {
		out = append(out, target{"ltm/monitor/", p})
	}
	return out
}
