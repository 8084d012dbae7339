package state

import (
	"regexp"
	"slices"
	"time"
)

// Owner says which Service of which cluster made an object. The zero Owner is
// that of a foreign object. On a BIG-IP it is the tag in the description.
type Owner struct {
	Cluster string
	// UID is the first 8 hex digits of the UID of the cluster's kube-system
	// namespace, by which two clusters with one name are told apart.
	UID     string
	Service Ref
}

// IsZero says whether the object is foreign: made by no Landbridge.
func (o Owner) IsZero() bool { return o == Owner{} }

// Tag writes the owner as it stands in an object's description; for a foreign
// one nothing.
func (o Owner) Tag() string {
	if o.IsZero() {
		return ""
	}
	return "landbridge cluster=" + o.Cluster + " uid=" + o.UID + " service=" + o.Service.String()
}

// tag is anchored by words, so that text of the network team may stand before
// and after it. The names are those that Kubernetes allows.
var tag = regexp.MustCompile(`(?:^|\s)landbridge cluster=([a-z0-9-]+) uid=([0-9a-f]{8}) service=([a-z0-9.-]+)/([a-z0-9.-]+)(?:\s|$)`)

// ParseTag finds an owner tag anywhere in a description. Without one, or with
// an incomplete one, the object is foreign and ok is false.
func ParseTag(description string) (o Owner, ok bool) {
	m := tag.FindStringSubmatch(description)
	if m == nil {
		return Owner{}, false
	}
	return Owner{Cluster: m[1], UID: m[2], Service: Ref{Namespace: m[3], Name: m[4]}}, true
}

// Identity is who this installation is, and so which objects are its own.
type Identity struct {
	Cluster string
	UID     string
	// Former are UIDs of this cluster before it was built anew, whose
	// objects are taken over.
	Former []string
	// FormerClusters are names that this cluster had, whose objects are
	// taken over.
	FormerClusters []string
}

// Owns says whether an object with this owner is ours.
func (i Identity) Owns(o Owner) bool {
	named := o.Cluster == i.Cluster || slices.Contains(i.FormerClusters, o.Cluster)
	return named && (o.UID == i.UID || slices.Contains(i.Former, o.UID)) && !o.IsZero()
}

// Owner is the owner of what this installation makes for a Service.
func (i Identity) Owner(service Ref) Owner {
	return Owner{Cluster: i.Cluster, UID: i.UID, Service: service}
}

// NoDeadline is a drain without a limit (drain-timeout: none).
const NoDeadline Deadline = -1

// Deadline is when a draining member is removed, in seconds since 1970 UTC.
// 0 is a member that does not drain, NoDeadline one that drains for as long
// as it has connections.
type Deadline int64

// DeadlineAt is the deadline at t, rounded up to the second.
func DeadlineAt(t time.Time) Deadline {
	if t.Nanosecond() > 0 {
		t = t.Add(time.Second)
	}
	return Deadline(t.Unix())
}

// Set says whether the member drains.
func (d Deadline) Set() bool { return d != 0 }

// Passed says whether the deadline is at or before now.
func (d Deadline) Passed(now time.Time) bool { return d > 0 && now.Unix() >= int64(d) }

// Time is the deadline as a time. It is the zero Time where there is none.
func (d Deadline) Time() time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return time.Unix(int64(d), 0).UTC()
}

// String writes RFC 3339 in UTC, "none" for NoDeadline, "" for 0.
func (d Deadline) String() string {
	switch d {
	case 0:
		return ""
	case NoDeadline:
		return "none"
	}
	return d.Time().Format(time.RFC3339)
}

func parseDeadline(s string) (Deadline, bool) {
	if s == "none" {
		return NoDeadline, true
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Unix() <= 0 {
		return 0, false
	}
	d := DeadlineAt(t)
	// Year 10000, which an offset or a fraction can lead to, could not be
	// read back (RFC 3339 section 1).
	return d, d.Time().Year() <= 9999
}
