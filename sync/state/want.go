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
}

// Problem is why something is not, or cannot be, as was asked.
type Problem struct {
	Service Ref
	// Reason is one CamelCase word, a condition's reason.
	Reason string
	// Message is for a person: what is wrong with what, and the way out.
	Message string
}

// Compare orders problems by Service, reason and message.
func (p Problem) Compare(o Problem) int {
	return cmp.Or(p.Service.Compare(o.Service), cmp.Compare(p.Reason, o.Reason), cmp.Compare(p.Message, o.Message))
}

// On is the part of a Want that concerns one backend.
func (w Want) On(backend string) Want {
	objects := w.Objects
	w.Objects = nil
	for _, o := range objects {
		if o.ID().Backend == backend {
			w.Objects = append(w.Objects, o)
		}
	}
	return w
}

// Same says whether two Wants ask for the same.
func (w Want) Same(o Want) bool {
	return w.Service == o.Service && w.Mode == o.Mode && w.Drain == o.Drain && w.Deleted == o.Deleted && w.Orphan == o.Orphan &&
		maps.Equal(w.Live, o.Live) && slices.EqualFunc(w.Objects, o.Objects, Same)
}
