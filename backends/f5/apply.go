package f5

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// Apply carries out Units side by side, as many calls as there may be in
// flight, each Unit's changes in their order. Those that one transaction can
// hold go together in one; a Unit that is alone goes with one call for each
// change, or in a transaction of its own where whole objects are made or
// removed. When the device itself fails (it refuses connections, or answers
// nothing), Units that have not begun end as Unavailable with the same error.
func (b *Backend) Apply(ctx context.Context, units []apply.Unit) []apply.Outcome {
	var (
		outcomes = make([]apply.Outcome, len(units))
		down     atomic.Pointer[apply.Outcome]
		next     atomic.Int64
		wg       sync.WaitGroup
	)
	lead, err := b.group.planned(ctx)
	if err != nil {
		for i, u := range units {
			outcomes[i] = nothingDone(u, err)
		}
		return outcomes
	}
	a := &applier{lead: lead, session: lead.session, group: b.group, upkeep: b.upkeep, pace: b.pace, opts: &b.opts}
	jobs := a.jobs(units, outcomes)
	for range min(len(jobs), b.opts.MaxConcurrentCalls) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(jobs); i = int(next.Add(1)) - 1 {
				if failed := down.Load(); failed != nil {
					jobs[i].notTried(*failed)
					continue
				}
				a.job(ctx, jobs[i])
				if failed := jobs[i].failed(); failed != nil {
					down.CompareAndSwap(nil, failed)
				}
			}
		})
	}
	wg.Wait()
	return outcomes
}

// applier carries out changes on one device.
type applier struct {
	lead    *tenure
	session *session // lead's
	group   *group
	upkeep  *upkeep
	pace    *pace
	opts    *Options
}

// job carries out the Units of a job. What was done on a unit of the group that
// is the active one no more does not count, whatever it answered.
func (a *applier) job(ctx context.Context, j job) {
	if len(j) == 1 {
		a.alone(ctx, j[0])
	} else {
		a.join(ctx, j)
	}
	check := a.group.still
	if j.unclear() {
		check = a.group.stillNow // it may fail because it is another's turn
	}
	if ctx.Err() != nil {
		return
	}
	if err := check(ctx, a.lead); err != nil {
		for _, t := range j {
			*t.out = nothingDone(t.unit, err)
		}
	}
}

// nothingDone is the Outcome of a Unit of which nothing stands on the active
// unit, as far as is known.
func nothingDone(u apply.Unit, err error) apply.Outcome {
	if len(u.Changes) == 0 {
		return apply.Outcome{}
	}
	return outcome(u.Changes[0], err)
}

// changes makes a Unit's changes with one call for each.
func (a *applier) changes(ctx context.Context, u apply.Unit) apply.Outcome {
	for i, c := range u.Changes {
		if err := a.group.still(ctx, a.lead); err != nil {
			return nothingDone(u, err)
		}
		start := a.opts.Clock()
		effect, err := a.change(ctx, c)
		out := apply.Outcome{}
		if err != nil {
			out = outcome(c, err)
		}
		if effect && err == nil || out.Status == apply.Unknown {
			a.audit(u.Service, c, out.Status, a.opts.Clock().Sub(start))
		}
		if err != nil {
			out.Applied = i
			return out
		}
	}
	return apply.Outcome{Applied: len(u.Changes)}
}

// audit leaves one line for each change outside, and for each that may have
// been one; so it is saved and synced.
func (a *applier) audit(service state.Ref, c plan.Change, status apply.Status, took time.Duration) {
	a.upkeep.changed(c)
	id := c.ID()
	fields := []zap.Field{
		zap.String("backend", id.Backend), zap.String("unit", a.session.host), zap.String("op", string(c.Op)), zap.String("kind", string(id.Kind)),
		zap.String("name", id.Name), zap.Stringer("service", service), zap.Stringer("status", status),
		zap.Int64("milliseconds", took.Milliseconds()),
	}
	if id.Kind == state.KindMember {
		fields = append(fields, zap.Stringer("member", id.Member))
	}
	if c.Why != "" {
		fields = append(fields, zap.String("why", c.Why))
	}
	a.opts.Log.Info("changed", fields...)
}

// change carries out one change; effect says that the device is now another.
func (a *applier) change(ctx context.Context, c plan.Change) (effect bool, err error) {
	if err := wellFormed(c); err != nil {
		return false, err
	}
	switch c.Op {
	case plan.Create:
		return a.create(ctx, c.After)
	case plan.Update:
		return a.update(ctx, c.Before, c.After)
	case plan.Delete:
		return a.remove(ctx, c.Before)
	}
	return false, &refusal{ReasonDeviceRefused, fmt.Errorf("%q is no operation", c.Op)}
}

// wellFormed refuses what would be another call than was meant.
func wellFormed(c plan.Change) error {
	lacks := func(m state.Member) bool { return m.Node == "" }
	for _, o := range []state.Object{c.Before, c.After} {
		switch o := o.(type) {
		case *state.PoolMember:
			if lacks(o.Member) {
				return &refusal{ReasonDeviceRefused, fmt.Errorf("the plan names no node for member %s", o.Endpoint)}
			}
		case *state.Pool:
			if i := slices.IndexFunc(o.Members, lacks); i >= 0 && c.Op == plan.Create {
				return &refusal{ReasonDeviceRefused, fmt.Errorf("the plan names no node for member %s", o.Members[i].Endpoint)}
			}
		}
	}
	return nil
}

func (a *applier) create(ctx context.Context, o state.Object) (effect bool, err error) {
	path, body := creation(o)
	if path == "" {
		return false, unsupported(o)
	}
	err = a.session.write(ctx, http.MethodPost, path, body)
	var answer *Error
	if errors.As(err, &answer) && answer.exists() {
		return false, a.standing(ctx, o, answer)
	}
	return err == nil, err
}

// creation is the call that makes an object.
func creation(o state.Object) (path string, body any) {
	switch o := o.(type) {
	case *state.Node:
		return nodesPath, encodeNode(o)
	case *state.Monitor:
		return monitorsPath + o.Type, encodeMonitor(o)
	case *state.DataGroup:
		return groupsPath, encodeDataGroup(o)
	case *state.IRule:
		return rulesPath, encodeRule(o)
	case *state.Persistence:
		return persistencesPath, encodePersistence(o)
	case *state.StaticRoute:
		return staticRoutesPath, encodeStaticRoute(o)
	case *state.Pool:
		return poolsPath, encodePool(o)
	case *state.PoolMember:
		return membersPath(o.Pool), encodeMember(o.Member)
	case *state.VirtualServer:
		return virtualsPath, encodeVirtual(o)
	}
	return "", nil
}

// standing settles a creation of what stands already: an earlier call whose
// answer was lost, another leader, or a person. What is ours and as wanted is
// done, and a node that is ours serves whichever Service's it is.
func (a *applier) standing(ctx context.Context, want state.Object, answer *Error) error {
	found, err := (&reader{session: a.session, opts: a.opts}).some(ctx, []state.ID{want.ID()})
	if err != nil {
		return err
	}
	have, ok := state.NewSet(found...).Get(want.ID())
	if !ok {
		return answer
	}
	ours := a.opts.Identity.Owns(have.OwnedBy())
	if n, isNode := have.(*state.Node); isNode && ours && n.Path == want.(*state.Node).Path {
		return nil
	}
	if ours && state.Equal(want, have) {
		return nil
	}
	who := "and is not ours"
	if ours {
		who = "and is ours, but not as it was when it was last read"
	}
	return &refusal{ReasonAlreadyExists, fmt.Errorf("%s stands already %s: %w", describe(have), who, answer)}
}

// describe names an object with its path on the device.
func describe(o state.Object) string {
	if n, ok := o.(*state.Node); ok {
		return fmt.Sprintf("node %s with address %s", n.Path, n.Address)
	}
	id := o.ID()
	if id.Kind == state.KindMember {
		return fmt.Sprintf("member %s of pool %s", id.Member, id.Name)
	}
	return fmt.Sprintf("%s %s", id.Kind, id.Name)
}

func (a *applier) update(ctx context.Context, before, after state.Object) (effect bool, err error) {
	path, changes := alteration(before, after)
	if path == "" {
		return false, unsupported(after)
	}
	if len(changes) == 0 {
		return false, nil
	}
	err = a.session.write(ctx, http.MethodPatch, path, changes)
	return err == nil, err
}

// alteration is the call that changes an object.
func alteration(before, after state.Object) (path string, changes properties) {
	switch after := after.(type) {
	case *state.Node:
		if before, ok := before.(*state.Node); ok {
			return objectPath(nodesPath, before.Path), nodeChanges(before, after)
		}
	case *state.Monitor:
		if before, ok := before.(*state.Monitor); ok {
			return objectPath(monitorsPath+after.Type, after.Path), monitorChanges(before, after)
		}
	case *state.DataGroup:
		if before, ok := before.(*state.DataGroup); ok {
			return objectPath(groupsPath, after.Path), dataGroupChanges(before, after)
		}
	case *state.IRule:
		if before, ok := before.(*state.IRule); ok {
			return objectPath(rulesPath, after.Path), ruleChanges(before, after)
		}
	case *state.Persistence:
		if before, ok := before.(*state.Persistence); ok {
			return objectPath(persistencesPath, after.Path), persistenceChanges(before, after)
		}
	case *state.StaticRoute:
		if before, ok := before.(*state.StaticRoute); ok {
			return objectPath(staticRoutesPath, after.Path), staticRouteChanges(before, after)
		}
	case *state.Pool:
		if before, ok := before.(*state.Pool); ok {
			return objectPath(poolsPath, after.Path), poolChanges(before, after)
		}
	case *state.PoolMember:
		if before, ok := before.(*state.PoolMember); ok {
			return memberPath(before.Pool, before.Node, before.Endpoint.Port), memberChanges(before.Member, after.Member)
		}
	case *state.VirtualServer:
		if before, ok := before.(*state.VirtualServer); ok {
			return objectPath(virtualsPath, after.Path), virtualChanges(before, after)
		}
	}
	return "", nil
}

func (a *applier) remove(ctx context.Context, o state.Object) (effect bool, err error) {
	if err := a.mayRemove(o); err != nil {
		return false, err
	}
	path := removal(o)
	if path == "" {
		return false, unsupported(o)
	}
	err = a.session.write(ctx, http.MethodDelete, path, nil)
	var answer *Error
	if !errors.As(err, &answer) {
		return err == nil, err
	}
	if answer.absent() {
		return false, nil
	}
	// A node is removed when the plan knows no member at its address. If the
	// device knows one, somebody has just made it: the node is in use and
	// stays. That is no failure, which would be met again with each try; the
	// next full read shows the node, and the member that holds it.
	if _, isNode := o.(*state.Node); isNode && answer.Code == codeNodeInUse {
		return false, nil
	}
	return false, err
}

// mayRemove refuses to delete what others made, whatever a plan says: what is
// not tagged as ours, and what is but was only adopted.
func (a *applier) mayRemove(o state.Object) error {
	adopted := false
	switch o := o.(type) {
	case *state.Pool:
		adopted = o.Use == state.Adopted
	case *state.VirtualServer:
		adopted = o.Use == state.Adopted
	}
	switch {
	case !a.opts.Identity.Owns(o.OwnedBy()):
		return &refusal{ReasonForeign, fmt.Errorf("%s is not ours", describe(o))}
	case adopted:
		return &refusal{ReasonForeign, fmt.Errorf("%s was adopted: it is given back, and never deleted", describe(o))}
	}
	return nil
}

// removal is the path that takes an object away.
func removal(o state.Object) string {
	switch o := o.(type) {
	case *state.Node:
		return objectPath(nodesPath, o.Path)
	case *state.Monitor:
		return objectPath(monitorsPath+o.Type, o.Path)
	case *state.DataGroup:
		return objectPath(groupsPath, o.Path)
	case *state.IRule:
		return objectPath(rulesPath, o.Path)
	case *state.Persistence:
		return objectPath(persistencesPath, o.Path)
	case *state.StaticRoute:
		return objectPath(staticRoutesPath, o.Path)
	case *state.Pool:
		return objectPath(poolsPath, o.Path)
	case *state.PoolMember:
		return memberPath(o.Pool, o.Node, o.Endpoint.Port)
	case *state.VirtualServer:
		return objectPath(virtualsPath, o.Path)
	}
	return ""
}

func unsupported(o state.Object) error {
	return &refusal{ReasonDeviceRefused, fmt.Errorf("a BIG-IP holds no %s", o.ID().Kind)}
}
