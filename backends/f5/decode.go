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
	notes   map[string]note // by description
}

// note is what a description says.
type note struct {
	owner       state.Owner
	drain       state.Deadline
	terminating bool
}

func newDecoder(backend string) *decoder {
	return &decoder{backend: backend, strings: map[string]string{}, notes: map[string]note{}}
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
func (d *decoder) note(description, appService string) note {
	if appService != "" || description == "" {
		return note{}
	}
	if n, ok := d.notes[description]; ok {
		return n
	}
	o, drain, terminating, _ := state.ParseMemberNote(description)
	n := note{drain: drain, terminating: terminating, owner: state.Owner{
		Cluster: d.intern(o.Cluster), UID: d.intern(o.UID),
		Service: state.Ref{Namespace: d.intern(o.Service.Namespace), Name: d.intern(o.Service.Name)},
	}}
	d.notes[strings.Clone(description)] = n
	return n
}

// namedOwner is the owner by tag and name, as for pools and virtual servers: a
// copy of ours that a person made under another name is theirs.
func (d *decoder) namedOwner(description, appService, fullPath string) state.Owner {
	o := d.note(description, appService).owner
	if !isPrefixed(fullPath, o) {
		return state.Owner{}
	}
	return o
}

// node is nil for a node without an address of its own (FQDN).
func (d *decoder) node(w *nodeWire) *state.Node {
	a, err := state.ParseAddress(w.Address)
	if err != nil {
		return nil
	}
	return &state.Node{
		Backend: d.backend, Path: d.intern(w.FullPath), Address: a,
		Owner: d.note(w.Description, w.AppService).owner,
	}
}

func (d *decoder) pool(w *poolWire) *state.Pool {
	p := &state.Pool{
		Backend: d.backend, Path: strings.Clone(w.FullPath), Owner: d.namedOwner(w.Description, w.AppService, w.FullPath),
		Mode: d.intern(w.LoadBalancingMode), Monitors: d.monitors(w.Monitor),
		ReselectTries: w.ReselectTries, SlowRamp: w.SlowRampTime,
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
		Endpoint: state.Endpoint{Address: a, Port: port}, Node: d.intern(node), Owner: n.owner,
		Admin: admin(w.Session, w.State), Ratio: w.Ratio, Priority: w.PriorityGroup,
		Drain: n.drain, Terminating: n.terminating, Available: available(w.State),
	}, true
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
	v := &state.VirtualServer{
		Backend: d.backend, Path: strings.Clone(w.FullPath), Owner: d.namedOwner(w.Description, w.AppService, w.FullPath),
		Destination: state.Endpoint{Address: a, Port: port}, Protocol: state.Protocol(d.intern(w.IPProtocol)),
		Pool: d.intern(orEmpty(w.Pool)), SNAT: d.snat(w.SNAT), Disabled: w.Disabled,
	}
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
	return &state.Monitor{
		Backend: d.backend, Path: d.intern(w.FullPath), Owner: d.namedOwner(w.Description, w.AppService, w.FullPath),
		Type: kind, Interval: w.Interval, Timeout: w.Timeout,
		Send: orEmpty(w.Send), Receive: orEmpty(w.Receive),
	}
}

func orEmpty(s string) string {
	if s == none {
		return ""
	}
	return s
}
