package histories_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/testenv/histories"
)

// Histories that once broke a rule, by what was wrong.
func TestStories(t *testing.T) {
	t.Parallel()
	for _, story := range []struct {
		name    string
		history histories.History
	}{
		{"a read that began before the lease is not the leader's first", histories.History{
			Clusters: 1, Replicas: 2,
			Steps: []histories.Step{
				{Do: cart(), Then: time.Second},
				{Do: histories.Restart{Replica: 1}, Then: 5 * time.Millisecond},
				{Do: histories.Lead{Replica: 1}, Then: time.Second},
				{Do: histories.Pods{Pods: allPods(histories.Ready)}, Then: time.Second},
			},
		}},
		{"members leave a pool that lost its tag", histories.History{
			Clusters: 1, Replicas: 1,
			Steps: []histories.Step{
				{Do: cart(), Then: time.Second},
				{Do: histories.Hand{Do: histories.Untag, Which: 3}, Then: 12 * time.Minute}, // the pool
				{Do: histories.Delete{}, Then: time.Minute},
			},
		}},
		{"a look at a pool does not outlast the lease", histories.History{
			Clusters: 1, Replicas: 2,
			Steps: []histories.Step{
				{Do: drainless(cart()), Then: time.Second},
				{Do: histories.Break{Fault: histories.Fault{Do: histories.Stuck, Count: 1}}, Then: time.Second},
				{Do: histories.Delete{}, Then: time.Second},
				{Do: histories.Lead{Replica: 1}, Then: time.Second},
			},
		}},
		{"a pause during the look at a pool holds", histories.History{
			Clusters: 1, Replicas: 1,
			Steps: []histories.Step{
				{Do: drainless(cart()), Then: time.Second},
				{Do: histories.Delete{}, Then: 5 * time.Millisecond},
				{Do: paused(cart()), Then: time.Second},
			},
		}},
	} {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			for _, on := range []histories.Device{histories.Memory, histories.Simulated} {
				if _, v := playOne(t, story.history, on); v != nil {
					t.Errorf("%s\n%s\n%s", v.Rule, story.history, v.Log)
				}
			}
		})
	}
}

// cart is a Service with one port.
func cart() histories.Put {
	return histories.Put{Spec: histories.Spec{Partition: "web", Address: "203.0.113.1", Type: corev1.ServiceTypeClusterIP, Ports: []int{0}}}
}

func drainless(a histories.Put) histories.Put {
	a.Spec.Drain = "0s"
	return a
}

func paused(a histories.Put) histories.Put {
	a.Spec.Paused = "all"
	return a
}

func allPods(c histories.Condition) (pods [6]histories.Condition) {
	for i := range pods {
		pods[i] = c
	}
	return pods
}
