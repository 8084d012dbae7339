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
	Log    *zap.Logger
	// Metrics may be nil.
	Metrics *Metrics
}

// Report is how a Service stands on one backend.
type Report struct {
	Backend  string
	Service  state.Ref
	Revision ledger.Revision
	// Settled: what is wanted stands, and nothing is in flight. While
	// members drain it is true as well.
	Settled bool
	// Gone: nothing of the Service stands on the backend any more.
	Gone bool
	// Members are how many members of its pools take clients.
	Members int
	// Problems are why it is not as asked, or is held.
	Problems []state.Problem
}

// Worker drives one backend to what the ledger wants. One goroutine, Run's,
// decides and owns all of its state; the calls themselves run beside it.
type Worker struct {
	Options
	acting    chan bool // whether changes may be made: the leader's right
	allowing  chan allowance
	outcomes  chan flight
	countings chan []counted
	reads     chan read
	moves     chan string // why all has to be read anew
	calls     sync.WaitGroup

	act      bool
	mirror   *state.Set // what stands outside; nil until the first full read
	queue    queue
	clock    alarms
	flying   map[state.Ref]flight
	locks    locks
	backoff  map[state.Ref]time.Duration
	brakes   brakes
	counts   counts
	counting bool // a count is under way
	reading  bool
	stale    bool              // the full read under way began before something that it has to show
	touched  map[state.ID]bool // changed while a full read is under way
	down     *outage
	retry    time.Duration // until the next probe of a backend that is down
	told     map[state.Ref]Report

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
		outcomes:  make(chan flight),
		countings: make(chan []counted),
		counts:    newCounts(),
		reads:     make(chan read),
		moves:     make(chan string),
		queue:     newQueue(),
		flying:    map[state.Ref]flight{},
		locks:     newLocks(),
		backoff:   map[state.Ref]time.Duration{},
		told:      map[state.Ref]Report{},
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
				w.queue.push(ref)
			}
		case f := <-w.outcomes:
			w.landed(f)
		case answer := <-w.countings:
			w.haveCounted(answer)
		case r := <-w.reads:
			w.haveRead(ctx, r)
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
	w.act = allowed
	if allowed {
		w.term.cut()
		w.term = newTerm(ctx)
	} else {
		time.AfterFunc(handing, w.term.cut)
	}
	clear(w.told) // whoever listens now has not been told
	w.counts = newCounts()
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
		case brakeLook():
			w.lookAtBrake(time.Now())
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
	defer func() { w.Metrics.queued(w.Backend.Name(), w.queue.len()+len(w.locks.waiting)) }()
	if w.down != nil {
		w.reportOutage()
		return false
	}
	if w.mirror == nil {
		return false
	}
	for range atOnce {
		if len(w.flying) >= w.Concurrency {
			return false
		}
		ref, ok := w.queue.pop()
		if !ok {
			return false
		}
		if _, busy := w.flying[ref]; busy {
			w.locks.wait(lock{service: ref}, ref)
			continue
		}
		w.consider(ctx, ref)
	}
	return true
}

// consider plans for one Service, and starts what there is to do.
func (w *Worker) consider(ctx context.Context, ref state.Ref) {
	want, revision, problems := w.Ledger.Want(w.Backend.Name(), ref)
	if revision == 0 {
		if w.Watched != nil && !w.Watched(ref.Namespace) {
			return // another installation's, or nobody's any more: not for us to say
		}
		want.Drain = w.Drain
	}
	result, braked := w.brake(want, w.plan(want, false))
	w.needCounts(ref, result, time.Now())
	report := Report{
		Backend: w.Backend.Name(), Service: ref, Revision: revision,
		Problems: slices.Concat(problems, braked, result.Problems),
	}
	if len(result.Changes) == 0 {
		w.settle(want, result, report)
		return
	}
	if !w.act {
		return // a standby: the full read after winning makes all dirty
	}
	unit := Unit{Service: ref, Changes: result.Changes}
	keys := locksOf(unit)
	if k, blocked := w.locks.blocks(keys); blocked {
		w.locks.wait(k, ref)
		return
	}
	w.start(ctx, flight{unit: unit, locks: keys, problems: report.Problems, revision: revision})
}

// plan is what there is to do for a Service. With keep nothing is removed that
// is no longer wanted.
func (w *Worker) plan(want state.Want, keep bool) plan.Result {
	return plan.Diff(plan.Input{
		Backend: w.Backend.Name(), Want: want, Have: w.mirror, Identity: w.Identity, Now: time.Now(),
		NodePartition: w.NodePartition, Keep: keep, Gated: w.gatedSince(want.Service), Standing: w.Ledger.Standing, Leaned: w.Ledger.Leaned,
	})
}

// settle tells how a Service stands for which there is nothing to do now.
func (w *Worker) settle(want state.Want, result plan.Result, r Report) {
	delete(w.backoff, r.Service)
	w.clock.set(r.Service, result.Again)
	shows, owns := w.standing(r.Service)
	w.Ledger.Seen(w.Backend.Name(), r.Service, func(id state.ID) bool {
		_, there := w.mirror.Get(id)
		return there
	}, shows)
	r.Gone = !owns
	r.Settled = want.Mode == state.Follow && len(r.Problems) == 0 && len(result.Waiting) == 0
	for _, o := range want.Objects {
		if p, ok := w.mirror.Pool(w.Backend.Name(), o.ID().Name); ok && o.ID().Kind == state.KindPool {
			for _, m := range p.Members {
				if m.Admin == state.Enabled {
					r.Members++
				}
			}
		}
	}
	w.tell(r)
}

// standing is on which frontends the backend shows a Service, and whether
// anything of it stands there at all.
func (w *Worker) standing(ref state.Ref) (shows []state.Frontend, owns bool) {
	for _, id := range w.mirror.Owned(ref) {
		o, _ := w.mirror.Get(id)
		if n, ok := o.(*state.Node); ok && w.mirror.MembersAt(n.Address) > 0 {
			continue // another Service has members at the node that we made
		}
		if w.ours(ref, o) {
			owns = true
		}
		if v, ok := o.(*state.VirtualServer); ok && w.Identity.Owns(v.Owner) {
			shows = append(shows, v.Frontend())
		}
	}
	return shows, owns
}

// ours says whether an object, or in a pool a member, is this Service's.
func (w *Worker) ours(ref state.Ref, o state.Object) bool {
	p, isPool := o.(*state.Pool)
	mine := func(by state.Owner) bool { return by.Service == ref && w.Identity.Owns(by) }
	return mine(o.OwnedBy()) || isPool && slices.ContainsFunc(p.Members, func(m state.Member) bool { return mine(m.Owner) })
}

// tell passes a report on, unless it says what the last one said. A standby
// tells nothing: its mirror may be minutes old.
func (w *Worker) tell(r Report) {
	if !w.act {
		return
	}
	if last, ok := w.told[r.Service]; ok && last.same(r) {
		return
	}
	w.told[r.Service] = r
	if r.Gone && r.Revision == 0 {
		delete(w.told, r.Service)
	}
	w.Report(r)
}

func (r Report) same(o Report) bool {
	if r.Revision != o.Revision || r.Settled != o.Settled || r.Gone != o.Gone || r.Members != o.Members || len(r.Problems) != len(o.Problems) {
		return false
	}
	for i := range r.Problems {
		if r.Problems[i] != o.Problems[i] {
			return false
		}
	}
	return true
}
