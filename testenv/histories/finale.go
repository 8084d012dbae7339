package histories

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/sync/state"
)

// repair lets people put right what is wrong: with what Landbridge says of it
// alone, nothing may be left. Then the world has to stay at rest.
func (p *play) repair() {
	for round := range 4 {
		if !p.repairOnce() && round > 0 {
			break
		}
		p.rest()
	}
	for _, c := range p.clusters {
		for _, ref := range c.refs() {
			if problems, _ := c.leader().problems(ref); len(problems) > 0 {
				p.violated("%s of %s cannot be repaired: %v", ref, c.identity.Cluster, problems)
			}
		}
		p.check(c)
	}
	if p.syncing != SyncByHand && !p.device.inStep() {
		p.violated("the units of the pair do not hold the same, though nobody kept them from it")
	}
	if p.failed() {
		return
	}
	p.stayQuiet(resync + time.Minute)
	for _, c := range p.clusters {
		for i := range c.replicas {
			p.restart(c, i)
		}
	}
	p.stayQuiet(resync + time.Minute)
}

// repairOnce does what is said to be wrong, and says whether anything was.
func (p *play) repairOnce() (wrong bool) {
	for _, c := range p.clusters {
		if c.grants != allGrants() {
			wrong = true
			p.reload(c, allGrants())
			p.pass(promptly)
		}
	}
	for _, c := range p.clusters {
		for i, ref := range c.refs() {
			if s := c.services[ref]; s.lost {
				wrong = true
				c.setPods(ref, s.pods)
			}
			if problems, _ := c.leader().problems(ref); len(problems) > 0 {
				wrong = true
				p.repairService(c, i, ref)
			}
		}
		wrong = p.allow(c) || wrong
	}
	wrong = p.clearForeign() || wrong
	if wrong || !p.device.inStep() {
		p.device.sync(theActive)
	}
	return wrong
}

// stayQuiet demands that nothing is written for a time.
func (p *play) stayQuiet(d time.Duration) {
	p.hush(true)
	p.pass(d)
	p.hush(false)
}

func (p *play) hush(quiet bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quiet = quiet
}

// repairService writes a Service anew, with an address of its own. Of two that
// ask for objects of one name, since their clusters have one name, only one can
// stay.
func (p *play) repairService(c *cluster, i int, ref state.Ref) {
	if twin := p.cluster(theCopy); twin.index == theCopy && c.index != 1 && twin.services[ref] != nil && p.cluster(0).services[ref] != nil {
		defer func() {
			p.note("%s is deleted in %s", ref, clusterName(theCopy))
			twin.remove(ref)
		}()
		c = twin // with what is wrong in it, it could not go either
	}
	p.note("%s of %s is written anew", ref, clusterName(c.index))
	c.put(ref, Spec{
		Partition: "web", Type: corev1.ServiceTypeNodePort, Ports: []int{0, 2},
		Address: "203.0.113." + strconv.Itoa(100+10*c.index+i) + ",2001:db8:203::" + strconv.Itoa(100+10*c.index+i),
	})
	s := c.services[ref]
	if s == nil {
		return
	}
	pods := s.pods
	for pod, condition := range pods {
		if condition == Handmade {
			pods = with(pods, pod, Ready)
		}
	}
	c.setPods(ref, pods)
}

// allow releases a brake as its message says, if one holds.
func (p *play) allow(c *cluster) (held bool) {
	command := regexp.MustCompile("landbridge allow ([0-9a-f]+)")
	for _, report := range c.leader().said {
		for _, problem := range report.Problems {
			if m := command.FindStringSubmatch(problem.Message); m != nil {
				p.note("landbridge allow %s", m[1])
				until := time.Now().Add(10 * time.Minute)
				c.leader().worker.Allow(m[1], until)
				c.leader().speaker.Allow(m[1], until)
				c.leader().voice.allow(until)
				held = true
			}
		}
	}
	return held
}

// clearForeign takes away by hand what is foreign and in the way, and the
// members of others in our pools.
func (p *play) clearForeign() (found bool) {
	set := p.device.set()
	var names []string
	remove := func(o state.Object) {
		if p.device.remove(o) {
			names = append(names, namesOf(o)...)
		}
	}
	away := inTheWay(set)
	for _, kind := range []state.Kind{
		state.KindVirtualServer, state.KindPool, state.KindIRule, state.KindDataGroup, state.KindPersistence, state.KindMonitor,
	} {
		for o := range set.All() {
			if o.ID().Kind == kind && away[o.ID()] {
				remove(o)
			}
		}
	}
	for o := range set.All() {
		if pool, ok := o.(*state.Pool); ok && !pool.Owner.IsZero() && !away[pool.ID()] {
			for _, m := range membersOf(pool) {
				if m.Owner.IsZero() {
					remove(m)
				}
			}
		}
	}
	p.note("a person removes %v", names)
	p.handled(names...)
	return len(names) > 0
}

// rebuild takes all that is ours off the device by hand, lets new processes
// build it anew, and demands that it is as before.
func (p *play) rebuild() {
	before := p.ours()
	for _, c := range p.clusters {
		for _, r := range c.replicas {
			r.end()
		}
	}
	set := p.device.set()
	var names []string
	for _, kind := range []state.Kind{
		state.KindVirtualServer, state.KindPool, state.KindIRule, state.KindDataGroup, state.KindPersistence, state.KindMonitor, state.KindNode,
	} {
		for o := range set.All() {
			if o.ID().Kind == kind && !o.OwnedBy().IsZero() && p.device.remove(o) {
				names = append(names, namesOf(o)...)
			}
		}
	}
	p.handled(names...)
	for _, c := range p.clusters {
		for i := range c.replicas {
			c.replicas[i] = p.start(c, i)
		}
		c.replicas[0].lead()
	}
	p.rest()
	after := p.ours()
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if now, there := after[name]; !there {
			p.violated("%s is not there after a full rebuild", name)
		} else if now != before[name] {
			p.violated("%s was\n%s\nand is after a full rebuild\n%s", name, before[name], now)
		}
	}
	for name := range after {
		if _, was := before[name]; !was {
			p.violated("%s is there only after a full rebuild", name)
		}
	}
}

// ours is all that any Landbridge made, with its content. A node belongs to
// whoever needed it first, and a monitor that came to probe otherwise stands
// under another number (sync/plan): both a rebuild may decide otherwise.
func (p *play) ours() map[string]string {
	tag := regexp.MustCompile(`landbridge cluster=\S+ uid=\S+ service=[a-z0-9.-]+/[a-z0-9.-]+`)
	changing := regexp.MustCompile(`"(generation|vsIndex|creationTime|lastModifiedTime)":("[^"]*"|\d+),?`)
	number := regexp.MustCompile(`_m[0-9]+\b`)
	all := map[string]string{}
	for name, t := range p.device.things() {
		if t.owner.IsZero() {
			continue
		}
		content := changing.ReplaceAllString(t.content, "")
		if strings.HasPrefix(name, "node ") {
			content = tag.ReplaceAllString(content, "ours")
		}
		content = number.ReplaceAllString(content, "_m")
		if strings.HasPrefix(name, "monitor ") {
			name = number.ReplaceAllString(name, "_m") + " " + content
		}
		all[name] = content
	}
	for _, c := range p.clusters {
		c.routers.expire()
		for w, route := range c.routers.ways() {
			all["route to "+w.prefix+" at "+w.peer+" for "+w.service.String()+" of "+clusterName(c.index)] = strings.Join(route.Lines(), "\n")
		}
	}
	return all
}

// deleteAll deletes every Service, and demands that nothing is left.
func (p *play) deleteAll() {
	for _, c := range p.clusters {
		for _, ref := range c.refs() {
			c.remove(ref)
		}
	}
	p.rest()
	for _, c := range p.clusters {
		for _, ref := range c.refs() {
			problems, _ := c.leader().problems(ref)
			p.violated("%s of %s is deleted and still there: %v", ref, c.identity.Cluster, problems)
		}
	}
	for _, c := range p.clusters {
		c.routers.expire()
		if left := c.routers.ways(); len(left) > 0 {
			p.violated("routers still have routes of %s, all of whose Services are deleted: %v", c.identity.Cluster, left)
		}
	}
	needed := neededNodes(p.device.set())
	for name, t := range p.device.things() {
		if !t.owner.IsZero() && !needed[name] {
			p.violated("%s is left of a deleted Service", name)
		}
	}
}

// neededNodes are the nodes that pools have members at: where deletion-policy:
// orphan left some, a node that other Services had members at as well keeps its
// tag, and goes with the last of them.
func neededNodes(set *state.Set) map[string]bool {
	needed := map[string]bool{}
	for o := range set.All() {
		if n, ok := o.(*state.Node); ok && set.MembersAt(n.Address) > 0 {
			needed[nameOf(n)] = true
		}
	}
	return needed
}
