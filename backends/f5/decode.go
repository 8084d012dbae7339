package f5

import (
	"cmp"
	"slices"
	"strings"

	"landbridge.dev/sync/state"
)

// decoder turns what is read into objects. Strings that many objects share
// (node paths, owners, modes) are kept once, which at 250,000 members is most
// of what they would take, and descriptions are read once. It serves one
// goroutine, for one read.
type decoder struct {
	backend string
	strings map[string]string
	notes   map[string]state.Note // by description
}

func newDecoder(backend string) *decoder {
	return &decoder{backend: backend, strings: map[string]string{}, notes: map[string]state.Note{}}
}

func (d *decoder) intern(s string) string {
	if s == "" {
		return ""
	}
	if kept, ok := d.strings[s]; ok {
		return kept
	}
	s = strings.Clone(s)
	d.strings[s] = s
	return s
}

// note reads a description. What an application service manages is foreign,
// whatever its tag.
func (d *decoder) note(description, appService string) state.Note {
	if appService != "" || description == "" {
		return state.Note{Text: d.intern(description)}
	}
	if n, ok := d.notes[description]; ok {
		return n
	}
	description = strings.Clone(description)
	n := state.ParseNote(description)
	n.Owner = d.owner(n.Owner)
	n.Text, n.Adopted, n.Lent.Mode = d.intern(n.Text), d.intern(n.Adopted), d.intern(n.Lent.Mode)
	if n.Loan != nil {
		n.Loan.To = d.owner(n.Loan.To)
	}
	d.notes[description] = n
	return n
}

func (d *decoder) owner(o state.Owner) state.Owner {
	return state.Owner{
		Cluster: d.intern(o.Cluster), UID: d.intern(o.UID),
		Service: state.Ref{Namespace: d.intern(o.Service.Namespace), Name: d.intern(o.Service.Name)},
	}
}

// named is the note of a pool or virtual server, whose owner goes by tag and
// name: a copy of ours that a person made under another name is theirs, and
// all of its description their text.
func (d *decoder) named(description, appService, fullPath string) state.Note {
	n := d.note(description, appService)
	if n.Owner.IsZero() || n.Adopted == fullPath || n.Adopted == "" && isPrefixed(fullPath, n.Owner) {
		return n
	}
	return state.Note{Text: d.intern(description)}
}

// node is nil for a node without an address of its own (FQDN).
func (d *decoder) node(w *nodeWire) *state.Node {
	a, err := state.ParseAddress(w.Address)
	if err != nil {
		return nil
	}
	return &state.Node{
		Backend: d.backend, Path: d.intern(w.FullPath), Address: a,
		Owner: d.note(w.Description, w.AppService).Owner,
	}
}

func (d *decoder) pool(w *poolWire) *state.Pool {
	n := d.named(w.Description, w.AppService, w.FullPath)
	p := &state.Pool{
		Backend: d.backend, Path: strings.Clone(w.FullPath), Owner: n.Owner, Use: use(n), Lent: n.Lent,
		Text: n.Text, Managed: w.AppService != "",
		Mode: d.intern(w.LoadBalancingMode), Monitors: d.monitors(w.Monitor),
		ReselectTries: w.ReselectTries, SlowRamp: w.SlowRampTime, MinActive: w.MinActiveMembers,
	}
	if len(w.Members.Items) > 0 {
		p.Members = make([]state.Member, 0, len(w.Members.Items))
	}
	for i := range w.Members.Items {
		if m, ok := d.member(&w.Members.Items[i]); ok {
			p.Members = append(p.Members, m)
		}
	}
	state.SortMembers(p.Members)
	p.Members = slices.CompactFunc(p.Members, func(a, b state.Member) bool { return a.Endpoint == b.Endpoint })
	return p
}

// member is not ok without an address: a template of an FQDN, or a member
// that is not there, for which some versions answer 200 (f5-common-python
// f5/bigip/tm/ltm/pool.py, Members.exists).
func (d *decoder) member(w *memberWire) (state.Member, bool) {
	node, port := splitMemberName(w.FullPath)
	a, err := state.ParseAddress(w.Address)
	if err != nil {
		return state.Member{}, false
	}
	n := d.note(w.Description, w.AppService)
	return state.Member{
		Endpoint: state.Endpoint{Address: a, Port: port}, Node: d.intern(node), Owner: n.Owner,
		Admin: admin(w.Session, w.State), Ratio: w.Ratio, Priority: w.PriorityGroup,
		Drain: n.Drain, Terminating: n.Terminating, VM: n.VM, Loan: n.Loan, Text: n.Text, Managed: w.AppService != "",
		Available: available(w.State),
	}, true
}

// use is Adopted for what stands under a name of its own.
func use(n state.Note) state.Use {
	if n.Adopted != "" {
		return state.Adopted
	}
	return state.Own
}

// admin reads what was ordered from what is shown: with a monitor an enabled
// member's session reads "monitor-enabled", and its state what the monitor
// found.
func admin(session, up string) state.Admin {
	switch {
	case up == "user-down":
		return state.Offline
	case session == "user-disabled":
		return state.Disabled
	}
	return state.Enabled
}

func available(up string) bool {
	return up == "up" || up == "unchecked" || up == "fqdn-up"
}

// monitors reads "/Common/http and /Common/https ", with the blank at the end
// that TMOS 13 and before send. "min 1 of { … }" stays whole: it is another
// thing than all of its monitors.
func (d *decoder) monitors(text string) []string {
	text = strings.Join(strings.Fields(text), " ")
	if text == "" || text == none {
		return nil
	}
	if strings.HasPrefix(text, "min ") {
		return []string{d.intern(text)}
	}
	names := strings.Split(text, " and ")
	for i, n := range names {
		names[i] = d.intern(strings.TrimSpace(n))
	}
	slices.Sort(names)
	return names
}

// virtual leaves the address zero where the destination names a virtual
// address by another name than its address: see resolve.
func (d *decoder) virtual(w *virtualWire) *state.VirtualServer {
	at, port := splitDestination(w.Destination)
	a, _ := addressOfPath(at)
	n := d.named(w.Description, w.AppService, w.FullPath)
	v := &state.VirtualServer{
		Backend: d.backend, Path: strings.Clone(w.FullPath), Owner: n.Owner, Use: use(n), Text: n.Text, Managed: w.AppService != "",
		Destination: state.Endpoint{Address: a, Port: port}, Protocol: state.Protocol(d.intern(w.IPProtocol)),
		Pool: d.intern(orEmpty(w.Pool)), SNAT: d.snat(w.SNAT), Disabled: w.Disabled,
		Persistence: d.persist(w.Persist), Source: parseSource(w.Source), VLANs: d.vlans(w), ConnectionLimit: w.ConnectionLimit,
	}
	for _, r := range w.Rules {
		v.IRules = append(v.IRules, d.intern(r))
	}
	for _, p := range w.Policies.Items {
		v.Policies = append(v.Policies, d.intern(p.FullPath))
	}
	slices.Sort(v.Policies)
	for _, p := range w.Profiles.Items {
		v.Profiles = append(v.Profiles, state.Profile{Path: d.intern(p.FullPath), Context: d.intern(p.Context)})
	}
	slices.SortFunc(v.Profiles, func(a, b state.Profile) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Context, b.Context))
	})
	return v
}

func (d *decoder) snat(w snatWire) string {
	switch w.Type {
	case "":
		return none
	case "snat":
		return d.intern(w.Pool)
	}
	return d.intern(w.Type)
}

func (d *decoder) monitor(kind string, w *monitorWire) *state.Monitor {
	_, port := splitMemberName(w.Destination) // 0 for "*:*"
	return &state.Monitor{
		Backend: d.backend, Path: d.intern(w.FullPath), Owner: d.named(w.Description, w.AppService, w.FullPath).Owner,
		Type: kind, Interval: w.Interval, Timeout: w.Timeout,
		Send: orEmpty(w.Send), Receive: orEmpty(w.Receive), Port: port,
	}
}

func orEmpty(s string) string {
	if s == none {
		return ""
	}
	return s
}
