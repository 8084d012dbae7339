package state

import (
	"slices"
	"strconv"
	"time"
)

// Admin is what was ordered for a pool member, apart from what its monitor
// finds (K13310).
type Admin uint8

// What can be ordered.
const (
	// Enabled takes new connections.
	Enabled Admin = iota
	// Disabled takes only clients that persist to it (user-disabled).
	Disabled
	// Offline takes nothing new and keeps the connections that it has
	// (user-down and user-disabled: forced offline).
	Offline
)

// String writes "enabled", "disabled" or "offline".
func (a Admin) String() string {
	switch a {
	case Enabled:
		return "enabled"
	case Disabled:
		return "disabled"
	case Offline:
		return "offline"
	}
	return "admin " + strconv.Itoa(int(a))
}

// Member is one member of a pool. It is comparable.
type Member struct {
	Endpoint Endpoint
	// Node is the full path of the node that the member refers to. A plan
	// fills it in; in a desired set it is empty.
	Node  string
	Owner Owner
	// Text is what others wrote in the description.
	Text string
	// Loan is that of a foreign member of which we changed settings; nil for
	// none. A Loan that a Member refers to is not changed.
	Loan *Loan
	// Ratio is the member's weight, 1 to 65535. Where a share divides the
	// pool, that of a wanted member is its weight among those of its side,
	// and the plan reckons what stands on the device.
	Ratio int
	// Priority is the member's priority group, 0 to 65535; the highest
	// with enough available members is used.
	Priority int
	// Drain is until when a leaving member keeps its connections. In a
	// desired set it is 0: the plan reckons it.
	Drain Deadline
	Admin Admin
	// Terminating is a member whose endpoint is terminating: once the
	// endpoint has left its slice, the pod is gone and so goes the member.
	Terminating bool
	// VM is a member of ours that is no pod: it is of the pool's VM side, as
	// are the members that no Landbridge owns.
	VM bool
	// Managed is a member that an application service manages: never touched.
	Managed bool
	// Serves is a wanted member whose endpoint leaves and still answers: it
	// is kept in service while it is the pool's only one.
	Serves bool
	// Stays is a wanted member that is not to take clients if it does not
	// already, and goes on taking them if it does: nobody knows yet how its
	// endpoint is.
	Stays bool
	// Available is what the device reports: up, or without a monitor.
	Available bool
	// Idle is what the device reports of a draining member: it had no
	// connection left when it was last counted.
	Idle bool
} // flags together: at 250,000 members each word counts

// Line is the member's wanted content in one line.
func (m Member) Line() string {
	s := "member " + m.Endpoint.String()
	if m.Admin != Enabled {
		s += " " + m.Admin.String()
	}
	if m.Drain.Set() {
		s += " draining, until " + m.Drain.String()
	}
	if m.Terminating {
		s += " terminating"
	}
	if m.Ratio != 1 {
		s += " ratio " + strconv.Itoa(m.Ratio)
	}
	if m.Priority != 0 {
		s += " priority " + strconv.Itoa(m.Priority)
	}
	if m.VM {
		s += " vm"
	}
	if m.Loan != nil {
		s += " lent, was " + m.Loan.Was.String() + ", set to " + m.Loan.Set.String()
	}
	return s
}

// Note is what the member's description says.
func (m Member) Note() Note {
	return Note{Text: m.Text, Owner: m.Owner, Drain: m.Drain, Terminating: m.Terminating, VM: m.VM, Loan: m.Loan}
}

// Terms are the member's settings that can be lent.
func (m Member) Terms() Terms { return Terms{Admin: m.Admin, Ratio: m.Ratio, Priority: m.Priority} }

// SetTerms is the member with these settings in the place of its own.
func (m Member) SetTerms(t Terms) Member {
	m.Admin, m.Ratio, m.Priority = t.Admin, t.Ratio, t.Priority
	return m
}

// WithLoan is the member with this loan, nil for none.
func (m Member) WithLoan(l *Loan) Member {
	m.Loan = l
	return m
}

// PutBack are the member's settings with what was lent put back: what a person
// has changed since is theirs, and stays.
func (m Member) PutBack() Terms {
	t := m.Terms()
	if m.Loan == nil {
		return t
	}
	if t.Admin == m.Loan.Set.Admin {
		t.Admin = m.Loan.Was.Admin
	}
	if t.Ratio == m.Loan.Set.Ratio {
		t.Ratio = m.Loan.Was.Ratio
	}
	if t.Priority == m.Loan.Set.Priority {
		t.Priority = m.Loan.Was.Priority
	}
	return t
}

// SameWanted says whether two members at one endpoint hold the same wanted
// content: it is what Line shows, without the cost of writing it.
func (m Member) SameWanted(o Member) bool {
	return m.Endpoint == o.Endpoint && m.Admin == o.Admin && m.Drain == o.Drain &&
		m.Terminating == o.Terminating && m.Ratio == o.Ratio && m.Priority == o.Priority &&
		m.VM == o.VM && m.Loan.Same(o.Loan)
}

// Pool is a group of members, and how connections are spread over them.
type Pool struct {
	Backend string
	Path    string // /partition/name
	Owner   Owner
	// Mode is the load-balancing mode in BIG-IP's words: "round-robin".
	Mode string
	// Monitors are full paths, sorted; all must pass.
	Monitors []string
	// ReselectTries is how often another member is tried when one refuses.
	ReselectTries int
	// SlowRamp is for how many seconds a member that came up gets less.
	SlowRamp int
	// MinActive is how many members of the highest priority group have to be
	// available for the lower ones to stand by; 0: priorities mean nothing.
	MinActive int
	// Use is whose pool it is. Of what stands it says Joined nowhere: a pool
	// with members of ours that is not ours is foreign.
	Use Use
	// Named are the properties that an adopted one is asked for, sorted; all
	// others stay as they stand. It is wanted, and stands on no device.
	Named []Property
	// Lent is what an adopted pool was before a share needed it otherwise.
	Lent PoolTerms
	// Text is what others wrote in the description.
	Text string
	// Managed is a pool that an application service manages: never touched.
	Managed bool
	// Share is how new connections are divided between pods and VMs. It is
	// wanted, and stands on no device.
	Share Share
	// Peers are the members that other Services of the cluster want in a
	// pool that they join as well, sorted. The ledger fills them in.
	Peers []Member
	// Beside are the pods that other ports of the Service want in a pool of
	// others, which one port alone may have: it is held, and of these follow
	// their endpoints those that stand. They stand on no device as such.
	Beside []Member
	// DrainTimeout is how long a leaving member keeps its connections: 0
	// not at all, negative without limit. It is wanted, and stands on no
	// device.
	DrainTimeout time.Duration
	// Members are sorted by endpoint, each endpoint once.
	Members []Member
}

// ID names the pool by its full path.
func (p *Pool) ID() ID { return ID{Backend: p.Backend, Kind: KindPool, Name: p.Path} }

// OwnedBy is who made it.
func (p *Pool) OwnedBy() Owner { return p.Owner }

// After is empty: a pool needs nothing on other backends.
func (p *Pool) After() []ID { return nil }

// Settings is the pool's wanted content without its members, sorted.
func (p *Pool) Settings() []string {
	lines := []string{
		"mode " + p.Mode,
		"owner " + p.Owner.Tag(),
		"reselect-tries " + strconv.Itoa(p.ReselectTries),
		"slow-ramp " + strconv.Itoa(p.SlowRamp),
	}
	if p.MinActive != 0 {
		lines = append(lines, "min-active "+strconv.Itoa(p.MinActive))
	}
	if p.Use != Own {
		lines = append(lines, p.Use.String())
	}
	if !p.Lent.IsZero() {
		lines = append(lines, "lent, was "+p.Lent.Mode+", min-active "+strconv.Itoa(p.Lent.MinActive))
	}
	for _, m := range p.Monitors {
		lines = append(lines, "monitor "+m)
	}
	slices.Sort(lines)
	return lines
}

// SameSettings says whether two pools have the same content apart from their
// members.
func (p *Pool) SameSettings(o *Pool) bool {
	return p.Mode == o.Mode && p.Owner == o.Owner && p.ReselectTries == o.ReselectTries &&
		p.SlowRamp == o.SlowRamp && p.MinActive == o.MinActive && p.Use == o.Use && p.Lent == o.Lent &&
		slices.Equal(p.Monitors, o.Monitors)
}

// Note is what the pool's description says.
func (p *Pool) Note() Note {
	n := Note{Text: p.Text, Owner: p.Owner, Lent: p.Lent}
	if p.Use == Adopted {
		n.Adopted = p.Path
	}
	return n
}

// Lines is the wanted content, members last.
func (p *Pool) Lines() []string {
	lines := p.Settings()
	for _, m := range p.Members {
		lines = append(lines, m.Line())
	}
	return lines
}

// Member finds the member at an endpoint.
func (p *Pool) Member(e Endpoint) (Member, bool) {
	i, found := p.search(e)
	if !found {
		return Member{}, false
	}
	return p.Members[i], true
}

func (p *Pool) search(e Endpoint) (int, bool) {
	return slices.BinarySearchFunc(p.Members, e, func(m Member, e Endpoint) int { return m.Endpoint.Compare(e) })
}

// With is the pool with this member added or put in the place of the one at
// its endpoint. The receiver stays as it is.
func (p *Pool) With(m Member) *Pool {
	q := *p
	i, found := p.search(m.Endpoint)
	if found {
		q.Members = slices.Clone(p.Members)
		q.Members[i] = m
		return &q
	}
	q.Members = slices.Insert(slices.Clip(slices.Clone(p.Members)), i, m)
	return &q
}

// Without is the pool without the member at this endpoint. The receiver stays
// as it is.
func (p *Pool) Without(e Endpoint) *Pool {
	q := *p
	if i, found := p.search(e); found {
		q.Members = slices.Delete(slices.Clone(p.Members), i, i+1)
	}
	return &q
}

// SortMembers orders members as a Pool holds them.
func SortMembers(members []Member) {
	slices.SortFunc(members, func(a, b Member) int { return a.Endpoint.Compare(b.Endpoint) })
}

// PoolMember is a member as an object of its own, which is how a plan adds,
// changes and removes it.
type PoolMember struct {
	Backend string
	Pool    string // full path
	Member
}

// ID names the member by its pool and endpoint.
func (m *PoolMember) ID() ID {
	return ID{Backend: m.Backend, Kind: KindMember, Name: m.Pool, Member: m.Endpoint}
}

// OwnedBy is who made it.
func (m *PoolMember) OwnedBy() Owner { return m.Owner }

// After is empty: a member needs nothing on other backends.
func (m *PoolMember) After() []ID { return nil }

// Lines is the wanted content.
func (m *PoolMember) Lines() []string { return []string{m.Line()} }
