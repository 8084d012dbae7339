package histories_test

import (
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/testenv/histories"
)

// Histories that once broke a rule, or hold what is easily broken, by what was
// wrong. Those in which the units of a pair matter are played there alone.
func TestStories(t *testing.T) {
	t.Parallel()
	for _, story := range []struct {
		name    string
		history histories.History
		pair    bool
	}{
		{"a read that began before the lease is not the leader's first", histories.History{
			Clusters: 1, Replicas: 2,
			Steps: []histories.Step{
				{Do: cart(), Then: time.Second},
				{Do: histories.Restart{Replica: 1}, Then: 5 * time.Millisecond},
				{Do: histories.Lead{Replica: 1}, Then: time.Second},
				{Do: histories.Pods{Pods: allPods(histories.Ready)}, Then: time.Second},
			},
		}, false},
		{"members leave a pool that lost its tag", histories.History{
			Clusters: 1, Replicas: 1,
			Steps: []histories.Step{
				{Do: cart(), Then: time.Second},
				{Do: histories.Hand{Do: histories.Untag, Which: 3}, Then: 12 * time.Minute}, // the pool
				{Do: histories.Delete{}, Then: time.Minute},
			},
		}, false},
		{"a look at a pool does not outlast the lease", histories.History{
			Clusters: 1, Replicas: 2,
			Steps: []histories.Step{
				{Do: drainless(cart()), Then: time.Second},
				{Do: histories.Break{Fault: histories.Fault{Do: histories.Stuck, Count: 1}}, Then: time.Second},
				{Do: histories.Delete{}, Then: time.Second},
				{Do: histories.Lead{Replica: 1}, Then: time.Second},
			},
		}, false},
		{"a pause during the look at a pool holds", histories.History{
			Clusters: 1, Replicas: 1,
			Steps: []histories.Step{
				{Do: drainless(cart()), Then: time.Second},
				{Do: histories.Delete{}, Then: 5 * time.Millisecond},
				{Do: paused(cart()), Then: time.Second},
			},
		}, false},
		{"two leaders take the tag off one Service's objects", histories.History{
			Clusters: 1, Replicas: 2,
			Steps: []histories.Step{
				{Do: with(cart(), func(s *histories.Spec) { s.Deletion = "orphan" }), Then: time.Second},
				{Do: histories.Delete{}, Then: 50 * time.Millisecond},
				{Do: histories.Lead{Replica: 1, Overlap: time.Second}, Then: 5 * time.Second},
			},
		}, false},
		{"slices that vanish before the first report are missed", histories.History{
			Clusters: 1, Replicas: 1,
			Steps: []histories.Step{
				{Do: with(cart(), func(s *histories.Spec) { s.Selector = true }), Then: 5 * time.Millisecond},
				{Do: histories.Lose{}, Then: time.Minute},
			},
		}, false},
		{"two clusters at one address, apart by source, are both told", histories.History{
			Clusters: 2, Replicas: 1,
			Steps: []histories.Step{
				{Do: with(cart(), func(s *histories.Spec) { s.Sources = []string{"198.51.100.0/24"} }), Then: time.Second},
				{Do: in(1, cart()), Then: 12 * time.Minute},
			},
		}, false},
		{"two clusters with one name leave each other's objects alone", histories.History{
			Clusters: 1, Replicas: 1, Copy: true,
			Steps: []histories.Step{
				{Do: cart(), Then: time.Second},
				{Do: in(2, cart()), Then: 12 * time.Minute},
				{Do: histories.Delete{Cluster: 2}, Then: time.Minute},
			},
		}, false},
		{"a failover in the middle of a batch ends right on the new unit", histories.History{
			Clusters: 1, Replicas: 2,
			Steps: []histories.Step{
				{Do: histories.Sync{From: 0}, Then: time.Second},
				{Do: histories.Break{Fault: histories.Fault{Do: histories.Failover, Writes: true, Skip: 3, Count: 1}}, Then: time.Second},
				{Do: with(cart(), func(s *histories.Spec) { s.Ports = []int{0, 1, 2} }), Then: time.Minute},
				{Do: histories.FailOver{}, Then: 5 * time.Millisecond},
				{Do: histories.Pods{Pods: allPods(histories.Ready)}, Then: time.Minute},
			},
		}, true},
		{"what people changed on the standby unit is not pushed away", histories.History{
			Clusters: 1, Replicas: 1, Sync: histories.SyncOurs,
			Steps: []histories.Step{
				{Do: histories.Stray{}, Then: time.Second},
				{Do: cart(), Then: time.Minute},
			},
		}, true},
		{"a unit that rebooted gets what its peer has, and not the other way", histories.History{
			Clusters: 1, Replicas: 1, Sync: histories.SyncAuto,
			Steps: []histories.Step{
				{Do: cart(), Then: time.Second},
				{Do: histories.Reboot{}, Then: time.Minute},
				{Do: histories.FailOver{}, Then: time.Minute},
			},
		}, true},
		{"a pool goes from VMs to pods and back by way of both", histories.History{
			Clusters: 1, Replicas: 1,
			Steps: []histories.Step{
				{Do: shared(cart(), "0"), Then: time.Minute},
				{Do: shared(cart(), "100"), Then: time.Minute},
				{Do: shared(cart(), "25"), Then: time.Minute},
				{Do: shared(cart(), "0"), Then: time.Minute},
			},
		}, false},
		{"routes outlast restarts, another leader and an absence of the API server", histories.History{
			Clusters: 1, Replicas: 2,
			Steps: []histories.Step{
				{Do: announced(cart()), Then: time.Minute},
				{Do: onNodes(1), Then: time.Second},
				{Do: histories.Restart{}, Then: time.Second},
				{Do: histories.Break{Fault: histories.Fault{Do: histories.Down}}, Then: time.Second},
				{Do: histories.Restart{}, Then: 3 * time.Minute}, // a device that cannot be asked
				{Do: histories.Mend{}, Then: time.Minute},
				{Do: histories.Lead{Replica: 1, Overlap: -20 * time.Second}, Then: time.Second},
				{Do: histories.Away{For: 3 * time.Minute}, Then: 3 * time.Minute},
			},
		}, false},
		{"a Service moves from a BIG-IP to its nodes, and back", histories.History{
			Clusters: 1, Replicas: 1,
			Steps: []histories.Step{
				{Do: announced(cart()), Then: time.Minute},
				{Do: onNodes(0), Then: time.Minute},
				{Do: announced(cart()), Then: time.Minute},
			},
		}, false},
		{"routers come and go, and nodes", histories.History{
			Clusters: 1, Replicas: 1,
			Steps: []histories.Step{
				{Do: announced(cart()), Then: time.Minute},
				{Do: onNodes(1), Then: time.Minute},
				{Do: histories.Reload{Grants: histories.Grants{Shop: true, Pay: true, Web: true, App: true, Addresses: true, Uses: true, Peers: true}}, Then: time.Minute},
				{Do: histories.Nodes{Nodes: [3]histories.NodeCondition{histories.NodeReady, histories.NodeNotReady, histories.NodeExcluded}}, Then: time.Minute},
				{Do: histories.Nodes{Nodes: [3]histories.NodeCondition{histories.NodeNotReady, histories.NodeNotReady, histories.NodeNotReady}}, Then: time.Minute},
				{Do: histories.Nodes{Nodes: [3]histories.NodeCondition{histories.NodeAbsent, histories.NodeAbsent, histories.NodeAbsent}}, Then: time.Minute},
				{Do: histories.Restart{}, Then: time.Minute},
				{Do: histories.Delete{Service: 1, Vanish: true}, Then: time.Minute},
			},
		}, false},
		{"a route that is held is claimed, although another address was given", histories.History{
			Clusters: 1, Replicas: 1,
			Steps: []histories.Step{
				{Do: with(onNodes(1), func(s *histories.Spec) { s.Address = "" }), Then: time.Minute},
				{Do: with(onNodes(1), func(s *histories.Spec) {
					s.Address, s.Settings = "", map[string]string{"address-pool": "public", "bgp-med": "-1"}
				}), Then: time.Minute},
			},
		}, false},
	} {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			devices := []histories.Device{histories.Memory, histories.Simulated}
			if story.pair {
				devices = []histories.Device{histories.Pair}
			}
			for _, on := range devices {
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

// announced asks for the addresses on a BIG-IP to be announced.
func announced(a histories.Put) histories.Put {
	return with(a, func(s *histories.Spec) { s.Announced = true })
}

// onNodes is a Service that its nodes serve, with an address of its own.
func onNodes(service int) histories.Put {
	return histories.Put{Service: service, Spec: histories.Spec{
		OnNodes: true, Address: "203.0.113." + strconv.Itoa(service+1), Type: corev1.ServiceTypeNodePort, OnlyIPv4: true, Ports: []int{0},
	}}
}

func drainless(a histories.Put) histories.Put {
	return with(a, func(s *histories.Spec) { s.Drain = "0s" })
}

func paused(a histories.Put) histories.Put {
	return with(a, func(s *histories.Spec) { s.Paused = "all" })
}

func shared(a histories.Put, percent string) histories.Put {
	return with(a, func(s *histories.Spec) {
		s.Settings = map[string]string{"vm-members": "10.20.0.1, 10.20.0.2", "pod-share": percent, "fallback": "none"}
	})
}

// with writes something else in a Service.
func with(a histories.Put, change func(*histories.Spec)) histories.Put {
	change(&a.Spec)
	return a
}

// in puts a Service into another cluster.
func in(cluster int, a histories.Put) histories.Put {
	a.Cluster = cluster
	return a
}

func allPods(c histories.Condition) (pods [6]histories.Condition) {
	for i := range pods {
		pods[i] = c
	}
	return pods
}
