package state

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Mode is how far what a Service asks for may be followed. It is a ladder:
// the worse the input, the less is changed outside.
type Mode uint8

// The modes.
const (
	// Follow makes the outside what the objects say.
	Follow Mode = iota
	// Hold leaves virtual servers, pools and their settings as they stand
	// and makes or deletes none; members go on following endpoints. It is
	// for a Service with a bad setting.
	Hold
	// Freeze also adds no member; one whose endpoint is gone is forced
	// offline. It is for a Service whose partition, device, member type or
	// grant is bad.
	Freeze
	// Still changes nothing at all.
	Still
)

// String writes "follow", "hold", "freeze" or "still".
func (m Mode) String() string {
	switch m {
	case Follow:
		return "follow"
	case Hold:
		return "hold"
	case Freeze:
		return "freeze"
	case Still:
		return "still"
	}
	return "mode " + strconv.Itoa(int(m))
}

// Want is all that one Service asks for on one backend.
type Want struct {
	Service Ref
	// Objects is the whole set. With Hold it may be incomplete, with
	// Freeze and Still empty.
	Objects []Object
	Mode    Mode
	// Routes is the mode of what is announced: a bad setting of one part
	// holds that part alone. With Hold and Still its objects are what was
	// announced before, as far as the Service itself remembers it.
	Routes Mode
	// Drain is how long members of pools that are no longer wanted keep
	// their connections: 0 not at all, negative without limit.
	Drain time.Duration
	// Live are the addresses that the Service's endpoints have, by which a
	// plan knows which members have lost theirs where Objects does not
	// tell: with Hold and Freeze, and while a deleted Service is cleaned up.
	Live map[Address]bool
	// Deleted is a Service that somebody has deleted, as against one that
	// is not there any more, or has opted out: the brakes let it go.
	Deleted bool
	// Orphan leaves standing what is no longer wanted, and takes our tag
	// off it: from then on it is foreign.
	Orphan bool
	// Awaited are the members that a Pod waits for, sorted: it is told once
	// they stand as wanted.
	Awaited []ID
	// Approval is what has yet to be approved; nil for nothing. Until then
	// members follow endpoints, and all else stays as it stands.
	Approval *Approval
	// KeepVMs leaves our VM members as they stand: which there should be is
	// held, or not known.
	KeepVMs bool
}

// Problem is why something is not, or cannot be, as was asked.
type Problem struct {
	Service Ref
	// Reason is one CamelCase word, a condition's reason.
	Reason string
	// Message is for a person: what is wrong with what, and the way out.
	Message string
	// Notice is something to know although the outside is as it was asked.
	Notice bool
}

// AsAsked says whether none of the problems keeps the outside from being as it
// was asked for: notices do not.
func AsAsked(problems []Problem) bool {
	return !slices.ContainsFunc(problems, func(p Problem) bool { return !p.Notice })
}

// Compare orders problems by Service, reason and message.
func (p Problem) Compare(o Problem) int {
	return cmp.Or(p.Service.Compare(o.Service), cmp.Compare(p.Reason, o.Reason), cmp.Compare(p.Message, o.Message))
}

// On is the part of a Want that concerns one backend.
func (w Want) On(backend string) Want {
	objects, awaited := w.Objects, w.Awaited
	w.Objects, w.Awaited = nil, nil
	for _, id := range awaited {
		if id.Backend == backend {
			w.Awaited = append(w.Awaited, id)
		}
	}
	for _, o := range objects {
		if o.ID().Backend == backend {
			w.Objects = append(w.Objects, o)
		}
	}
	if backend == Speaker {
		// A route that we do not announce is not there: nothing can be orphaned.
		w.Mode, w.Orphan, w.Live = w.Routes, false, nil
		w.Approval = nil // of routes it is decided by what the Service remembers
	}
	return w
}

// Backends are those on which something is wanted, sorted.
func (w Want) Backends() []string {
	var names []string
	for _, o := range w.Objects {
		names = append(names, o.ID().Backend)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Same says whether two Wants ask for the same.
func (w Want) Same(o Want) bool {
	return w.Service == o.Service && w.Mode == o.Mode && w.Routes == o.Routes && w.Drain == o.Drain && w.Deleted == o.Deleted && w.Orphan == o.Orphan &&
		w.KeepVMs == o.KeepVMs && w.Approval.same(o.Approval) && slices.Equal(w.Awaited, o.Awaited) && maps.Equal(w.Live, o.Live) && slices.EqualFunc(w.Objects, o.Objects, Same)
}
