package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// errFault is the error of a Fault that brings none.
var errFault = errors.New("fault of the test")

// Apply carries out all Units at once, each one's changes in their order.
func (b *Backend) Apply(ctx context.Context, units []apply.Unit) []apply.Outcome {
	outcomes := make([]apply.Outcome, len(units))
	var wg sync.WaitGroup
	for i, u := range units {
		wg.Go(func() { outcomes[i] = b.unit(ctx, u) })
	}
	wg.Wait()
	return outcomes
}

func (b *Backend) unit(ctx context.Context, u apply.Unit) apply.Outcome {
	var out apply.Outcome
	for _, c := range u.Changes {
		fault := b.change(ctx, u.Service, c)
		if fault.Status != apply.Done {
			out.Status, out.Stale, out.Reason = fault.Status, fault.Stale, fault.Reason
			out.Err = fmt.Errorf("%s: %w", c, fault.Err)
			return out
		}
		out.Applied++
	}
	return out
}

// change asks the hook about one change, carries it out and records it.
func (b *Backend) change(ctx context.Context, service state.Ref, c plan.Change) Fault {
	b.mu.Lock()
	hook := b.hook
	b.mu.Unlock()
	fault := Fault{Effect: true}
	if hook != nil {
		if f := hook(ctx, c); f != nil {
			fault = *f
		}
	}
	if err := ctx.Err(); err != nil && fault.Status == apply.Done {
		fault = Fault{Status: apply.Unavailable, Reason: "Stopped", Err: err}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	effect := false
	if fault.Effect {
		done, refusal := b.carryOut(c)
		if refusal != nil && fault.Status == apply.Done {
			fault = *refusal
		}
		effect = done
	}
	if fault.Status != apply.Done {
		if fault.Reason == "" {
			fault.Reason = "Fault"
		}
		if fault.Err == nil {
			fault.Err = errFault
		}
	}
	b.record(Call{Service: service, Change: c, Status: fault.Status, Effect: effect})
	return fault
}

func refuse(reason, format string, args ...any) (bool, *Fault) {
	stale := reason == "NotFound" || reason == "AlreadyExists"
	return false, &Fault{Status: apply.Refused, Stale: stale, Reason: reason, Err: fmt.Errorf(format, args...)}
}

// carryOut makes the change in the set as a device would: effect says whether
// the set is now another.
func (b *Backend) carryOut(c plan.Change) (effect bool, refusal *Fault) {
	have, exists := b.set.Get(c.ID())
	switch c.Op {
	case plan.Delete:
		if !exists {
			return false, nil
		}
		if have.OwnedBy().IsZero() {
			return refuse("Foreign", "%s is not ours", c.ID())
		}
		return b.remove(have)
	case plan.Create:
		if exists {
			if state.Equal(have, c.After) {
				return false, nil
			}
			return refuse("AlreadyExists", "%s stands already and is another", c.ID())
		}
	case plan.Update:
		if !exists {
			return refuse("NotFound", "%s is not there", c.ID())
		}
	}
	return b.put(c.Op, c.After, have)
}

func (b *Backend) put(op plan.Op, o, have state.Object) (effect bool, refusal *Fault) {
	switch o := o.(type) {
	case *state.VirtualServer:
		if o.Pool != "" {
			if _, ok := b.set.Pool(b.name, o.Pool); !ok {
				return refuse("NotFound", "pool %s of virtual server %s is not there", o.Pool, o.Path)
			}
		}
		if other, taken := b.set.Listener(o.Frontend()); taken && other.Path != o.Path {
			return refuse("AddressInUse", "virtual server %s listens on %s", other.Path, o.Frontend())
		}
	case *state.PoolMember:
		if _, ok := b.set.Pool(b.name, o.Pool); !ok {
			return refuse("NotFound", "pool %s is not there", o.Pool)
		}
		if lacks := b.withoutNode([]state.Member{o.Member}); lacks != nil {
			return false, lacks
		}
	case *state.Pool:
		if op == plan.Update { // the members are not the update's
			q := *o
			q.Members = have.(*state.Pool).Members
			b.set.Put(&q)
			return true, nil
		}
		if lacks := b.withoutNode(o.Members); lacks != nil {
			return false, lacks
		}
	}
	b.set.Put(o)
	return true, nil
}

// withoutNode refuses members whose node has gone since it was last read.
func (b *Backend) withoutNode(members []state.Member) *Fault {
	for _, m := range members {
		if n, ok := b.set.Node(b.name, m.Endpoint.Address); !ok || n.Path != m.Node {
			_, refusal := refuse("NotFound", "node %s of member %s is not there", m.Node, m.Endpoint)
			return refusal
		}
	}
	return nil
}

func (b *Backend) remove(o state.Object) (effect bool, refusal *Fault) {
	// A node that a member refers to stays, and that is no failure: see
	// backends/f5 for why.
	if n, ok := o.(*state.Node); ok && b.set.MembersAt(n.Address) > 0 {
		return false, nil
	}
	if user, used := b.userOf(o.ID()); used {
		return refuse("InUse", "%s is in use by %s", o.ID(), user)
	}
	b.set.Delete(o.ID())
	return true, nil
}

// userOf is a pool or virtual server that refers to an object by its path.
func (b *Backend) userOf(id state.ID) (user state.ID, used bool) {
	switch id.Kind {
	case state.KindPool, state.KindMonitor, state.KindIRule, state.KindPersistence:
	default:
		return state.ID{}, false
	}
	for o := range b.set.All() {
		var paths []string
		switch o := o.(type) {
		case *state.Pool:
			if id.Kind == state.KindMonitor {
				paths = o.Monitors
			}
		case *state.VirtualServer:
			switch id.Kind {
			case state.KindPool:
				paths = []string{o.Pool}
			case state.KindIRule:
				paths = o.IRules
			case state.KindPersistence:
				paths = []string{o.Persistence}
			}
		}
		if slices.Contains(paths, id.Name) {
			return o.ID(), true
		}
	}
	return state.ID{}, false
}
