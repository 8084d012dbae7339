package announce

import (
	"net/netip"
	"testing"
	"time"

	"landbridge.dev/sync/state"
)

var till = state.Ref{Namespace: "shop", Name: "till"}

func said(address string) *state.Announcement {
	return &state.Announcement{Service: till, Ports: []state.AnnouncedPort{{
		RegistryPort: state.RegistryPort{Protocol: state.TCP, Number: 80},
		Endpoints:    []state.AnnouncedEndpoint{{Endpoint: state.Endpoint{Address: state.Address{IP: netip.MustParseAddr(address)}, Port: 8080}, Ready: true}},
	}}}
}

func TestBook(t *testing.T) {
	t.Parallel()
	b, now := newBook("prod-1"), time.Now()
	due := func() int { return len(b.dueBy(now)) }
	b.lead(7, now)
	if a, ok := b.message(till); !ok || !a.Deleted || a.Epoch != 7 {
		t.Errorf("of a Service that is not announced: %+v", a)
	}
	if !b.put(till, said("10.244.1.5"), false, now) || due() != 1 {
		t.Error("a new one is not due")
	}
	first, _ := b.message(till)
	b.done(till, first.Revision, now)
	if b.put(till, said("10.244.1.5"), false, now) || due() != 0 {
		t.Error("the same again is due")
	}
	now = now.Add(round)
	if due() != 1 {
		t.Error("after a round it is not announced again")
	}
	b.put(till, said("10.244.1.6"), false, now)
	b.done(till, first.Revision, now) // what was in flight meanwhile
	if due() != 1 {
		t.Error("a change during a flight is lost")
	}
	b.put(till, nil, true, now)
	second, ok := b.message(till)
	if !ok || second.Deleted || second.Revision <= first.Revision || second.Ports[0].Endpoints[0].Address != "10.244.1.6" {
		t.Errorf("while it is held: %+v", second)
	}
	b.put(till, nil, false, now)
	if gone, _ := b.message(till); !gone.Deleted || gone.Revision <= second.Revision || due() != 1 {
		t.Errorf("a tombstone: %+v", gone)
	}
	// Another leader: greater in its epoch, whatever the revisions.
	next := newBook("prod-1")
	next.put(till, nil, true, now)
	next.lead(8, now)
	if _, ok := next.message(till); ok {
		t.Error("of one that is held from the start something is said")
	}
	next.put(till, said("10.244.1.7"), false, now)
	if a, _ := next.message(till); a.Epoch != 8 || a.Deleted || len(next.dueBy(now)) != 1 {
		t.Errorf("by another leader: %+v", a)
	}
}
