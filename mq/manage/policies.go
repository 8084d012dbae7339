package manage

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"landbridge.dev/mq/broker"
)

// Spoilt is a queue of ours that a policy of the broker's operators acts on so
// that copies are lost, held up, or go elsewhere.
type Spoilt struct {
	Queue string
	// Policy is its name, or both names where an operator policy acts too.
	Policy string
	// Keys are those that do harm, sorted.
	Keys []string
}

// harmful are the keys of a policy that do harm to a retry queue or to one of
// dead letters. Our queues' own arguments hold against others.
func harmful(names broker.Names, queue string) []string {
	switch kind := strings.TrimPrefix(queue, names.Prefix()); {
	case kind == queue:
		return nil
	case strings.HasPrefix(kind, "retry."):
		return []string{"dead-letter-routing-key", "expires", "max-length", "max-length-bytes", "message-ttl"}
	case strings.HasPrefix(kind, "dead."):
		return []string{"delivery-limit", "expires", "max-length", "max-length-bytes", "message-ttl"}
	}
	return nil
}

// Spoilt are the queues of ours in a vhost that a policy does harm to, sorted.
func (c *Client) Spoilt(ctx context.Context, names broker.Names, vhost string) ([]Spoilt, error) {
	var all []struct {
		Name       string                `json:"name"`
		Policy     string                `json:"policy"`
		Operator   string                `json:"operator_policy"`
		Definition maybe[map[string]any] `json:"effective_policy_definition"`
	}
	err := c.get(ctx, "/api/queues/"+url.PathEscape(vhost)+"?columns=name,policy,operator_policy,effective_policy_definition", &all)
	if err != nil {
		return nil, err
	}
	var spoilt []Spoilt
	for _, q := range all {
		keys := slices.DeleteFunc(slices.Sorted(maps.Keys(q.Definition.is)), func(key string) bool {
			return !slices.Contains(harmful(names, q.Name), key)
		})
		if len(keys) > 0 {
			policy := strings.Join(slices.DeleteFunc([]string{q.Policy, q.Operator}, func(s string) bool { return s == "" }), " and ")
			spoilt = append(spoilt, Spoilt{q.Name, policy, keys})
		}
	}
	slices.SortFunc(spoilt, func(a, b Spoilt) int { return strings.Compare(a.Queue, b.Queue) })
	return spoilt, nil
}
