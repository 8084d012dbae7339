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
	for range 3 {
		for _, c := range p.clusters {
			p.reload(c, Grants{Web: true, App: true, Addresses: true})
			for i, ref := range c.refs() {
				if problems, _ := c.leader().problems(ref); len(problems) > 0 {
					p.repairService(c, i, ref)
				}
			}
			p.allow(c)
		}
		p.clearForeign()
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
	if p.failed() {
		return
	}
	p.stayQuiet(3*resync + time.Minute)
	for _, c := range p.clusters {
		for i := range c.replicas {
			p.restart(c, i)
		}
	}
	p.stayQuiet(resync + time.Minute)
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

// repairService writes a Service anew, with an address of its own.
func (p *play) repairService(c *cluster, i int, ref state.Ref) {
	p.note("%s of %s is written anew", ref, c.identity.Cluster)
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

// allow releases a brake as its message says.
func (p *play) allow(c *cluster) {
	command := regexp.MustCompile("landbridge allow ([0-9a-f]+)")
	for _, report := range c.leader().said {
		for _, problem := range report.Problems {
			if m := command.FindStringSubmatch(problem.Message); m != nil {
				p.note("landbridge allow %s", m[1])
				c.leader().worker.Allow(m[1], time.Now().Add(10*time.Minute))
			}
		}
	}
}

// clearForeign takes away by hand what is foreign and in the way: virtual
// servers at our addresses, pools under our names, members in our pools.
func (p *play) clearForeign() {
	set := p.device.set()
	var names []string
	remove := func(o state.Object) {
		if p.device.remove(o) {
			names = append(names, namesOf(o)...)
		}
	}
	for o := range set.All() {
		if v, ok := o.(*state.VirtualServer); ok {
			// One of ours goes too, where it keeps such a pool in use.
			if p, there := set.Pool(deviceName, v.Pool); v.Owner.IsZero() || (there && p.Owner.IsZero()) {
				remove(v)
			}
		}
	}
	for o := range set.All() {
		pool, ok := o.(*state.Pool)
		switch {
		case !ok:
		case pool.Owner.IsZero() && strings.Contains(pool.Path, "/lb_"):
			remove(pool)
		case !pool.Owner.IsZero():
			for _, m := range membersOf(pool) {
				if m.Owner.IsZero() {
					remove(m)
				}
			}
		}
	}
	p.note("a person removes %v", names)
	p.handled(names...)
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
	for _, kind := range []state.Kind{state.KindVirtualServer, state.KindPool, state.KindNode} {
		for o := range set.All() {
			if o.ID().Kind == kind && !o.OwnedBy().IsZero() && p.device.remove(o) {
				names = append(names, namesOf(o)...)
			}
		}
	}
	p.handled(names...)
	for _, c := range p.clusters {
		for i := range c.replicas {
			c.replicas[i] = p.start(c)
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
// whoever needed it first, which a rebuild may decide otherwise.
func (p *play) ours() map[string]string {
	tag := regexp.MustCompile(`landbridge cluster=\S+ uid=\S+ service=[a-z0-9.-]+/[a-z0-9.-]+`)
	changing := regexp.MustCompile(`"(generation|vsIndex|creationTime|lastModifiedTime)":("[^"]*"|\d+),?`)
	all := map[string]string{}
	for name, t := range p.device.things() {
		if t.owner.IsZero() {
			continue
		}
		content := changing.ReplaceAllString(t.content, "")
		if strings.HasPrefix(name, "node ") {
			content = tag.ReplaceAllString(content, "ours")
		}
		all[name] = content
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
	for name, t := range p.device.things() {
		if !t.owner.IsZero() {
			p.violated("%s is left of a deleted Service", name)
		}
	}
}
