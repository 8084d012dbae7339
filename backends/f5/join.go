package f5

import (
	"context"
	"errors"
	"math/bits"
	"slices"
	"time"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/tracing"
)

// task is a Unit that is carried out, and where its Outcome goes.
type task struct {
	unit apply.Unit
	// commands are its changes as calls; none where no transaction can hold
	// them.
	commands []command
	shape    shape
	out      *apply.Outcome
}

// job is the Units that are carried out in one go: one, or those that one
// transaction holds.
type job []*task

// jobs are Units, in the order in which they came, put together where one
// transaction can hold them.
func (a *applier) jobs(units []apply.Unit, outcomes []apply.Outcome) []job {
	var (
		jobs []job
		open = -1 // the job that may take more
		all  shape
		n    int
	)
	for i, u := range units {
		t := &task{unit: u, out: &outcomes[i]}
		commands, s, ok := a.commands(u)
		if ok {
			t.commands, t.shape = commands, s
			if both := all.with(s); open >= 0 && n+len(commands) <= mostTogether && both.fits() {
				jobs[open], all, n = append(jobs[open], t), both, n+len(commands)
				continue
			}
			open, all, n = len(jobs), s, len(commands)
		}
		jobs = append(jobs, job{t})
	}
	return jobs
}

// traced is the context for what is done for all Units of a job together.
func (j job) traced(ctx context.Context) context.Context {
	if !tracing.Recording(ctx) {
		return ctx
	}
	services := make([]state.Ref, len(j))
	for i, t := range j {
		services[i] = t.unit.Service
	}
	return tracing.Of(ctx, services...)
}

// notTried gives all Units the Outcome of what is not begun.
func (j job) notTried(failed apply.Outcome) {
	for _, t := range j {
		*t.out = notTried(failed)
	}
}

// failed is the Outcome of a Unit that met a device that fails; nil for none.
func (j job) failed() *apply.Outcome {
	for _, t := range j {
		if ofTheDevice(*t.out) {
			return t.out
		}
	}
	return nil
}

// unclear says whether an Outcome may come of another unit's turn.
func (j job) unclear() bool {
	return slices.ContainsFunc(j, func(t *task) bool {
		return t.out.Status == apply.Unknown || t.out.Status == apply.Unavailable
	})
}

// alone carries out one Unit: in a transaction where it makes or removes a pool
// or a virtual server, which goes whole or not at all, or has so many changes
// that it is done sooner so; else with single calls, since a member takes
// traffic sooner after one call than after the three of the shortest
// transaction.
func (a *applier) alone(ctx context.Context, t *task) {
	ctx = tracing.Of(ctx, t.unit.Service)
	if n := len(t.commands); n > 1 && (t.shape.whole || a.pace.pays(n)) {
		if out, settled := a.together(ctx, t); settled {
			*t.out = out
			return
		}
	}
	*t.out = a.changes(ctx, t.unit)
}

// together carries one Unit out in a transaction. If it is not settled by that,
// nothing was done, and single calls get further.
func (a *applier) together(ctx context.Context, t *task) (out apply.Outcome, settled bool) {
	start := a.opts.Clock()
	try := a.transact(ctx, t.commands)
	switch {
	case try.err == nil:
		a.auditAll(t, apply.Done, a.opts.Clock().Sub(start))
		return apply.Outcome{Applied: len(t.unit.Changes)}, true
	case !try.refused:
		return a.lost(t, t.commands[max(try.at, 0)], try, a.opts.Clock().Sub(start)), true
	case try.barred || !t.shape.whole:
		return apply.Outcome{}, false
	case try.at < 0:
		return outcome(t.commands[0].change, try.err), true
	}
	return a.blame(ctx, t.commands[try.at].change, try.err)
}

// join carries out Units in one transaction. One that is refused has done
// nothing: without the Unit that the device names, or in halves where it names
// none, it is tried again: beside one that is wrong, n Units are done with about
// 2·log2 n commits. Where more are refused, because many are wrong, each goes
// alone.
func (a *applier) join(ctx context.Context, j job) {
	var (
		parts    = []job{j}
		apart    job // to be made with single calls
		refusals = 2 * bits.Len(uint(len(j)))
	)
	for len(parts) > 0 {
		part := parts[len(parts)-1]
		parts = parts[:len(parts)-1]
		if len(part) == 1 {
			a.alone(ctx, part[0])
		} else if more, single := a.joinOnce(ctx, part, refusals == 0); len(more)+len(single) > 0 {
			refusals--
			parts, apart = append(parts, more...), append(apart, single...)
		}
		if failed := part.failed(); failed != nil {
			for _, left := range append(parts, apart) {
				left.notTried(*failed)
			}
			return
		}
	}
	for _, t := range apart {
		*t.out = a.changes(tracing.Of(ctx, t.unit.Service), t.unit)
	}
}

// joinOnce tries Units in one transaction, and returns those that are to be
// tried again: in other parts, or with single calls. With apart they are tried
// each in a part of its own.
func (a *applier) joinOnce(ctx context.Context, j job, apart bool) (parts []job, single job) {
	if apart {
		for _, t := range j {
			parts = append(parts, job{t})
		}
		return parts, nil
	}
	var (
		commands []command
		of       []int // commands: whose they are
	)
	for i, t := range j {
		for range t.commands {
			of = append(of, i)
		}
		commands = append(commands, t.commands...)
	}
	start := a.opts.Clock()
	ctx = j.traced(ctx)
	try := a.transact(ctx, commands)
	took := a.opts.Clock().Sub(start)
	switch {
	case try.err == nil:
		for _, t := range j {
			a.auditAll(t, apply.Done, took)
			*t.out = apply.Outcome{Applied: len(t.unit.Changes)}
		}
		return nil, nil
	case !try.refused:
		for _, t := range j {
			*t.out = a.lost(t, t.commands[0], try, took)
		}
		return nil, nil
	case try.barred:
		return nil, j
	case try.at < 0:
		return []job{j[len(j)/2:], j[:len(j)/2]}, nil
	}
	bad := of[try.at]
	out, settled := a.blame(ctx, commands[try.at].change, try.err)
	if *j[bad].out = out; !settled {
		single = job{j[bad]}
	}
	return []job{slices.Concat(j[:bad], j[bad+1:])}, single
}

// lost is the Outcome of a Unit whose transaction met a device that fails, at
// one of its commands. It may be made by then only where the commit was sent.
func (a *applier) lost(t *task, at command, try attempt, took time.Duration) apply.Outcome {
	out := outcome(at.change, try.err)
	if try.committing && out.Status == apply.Unknown {
		a.auditAll(t, apply.Unknown, took)
	}
	return out
}

func (a *applier) auditAll(t *task, status apply.Status, took time.Duration) {
	for _, c := range t.commands {
		a.audit(t.unit.Service, c.change, status, took)
	}
}

// blame says how a Unit ends of whose changes one was refused, and with it all.
// Where a single call takes the same answer for success, single calls go on.
func (a *applier) blame(ctx context.Context, c plan.Change, err error) (out apply.Outcome, settled bool) {
	var answer *Error
	if !errors.As(err, &answer) {
		return outcome(c, err), true
	}
	switch {
	case c.Op == plan.Create && answer.exists():
		if err := a.standing(ctx, c.After, answer); err != nil {
			return outcome(c, err), true
		}
		return apply.Outcome{}, false
	case c.Op == plan.Delete && (answer.Code == codeNotFound || answer.absent()):
		return apply.Outcome{}, false
	case c.Op == plan.Delete && c.ID().Kind == state.KindNode && answer.Code == codeNodeInUse:
		return apply.Outcome{}, false
	}
	return outcome(c, answer), true
}
