package histories

import (
	"context"
	"strconv"
	"sync"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/report"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// deviceName is the name of the one backend.
const deviceName = "bigip/dc1"

// replica is one controller process: the real ledger, worker and backend, and
// around them what sync/reconcile does with watch and report in its place. Its
// methods belong to the goroutine that plays; the worker's reports come
// through a box.
type replica struct {
	cluster *cluster
	name    string
	ledger  *ledger.Ledger
	worker  *apply.Worker
	seen    *seen // the backend, watched
	records map[state.Ref]*record
	said    map[state.Ref]apply.Report // the worker's last word, of every Service
	held    map[state.Ref]bool         // wait for a leader to put the finalizer on
	ready   bool                       // all Services have been translated once
	leading bool
	stop    context.CancelFunc
	done    sync.WaitGroup
	box     *box
}

// record is what a replica knows of one Service.
type record struct {
	result translate.Result
	report apply.Report
	told   bool
}

// box takes the reports of workers until they are looked at.
type box struct {
	mu   sync.Mutex
	mail []letter
	news chan struct{}
}

type letter struct {
	to     *replica
	report apply.Report
}

func (b *box) post(l letter) {
	b.mu.Lock()
	b.mail = append(b.mail, l)
	b.mu.Unlock()
	select {
	case b.news <- struct{}{}:
	default:
	}
}

func (b *box) empty() []letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	mail := b.mail
	b.mail = nil
	return mail
}

// start starts a process. It leads nothing yet.
func (p *play) start(c *cluster) *replica {
	p.started++
	r := &replica{
		cluster: c, name: c.identity.Cluster + "-" + strconv.Itoa(p.started), box: p.box,
		ledger:  ledger.New(deviceName),
		records: map[state.Ref]*record{}, said: map[state.Ref]apply.Report{}, held: map[state.Ref]bool{},
	}
	r.seen = p.watch(r)
	brakes := c.config.Brakes
	r.worker = apply.NewWorker(apply.Options{
		Backend: r.seen, Ledger: r.ledger, Identity: c.identity, NodePartition: "Common", Concurrency: 4,
		Resync: resync, Drain: translate.DefaultDrain,
		Brake:  apply.Brake{Percent: *brakes.MaxDeletePercent, Least: *brakes.MinDelete, Window: time.Duration(*brakes.Window)},
		Report: func(told apply.Report) { r.box.post(letter{r, told}) },
		Log:    zap.NewNop(),
	})
	ctx, stop := context.WithCancel(p.ctx)
	r.stop = stop
	r.done.Go(func() {
		if err := r.worker.Run(ctx); err != nil {
			p.violated("the worker of %s ended: %v", r.name, err)
		}
	})
	r.sync()
	return r
}

// sync fills the caches, if the API server answers.
func (r *replica) sync() {
	if r.ready || r.cluster.away {
		return
	}
	r.ready = true
	for _, ref := range services() {
		r.translate(ref)
	}
}

// end stops a process, as a signal does: calls in flight end.
func (r *replica) end() {
	r.leading = false
	r.stop()
	r.done.Wait()
	r.seen.mayAct(false)
}

// lead gives a process the lease. Without caches it takes none.
func (r *replica) lead() {
	if r.leading || !r.ready {
		return
	}
	r.leading = true
	held := r.held
	r.held = map[state.Ref]bool{}
	for ref := range held {
		r.translate(ref)
	}
	r.act()
	for ref := range r.records {
		r.tell(ref)
	}
}

// follow takes the lease away.
func (r *replica) follow() {
	r.leading = false
	r.act()
}

// act lets the worker make changes if this is the leader and the
// configuration allows any.
func (r *replica) act() {
	may := r.leading && r.cluster.config.Applies()
	if may {
		r.seen.mayAct(true)
	}
	r.worker.Act(may)
	if !may {
		synctest.Wait() // until the worker has seen it
		r.seen.mayAct(false)
	}
}

// translate is reconcile's: from what is seen of a Service to the ledger.
func (r *replica) translate(ref state.Ref) {
	in, exists := r.cluster.input(ref)
	rec := r.records[ref]
	if !exists {
		if rec != nil {
			rec.result = translate.Result{Want: state.Want{Service: ref, Drain: rec.result.Want.Drain}}
			r.put(rec.result.Want, time.Time{})
			r.tell(ref)
		}
		return
	}
	result := translate.Service(in, translate.Policy{Config: r.cluster.config, Identity: r.cluster.identity})
	if !result.Addressed && !report.Touched(in.Service) && rec == nil {
		return
	}
	if len(result.Want.Objects) > 0 && !report.Claimed(in.Service) {
		if !r.leading {
			r.held[ref] = true
			result.Want.Mode = max(result.Want.Mode, state.Hold)
		} else {
			r.cluster.setFinalizer(ref, true) // seen by all, which ends here again
			return
		}
	}
	if rec == nil {
		rec = &record{}
		r.records[ref] = rec
	}
	rec.result = result
	r.put(result.Want, in.Service.CreationTimestamp.Time)
	r.tell(ref)
}

func (r *replica) put(want state.Want, created time.Time) {
	r.seen.asks(want)
	r.ledger.Put(want, created)
}

// reported takes in what the worker says of a Service.
func (r *replica) reported(told apply.Report) {
	r.said[told.Service] = told
	if rec := r.records[told.Service]; rec != nil {
		rec.report, rec.told = told, true
		r.tell(told.Service)
	}
}

// tell is reconcile's report, of which only the end matters here: the
// finalizer goes when nothing of the Service stands outside.
func (r *replica) tell(ref state.Ref) {
	rec := r.records[ref]
	if rec == nil {
		return
	}
	s := r.cluster.services[ref]
	wanted := s != nil && rec.result.Addressed && s.object.DeletionTimestamp == nil
	current := rec.told && rec.report.Revision == r.ledger.Revisions(ref)[deviceName]
	if wanted || !current || !rec.report.Gone || r.cluster.away {
		return
	}
	if s != nil && report.Claimed(s.object) {
		if r.leading {
			r.cluster.setFinalizer(ref, false)
		}
		return
	}
	delete(r.records, ref)
	delete(r.held, ref)
	r.ledger.Forget(ref)
}

// problems are why a Service is not as asked, as its condition would say;
// settled is whether it is as asked.
func (r *replica) problems(ref state.Ref) (problems []state.Problem, settled bool) {
	rec := r.records[ref]
	if rec == nil {
		return nil, false
	}
	current := rec.told && rec.report.Revision == r.ledger.Revisions(ref)[deviceName]
	problems = append(problems, rec.result.Problems...)
	if current {
		problems = append(problems, rec.report.Problems...)
	}
	return problems, current && rec.report.Settled
}
