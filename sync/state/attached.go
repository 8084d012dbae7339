package state

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Monitor probes the members of a pool.
type Monitor struct {
	Backend string
	Path    string // /partition/name
	Owner   Owner
	Type    string // tcp, http, https, udp: the kind's name in iControl REST
	// Interval and Timeout are in seconds; a member is down when nothing
	// good came back for Timeout.
	Interval, Timeout int
	Send, Receive     string
	// Port is what is probed in place of the member's own; 0 for that.
	Port uint16
}

// ID names the monitor by its full path.
func (m *Monitor) ID() ID { return ID{Backend: m.Backend, Kind: KindMonitor, Name: m.Path} }

// OwnedBy is who made it.
func (m *Monitor) OwnedBy() Owner { return m.Owner }

// After is empty: a monitor needs nothing before it.
func (m *Monitor) After() []ID { return nil }

// Lines is the wanted content.
func (m *Monitor) Lines() []string {
	lines := []string{
		"interval " + strconv.Itoa(m.Interval),
		"owner " + m.Owner.Tag(),
		"receive " + strconv.Quote(m.Receive),
		"send " + strconv.Quote(m.Send),
		"timeout " + strconv.Itoa(m.Timeout),
		"type " + m.Type,
	}
	if m.Port != 0 {
		lines = append(lines, "port "+strconv.Itoa(int(m.Port)))
		slices.Sort(lines)
	}
	return lines
}

// DataGroup is a list of prefixes that an iRule looks up (ltm data-group
// internal of type ip).
type DataGroup struct {
	Backend string
	Path    string // /partition/name
	Owner   Owner
	// Prefixes are sorted, each once. They are not read of a data group that
	// is not ours, which may be long.
	Prefixes []netip.Prefix
}

// ID names the data group by its full path.
func (g *DataGroup) ID() ID { return ID{Backend: g.Backend, Kind: KindDataGroup, Name: g.Path} }

// OwnedBy is who made it.
func (g *DataGroup) OwnedBy() Owner { return g.Owner }

// After is empty: a data group needs nothing before it.
func (g *DataGroup) After() []ID { return nil }

// Lines is the wanted content.
func (g *DataGroup) Lines() []string {
	lines := []string{"owner " + g.Owner.Tag()}
	for _, p := range g.Prefixes {
		lines = append(lines, "prefix "+p.String())
	}
	slices.Sort(lines)
	return lines
}

// IRule is a script that a virtual server runs. On the device it has no
// description: its owner's tag is its first line, a comment.
type IRule struct {
	Backend string
	Path    string // /partition/name
	Owner   Owner
	// Text is the script without its tag and without blanks at either end.
	// It is not read of an iRule that is not ours, which may be long.
	Text string
}

// ID names the iRule by its full path.
func (r *IRule) ID() ID { return ID{Backend: r.Backend, Kind: KindIRule, Name: r.Path} }

// OwnedBy is who made it.
func (r *IRule) OwnedBy() Owner { return r.Owner }

// After is empty: an iRule needs nothing on other backends.
func (r *IRule) After() []ID { return nil }

// Lines is the wanted content, the script line by line.
func (r *IRule) Lines() []string {
	lines := []string{"owner " + r.Owner.Tag()}
	n := 0
	for line := range strings.Lines(r.Text) {
		n++
		lines = append(lines, "text "+pad(n)+" "+strings.TrimRight(line, "\n"))
	}
	return lines
}

// pad writes a line's number so that sorting keeps the order of lines.
func pad(n int) string {
	s := strconv.Itoa(n)
	return strings.Repeat("0", max(0, 3-len(s))) + s
}

// Persistence is a profile by which a client's address keeps to one member
// (ltm persistence source-addr).
type Persistence struct {
	Backend string
	Path    string // /partition/name
	Owner   Owner
	// Timeout is for how many seconds after a client's last connection its
	// member is remembered; 0 for ever.
	Timeout int
}

// ID names the persistence profile by its full path.
func (p *Persistence) ID() ID { return ID{Backend: p.Backend, Kind: KindPersistence, Name: p.Path} }

// OwnedBy is who made it.
func (p *Persistence) OwnedBy() Owner { return p.Owner }

// After is empty: a persistence profile needs nothing before it.
func (p *Persistence) After() []ID { return nil }

// Lines is the wanted content.
func (p *Persistence) Lines() []string {
	return []string{"owner " + p.Owner.Tag(), "timeout " + strconv.Itoa(p.Timeout)}
}
