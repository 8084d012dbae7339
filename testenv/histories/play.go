package histories

import (
	"context"
	"fmt"
	"hash/fnv"
	"regexp"
	"strings"
	"sync"
	"testing/synctest"
	"time"
)

// History is a world, and what happens in it.
type History struct {
	// Clusters is 1 or 2, Replicas the processes of each, 1 or 2.
	Clusters, Replicas int
	// Copy adds an installation with the first one's name and another uid.
	Copy bool
	// Sync is how the units of a pair come to hold the same.
	Sync  Syncing
	Steps []Step
}

// Syncing is who makes the units of a pair hold the same.
type Syncing string

// Who does.
const (
	SyncByHand Syncing = ""     // people, now and then
	SyncAuto   Syncing = "auto" // the device group by itself
	SyncOurs   Syncing = "ours" // the controllers, which save as well
)

// Step is something that happens, and how long nothing else does then.
type Step struct {
	Do   Action
	Then time.Duration
}

// Action is something that happens.
type Action interface {
	fmt.Stringer
	do(p *play)
}

// String writes the history, a line a step.
func (h History) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s with %s each", plural(h.Clusters, "cluster"), plural(h.Replicas, "replica"))
	if h.Copy {
		b.WriteString(", and a copy of the first, by name")
	}
	if h.Sync != SyncByHand {
		fmt.Fprintf(&b, "; of a pair of units: sync by %s", h.Sync)
	}
	b.WriteString("\n")
	for i, s := range h.Steps {
		fmt.Fprintf(&b, "%3d. %s; %s pass\n", i+1, s.Do, s.Then)
	}
	return b.String()
}

// GoString writes the history as Go, to become a story among the tests.
func (h History) GoString() string {
	var b strings.Builder
	fmt.Fprintf(&b, "histories.History{\n\tClusters: %d, Replicas: %d, Copy: %t, Sync: %q,\n\tSteps: []histories.Step{\n", h.Clusters, h.Replicas, h.Copy, h.Sync)
	for _, s := range h.Steps {
		fmt.Fprintf(&b, "\t\t{Do: %#v, Then: %d}, // %s\n", s.Do, s.Then, s.Then)
	}
	b.WriteString("\t},\n}")
	return b.String()
}

// Device says which device a history is played against.
type Device int

// The devices.
const (
	Memory    Device = iota // backends/memory
	Simulated               // backends/f5 with the simulated BIG-IP
	Pair                    // the same with two units of a device group
)

// Figures are what a history cost and saw.
type Figures struct {
	Writes int           // changes on the device
	Took   time.Duration // in the world's time
}

// Violation is a rule that was broken, with all that led there.
type Violation struct {
	Kind string // which rule was broken, without names
	Rule string // the same with names
	Log  string // what happened until then
}

// Error is the rule.
func (v *Violation) Error() string { return v.Rule + "\n\n" + v.Log }

// play is one history while it is played. It belongs to the goroutine that
// plays, but for what mu guards.
type play struct {
	ctx      context.Context
	device   device
	clusters []*cluster
	twice    map[string]time.Time // virtual servers that share a frontend, and since when
	syncing  Syncing
	box      *box
	started  int // replicas so far
	begin    time.Time

	mu        sync.Mutex
	trouble   trouble
	log       []string
	violation *Violation
	calls     map[string]int       // by kind, for the latency
	byHand    map[string]time.Time // when a person last changed a thing
	touched   map[string]touch     // who last changed what is ours
	planned   map[string]*cluster  // what may come to be without a tag
	foreign   map[string]string    // content of what is foreign
	idle      map[idleKey]bool     // members that were counted without a connection
	busy      time.Time            // until when clients keep their connections
	quiet     bool                 // no change may come
	judged    int                  // writes when foreign things were last compared
}

// Play plays a history to its end. It has to be called inside a bubble of
// testing/synctest. The error is a *Violation, or of the setting up.
func Play(ctx context.Context, h History, on Device) (Figures, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &play{
		ctx: ctx, syncing: h.Sync, twice: map[string]time.Time{}, box: newBox(), begin: time.Now(),
		calls: map[string]int{}, byHand: map[string]time.Time{}, planned: map[string]*cluster{}, touched: map[string]touch{}, idle: map[idleKey]bool{},
	}
	defer func() {
		if p.device != nil {
			p.device.close()
		}
	}()
	if err := p.setUp(h, on); err != nil {
		return Figures{}, err
	}
	p.story(h)
	p.endAll()
	figures := Figures{Writes: p.device.writes(), Took: time.Since(p.begin)}
	if p.violation != nil {
		return figures, p.violation
	}
	return figures, nil
}

func (p *play) setUp(h History, on Device) (err error) {
	switch on {
	case Memory:
		p.device = newInMemory(p)
	case Simulated:
		p.device, err = newSimulated(p)
	case Pair:
		p.device, err = newPair(p, h.Sync)
	}
	if err != nil {
		return err
	}
	for _, i := range h.clusters() {
		c, err := newCluster(p, i, allGrants())
		if err != nil {
			return err
		}
		p.clusters = append(p.clusters, c)
		for place := range h.Replicas {
			c.replicas = append(c.replicas, p.start(c, place))
		}
	}
	p.settleForeign()
	return nil
}

// clusters are the numbers of the clusters that there are.
func (h History) clusters() []int {
	all := []int{0, 1}[:h.Clusters]
	if h.Copy {
		all = append(all, theCopy)
	}
	return all
}

// story is the whole course: the steps, then the faults end, then people
// repair what is wrong, then all is taken down.
func (p *play) story(h History) {
	for _, c := range p.clusters {
		c.replicas[0].lead()
	}
	p.pass(time.Second)
	for i, s := range h.Steps {
		p.note("%3d. %s", i+1, s.Do)
		s.Do.do(p)
		p.pass(s.Then)
		p.inspect()
		if p.failed() {
			return
		}
	}
	for _, act := range []struct {
		name string
		do   func()
	}{
		{"the faults end", p.calmDown},
		{"people repair what is wrong", p.repair},
		{"all is rebuilt on an empty device", p.rebuild},
		{"every Service is deleted", p.deleteAll},
	} {
		p.note("=== %s", act.name)
		act.do()
		if p.failed() {
			return
		}
	}
}

func (p *play) endAll() {
	for _, c := range p.clusters {
		for _, r := range c.replicas {
			r.end()
		}
	}
}

// pass lets time pass, and looks at the device now and then.
func (p *play) pass(d time.Duration) {
	for ; d > glance; d -= glance {
		p.let(glance)
		p.inspect()
	}
	p.let(d)
}

// glance is how often the observer looks at the device while nothing happens;
// what replicas do there he sees in any case.
const glance = time.Minute

// let lets time pass, and does what the workers' reports call for.
func (p *play) let(d time.Duration) {
	over := time.NewTimer(d)
	defer over.Stop()
	for {
		synctest.Wait()
		for mail := p.box.empty(); len(mail) > 0; mail = p.box.empty() {
			for _, what := range mail {
				what()
			}
			synctest.Wait()
		}
		select {
		case <-over.C:
			return
		case <-p.box.news:
		}
	}
}

// note writes a line into the log.
func (p *play) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, fmt.Sprintf("%10s  ", time.Since(p.begin).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

// violated notes a broken rule. The first counts.
func (p *play) violated(format string, args ...any) {
	rule := fmt.Sprintf(format, args...)
	verbs := regexp.MustCompile(`%[+]?[a-z]`)
	p.note("!!! %s", rule)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.violation == nil {
		p.violation = &Violation{Kind: verbs.ReplaceAllString(format, "…"), Rule: rule, Log: strings.Join(p.log, "\n")}
	}
}

func (p *play) failed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.violation != nil
}

// latency is how long the device takes for a call: from 1 to 30 ms, another
// for each call but the same each time the history is played.
func (p *play) latency(call string) time.Duration {
	p.mu.Lock()
	n := p.calls[call]
	p.calls[call] = n + 1
	p.mu.Unlock()
	h := fnv.New32a()
	fmt.Fprint(h, call, n)
	return time.Millisecond + time.Duration(h.Sum32()%29000)*time.Microsecond
}

func (p *play) isBusy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.busy)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
