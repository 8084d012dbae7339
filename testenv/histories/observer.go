package histories

import (
	"maps"
	"slices"
	"time"
)

// observe is asked before each change that takes effect on the device: who
// makes it, and the things that it alters or removes.
func (p *play) observe(by *errand, touched map[string]thing) {
	if by == nil {
		p.violated("a change that no plan asked for, of %v", slices.Sorted(maps.Keys(touched)))
		return
	}
	p.mu.Lock()
	quiet := p.quiet
	p.mu.Unlock()
	if quiet {
		p.violated("%s wrote in a settled world, changing %v", by.replica.name, slices.Sorted(maps.Keys(touched)))
	}
	for name, t := range touched {
		if !t.owner.IsZero() && by.replica.cluster.identity.Owns(t.owner) {
			p.judgeLeaving(by, name, t)
			if t.gone {
				by.replica.voice.leadsTo(name)
			}
			p.touch(by, name)
			continue
		}
		if p.untaggedMeanwhile(by, name) {
			continue
		}
		p.mu.Lock()
		handled := p.byHand[name]
		if !handled.Before(by.knows) {
			// A person has changed it since the device was last read: nobody
			// could know. From now on it is as it is.
			delete(p.foreign, name)
			p.mu.Unlock()
			p.note("    %s changed %s, which a person took %s ago", by.replica.name, name, time.Since(handled))
			continue
		}
		p.mu.Unlock()
		p.violated("%s changed or deleted %s, which is not ours (owner %q, changed by hand at %s, last read begun at %s)",
			by.replica.name, name, ownerText(t), p.at(handled), p.at(by.knows))
	}
}

// touch remembers who last changed what is ours, and when.
func (p *play) touch(by *errand, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.touched[name] = touch{by.replica, time.Now()}
}

type touch struct {
	by *replica
	at time.Time
}

// untaggedMeanwhile says whether another replica of the cluster, which believed
// that it led as well, took the tag off something after this one had last read
// the device.
func (p *play) untaggedMeanwhile(by *errand, name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, ok := p.touched[name]
	return ok && p.planned[name] != nil && last.by != by.replica && last.by.cluster == by.replica.cluster && !last.at.Before(by.knows)
}

// late is how long after a failover a change may still reach the unit that was
// active before: the backend looks at the roles every second, and a look may
// hold for two (backends/f5).
const late = 3 * time.Second

// serves demands of the unit that a change had its effect on that it is the
// active one, or was a moment ago, and the one that the change was planned for.
func (p *play) serves(u *unit, by *errand) {
	if by != nil && by.of != u.name {
		p.violated("%s made a change on %s from what it had read of %s", by.replica.name, u.name, by.of)
	}
	u.mu.Lock()
	since := u.standby
	u.mu.Unlock()
	if !since.IsZero() && time.Since(since) > late && !p.troubled() {
		p.violated("a change was made on %s, which is not the active unit for %s", u.name, time.Since(since))
	}
}

// keepsUp judges that a replica saves the configuration of a unit, or pushes
// it to the group: not in a settled world, and nothing may be lost by it that
// others changed on the other unit.
func (p *play) keepsUp(u *unit, path string) {
	p.mu.Lock()
	quiet := p.quiet
	p.mu.Unlock()
	if quiet {
		p.violated("a replica saves or syncs in a settled world: %s", path)
	}
	for _, peer := range u.simulated.units {
		if path != "cm" || peer == u {
			continue
		}
		if lost := peer.changes(); len(lost) > 0 {
			p.violated("a replica pushes %s to its group, although %s has changes of its own: %v", u.name, peer.name, lost)
		}
	}
}

func (p *play) at(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Sub(p.begin).String()
}

func ownerText(t thing) string {
	if t.owner.IsZero() {
		return "nobody"
	}
	return t.owner.Tag()
}

// settleForeign takes what is foreign for what it has to stay: after a person
// changed something.
func (p *play) settleForeign() {
	all := p.device.things()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.foreign = map[string]string{}
	for name, t := range all {
		if t.owner.IsZero() {
			p.foreign[name] = t.content
		}
	}
}

// compareForeign demands that what is foreign is as it was, byte for byte.
func (p *play) compareForeign() {
	n := p.device.writes()
	if n == p.judged {
		return
	}
	p.judged = n
	all := p.device.things()
	p.mu.Lock()
	foreign := maps.Clone(p.foreign)
	p.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(foreign)) {
		switch now, there := all[name]; {
		case !there:
			p.violated("%s, which is foreign, is gone", name)
		case now.content != foreign[name]:
			p.violated("%s, which is foreign, was\n%s\nand is\n%s", name, foreign[name], now.content)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if _, known := foreign[name]; known || !all[name].owner.IsZero() {
			continue
		}
		p.mu.Lock()
		_, excused := p.byHand[name]
		// By deletion-policy: orphan. And for a member whose node has gone
		// since it was last read, a device makes a node itself.
		excused = excused || p.planned[name] != nil
		p.foreign[name] = all[name].content
		p.mu.Unlock()
		if !excused {
			p.violated("%s was made without a tag", name)
		}
	}
}

// handled notes that a person changed a thing now.
func (p *play) handled(names ...string) {
	p.mu.Lock()
	for _, n := range names {
		p.byHand[n] = time.Now()
	}
	p.mu.Unlock()
	p.settleForeign()
}
