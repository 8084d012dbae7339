package histories

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"
)

// Histories draws histories of at most this many steps.
func Histories(steps int) *rapid.Generator[History] {
	return rapid.Custom(func(t *rapid.T) History {
		h := History{
			Clusters: rapid.SampledFrom([]int{1, 1, 2}).Draw(t, "clusters"),
			Replicas: rapid.SampledFrom([]int{1, 2}).Draw(t, "replicas"),
		}
		h.Steps = rapid.SliceOfN(drawStep(h.Clusters, h.Replicas), 1, steps).Draw(t, "steps")
		return h
	})
}

func drawStep(clusters, replicas int) *rapid.Generator[Step] {
	return rapid.Custom(func(t *rapid.T) Step {
		return Step{
			Do: drawAction(clusters, replicas).Draw(t, "do"),
			Then: rapid.SampledFrom([]time.Duration{
				5 * time.Millisecond, 50 * time.Millisecond, time.Second, 5 * time.Second,
				time.Minute, 3 * time.Minute, 12 * time.Minute,
			}).Draw(t, "then"),
		}
	})
}

// drawAction draws each action as often as its weight says.
func drawAction(clusters, replicas int) *rapid.Generator[Action] {
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
		{6, action(drawBreak)},
		{4, rapid.Just[Action](Mend{})},
		{1, rapid.Just[Action](Reboot{})},
		{6, action(drawHand)},
	} {
		for range w.weight {
			weighted = append(weighted, w.draw)
		}
	}
	return rapid.OneOf(weighted...)
}

func action[A Action](draw func(*rapid.T) A) *rapid.Generator[Action] {
	return rapid.Custom(func(t *rapid.T) Action { return draw(t) })
}

func one(t *rapid.T, label string, n int) int { return rapid.IntRange(0, n-1).Draw(t, label) }

func mostly[T any](t *rapid.T, label string, usual T, others ...T) T {
	from := others
	for range max(3, 2*len(others)) {
		from = append([]T{usual}, from...)
	}
	return rapid.SampledFrom(from).Draw(t, label)
}

func drawPut(t *rapid.T, clusters int) Put {
	return Put{Cluster: one(t, "cluster", clusters), Service: one(t, "service", 4), Spec: drawSpec(t)}
}

func drawSpec(t *rapid.T) Spec {
	s := Spec{
		Partition:  mostly(t, "partition", "web", "app", "", "secret"),
		Device:     mostly(t, "device", "", "dc1", "dc9"),
		MemberType: mostly(t, "member-type", "", "pod", "nodeport", "nodeport", "vm"),
		Drain:      rapid.SampledFrom([]string{"", "0s", "60s", "90s", "none", "none", "soon"}).Draw(t, "drain"),
		PortDrain:  mostly(t, "drain of the port", "", "30s", "none"),
		Paused:     mostly(t, "paused", "", "config", "all", "maybe"),
		Unknown:    mostly(t, "unknown key", false, true),
		Class:      mostly(t, "class", false, true),
		Local:      mostly(t, "local", false, true),
		Type: mostly(t, "type", corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeNodePort,
			corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeExternalName),
		Ports: sortedPorts(rapid.SliceOfNDistinct(rapid.IntRange(0, portCount-1), 1, portCount, rapid.ID[int]).Draw(t, "ports")),
	}
	first := rapid.SampledFrom(virtualAddresses()[:3]).Draw(t, "address")
	s.Address = mostly(t, "addresses", first, first+","+virtualAddresses()[3], virtualAddresses()[3], "198.51.100.9", "nonsense", "")
	s.PortAddress = mostly(t, "address of the port", "", "203.0.113.2", "2001:db8:203::1")
	if strings.HasPrefix(string(s.Type), "External") {
		s.Class = false
	}
	return s
}

func drawDelete(t *rapid.T, clusters int) Delete {
	return Delete{Cluster: one(t, "cluster", clusters), Service: one(t, "service", 4), Vanish: mostly(t, "vanish", false, true)}
}

func drawCondition() *rapid.Generator[Condition] {
	return rapid.SampledFrom([]Condition{Absent, Absent, Ready, Ready, Ready, NotReady, Leaving, Gone, ReadyTwice})
}

func drawPods(t *rapid.T, clusters int) Pods {
	a := Pods{Cluster: one(t, "cluster", clusters), Service: one(t, "service", 4)}
	switch one(t, "how", 8) {
	case 0: // all at once
		c := drawCondition().Draw(t, "all")
		for i := range a.Pods {
			a.Pods[i] = c
		}
	case 1:
		a.Pods[one(t, "pod", podCount)] = Handmade
	default:
		for i := range a.Pods {
			a.Pods[i] = drawCondition().Draw(t, "pod")
		}
	}
	return a
}

func drawRoll(t *rapid.T, clusters int) Roll {
	return Roll{
		Cluster: one(t, "cluster", clusters), Service: one(t, "service", 4),
		Pause: rapid.SampledFrom([]time.Duration{10 * time.Millisecond, time.Second, 10 * time.Second}).Draw(t, "pause"),
	}
}

func drawNodes(t *rapid.T, clusters int) Nodes {
	a := Nodes{Cluster: one(t, "cluster", clusters)}
	for i := range a.Nodes {
		a.Nodes[i] = mostly(t, "node", NodeReady, NodeNotReady, NodeExcluded, NodeAbsent)
	}
	return a
}

func drawReload(t *rapid.T, clusters int) Reload {
	return Reload{Cluster: one(t, "cluster", clusters), Grants: Grants{
		Web: mostly(t, "web", true, false), App: mostly(t, "app", true, false), Addresses: mostly(t, "addresses", true, false),
		Paused: mostly(t, "paused", false, true), Plan: mostly(t, "plan", false, true),
	}}
}

func drawRestart(t *rapid.T, clusters, replicas int) Restart {
	return Restart{Cluster: one(t, "cluster", clusters), Replica: one(t, "replica", replicas)}
}

func drawLead(t *rapid.T, clusters, replicas int) Lead {
	return Lead{Cluster: one(t, "cluster", clusters), Replica: one(t, "replica", replicas), Overlap: rapid.SampledFrom([]time.Duration{
		0, 10 * time.Millisecond, time.Second, -time.Second, -20 * time.Second,
	}).Draw(t, "overlap")}
}

func drawAway(t *rapid.T, clusters int) Away {
	return Away{Cluster: one(t, "cluster", clusters), For: rapid.SampledFrom([]time.Duration{time.Second, 3 * time.Minute}).Draw(t, "for")}
}

func drawBreak(t *rapid.T) Break {
	return Break{Fault{
		Do:     rapid.SampledFrom(failures()).Draw(t, "failure"),
		Writes: rapid.Bool().Draw(t, "writes"),
		Skip:   rapid.SampledFrom([]int{0, 0, 1, 2, 5}).Draw(t, "skip"),
		Count:  rapid.SampledFrom([]int{1, 1, 2, 5, 0}).Draw(t, "count"),
	}}
}

func drawHand(t *rapid.T) Hand {
	return Hand{Do: rapid.SampledFrom(deeds()).Draw(t, "deed"), Which: one(t, "which", 12)}
}
