package translate

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/config"
	"landbridge.dev/config/annotation"
	"landbridge.dev/sync/state"
)

// wholeService is the port of a value that holds for all ports.
const wholeService = -1

// place is where a value holds: a key, and a port's index or wholeService.
type place struct {
	key  string
	port int
}

// value is what an annotation or a class says, and where, for messages.
type value struct {
	from, text string
}

// settings are the annotations of a Service, read.
type settings struct {
	onNodes    bool // served by nodes, and by no BIG-IP
	partition  string
	device     string
	memberType string // "pod" or "nodeport"; "" for the device's
	paused     string // "config" or "all"; "" for not
	orphan     bool   // what stands outside stays when the Service goes
	values     map[place]value
	classes    map[int]namedClass // by port, or wholeService
	used       map[place]bool     // of monitor-interval and monitor-timeout: some port's monitor takes it
	addresses  []state.Address    // of all ports that have none of their own
	ofPorts    map[int][]state.Address
	grants     []grant
}

// namedClass is a class that the Service takes.
type namedClass struct {
	name string
	config.Class
}

// text is the value of a key for the whole Service; empty without one.
func (s *settings) text(key string) string { return s.values[place{key, wholeService}].text }

// valueOf is what holds for a port: the key with that port, otherwise the key,
// otherwise what the port's class says, otherwise the Service's class.
func (s *settings) valueOf(key string, port int) (value, bool) {
	for _, p := range []int{port, wholeService} {
		if v, ok := s.values[place{key, p}]; ok {
			return v, true
		}
	}
	for _, p := range []int{port, wholeService} {
		class := s.classes[p]
		if v, ok := class.Class[key]; ok {
			return value{from: "class " + class.name + ": " + key, text: string(v)}, true
		}
	}
	return value{}, false
}

// read reads what holds for a port. Without a value, and with a bad one, which
// was found fault with before, it is what or gives.
func read[T any](s *settings, key string, port int, parse func(string) (T, error), or T) T {
	if v, ok := s.valueOf(key, port); ok {
		if parsed, err := parse(v.text); err == nil {
			return parsed
		}
	}
	return or
}

// drain is how long leaving members of a port keep their connections.
func (s *settings) drain(port int) time.Duration {
	return read(s, "drain-timeout", port, annotation.ParseDrain, DefaultDrain)
}

// takeClasses finds the classes that the Service takes.
func (t *translation) takeClasses(s *settings) {
	s.classes = map[int]namedClass{}
	for _, port := range t.places() {
		v, ok := s.values[place{"class", port}]
		if !ok || v.text == "" {
			continue
		}
		class, there := t.Config.Classes[v.text]
		if !there {
			t.hold("UnknownClass", "%s: there is no class %q in the configuration", v.from, v.text)
			continue
		}
		s.classes[port] = namedClass{name: v.text, Class: class}
	}
}

// places are the Service's ports by index, and wholeService.
func (t *translation) places() []int {
	places := []int{wholeService}
	for i := range t.Service.Spec.Ports {
		places = append(places, i)
	}
	return places
}

// portSettings are the settings of one port, with what holds where nothing is
// written.
type portSettings struct {
	port     int
	protocol state.Protocol
	drain    time.Duration
	mode     string
	monitors []monitor
	profiles []state.Profile
	irules   []string
	policies []string
	vlans    []string
	snat     string
	limit    int
	// persistence is the path of a profile that stands on the device; with
	// affinity there is one of our own in its place.
	persistence string
	affinity    int // seconds; 0 for none
}

// settingsOf are the settings of a port. What does not go together is found
// fault with.
func (t *translation) settingsOf(s *settings, device config.BIGIP, port int, protocol state.Protocol) portSettings {
	p := portSettings{
		port: port, protocol: protocol, drain: s.drain(port),
		mode:     read(s, "load-balancing-mode", port, annotation.ParseMode, t.defaultMode(device)),
		irules:   read(s, "irules", port, annotation.ParsePaths, nil),
		policies: sorted(read(s, "ltm-policies", port, annotation.ParsePaths, nil)),
		vlans:    sorted(read(s, "vlans", port, annotation.ParsePaths, nil)),
		snat:     read(s, "snat", port, annotation.ParseSNAT, "automap"),
		limit:    read(s, "connection-limit", port, annotation.ParseLimit, 0),
	}
	p.monitors = t.monitorsOf(s, device, port, protocol)
	p.persistence, p.affinity = t.persistenceOf(s, port)
	p.profiles = t.profilesOf(s, port, protocol, p.persistence)
	t.withinReach(s, p)
	return p
}

// withinReach finds fault with paths in partitions that the Service's cannot
// refer to (01070726).
func (t *translation) withinReach(s *settings, p portSettings) {
	check := func(key string, paths ...string) {
		for _, path := range paths {
			partition, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
			if !strings.HasPrefix(path, "/") || partition == "Common" || partition == s.partition {
				continue
			}
			v, _ := s.valueOf(key, p.port)
			t.once("BadAnnotation", v.from+": "+path+": an object in partition "+s.partition+" cannot reference one in partition "+partition+"; use one in "+s.partition+" or Common")
		}
	}
	for _, m := range p.monitors {
		check("monitor", m.path)
	}
	for _, profile := range p.profiles {
		check("profiles", profile.Path)
	}
	check("irules", p.irules...)
	check("ltm-policies", p.policies...)
	check("vlans", p.vlans...)
	check("snat", p.snat)
	check("persistence", p.persistence)
}

func sorted(words []string) []string { return slices.Sorted(slices.Values(words)) }

// defaultMode is round-robin, but where node ports take clients for their own
// pods alone: there a node counts for as many as it has.
func (t *translation) defaultMode(device config.BIGIP) string {
	if device.MemberType == "nodeport" && t.local() {
		return "ratio-member"
	}
	return "round-robin"
}

// local says whether a node port answers for the pods of its own node alone.
func (t *translation) local() bool {
	return t.Service.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
}

// byRatio says whether a pool's mode looks at its members' ratios.
func byRatio(mode string) bool {
	return mode == "ratio-member" || mode == "ratio-least-connections-member"
}

// The persistence profiles that come with a device.
const (
	stockSourceAddress = "/Common/source_addr"
	stockCookie        = "/Common/cookie"
)

// persistenceOf is the persistence profile of a port, or for how long a
// profile of ours remembers a client: sessionAffinity with its timeout, unless
// something else is written.
func (t *translation) persistenceOf(s *settings, port int) (path string, affinity int) {
	byService := ""
	if t.Service.Spec.SessionAffinity == corev1.ServiceAffinityClientIP {
		byService = annotation.SourceAddress
	}
	switch p := read(s, "persistence", port, annotation.ParsePersistence, byService); p {
	case "", annotation.None:
		return "", 0
	case annotation.Cookie:
		return stockCookie, 0
	case annotation.SourceAddress:
		if byService == "" {
			return stockSourceAddress, 0
		}
		return "", t.affinityTimeout()
	default:
		return p, 0
	}
}

// affinityTimeout is sessionAffinity's, in seconds.
func (t *translation) affinityTimeout() int {
	if c := t.Service.Spec.SessionAffinityConfig; c != nil && c.ClientIP != nil && c.ClientIP.TimeoutSeconds != nil {
		return int(*c.ClientIP.TimeoutSeconds)
	}
	return int(corev1.DefaultClientIPServiceAffinitySeconds)
}

// warnings are about what is as asked and will not do what it seems to.
func (t *translation) warnings(device config.BIGIP, ports []portSettings) {
	if device.MemberType != "nodeport" || t.Service.Spec.SessionAffinity != corev1.ServiceAffinityClientIP {
		return
	}
	for _, p := range ports {
		if p.snat != annotation.None {
			t.warn("AffinityBehindSNAT", "sessionAffinity ClientIP does not work behind node ports with SNAT: a node sees the BIG-IP's address in place of "+
				"each client's, and sends all of them to one pod; set %smember-type: pod or %ssnat: none, or take sessionAffinity away", Prefix, Prefix)
			return
		}
	}
}

// unusedTimes finds fault with monitor-interval and monitor-timeout where no
// monitor takes them: those that stand on the device have their own.
func (t *translation) unusedTimes(s *settings) {
	for _, key := range []string{"monitor-interval", "monitor-timeout"} {
		for _, port := range t.places() {
			if v, ok := s.values[place{key, port}]; ok && !s.used[place{key, port}] {
				t.hold("BadAnnotation", "%s has no effect: there is no monitor of ours to take it, and one given by its path has its own; remove it", v.from)
			}
		}
	}
}

// sameDomain gives members the route domain of the address that leads to them:
// a BIG-IP keeps route domains apart.
func sameDomain(members []state.Member, a state.Address) {
	for i := range members {
		members[i].Endpoint.RouteDomain = a.RouteDomain
	}
}
