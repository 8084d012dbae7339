package world

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Change is one line of a controller's audit log: a change outside.
type Change struct {
	Backend string `json:"backend"`
	Op      string `json:"op"`
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Member  string `json:"member"`
	Service string `json:"service"`
	Status  string `json:"status"`
	Why     string `json:"why"`
	Millis  int64  `json:"milliseconds"`
}

// Audit are the changes outside that the controller's log tells of, in order.
func (c *Controller) Audit() []Change {
	var changes []Change
	for line := range strings.Lines(c.Log()) {
		var entry struct {
			Msg string `json:"msg"`
			Change
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "changed" {
			changes = append(changes, entry.Change)
		}
	}
	return changes
}

// TookOver is how long after it last won the lease the controller made its
// first change outside, by its log.
func (c *Controller) TookOver() (time.Duration, error) {
	var won, changed time.Time
	for line := range strings.Lines(c.Log()) {
		var entry struct {
			Msg string    `json:"msg"`
			At  time.Time `json:"ts"`
		}
		if json.Unmarshal([]byte(line), &entry) != nil {
			continue
		}
		switch {
		case entry.Msg == "leading":
			won, changed = entry.At, time.Time{}
		case entry.Msg == "changed" && changed.IsZero():
			changed = entry.At
		}
	}
	if won.IsZero() || changed.IsZero() {
		return 0, fmt.Errorf("controller %s has not won the lease and then changed anything", c.name)
	}
	return changed.Sub(won), nil
}
