package f5

import (
	"context"
	"fmt"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/state"
)

// memberStats is the answer to GET .../members/stats: one entry for each
// member, under its own address (captured on TMOS 14.1.0 and 16.1.2).
type memberStats struct {
	Entries map[string]struct {
		NestedStats struct {
			Entries struct {
				Addr          statText  `json:"addr"`
				Port          statValue `json:"port"`
				Connections   statValue `json:"serverside.curConns"`
				Total         statValue `json:"serverside.totConns"`
				MonitorStatus statText  `json:"monitorStatus"`
				Availability  statText  `json:"status.availabilityState"`
			} `json:"entries"`
		} `json:"nestedStats"`
	} `json:"entries"`
}

type statText struct {
	Description string `json:"description"`
}

type statValue struct {
	Value int `json:"value"`
}

// Count reads the counters of a pool's members, in one call. A member is
// available when its monitor says so, or when it has none (unchecked); one
// that was not probed yet is not.
func (b *Backend) Count(ctx context.Context, pool state.ID) ([]apply.Count, error) {
	stats, err := b.memberStats(ctx, pool)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pool, err)
	}
	counts := make([]apply.Count, 0, len(stats.Entries))
	for _, e := range stats.Entries {
		s := e.NestedStats.Entries
		address, err := state.ParseAddress(s.Addr.Description)
		if err != nil || s.Port.Value < 1 || s.Port.Value > 65535 {
			continue // a member by name or for any port: none of ours
		}
		counts = append(counts, apply.Count{
			Endpoint:    state.Endpoint{Address: address, Port: uint16(s.Port.Value)},
			Connections: s.Connections.Value,
			Total:       s.Total.Value,
			Available:   s.Availability.Description == "available" || s.MonitorStatus.Description == "unchecked",
		})
	}
	return counts, nil
}

// memberStats asks the active unit: on a standby, no member has connections.
func (b *Backend) memberStats(ctx context.Context, pool state.ID) (*memberStats, error) {
	lead, err := b.group.planned(ctx)
	if err != nil {
		return nil, err
	}
	stats := &memberStats{}
	if err := lead.get(ctx, membersPath(pool.Name)+"/stats", stats); err != nil {
		return nil, err
	}
	return stats, b.group.still(ctx, lead)
}
