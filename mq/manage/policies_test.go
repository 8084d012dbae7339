package manage_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	mqbroker "landbridge.dev/mq/broker"
	"landbridge.dev/mq/manage"
	"landbridge.dev/testenv/broker/scene"
)

// A policy for all queues acts on ours as well: which of its keys do harm there
// is said, by queue. Those of users are theirs.
func TestSpoiltByPolicies(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	client, err := manage.NewClient(s.MQ)
	s.Must(err)
	defer client.Close()
	for _, name := range []string{"orders.work", "landbridge.test.retry.1000", "landbridge.test.dead.orders.work", "landbridge.test.lock.orders.work", "landbridge.other.dead.orders.work"} {
		s.Queue(name)
	}
	spoilt := func() []manage.Spoilt {
		t.Helper()
		all, err := client.Spoilt(t.Context(), mqbroker.Names{Cluster: scene.Cluster}, s.Vhost)
		s.Must(err)
		return all
	}
	if all := spoilt(); len(all) > 0 {
		t.Errorf("without a policy: %+v", all)
	}
	s.Must(node.SetPolicy(t.Context(), s.Vhost, "everywhere", ".*", map[string]any{
		"dead-letter-exchange": "dlx", "dead-letter-routing-key": "all", "expires": 3600000, "delivery-limit": 5,
	}))
	want := []manage.Spoilt{
		{Queue: "landbridge.test.dead.orders.work", Policy: "everywhere", Keys: []string{"delivery-limit", "expires"}},
		{Queue: "landbridge.test.retry.1000", Policy: "everywhere", Keys: []string{"dead-letter-routing-key", "expires"}},
	}
	s.Eventually("the policy is seen", func() bool { return cmp.Equal(want, spoilt()) || len(spoilt()) > 0 })
	if diff := cmp.Diff(want, spoilt()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.Must(node.API(t.Context(), http.MethodPut, "/api/operator-policies/"+s.Vhost+"/limits", map[string]any{
		"pattern": ".*", "apply-to": "queues", "definition": map[string]any{"max-length": 1000},
	}, nil))
	s.Eventually("the operator's is seen", func() bool {
		all := spoilt()
		return len(all) == 2 && all[0].Policy == "everywhere and limits" && cmp.Equal(all[0].Keys, []string{"delivery-limit", "expires", "max-length"})
	})
}
