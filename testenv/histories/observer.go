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
		// For a member whose node has gone since it was last read, a device
		// makes a node itself, which nobody can keep it from.
		excused = excused || p.planned[name]
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
