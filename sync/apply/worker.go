package apply

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/tracing"
)

// Options are what a Worker is made of. All but those marked are required.
type Options struct {
	Backend  Backend
	Ledger   *ledger.Ledger
	Identity state.Identity
	// NodePartition is where nodes are made; see plan.Input.
	NodePartition string
	// Concurrency is how many calls may be in flight at once; at least 1.
	Concurrency int
	// Resync is how often all is read anew to find what others changed.
	// 0: never.
	Resync time.Duration
	// Drain is how long members keep their connections whose Service is
	// not known any more. Optional.
	Drain time.Duration
	// Watched says whether the Services of a namespace are seen at all; what
	// stands for those of others is left alone. nil: all are.
	Watched func(namespace string) bool
	// Brake bounds what is removed that nobody deleted.
	Brake Brake
	// Report is told how each Service stands, from the worker's goroutine.
	// It must not block.
	Report func(Report)
	// Repaired is told what was put back, of a Service for which nothing was
	// asked: others had changed it. From the worker's goroutine; it must not
	// block. nil: nobody is.
	Repaired func(backend string, service state.Ref, changes []plan.Change)
	// Onlooker is told at which addresses the backend shows whom. nil: nobody.
	Onlooker Onlooker
	// Holds says, right before changes, whether the right to make them is
	// this process's still: one that has hung for longer than its lease goes
	// on before Act can tell. It must not block. nil: Act alone decides.
	Holds func() bool
	Log   *zap.Logger
	// Metrics may be nil.
	Metrics *Metrics
	// Traces is told what becomes of changes; nil: nobody is.
	Traces *tracing.Recorder
}

// Worker drives one backend to what the ledger wants. One goroutine, Run's,
// decides and owns all of its state; the calls themselves run beside it.
type Worker struct {
	Options
	acting    chan bool // whether changes may be made: the leader's right
	allowing  chan allowance
	outcomes  chan []flight
	countings chan []counted
	findings  chan found
	reads     chan read
	moves     chan string // why all has to be read anew
	looks     chan chan mirrored
	calls     sync.WaitGroup

	act      bool
	mirror   *state.Set // what stands outside; nil until the first full read
	queue    queue
	clock    alarms
	flying   map[state.Ref]bool // Services with a Unit on its way
	airborne int                // calls of Apply under way
	locks    locks
	backoff  map[state.Ref]time.Duration
	refused  map[state.ID]bool // of state.PodNetworks, whose changes do not need each other
	brakes   brakes
	counts   counts
	counting bool // a count is under way
	seeks    seeks
	seeking  bool // a look for what others make is under way
	reading  bool
	stale    bool              // the full read under way began before something that it has to show
	touched  map[state.ID]bool // changed while a full read is under way
	down     *outage
	retry    time.Duration // until the next probe of a backend that is down
	told     map[state.Ref]Report
	tally    tally

	rested bool // all that there was to do after the right was given is done

	term term // for which changes may be made now, or might last
}

// outage is why a backend takes no calls.
type outage struct {
	reason, message string
}

// NewWorker makes a worker. It starts nothing: Run does.
func NewWorker(o Options) *Worker {
	return &Worker{
		Options:   o,
		acting:    make(chan bool, 1),
		allowing:  make(chan allowance, 16),
		brakes:    newBrakes(o.Brake),
		outcomes:  make(chan []flight),
		countings: make(chan []counted),
		findings:  make(chan found),
		counts:    newCounts(),
		seeks:     newSeeks(),
		reads:     make(chan read),
		moves:     make(chan string),
		looks:     make(chan chan mirrored),
		queue:     newQueue(),
		flying:    map[state.Ref]bool{},
		locks:     newLocks(),
		backoff:   map[state.Ref]time.Duration{},
		refused:   map[state.ID]bool{},
		told:      map[state.Ref]Report{},
		tally:     newTally(),
	}
}

// Act allows changes outside, or takes the right away. Reading goes on either
// way, so that a standby is ready. Units in flight when the right is taken away
// have a second to end; none is begun after Act has been seen by Run. It may be
// called from any goroutine, and does not wait.
func (w *Worker) Act(allowed bool) { replace(w.acting, allowed) }

// replace puts a value into a channel of one place, instead of the one there
// that was not picked up yet and is out of date.
func replace[T any](ch chan T, value T) {
	for {
		select {
		case ch <- value:
			return
		default:
		}
		select {
		case <-ch:
		default:
		}
	}
}

// How long Units in flight may take to end, when Run is to return and when the
// right to make changes is taken away: a call that is cut leaves the next
// leader with an unknown outcome, and one that goes on disturbs it.
const (
	landing = 5 * time.Second
	handing = time.Second
)

// term is a time for which changes may be made. Its context is that of the
// changes: it ends when those in flight have had their time to end.
type term struct {
	context.Context
	cut context.CancelFunc
}

func newTerm(ctx context.Context) term {
	ctx, cut := context.WithCancel(context.WithoutCancel(ctx))
	return term{ctx, cut}
}

// Run works until ctx ends, and returns when all calls have ended. Changes in
// flight then have five seconds to end before they are cancelled.
func (w *Worker) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	w.term = newTerm(ctx)
	defer func() {
		cancel()
		late := time.AfterFunc(landing, w.term.cut)
		w.calls.Wait()
		late.Stop()
		w.term.cut()
	}()
	w.Metrics.begin(w.Backend.Name(), w.Resync)
	w.watch(ctx)
	w.readAll(ctx)
	for more := false; ; {
		wait := w.clock.wait(time.Now())
		if more {
			wait = 0
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case allowed := <-w.acting:
			w.allow(ctx, allowed)
		case a := <-w.allowing:
			w.brakes.allowed[a.hash] = a.until
			w.lookAtBrake(time.Now())
		case <-w.Ledger.Wake(w.Backend.Name()):
			for _, ref := range w.Ledger.Take(w.Backend.Name()) {
				delete(w.backoff, ref) // what was asked has changed: try at once
				w.asked(ref)
				w.queue.push(ref)
			}
		case batch := <-w.outcomes:
			w.airborne--
			for _, f := range batch {
				w.landed(f)
			}
		case answer := <-w.countings:
			w.haveCounted(answer)
		case answer := <-w.findings:
			w.haveSought(answer)
		case r := <-w.reads:
			w.haveRead(ctx, r)
		case answer := <-w.looks:
			answer <- w.mirrored()
		case why := <-w.moves:
			w.readAnew(ctx, why)
		case <-timer.C:
			w.alarm(ctx)
		}
		timer.Stop()
		more = w.dispatch(ctx)
	}
}

// allow takes or gives back the right to make changes. A new leader first
// reads what its predecessor left.
func (w *Worker) allow(ctx context.Context, allowed bool) {
	if allowed == w.act {
		return
	}
	w.act, w.rested = allowed, false
	if allowed {
		w.term.cut()
		w.term = newTerm(ctx)
	} else {
		time.AfterFunc(handing, w.term.cut)
	}
	clear(w.told) // whoever listens now has not been told
	w.tally.forget()
	w.counts, w.seeks = newCounts(), newSeeks()
	if allowed && (w.mirror != nil || w.reading) {
		w.readAnew(ctx, "to change what the leader before left")
	}
	if w.down != nil {
		for _, ref := range w.Ledger.Services() {
			w.queue.pushLater(ref) // to tell them so
		}
	}
}

// alarm does what has become due.
func (w *Worker) alarm(ctx context.Context) {
	for _, due := range w.clock.due(time.Now()) {
		switch due {
		case fullRead():
			w.readAll(ctx)
		case countLook():
			w.count(ctx)
		case seekLook():
			w.seek(ctx)
		case brakeLook():
			w.lookAtBrake(time.Now())
		case holdsLook(): // dispatch looks
		default:
			w.queue.push(due)
		}
	}
}

// atOnce is how many Services are looked at before the worker listens again.
const atOnce = 256

// dispatch starts as many calls as may be in flight, oldest dirt first. What
// touches the same things as a call in flight waits for it. It says whether
// there is more to do at once.
func (w *Worker) dispatch(ctx context.Context) (more bool) {
	defer w.show()
	if w.down != nil {
		w.reportOutage()
		return false
	}
	if w.mirror == nil {
		return false
	}
	if w.lapsed() {
		w.clock.set(holdsLook(), time.Now().Add(lapse))
		return false
	}
	for looked := 0; looked < atOnce; {
		if w.airborne >= w.Concurrency {
			return false
		}
		n := w.next(ctx)
		if n == 0 {
			w.rest()
			return false
		}
		looked += n
	}
	return true
}

// lapse is how long a worker waits that has the right to make changes and does not
// hold it: until Act or Holds says otherwise.
const lapse = 100 * time.Millisecond

// holdsLook is the alarm for asking Holds again: the Ref of no Service.
func holdsLook() state.Ref { return state.Ref{Name: "holds"} }

// lapsed says whether the right to make changes is not this process's any more,
// and Act has not told yet.
func (w *Worker) lapsed() bool { return w.act && w.Holds != nil && !w.Holds() }

// consider plans for one Service. What there is to do comes back as a flight
// that may start now; otherwise it is settled, or waits for another flight.
func (w *Worker) consider(ref state.Ref) (f flight, ready bool) {
	if w.flying[ref] {
		w.locks.wait(lock{service: ref}, ref)
		return flight{}, false
	}
	began := w.traceTime()
	want, revision, problems := w.Ledger.Want(w.Backend.Name(), ref)
	if revision == 0 {
		if w.Watched != nil && !w.Watched(ref.Namespace) {
			w.tally.looked(ref)
			return flight{}, false // another installation's, or nobody's any more: not for us to say
		}
		want.Drain = w.Drain
	}
	result, braked := w.brake(want, w.plan(want, false))
	w.needCounts(ref, result, time.Now())
	w.needSought(ref, result, time.Now())
	report := Report{
		Backend: w.Backend.Name(), Service: ref, Revision: revision,
		Problems: slices.Concat(problems, braked, result.Problems),
	}
	if len(result.Changes) == 0 {
		w.settle(want, result, report)
		return flight{}, false
	}
	if !w.act {
		return flight{}, false // a standby: the full read after winning makes all dirty
	}
	w.refusedLast(ref, result.Changes)
	unit := Unit{Service: ref, Changes: result.Changes[:min(len(result.Changes), mostChanges)]}
	keys := locksOf(unit)
	if k, blocked := w.locks.blocks(keys); blocked {
		w.locks.wait(k, ref)
		return flight{}, false
	}
	return flight{
		unit: unit, locks: keys, problems: report.Problems, revision: revision, planBegan: began, planEnded: w.traceTime(),
	}, true
}

// plan is what there is to do for a Service. With keep nothing is removed that
// is no longer wanted.
func (w *Worker) plan(want state.Want, keep bool) plan.Result {
	return plan.Diff(plan.Input{
		Backend: w.Backend.Name(), Want: want, Have: w.mirror, Identity: w.Identity, Now: time.Now(),
		NodePartition: w.NodePartition, Keep: keep, Gated: w.gatedSince(want.Service), Standing: w.Ledger.Standing, Unseen: w.Ledger.Unseen, Leaned: w.Ledger.Leaned, Routed: w.Ledger.Routed,
	})
}

// settle tells how a Service stands for which there is nothing to do now.
func (w *Worker) settle(want state.Want, result plan.Result, r Report) {
	delete(w.backoff, r.Service)
	if r.Service == state.PodNetworks() {
		clear(w.refused)
	}
	w.settled(r.Service)
	w.clock.set(r.Service, result.Again)
	shows, at, owns := w.standing(r.Service)
	w.Ledger.Seen(w.Backend.Name(), r.Service, func(id state.ID) bool {
		_, there := w.mirror.Get(id)
		return there
	}, shows)
	w.showOne(r.Service, at)
	r.Gone, r.InPlace = !owns, result.InPlace
	if len(result.Waiting) == 0 {
		w.Traces.Settled(w.Backend.Name(), r.Service, r.Revision)
	}
	r.Settled = want.Mode == state.Follow && state.AsAsked(r.Problems) && len(result.Waiting) == 0
	for _, id := range result.Pools {
		p, _ := w.mirror.Pool(id.Backend, id.Name)
		for _, m := range p.Members {
			switch {
			case m.Admin != state.Enabled:
			case m.VM || m.Owner.IsZero():
				r.VMs++
			default:
				r.Members++
			}
		}
	}
	for _, o := range want.Objects {
		if route, ok := o.(*state.Route); ok {
			r.Members += len(route.NextHops)
		}
		if v, ok := o.(*state.VirtualServer); ok && v.Use == state.Adopted {
			if at, ok := w.mirror.ListensAt(v.ID()); ok {
				r.Addresses = append(r.Addresses, at)
			}
		}
	}
	w.tell(r)
}

// standing is on which frontends the backend shows a Service, at which addresses
// with what is its own there, and whether anything of it stands there at all.
func (w *Worker) standing(ref state.Ref) (shows []state.Frontend, at []state.Address, owns bool) {
	for _, id := range w.mirror.Owned(ref) {
		o, _ := w.mirror.Get(id)
		if n, ok := o.(*state.Node); ok && w.mirror.MembersAt(n.Address) > 0 {
			continue // another Service has members at the node that we made
		}
		if w.ours(ref, o) {
			owns = true
		}
		if f, ok := state.FrontendOf(o); ok && w.Identity.Owns(o.OwnedBy()) {
			shows = append(shows, f)
			if !state.IsAdopted(o) {
				at = append(at, f.Address)
			}
		}
	}
	return shows, at, owns
}

// ours says whether an object, or in a pool a member, is this Service's or lent
// to it.
func (w *Worker) ours(ref state.Ref, o state.Object) bool {
	p, isPool := o.(*state.Pool)
	mine := func(by state.Owner) bool { return by.Service == ref && w.Identity.Owns(by) }
	return mine(o.OwnedBy()) || isPool && slices.ContainsFunc(p.Members, func(m state.Member) bool {
		return mine(m.Owner) || m.Loan != nil && mine(m.Loan.To)
	})
}
