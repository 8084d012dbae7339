package f5

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// unitStatus is what a unit says of itself in cm failover-status and cm
// sync-status: rows under one link that ends in "/0", and below a further link
// a list of sentences (both captured on TMOS 14.1.2.1, standalone).
type unitStatus struct {
	status  string // "ACTIVE", "Changes Pending"
	details []string
}

// UnmarshalJSON is of json.Unmarshaler. The links are spelled one way outside
// and another inside (failover-status, failoverStatus), and are not looked at.
func (u *unitStatus) UnmarshalJSON(data []byte) error {
	var answer struct {
		Entries map[string]struct {
			NestedStats struct {
				Entries map[string]json.RawMessage `json:"entries"`
			} `json:"nestedStats"`
		} `json:"entries"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return err
	}
	for _, e := range answer.Entries {
		for name, row := range e.NestedStats.Entries {
			switch {
			case name == "status":
				var text statText
				if err := json.Unmarshal(row, &text); err != nil {
					return err
				}
				u.status = text.Description
			case strings.HasSuffix(name, "/details"):
				if err := u.addDetails(row); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (u *unitStatus) addDetails(row json.RawMessage) error {
	var list struct {
		NestedStats struct {
			Entries map[string]struct {
				NestedStats struct {
					Entries struct {
						Details statText `json:"details"`
					} `json:"entries"`
				} `json:"nestedStats"`
			} `json:"entries"`
		} `json:"nestedStats"`
	}
	if err := json.Unmarshal(row, &list); err != nil {
		return err
	}
	entries := list.NestedStats.Entries
	byNumber := func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }
	for _, link := range slices.SortedFunc(maps.Keys(entries), byNumber) { // ".../details/10" is the last
		u.details = append(u.details, entries[link].NestedStats.Entries.Details.Description)
	}
	return nil
}

// The traffic group whose active unit is the one that we write to, and the
// sentence in which a unit says that it is active for some group (captured).
const (
	trafficGroup = "/Common/traffic-group-1"
	activeFor    = "active for "
)

// isActive says whether a unit carries trafficGroup. A unit is ACTIVE as well
// when it carries only other groups; one that names none is believed.
func (u *unitStatus) isActive() bool {
	if u.status != "ACTIVE" {
		return false
	}
	named := false
	for _, d := range u.details {
		group, is := strings.CutPrefix(strings.TrimSpace(d), activeFor)
		if is && group == trafficGroup {
			return true
		}
		named = named || is
	}
	return !named
}

// readStatus asks a unit for its status at a path such as cm/failover-status.
func (s *session) readStatus(ctx context.Context, path string) (*unitStatus, error) {
	u := &unitStatus{}
	if err := s.get(ctx, path, u); err != nil {
		return nil, err
	}
	if u.status == "" {
		return nil, &callError{method: http.MethodGet, path: path, sent: true, err: errNotObject}
	}
	return u, nil
}
