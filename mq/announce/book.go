package announce

import (
	"slices"
	"strings"
	"time"

	"landbridge.dev/mq/protocol"
	"landbridge.dev/sync/state"
)

const (
	// round is how often a Service is announced without a change.
	round = 5 * time.Minute
	// believed is for how long an announcement holds: two rounds and a bit.
	believed = 11 * time.Minute
)

// entry is one Service.
type entry struct {
	announcement *state.Announcement // nil: not announced, a tombstone
	held         bool                // and nothing is known of it
	revision     int64
	due          time.Time // when it is to be announced
	buried       time.Time // when a tombstone became one
}

// book is what is announced, and when. It is pure: the clock is an argument.
type book struct {
	cluster  string
	epoch    int64
	revision int64 // the last that was given
	entries  map[state.Ref]*entry
}

func newBook(cluster string) *book { return &book{cluster: cluster, entries: map[state.Ref]*entry{}} }

// put takes in what is to be announced of a Service, nil for nothing any more;
// with held, what was announced last stays. It says whether something is due.
func (b *book) put(ref state.Ref, a *state.Announcement, held bool, now time.Time) bool {
	e := b.entries[ref]
	switch {
	case held && e == nil:
		b.entries[ref] = &entry{held: true}
		return false
	case held, e == nil && a == nil:
		return false
	case e == nil:
		e = &entry{}
		b.entries[ref] = e
	case a == nil && e.held:
		delete(b.entries, ref)
		return false
	case a == nil && e.announcement == nil, a != nil && e.announcement != nil && a.Same(e.announcement):
		return false
	}
	e.announcement, e.held, e.due, e.buried = a, false, now, now
	b.revision++
	e.revision = b.revision
	return true
}

// lead begins an epoch: all is announced anew, tombstones too, which another
// leader may not have told of.
func (b *book) lead(epoch int64, now time.Time) {
	b.epoch = epoch
	for _, e := range b.entries {
		b.revision++
		e.revision, e.due = b.revision, now
	}
}

// dueBy are the Services that are to be announced by now, sorted. A tombstone is
// forgotten when nobody can believe any more what was before.
func (b *book) dueBy(now time.Time) []state.Ref {
	var due []state.Ref
	for ref, e := range b.entries {
		if e.announcement == nil && !e.held && now.Sub(e.buried) > believed {
			delete(b.entries, ref)
			continue
		}
		if !e.held && !e.due.After(now) {
			due = append(due, ref)
		}
	}
	slices.SortFunc(due, state.Ref.Compare)
	return due
}

// done takes in that a Service was announced at a revision. A tombstone is told
// for as long as somebody may believe what was before.
func (b *book) done(ref state.Ref, revision int64, now time.Time) {
	if e := b.entries[ref]; e != nil && e.revision == revision {
		e.due = now.Add(round)
	}
}

// message is the announcement of a Service; not ok for one of which nothing may
// be said now.
func (b *book) message(ref state.Ref) (a protocol.Announcement, ok bool) {
	a = protocol.Announcement{
		V: protocol.Version, Cluster: b.cluster, Service: ref.String(), Epoch: b.epoch, Revision: b.revision,
		TTLSeconds: int(believed / time.Second), VirtualAddresses: []string{}, Ports: []protocol.AnnouncedPort{},
	}
	e := b.entries[ref]
	if e == nil {
		a.Deleted = true
		return a, true
	}
	if e.held {
		return a, false
	}
	a.Revision = e.revision
	if e.announcement == nil {
		a.Deleted = true
		return a, true
	}
	for _, address := range e.announcement.Addresses {
		a.VirtualAddresses = append(a.VirtualAddresses, address.IP.String())
	}
	for _, p := range e.announcement.Ports {
		port := protocol.AnnouncedPort{Name: p.Name, Protocol: strings.ToUpper(string(p.Protocol)), Port: int(p.Number), Endpoints: []protocol.AnnouncedEndpoint{}}
		for _, e := range p.Endpoints {
			port.Endpoints = append(port.Endpoints, protocol.AnnouncedEndpoint{
				Address: e.IP.String(), Port: int(e.Port), Ready: e.Ready, Kind: map[bool]string{false: "pod", true: "vm"}[e.VM],
			})
		}
		a.Ports = append(a.Ports, port)
	}
	return a, true
}
