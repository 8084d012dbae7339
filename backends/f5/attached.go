package f5

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"landbridge.dev/sync/state"
)

// Data groups, iRules and persistence profiles: how each is read and written.

type dataGroupWire struct {
	FullPath    string       `json:"fullPath"`
	Description string       `json:"description"`
	AppService  string       `json:"appService"`
	Records     []recordWire `json:"records"`
}

type recordWire struct {
	Name string `json:"name"`
}

type dataGroupCreate struct {
	place
	Description string       `json:"description"`
	Type        string       `json:"type"`
	Records     []recordWire `json:"records"`
}

// ruleWire has no description: an iRule cannot be given one.
type ruleWire struct {
	FullPath   string `json:"fullPath"`
	AppService string `json:"appService"`
	Text       string `json:"apiAnonymous"`
}

type ruleCreate struct {
	place
	Text string `json:"apiAnonymous"`
}

// persistenceWire shows "none" for what is not set (captured, 14.1.2.1).
type persistenceWire struct {
	FullPath    string `json:"fullPath"`
	Description string `json:"description"`
	AppService  string `json:"appService"`
	Timeout     string `json:"timeout"` // seconds, or "indefinite"
}

type persistenceCreate struct {
	place
	Description string `json:"description"`
	Timeout     string `json:"timeout"`
}

func encodeDataGroup(g *state.DataGroup) dataGroupCreate {
	return dataGroupCreate{place: placeOf(g.Path), Description: g.Owner.Tag(), Type: "ip", Records: encodeRecords(g.Prefixes)}
}

func encodeRecords(prefixes []netip.Prefix) []recordWire {
	records := make([]recordWire, len(prefixes))
	for i, p := range prefixes {
		records[i] = recordWire{Name: p.String()}
	}
	return records
}

// dataGroupChanges give the whole list: single records can be changed only by
// a clause of tmsh in the query.
func dataGroupChanges(before, after *state.DataGroup) properties {
	p := properties{}
	p.set(before.Owner != after.Owner, "description", after.Owner.Tag())
	p.set(!slices.Equal(before.Prefixes, after.Prefixes), "records", encodeRecords(after.Prefixes))
	return p
}

func encodeRule(r *state.IRule) ruleCreate {
	return ruleCreate{place: placeOf(r.Path), Text: ruleText(r)}
}

func ruleChanges(before, after *state.IRule) properties {
	p := properties{}
	p.set(ruleText(before) != ruleText(after), "apiAnonymous", ruleText(after))
	return p
}

// ruleText is an iRule as the device holds it: the owner's tag is its first
// line, a comment.
func ruleText(r *state.IRule) string {
	if tag := r.Owner.Tag(); tag != "" {
		return "# " + tag + "\n" + r.Text
	}
	return r.Text
}

func encodePersistence(p *state.Persistence) persistenceCreate {
	return persistenceCreate{place: placeOf(p.Path), Description: p.Owner.Tag(), Timeout: persistenceTimeout(p.Timeout)}
}

func persistenceChanges(before, after *state.Persistence) properties {
	p := properties{}
	p.set(before.Owner != after.Owner, "description", orNone(after.Owner.Tag()))
	p.set(before.Timeout != after.Timeout, "timeout", persistenceTimeout(after.Timeout))
	return p
}

const indefinite = "indefinite"

func persistenceTimeout(seconds int) string {
	if seconds == 0 {
		return indefinite
	}
	return strconv.Itoa(seconds)
}

func (d *decoder) dataGroup(w *dataGroupWire) *state.DataGroup {
	g := &state.DataGroup{Backend: d.backend, Path: strings.Clone(w.FullPath), Owner: d.named(w.Description, w.AppService, w.FullPath).Owner}
	if g.Owner.IsZero() {
		return g
	}
	for _, r := range w.Records {
		g.Prefixes = append(g.Prefixes, prefixOf(r.Name))
	}
	slices.SortFunc(g.Prefixes, netip.Prefix.Compare)
	return g
}

// prefixOf reads a record; a single address is a prefix of its own. What
// cannot be read is the zero Prefix, which nobody wants.
func prefixOf(name string) netip.Prefix {
	if p, err := netip.ParsePrefix(name); err == nil {
		return p.Masked()
	}
	a, err := netip.ParseAddr(name)
	if err != nil {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, a.BitLen())
}

func (d *decoder) rule(w *ruleWire) *state.IRule {
	r := &state.IRule{Backend: d.backend, Path: strings.Clone(w.FullPath)}
	first, rest, _ := strings.Cut(strings.TrimSpace(w.Text), "\n")
	if comment, ok := strings.CutPrefix(first, "#"); ok {
		r.Owner = d.named(comment, w.AppService, w.FullPath).Owner
	}
	if !r.Owner.IsZero() {
		r.Text = strings.Clone(strings.TrimSpace(rest))
	}
	return r
}

func (d *decoder) persistence(w *persistenceWire) *state.Persistence {
	p := &state.Persistence{Backend: d.backend, Path: strings.Clone(w.FullPath), Owner: d.named(orEmpty(w.Description), orEmpty(w.AppService), w.FullPath).Owner}
	if n, err := strconv.Atoi(w.Timeout); err == nil {
		p.Timeout = n
	}
	return p
}

// sourceOf is whom a virtual server listens to, in the destination's route
// domain: "192.0.2.0%2/24". Everybody is a prefix of no bits.
func sourceOf(v *state.VirtualServer) string {
	address, bits := "0.0.0.0", 0
	if v.Destination.Is6() {
		address = "::"
	}
	if v.Source.IsValid() {
		address, bits = v.Source.Addr().String(), v.Source.Bits()
	}
	if rd := v.Destination.RouteDomain; rd != 0 {
		address += "%" + strconv.Itoa(int(rd))
	}
	return address + "/" + strconv.Itoa(bits)
}

// parseSource is the other way round: zero for everybody, and where there is
// none.
func parseSource(text string) netip.Prefix {
	address, bits, _ := strings.Cut(text, "/")
	address, _, _ = strings.Cut(address, "%")
	p, err := netip.ParsePrefix(address + "/" + bits)
	if err != nil || p.Bits() == 0 {
		return netip.Prefix{}
	}
	return p.Masked()
}

// setVLANs writes on which VLANs a virtual server listens: a list, and a flag
// that says that it holds.
func (p properties) setVLANs(vlans []string) {
	if len(vlans) == 0 {
		p["vlansDisabled"], p["vlans"] = true, []string{}
		return
	}
	p["vlansEnabled"], p["vlans"] = true, vlans
}

// vlans reads them. A list that names where it does not listen is never ours:
// it is shown so that it differs.
func (d *decoder) vlans(w *virtualWire) []string {
	var names []string
	for _, n := range w.VLANs {
		if !w.VLANsEnabled {
			n = "not " + n
		}
		names = append(names, d.intern(n))
	}
	slices.Sort(names)
	return names
}

type policyRef struct {
	place
}

func encodePolicies(paths []string) []policyRef {
	refs := make([]policyRef, len(paths))
	for i, path := range paths {
		refs[i] = policyRef{placeOf(path)}
	}
	return refs
}

// persistRef is a persistence profile of a virtual server: as captured, and as
// it is written.
type persistRef struct {
	place
	Default string `json:"tmDefault,omitempty"`
}

func encodePersist(path string) []persistRef {
	if path == "" {
		return []persistRef{}
	}
	return []persistRef{{place: placeOf(path), Default: "yes"}}
}

// persist is the full path of the one profile that a virtual server persists
// by; of several the default one.
func (d *decoder) persist(refs []persistRef) string {
	if len(refs) == 0 {
		return ""
	}
	ref := refs[max(0, slices.IndexFunc(refs, func(r persistRef) bool { return r.Default == "yes" }))]
	return d.intern(ref.path())
}
