package world

import (
	"encoding/json"
	"strings"
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
