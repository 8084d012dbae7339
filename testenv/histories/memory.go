package histories

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"landbridge.dev/backends/memory"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// inMemory is a device that is a set of objects.
type inMemory struct {
	*memory.Backend
	play *play

	mu     sync.Mutex
	faults []*activeFault
}

type activeFault struct {
	Fault
	met, hit int
}

func newInMemory(p *play) device {
	d := &inMemory{Backend: memory.New(deviceName), play: p}
	d.SetHook(d.change)
	d.SetReadHook(d.read)
	return d
}

func (d *inMemory) backend(*replica) apply.Backend { return d.Backend }
func (d *inMemory) set() *state.Set                { return d.Set() }
func (d *inMemory) writes() int                    { return d.Writes() }

// A device in memory is one unit, and forgets nothing.
func (d *inMemory) reboot(int) bool               { return false }
func (d *inMemory) failover() bool                { return false }
func (d *inMemory) sync(int) bool                 { return false }
func (d *inMemory) makeStandby(state.Object) bool { return false }
func (d *inMemory) inStep() bool                  { return true }
func (d *inMemory) close()                        {}

func (d *inMemory) things() map[string]thing {
	all := map[string]thing{}
	for o := range d.Set().All() {
		all[nameOf(o)] = thing{content: contentOf(o), owner: o.OwnedBy()}
		if p, ok := o.(*state.Pool); ok {
			for _, m := range p.Members {
				m := &state.PoolMember{Backend: p.Backend, Pool: p.Path, Member: m}
				all[nameOf(m)] = thing{
					content: contentOf(m), owner: m.Owner, within: nameOf(p),
					at: m.Endpoint, drain: m.Drain, terminating: m.Terminating,
				}
			}
		}
	}
	return all
}

// contentOf is all that stands of an object, without a pool's members.
func contentOf(o state.Object) string {
	lines := o.Lines()
	switch o := o.(type) {
	case *state.Pool:
		lines = o.Settings()
	case *state.PoolMember:
		lines = append(lines, "owner "+o.Owner.Tag(), "node "+o.Node)
	}
	return strings.Join(lines, "\n")
}

func (d *inMemory) make(o state.Object) bool {
	_, there := d.Set().Get(o.ID())
	if v, ok := o.(*state.VirtualServer); ok && !there {
		_, there = d.Set().Listener(v.Frontend())
	}
	if there {
		return false
	}
	d.Put(o)
	return true
}

func (d *inMemory) alter(o state.Object) bool {
	_, there := d.Set().Get(o.ID())
	if there {
		d.Put(o)
	}
	return there
}

func (d *inMemory) remove(o state.Object) bool {
	set := d.Set()
	switch o := o.(type) {
	case *state.Node:
		if set.MembersAt(o.Address) > 0 {
			return false
		}
	case *state.Pool:
		for v := range set.All() {
			if v, ok := v.(*state.VirtualServer); ok && v.Pool == o.Path {
				return false
			}
		}
	}
	d.Remove(o.ID())
	return true
}

func (d *inMemory) fault(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, &activeFault{Fault: f})
}

func (d *inMemory) calm() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = nil
}

// meet finds the fault of a call; "" for none.
func (d *inMemory) meet(write bool) Failure {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.faults {
		if (f.Writes && !write) || (f.Count > 0 && f.hit >= f.Count) {
			continue
		}
		if f.met++; f.met <= f.Skip {
			continue
		}
		f.hit++
		d.play.hit()
		return f.Do
	}
	return ""
}

var errOfDevice = errors.New("the device fails")

func (d *inMemory) read(ctx context.Context, _ apply.Scope) error {
	spend(ctx, d.play.latency("read"))
	switch d.meet(false) {
	case "", ForgetTokens, LoseBatches, Failover:
		return nil
	case Slow:
		spend(ctx, slow)
		return nil
	case Stuck:
		spend(ctx, stuck)
	case Refuse, Denied, CutBefore, CutAfter, Broken, Lost, Busy, Page, Starting, MCPDLost, Down:
	}
	return errOfDevice
}

// change is asked before each change.
func (d *inMemory) change(ctx context.Context, c plan.Change) *memory.Fault {
	d.play.begins(errandOf(ctx))
	spend(ctx, d.play.latency(c.ID().String()))
	done := func(f *memory.Fault) *memory.Fault {
		if f == nil || f.Effect {
			d.play.observe(errandOf(ctx), d.touches(c))
		}
		return f
	}
	switch d.meet(true) {
	case "", ForgetTokens, LoseBatches, Failover:
	case Refuse:
		return done(&memory.Fault{Status: apply.Refused, Reason: "DeviceRefused", Err: errOfDevice})
	case CutBefore, Broken, MCPDLost:
		return done(&memory.Fault{Status: apply.Unknown, Reason: "NoAnswer", Err: errOfDevice})
	case CutAfter, Lost:
		return done(&memory.Fault{Status: apply.Unknown, Effect: true, Reason: "NoAnswer", Err: errOfDevice})
	case Denied, Busy, Page, Starting, Down:
		return done(&memory.Fault{Status: apply.Unavailable, Reason: "DeviceStarting", Err: errOfDevice})
	case Slow:
		spend(ctx, slow)
	case Stuck:
		spend(ctx, stuck)
		if ctx.Err() != nil {
			return done(&memory.Fault{Status: apply.Unknown, Reason: "NoAnswer", Err: errOfDevice})
		}
		return done(&memory.Fault{Status: apply.Unknown, Effect: true, Reason: "NoAnswer", Err: errOfDevice})
	}
	return done(nil)
}

// touches are the things that stand and that a change would alter or remove.
func (d *inMemory) touches(c plan.Change) map[string]thing {
	all := d.things()
	name := nameOf(c.Object())
	touched := map[string]thing{}
	if t, ok := all[name]; ok && c.Op != plan.Create {
		t.gone = c.Op == plan.Delete
		touched[name] = t
		if n, ok := c.Object().(*state.Node); ok && d.Set().MembersAt(n.Address) > 0 {
			return nil // it stays
		}
	}
	for n, t := range all {
		if c.Op == plan.Delete && t.within == name {
			t.gone = true
			touched[n] = t
		}
	}
	if m, ok := c.Object().(*state.PoolMember); ok && c.Op == plan.Create {
		pool := "pool " + m.Pool
		touched[pool] = all[pool]
	}
	return touched
}

// spend waits, in the bubble's time.
func spend(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
