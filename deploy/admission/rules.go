package admission

import (
	"fmt"
	"strconv"
	"strings"

	"landbridge.dev/config/annotation"
)

// rule says in CEL which values of a key are good.
type rule struct {
	// when holds for a good value, which it calls $v.
	when string
	// must is what the user is told, after the key and the value.
	must string
}

// Patterns (RE2) of single words. A pattern may let pass what annotation's
// checks refuse, and never refuses what they let pass.
const (
	path = `/[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.:%-]*)+`
	// space is what strings.Fields takes for space.
	space   = `[\s\v\pZ\x{85}]`
	monitor = `^(tcp|udp|` + path + `|https?` + space + `+[A-Z]{1,20}` + space + `+/[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]{0,255}(` + space + `+[1-5]([0-9][0-9]|xx))?)$`
	upTo16  = `0*([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])`
	domain  = `(%0*([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-4]))?`
	octet   = `(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])`
	v4      = octet + `(\.` + octet + `){3}`
	v6      = `[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*`
	port    = `:0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])`
	vm      = `^(` + v4 + domain + `(` + port + `)?|` + v6 + domain + `|\[` + v6 + domain + `\]` + port + `)$`
	// community is a standard one below 65535:0, or a large one.
	community = `^(no-export|no-advertise|blackhole|0*([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-4]):` + upTo16 + `|[0-9]+:[0-9]+:[0-9]+)$`
	duration  = `^[+-]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`
)

// rules are those of all keys whose value alone can be wrong, by name.
func rules() map[string]rule {
	share := matching(`^(0|[1-9][0-9]?|100)$`, "must be a whole number from 0 to 100")
	named := rule{`$v != ''`, "must be a name, or be taken away"}
	metric := rule{`$v.matches('^0*[0-9]{1,10}$') && int($v) <= 4294967295`, "must be a number from 0 to 4294967295"}
	seconds := number(1, 86400, "seconds")
	onePath := rule{`$v.trim().matches(` + quote("^"+path+"$") + `)`, "must be one full path on the device, such as /web/shop"}
	paths := rule{`$v == 'none' || ` + words(`w.trim().matches(`+quote("^"+path+"$")+`)`, `$v.split(',')`), "must be full paths such as /Common/name with commas between, each once, or none"}
	return map[string]rule{
		"paused":          oneOf("config", "all"),
		"deletion-policy": oneOf("delete", "orphan"),
		"approval":        oneOf(annotation.Required),
		"approved":        matching(`^[0-9a-f]{32}$`, "must be a plan's hash: 32 hex digits, as in the message of a Service with the reason ApprovalRequired"),

		"partition":           named,
		"device":              named,
		"member-type":         oneOf("pod", "nodeport"),
		"class":               named,
		"address-pool":        named,
		"join-pool":           onePath,
		"adopt":               onePath,
		"load-balancing-mode": oneOf(annotation.Modes()...),
		"monitor":             {`$v == 'none' || ` + words(`w.trim().matches(`+quote(monitor)+`)`, `$v.split(' + ')`), `must be tcp, udp, http METHOD /PATH [STATUS], https METHOD /PATH [STATUS] or a full path such as /Common/name, several joined by " + ", or none`},
		"monitor-interval":    seconds,
		"monitor-timeout":     seconds,
		"profiles":            {words(`w.trim().matches(`+quote("^"+path+"("+space+"*;"+space+"*(client|server))?$")+`)`, `$v.split(',')`), "must be full paths such as /Common/tcp with commas between, with ;client or ;server where one holds for one side alone"},
		"irules":              paths,
		"ltm-policies":        paths,
		"vlans":               paths,
		"persistence":         orPath("source-address", "cookie", annotation.None),
		"snat":                orPath("automap", annotation.None),
		"connection-limit":    number(0, 4294967295, "connections"),
		"drain-timeout":       {`$v == 'none' || ` + between("0s", "24h"), "must be a duration such as 60s or 5m, at most 24h, or none"},
		"vm-members":          {words(`w.trim().matches(`+quote(vm)+`)`, `$v.split(',')`), "must be addresses, with or without a port, such as 10.0.0.5:8080 or [2001:db8::5]:8080, each once"},
		"pod-share":           share,
		"fallback":            oneOf("vms", "both", "none"),

		"bgp":                  oneOf("true"),
		"bgp-peers":            {`$v.split(',').all(w, w.trim() != '')`, "must be names of peers with commas between"},
		"bgp-communities":      {`$v.split(',').all(w, w.trim().matches(` + quote(community) + `))`, "must be communities such as 64512:100, 64512:1:2 or no-export, with commas between"},
		"bgp-local-preference": metric,
		"bgp-med":              metric,
		"bgp-prepend":          matching(`^0*([0-9]|10)$`, "must be a number from 0 to 10"),

		"mq-consume": {`$v.matches('(?s)^[^:]+(:.+)?$') && size($v) <= 511` +
			` && !($v.contains(':') ? $v.substring($v.indexOf(':') + 1) : $v).matches('^(amq|landbridge)[.]')` +
			` && $v.split(':', 2).all(w, size(w) <= 255)`, "must be a queue, or VHOST:QUEUE, of at most 255 bytes each, not of the broker's or Landbridge's own"},
		"mq-mode":         oneOf("http", "native"),
		"mq-path":         matching(`^/[\x21\x22\x24-\x7e]*$`, "must be a path such as /events"),
		"mq-concurrency":  number(1, 1000, "messages"),
		"mq-timeout":      {between("1s", "10m"), "must be a duration from 1s to 10m"},
		"mq-retry":        retry(),
		"mq-max-attempts": number(1, 100, "attempts"),
		"mq-ordering":     {`$v in ['none', 'queue'] || $v.matches('(?s)^key:.+$') && size($v) <= 259`, "must be none, queue or key:HEADER"},
		"mq-priority":     number(-255, 255, "priority"),
		"mq-pod-share":    share,

		"vm-registry":   {words(`w.trim() != '' && size(w.trim()) <= 255`, `$v.split(',')`), "must be names of broker users with commas between, each once, of at most 255 bytes"},
		"vm-in-cluster": oneOf("true"),
		"vm-probe":      oneOf("tcp", "none"),
		"mq-announce":   oneOf("true"),
	}
}

// quote makes a CEL string of a text: a raw one, in which nothing is escaped.
func quote(text string) string {
	if strings.Contains(text, "'") {
		return `r"` + text + `"`
	}
	return `r'` + text + `'`
}

func oneOf(allowed ...string) rule {
	quoted := make([]string, len(allowed))
	for i, a := range allowed {
		quoted[i] = "'" + a + "'"
	}
	if len(allowed) == 1 {
		return rule{`$v == ` + quoted[0], "must be " + allowed[0]}
	}
	last := len(allowed) - 1
	return rule{`$v in [` + strings.Join(quoted, ", ") + `]`, "must be " + strings.Join(allowed[:last], ", ") + " or " + allowed[last]}
}

func matching(pattern, must string) rule { return rule{`$v.matches(` + quote(pattern) + `)`, must} }

// orPath is one of some words, or a full path.
func orPath(allowed ...string) rule {
	r := oneOf(allowed...)
	return rule{r.when + ` || $v.matches(` + quote("^"+path+"$") + `)`, "must be " + strings.Join(allowed, ", ") + " or a full path such as /Common/name"}
}

// number is what strconv.Atoi reads, within bounds.
func number(least, most int, of string) rule {
	return rule{
		`$v.matches('^[+-]?0*[0-9]{1,18}$') && int($v) >= ` + strconv.Itoa(least) + ` && int($v) <= ` + strconv.Itoa(most),
		fmt.Sprintf("must be a number (%s) from %d to %d", of, least, most),
	}
}

// words asks the same of each word of a list, and that none is there twice.
func words(each, list string) string {
	return list + `.all(w, ` + each + `) && ` + list + `.all(w, ` + list + `.exists_one(x, x.trim() == w.trim()))`
}

// between is a duration within bounds.
func between(least, most string) string {
	return fmt.Sprintf(`$v.matches(%s) && duration($v) >= duration('%s') && duration($v) <= duration('%s')`, quote(duration), least, most)
}

// retry is a list of known delays, none shorter than the one before.
func retry() rule {
	var known []string
	for _, d := range annotation.Delays() {
		known = append(known, "duration('"+d.String()+"')")
	}
	return rule{
		`$v.split(',').all(w, w.trim().matches(` + quote(duration) + `) && duration(w.trim()) in [` + strings.Join(known, ", ") + `])` +
			` && $v.split(',').map(w, duration(w.trim())).isSorted()`,
		"must be delays out of 1s, 2s, 5s, 10s, 30s, 1m, 2m, 5m, 10m, 30m and 1h, none shorter than the one before, such as 1s,10s,1m",
	}
}
