package histories

import (
	"maps"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"
)

// Histories draws histories of about this many steps, for a kind of device.
func Histories(steps int, on Device) *rapid.Generator[History] {
	return rapid.Custom(func(t *rapid.T) History {
		h := History{
			Clusters: pick(t, "clusters", 1, 1, 2),
			Replicas: pick(t, "replicas", 1, 2),
			Copy:     pick(t, "copy", false, false, false, true),
		}
		if on == Pair {
			h.Sync = pick(t, "sync", SyncByHand, SyncAuto, SyncOurs)
		}
		// A slice of rapid's has five elements, more or less; of several each
		// can still shrink to none.
		for range (steps + 4) / 5 {
			h.Steps = append(h.Steps, rapid.SliceOfN(drawStep(h.clusters(), h.Replicas, on), 0, 10).Draw(t, "steps")...)
		}
		return h
	})
}

func drawStep(clusters []int, replicas int, on Device) *rapid.Generator[Step] {
	longest := 12 * time.Minute // longer than anything waits
	if on == Pair {
		longest = 6 * time.Minute // longer than a full read is away; each second costs a look at the roles
	}
	return rapid.Custom(func(t *rapid.T) Step {
		return Step{
			Do: drawAction(clusters, replicas, on).Draw(t, "do"),
			Then: pick(t, "then", 5*time.Millisecond, 50*time.Millisecond, time.Second, 5*time.Second,
				time.Minute, 3*time.Minute, longest),
		}
	})
}

// drawAction draws each action as often as its weight says.
func drawAction(clusters []int, replicas int, on Device) *rapid.Generator[Action] {
	var weighted []*rapid.Generator[Action]
	for _, w := range []struct {
		weight int
		draw   *rapid.Generator[Action]
	}{
		{8, action(func(t *rapid.T) Put { return drawPut(t, clusters) })},
		{3, action(func(t *rapid.T) Delete { return drawDelete(t, clusters) })},
		{10, action(func(t *rapid.T) Pods { return drawPods(t, clusters) })},
		{3, action(func(t *rapid.T) Roll { return drawRoll(t, clusters) })},
		{2, action(func(t *rapid.T) Nodes { return drawNodes(t, clusters) })},
		{2, action(func(t *rapid.T) Reload { return drawReload(t, clusters) })},
		{3, action(func(t *rapid.T) Restart { return drawRestart(t, clusters, replicas) })},
		{3, action(func(t *rapid.T) Lead { return drawLead(t, clusters, replicas) })},
		{1, action(func(t *rapid.T) Away { return drawAway(t, clusters) })},
		{4, action(drawBreak)},
		{5, rapid.Just[Action](Mend{})},
		{1, action(func(t *rapid.T) Lose {
			return Lose{Cluster: pick(t, "cluster", clusters...), Service: one(t, "service", 4)}
		})},
		{onUnits(on, 1, 1), action(func(t *rapid.T) Reboot { return Reboot{Unit: one(t, "unit", 2)} })},
		{onUnits(on, 0, 4), rapid.Just[Action](FailOver{})},
		{onUnits(on, 0, 2), action(func(t *rapid.T) Sync { return Sync{From: pick(t, "unit", theActive, theActive, theActive, 0, 1)} })},
		{onUnits(on, 0, 1), action(func(t *rapid.T) Stray { return Stray{Which: one(t, "which", 24)} })},
		{4, action(func(t *rapid.T) Clients {
			return Clients{pick(t, "for", 20*time.Second, 2*time.Minute, 20*time.Minute)}
		})},
		{6, action(drawHand)},
	} {
		for range w.weight {
			weighted = append(weighted, w.draw)
		}
	}
	return rapid.Custom(func(t *rapid.T) Action { return pick(t, "kind", weighted...).Draw(t, "action") })
}

// onUnits is a weight by what the device is: one unit that can forget, or two.
func onUnits(on Device, simulated, pair int) int { return []int{0, simulated, pair}[on] }

func action[A Action](draw func(*rapid.T) A) *rapid.Generator[Action] {
	return rapid.Custom(func(t *rapid.T) Action { return draw(t) })
}

// one draws a number below n, up to 256, each equally likely: rapid's own
// integers favour the small ones, and with them what stands first in a list.
func one(t *rapid.T, label string, n int) int { return uniform(n).Draw(t, label) }

func uniform(n int) *rapid.Generator[int] {
	bits := 1
	for 1<<bits < n {
		bits++
	}
	return rapid.Custom(func(t *rapid.T) int {
		drawn := 0
		for range bits + 2 {
			drawn *= 2
			if rapid.Bool().Draw(t, "bit") {
				drawn++
			}
		}
		return drawn % n
	})
}

func pick[T any](t *rapid.T, label string, from ...T) T { return from[one(t, label, len(from))] }

// mostly is the usual value 15 times out of 16.
func mostly[T any](t *rapid.T, label string, usual T, others ...T) T {
	if one(t, label+" unusual", 16) < 15 {
		return usual
	}
	return pick(t, label, others...)
}

func drawPut(t *rapid.T, clusters []int) Put {
	a := Put{Cluster: pick(t, "cluster", clusters...), Service: one(t, "service", len(services()))}
	a.Spec = drawSpec(t, (a.Service+2*a.Cluster)%len(services()))
	return a
}

// drawSpec draws what is written in a Service, mostly with an address of its
// own.
func drawSpec(t *rapid.T, own int) Spec {
	s := Spec{
		Partition:  mostly(t, "partition", "web", "app", "", "secret"),
		Device:     mostly(t, "device", "", "dc1", "dc9"),
		MemberType: mostly(t, "member-type", pick(t, "type of members", "", "", "nodeport"), "pod", "vm"),
		Drain:      mostly(t, "drain", pick(t, "time to drain", "", "0s", "90s", "none"), "soon"),
		PortDrain:  mostly(t, "drain of the port", "", "30s", "none"),
		Paused:     mostly(t, "paused", "", "config", "all", "maybe"),
		Deletion:   mostly(t, "deletion-policy", pick(t, "what is left", "", "", "", "orphan"), "delete", "keep"),
		Unknown:    mostly(t, "unknown key", false, true),
		Class:      mostly(t, "class", false, true),
		Local:      mostly(t, "local", false, true),
		OnlyIPv4:   pick(t, "one family", false, false, true),
		Selector:   pick(t, "selector", false, true),
		Settings:   drawSettings(t),
		Affinity:   pick(t, "affinity", false, false, false, true),
		Type:       mostly(t, "type", corev1.ServiceTypeNodePort, corev1.ServiceTypeClusterIP, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeExternalName),
		Ports:      sortedPorts(rapid.SliceOfNDistinct(rapid.IntRange(0, portCount-1), 1, portCount, rapid.ID[int]).Draw(t, "ports")),
	}
	at := pick(t, "whose address", own, own, own, own, own, one(t, "another's", len(services())))
	first, both := virtualAddress(at, false), virtualAddress(at, false)+","+virtualAddress(at, true)
	s.Address = mostly(t, "addresses", pick(t, "families", first, first, both, both, ""), virtualAddress(at, true), "198.51.100.9", "nonsense")
	s.PortAddress = mostly(t, "address of the port", "", virtualAddress(0, false), virtualAddress(1, true))
	s.LoadBalancerIP = mostly(t, "loadBalancerIP", "", first)
	s.Sources = pick(t, "sources", nil, nil, nil, []string{"198.51.100.0/24", "2001:db8:5::/48"}, []string{"198.51.100.0/24", "10.0.0.0/8", "2001:db8:5::/48", "2001:db8:6::/48"})
	s.Announced = pick(t, "announced", false, false, true)
	if strings.HasPrefix(string(s.Type), "External") {
		s.Class = false
	} else if pick(t, "on nodes", false, false, false, false, true) {
		onNodes(t, &s)
	}
	return s
}

// onNodes makes a Service one that its nodes serve, which mostly has no settings
// of what a BIG-IP does.
func onNodes(t *rapid.T, s *Spec) {
	s.OnNodes, s.Class, s.Announced = true, false, false
	if !mostly(t, "settings of a device", false, true) {
		s.Partition, s.Device, s.MemberType, s.Drain, s.PortDrain, s.PortAddress = "", "", "", "", "", ""
		s.Settings = maps.Clone(s.Settings)
		maps.DeleteFunc(s.Settings, func(key, _ string) bool { return !strings.HasPrefix(key, "bgp-") || strings.HasSuffix(key, firstPort) })
	}
	s.Local = pick(t, "local of nodes", false, true)
	for _, key := range pick(t, "settings of routes", nil, nil, []string{"bgp-peers"}, []string{"bgp-communities"}, []string{"bgp-med"}) {
		of := values()[key]
		if s.Settings == nil {
			s.Settings = map[string]string{}
		}
		s.Settings[key] = mostly(t, "value", pick(t, "good value", of[:len(of)-1]...), of[len(of)-1])
	}
}

func drawDelete(t *rapid.T, clusters []int) Delete {
	return Delete{Cluster: pick(t, "cluster", clusters...), Service: one(t, "service", 4), Vanish: mostly(t, "vanish", false, true)}
}

func drawCondition(t *rapid.T) Condition {
	return pick(t, "condition", Absent, Absent, Ready, Ready, Ready, NotReady, Leaving, Gone, ReadyTwice)
}

func drawPods(t *rapid.T, clusters []int) Pods {
	a := Pods{Cluster: pick(t, "cluster", clusters...), Service: one(t, "service", 4)}
	switch one(t, "how", 8) {
	case 0: // all at once
		c := drawCondition(t)
		for i := range a.Pods {
			a.Pods[i] = c
		}
	case 1:
		a.Pods[one(t, "pod", podCount)] = Handmade
	default:
		for i := range a.Pods {
			a.Pods[i] = drawCondition(t)
		}
	}
	return a
}

func drawRoll(t *rapid.T, clusters []int) Roll {
	return Roll{
		Cluster: pick(t, "cluster", clusters...), Service: one(t, "service", 4),
		Pause: pick(t, "pause", 10*time.Millisecond, time.Second, 10*time.Second),
	}
}

func drawNodes(t *rapid.T, clusters []int) Nodes {
	a := Nodes{Cluster: pick(t, "cluster", clusters...)}
	for i := range a.Nodes {
		a.Nodes[i] = mostly(t, "node", NodeReady, NodeNotReady, NodeExcluded, NodeAbsent)
	}
	return a
}

func drawReload(t *rapid.T, clusters []int) Reload {
	return Reload{Cluster: pick(t, "cluster", clusters...), Grants: Grants{
		Shop: mostly(t, "shop", true, false), Pay: mostly(t, "pay", true, false),
		Web: mostly(t, "web", true, false), App: mostly(t, "app", true, false), Addresses: mostly(t, "addresses", true, false),
		Uses:   mostly(t, "uses", true, false),
		Peers:  mostly(t, "peers", true, false),
		TorB:   pick(t, "tor-b", true, true, false),
		Paused: mostly(t, "paused", false, true), Plan: mostly(t, "plan", false, true),
		Patience: mostly(t, "finalizerTimeout", 0, 2*time.Minute),
	}}
}

func drawRestart(t *rapid.T, clusters []int, replicas int) Restart {
	return Restart{Cluster: pick(t, "cluster", clusters...), Replica: one(t, "replica", replicas)}
}

func drawLead(t *rapid.T, clusters []int, replicas int) Lead {
	return Lead{Cluster: pick(t, "cluster", clusters...), Replica: one(t, "replica", replicas), Overlap: pick(t, "overlap", 0, 10*time.Millisecond, time.Second, -time.Second, -20*time.Second)}
}

func drawAway(t *rapid.T, clusters []int) Away {
	return Away{Cluster: pick(t, "cluster", clusters...), For: pick(t, "for", time.Second, 3*time.Minute)}
}

func drawBreak(t *rapid.T) Break {
	return Break{Fault{
		Do:     pick(t, "failure", failures()...),
		Unit:   one(t, "unit", 2),
		Writes: rapid.Bool().Draw(t, "writes"),
		Skip:   pick(t, "skip", 0, 0, 1, 2, 5, 12),
		Count:  pick(t, "count", 1, 1, 2, 5, 0),
	}}
}

func drawHand(t *rapid.T) Hand {
	return Hand{Do: pick(t, "deed", deeds()...), Which: one(t, "which", 24)}
}
