package histories

import (
	"fmt"
	"time"

	"landbridge.dev/sync/state"
)

// cluster is the one with a number; the first, if there is none.
func (p *play) cluster(i int) *cluster {
	for _, c := range p.clusters {
		if c.index == i {
			return c
		}
	}
	return p.clusters[0]
}

func ref(i int) state.Ref { return services()[i%len(services())] }

func clusterName(i int) string { return []string{"prod", "test", "the copy of prod"}[i] }

// Put makes a Service, or changes what is written in it.
type Put struct {
	Cluster, Service int
	Spec             Spec
}

// String says what happens.
func (a Put) String() string {
	return fmt.Sprintf("%s: Service %s is written: %s", clusterName(a.Cluster), ref(a.Service), a.Spec)
}

func (a Put) do(p *play) {
	c := p.cluster(a.Cluster)
	if !c.away {
		c.put(ref(a.Service), a.Spec)
	}
}

// Delete deletes a Service, or takes it away with its finalizer.
type Delete struct {
	Cluster, Service int
	Vanish           bool
}

// String says what happens.
func (a Delete) String() string {
	if a.Vanish {
		return fmt.Sprintf("%s: Service %s vanishes with its finalizer", clusterName(a.Cluster), ref(a.Service))
	}
	return fmt.Sprintf("%s: Service %s is deleted", clusterName(a.Cluster), ref(a.Service))
}

func (a Delete) do(p *play) {
	c := p.cluster(a.Cluster)
	switch {
	case c.away:
	case a.Vanish:
		c.vanish(ref(a.Service))
	default:
		c.remove(ref(a.Service))
	}
}

// Pods sets how the endpoints of a Service stand.
type Pods struct {
	Cluster, Service int
	Pods             [podCount]Condition
}

// String says what happens.
func (a Pods) String() string {
	return fmt.Sprintf("%s: endpoints of %s: %v", clusterName(a.Cluster), ref(a.Service), a.Pods)
}

func (a Pods) do(p *play) { p.cluster(a.Cluster).setPods(ref(a.Service), a.Pods) }

func (c *cluster) setPods(ref state.Ref, pods [podCount]Condition) {
	if s := c.services[ref]; s != nil && !c.away {
		s.pods, s.lost = pods, false
		c.event(ref)
	}
}

// Lose takes the EndpointSlices of a Service away, as an API server does that
// comes back with an older store, until its endpoints are set anew.
type Lose struct{ Cluster, Service int }

// String says what happens.
func (a Lose) String() string {
	return fmt.Sprintf("%s: the EndpointSlices of %s are gone", clusterName(a.Cluster), ref(a.Service))
}

func (a Lose) do(p *play) {
	c := p.cluster(a.Cluster)
	if s := c.services[ref(a.Service)]; s != nil && !c.away {
		s.lost = true
		c.event(ref(a.Service))
	}
}

// Roll replaces the pods of a Service one after another, each by one at the
// next address.
type Roll struct {
	Cluster, Service int
	Pause            time.Duration
}

// String says what happens.
func (a Roll) String() string {
	return fmt.Sprintf("%s: rolling update of %s, a change every %s", clusterName(a.Cluster), ref(a.Service), a.Pause)
}

func (a Roll) do(p *play) {
	c := p.cluster(a.Cluster)
	s := c.services[ref(a.Service)]
	if s == nil {
		return
	}
	for old, was := range s.pods {
		young := (old + podCount/2) % podCount
		if was != Ready || s.pods[young] != Absent {
			continue
		}
		for _, change := range []struct {
			pod int
			to  Condition
		}{{young, NotReady}, {young, Ready}, {old, Leaving}, {old, Gone}, {old, Absent}} {
			c.setPods(ref(a.Service), with(s.pods, change.pod, change.to))
			p.pass(a.Pause)
		}
	}
}

// Nodes sets how the nodes of a cluster stand.
type Nodes struct {
	Cluster int
	Nodes   [nodeCount]NodeCondition
}

// String says what happens.
func (a Nodes) String() string {
	return fmt.Sprintf("%s: nodes: %v", clusterName(a.Cluster), a.Nodes)
}

func (a Nodes) do(p *play) {
	if c := p.cluster(a.Cluster); !c.away {
		c.nodes = a.Nodes
		c.events()
	}
}

// Reload changes the configuration of a cluster's controllers.
type Reload struct {
	Cluster int
	Grants  Grants
}

// String says what happens.
func (a Reload) String() string {
	return fmt.Sprintf("%s: configuration: %s", clusterName(a.Cluster), a.Grants)
}

func (a Reload) do(p *play) { p.reload(p.cluster(a.Cluster), a.Grants) }

func (p *play) reload(c *cluster, g Grants) {
	if c.away {
		return
	}
	if err := c.configure(g); err != nil {
		p.violated("the configuration of the test: %v", err)
		return
	}
	for _, r := range c.replicas {
		r.voice.Reconfigure(p.ctx, peerless(c.config))
		r.act()
	}
	c.events()
}

// Restart kills a process and starts it anew.
type Restart struct{ Cluster, Replica int }

// String says what happens.
func (a Restart) String() string {
	return fmt.Sprintf("%s: replica %d is started anew", clusterName(a.Cluster), a.Replica)
}

func (a Restart) do(p *play) {
	c := p.cluster(a.Cluster)
	p.restart(c, a.Replica%len(c.replicas))
}

func (p *play) restart(c *cluster, i int) {
	led := c.replicas[i].leading
	c.replicas[i].end()
	c.replicas[i] = p.start(c, i)
	p.upsets(untilRead)
	if led {
		c.replicas[i].lead()
	}
}

// Lead moves the lease to another process. For Overlap both believe that they
// have it; with a negative one nobody has it for so long.
type Lead struct {
	Cluster, Replica int
	Overlap          time.Duration
}

// String says what happens.
func (a Lead) String() string {
	how := fmt.Sprintf("both believe for %s that they lead", a.Overlap)
	if a.Overlap < 0 {
		how = fmt.Sprintf("for %s nobody leads", -a.Overlap)
	}
	return fmt.Sprintf("%s: replica %d takes the lease, %s", clusterName(a.Cluster), a.Replica, how)
}

func (a Lead) do(p *play) {
	c := p.cluster(a.Cluster)
	next := c.replicas[a.Replica%len(c.replicas)]
	before := c.leader()
	if c.away {
		return
	}
	p.upsets(max(a.Overlap, -a.Overlap) + untilResync) // what two did at once is found by the resync
	if a.Overlap >= 0 {
		next.lead()
		p.pass(a.Overlap)
	}
	if before != nil && before != next {
		before.follow()
	}
	if a.Overlap < 0 {
		p.pass(-a.Overlap)
		next.lead()
	}
	if before != nil && before != next && next.leading {
		before.voice.hush() // it has seen that another leads
	}
}

// Away makes the API server of a cluster answer nobody, for a time. The lease
// runs out meanwhile.
type Away struct {
	Cluster int
	For     time.Duration
}

// String says what happens.
func (a Away) String() string {
	return fmt.Sprintf("%s: the API server is away for %s", clusterName(a.Cluster), a.For)
}

func (a Away) do(p *play) {
	c := p.cluster(a.Cluster)
	c.away = true
	p.pass(min(a.For, 10*time.Second))
	led := c.leader()
	for _, r := range c.replicas {
		if r.leading {
			r.follow()
		}
	}
	p.pass(a.For)
	c.away = false
	for _, r := range c.replicas {
		r.sync()
	}
	c.events()
	if led == nil {
		led = c.replicas[0]
	}
	led.lead()
	p.upsets(untilRead)
}

// Break makes calls fail from now on.
type Break struct{ Fault Fault }

// String says what happens.
func (a Break) String() string { return "the device: " + a.Fault.String() }

func (a Break) do(p *play) { p.device.fault(a.Fault) }

// Mend ends all faults.
type Mend struct{}

// String says what happens.
func (Mend) String() string { return "the device works again" }

func (Mend) do(p *play) { p.device.calm() }

// Clients makes every member have connections, for a time.
type Clients struct{ For time.Duration }

// String says what happens.
func (a Clients) String() string {
	return fmt.Sprintf("clients keep their connections for %s", a.For)
}

func (a Clients) do(p *play) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy = time.Now().Add(a.For)
}
